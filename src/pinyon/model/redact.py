"""What looks like a secret in a text, and the text without it. Pure; what this process knows to be secret is given.

Each pattern is asked only where a literal of it stands in the text, so that a text without any costs microseconds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

HIDDEN = "***"

# (literals of which one stands in every match, pattern). What is hidden is the group `s`, else all of the match.
_PATTERNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{30,255}"),
    (("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
    (("glpat-",), r"glpat-[\w-]{20,}"),
    (("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    (("wandb_v1_",), r"wandb_v1_[\w-]{20,}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{36}"),
    (("pypi-Ag",), r"pypi-Ag[\w-]{30,}"),
    # A digit and a capital, or scikit-learn's own words would go.
    (("sk-",), r"\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9][\w-]{19,}"),
    (("sk_live_", "rk_live_", "sk_test_"), r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    (("xox", "xapp-"), r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}"),
    (("hooks.slack.com/",), r"hooks\.slack\.com/services/(?P<s>T[\w/]{20,})"),
    (("AIza",), r"AIza[\w-]{35}"),
    (("ya29.",), r"ya29\.[\w-]{20,}"),
    (("GOCSPX-",), r"GOCSPX-[\w-]{20,}"),
    (("dapi",), r"\bdapi[0-9a-f]{32}\b"),
    (("dop_v1_",), r"dop_v1_[0-9a-f]{64}"),
    (("eyJ",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    (("PRIVATE KEY",), r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    (("://",), r"://[^/\s:@\"']*:(?P<s>[^/\s@\"'*][^/\s@\"']*)@"),
    (("://",), r"://(?P<s>[^/\s:@\"']{20,})@"),
    (
        ("oken=", "ey=", "ignature="),
        r"(?i)[?&](?:[\w-]*token|[\w-]*key|[\w-]*signature|sig)=(?P<s>[^&\s\"']{8,})",
    ),
    (("earer ", "asic "), r"\b(?:[Bb]earer|[Bb]asic) (?P<s>(?=[^\s\"']*\d)[\w.~+/=-]{16,})"),
    (("AccountKey=", "SharedAccessKey="), r"A(?:ccount|ccess)Key=(?P<s>[A-Za-z0-9+/=]{20,})"),
)
# Words at whose end a name says that its value is secret; a key only behind one of those below.
_PASSWORDS = ("password", "passwd", "passphrase")
_WORDS = (*_PASSWORDS, "secret", "token", "credentials", "credential", "key")
_KEYS = ("api", "access", "secret", "private", "auth", "account", "encryption", "signing", "ssh")
_TOKENS = ("pad", "eos", "bos", "unk", "cls", "sep", "mask")  # tokens of texts
_MARKS = tuple(dict.fromkeys((*(mark.lower() for marks, _ in _PATTERNS for mark in marks), *_WORDS[:-1])))
_KEY_MARKS = tuple(f"{word}{joint}key" for word in _KEYS for joint in ("_", "-", ".", ""))
_VALUE = r"(?P<q>[\"'])?(?P<s>(?(q)(?:(?!(?P=q)).)+|[^\s\"'&;,)\]}]+))"
_TAIL = rf"(?P<b>[\"']?[ \t]*[=:][ \t]*|[ \t]+){_VALUE}"
_HEAD = r"[\w.-]*$"
_LOWER = {upper: upper + 32 for upper in range(65, 91)}
# Numbers, switches, names of variables, placeholders, digests: no secrets, whatever they are called.
_PLAIN = (
    r"(?is)[-+]?[\d_.]+(?:e[-+]?\d+)?|true|false|none|null|required|optional|nan|auto|\*+|blake3:[0-9a-f]+/?"
    r"|\$[({]?[a-z_]\w*[)}]?|\$\(.*|\{.*\}|<[^>]*>|\[[a-z]+\]|%\w+%"
)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def suspicious(given: str, values: Sequence[str] = ()) -> bool:
    """Whether anything could be hidden in a text; wrong in one direction only."""
    lower = _lower(given)
    for mark in _MARKS:  # a loop, since this is asked of every record
        if mark in lower:
            return True
    # Every record has a "key" of its own.
    return ("key" in lower and any(mark in lower for mark in _KEY_MARKS)) or any(
        one in given for one in values
    )


def _lower(given: str) -> str:
    """In lower case, and as long as before."""
    lower = given.lower()
    return (
        lower if len(lower) == len(given) else given.translate(_LOWER)
    )  # a capital that becomes two letters


def spans(given: str, values: Sequence[str] = ()) -> list[tuple[int, int]]:
    """Where secrets stand in a text, sorted and apart from each other.

    Args:
        values: secrets themselves, such as those of environment variables.
    """
    found: list[tuple[int, int]] = []
    for marks, pattern in _PATTERNS:
        if any(mark in given for mark in marks):
            group = "s" if "(?P<s>" in pattern else 0
            found += [match.span(group) for match in _compiled(pattern).finditer(given)]
    found += _assigned(given)
    for one in values:
        at = given.find(one)
        while at >= 0:
            found.append((at, at + len(one)))
            at = given.find(one, at + len(one))
    return _apart(found) if found else found


def _assigned(given: str) -> Iterator[tuple[int, int]]:
    """Values behind ``--password X``, ``API_KEY=…``, ``"token": "…"``."""
    lower = _lower(given)
    for word in _WORDS:
        at = lower.find(word)
        while at >= 0:
            end = at + len(word)
            tail = _compiled(_TAIL).match(given, end)
            if tail is not None and _names(lower[max(0, at - 60) : end], word):
                head = _compiled(_HEAD).search(given, max(0, at - 60), at)
                option = head is not None and head[0].startswith("-")
                if _given(tail, option=option) and _secret(tail["s"], password=word in _PASSWORDS):
                    yield tail.span("s")
            at = lower.find(word, end)


def _names(lower: str, word: str) -> bool:
    """Whether a name that ends so, in lower case, says that its value is secret."""
    before = lower[: -len(word)]
    if word == "key":
        return before.endswith(_KEYS) or (before[-1:] in "_.-" and before[:-1].endswith(_KEYS))
    return word != "token" or before[-1:] not in ("_", "-") or not before[:-1].endswith(_TOKENS)


def _given(tail: re.Match[str], *, option: bool) -> bool:
    """Whether a value stands behind the name, and neither a sentence nor a piece of a program."""
    between, found = tail["b"], tail["s"]
    if not between.strip():
        return option  # in a sentence, "the password is" says nothing; behind an option a blank does
    if tail["q"] or option:
        return True
    if any(sign in found for sign in "([{"):
        return False
    names = _compiled(r"[A-Za-z_][A-Za-z_.]*").fullmatch(found) is not None
    return not (names and (between != "=" or "." in found or names_secret(found)))


def _secret(value: str, *, password: bool) -> bool:
    """Whether the value of something that is called a secret is one, and not a number, a switch or a word."""
    if password:
        return len(value) >= 4 and (len(value) >= 6 or not value.isdigit()) and not _plain(value, digits=True)
    return len(value) >= 8 and " " not in value and not _plain(value) and not _word(value, 20)


def _plain(value: str, *, digits: bool = False) -> bool:
    """What is no secret, whatever it is called; ``digits``: but what is made of digits alone may be one."""
    return not (digits and value.isdigit()) and _compiled(_PLAIN).fullmatch(value) is not None


def _word(value: str, long: int) -> bool:
    """Below ``long`` characters, a plain word, a name or a path: letters in one case, without a digit."""
    plain = re.sub(r"[_./-]", "", value)
    return len(value) < long and plain.isalpha() and (plain.islower() or plain.isupper() or plain.istitle())


def _apart(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def text(given: str, values: Sequence[str] = ()) -> str:
    """A text with ``***`` for each secret."""
    at, parts = 0, []
    for start, end in spans(given, values):
        parts += [given[at:start], HIDDEN]
        at = end
    return "".join((*parts, given[at:])) if parts else given


def names_secret(name: str) -> bool:
    """Whether what is called so is secret, as far as the name tells."""
    return _word_of(name) != ""


def _word_of(name: str) -> str:
    """The word at the end of a name that says so; "" where none does."""
    lower = name.lower()
    return next((word for word in _WORDS if lower.endswith(word) and _names(lower, word)), "")


def value(given: Any, values: Sequence[str] = (), *, keep: Collection[str] = ()) -> Any:
    """JSON with ``***`` for each secret: in texts, for the values of secret names, and behind secret options.

    Args:
        keep: names of a map whose values stay as they are.
    """
    if isinstance(given, str):
        return text(given, values)
    if isinstance(given, dict):
        return {
            (text(name, values) if isinstance(name, str) else name): one
            if name in keep
            else _named(name, one, values, keep)
            for name, one in given.items()
        }
    if isinstance(given, (list, tuple)):
        before: Any = ""
        row = []
        for one in given:
            row.append(_named(before, one, values, keep))
            before = one
        return row
    return given


def _named(name: Any, one: Any, values: Sequence[str], keep: Collection[str]) -> Any:
    word = _word_of(name) if isinstance(name, str) and isinstance(one, str) else ""
    if word and _secret(one, password=word in _PASSWORDS):
        return HIDDEN
    return value(one, values, keep=keep)


def covers(recorded: Any, now: Any) -> bool:
    """Whether a value as it was recorded may be this one, of which ``***`` hides a part."""
    if isinstance(recorded, str) and isinstance(now, str) and HIDDEN in recorded:
        return re.fullmatch(".+".join(map(re.escape, recorded.split(HIDDEN))), now, re.DOTALL) is not None
    return False


def secret_values(environment: dict[str, str]) -> tuple[str, ...]:
    """Values of variables whose names say that they are secret; the longest first.

    What is short, a plain word, a number or a path says too little to be looked for in every text.
    """
    found = {
        one
        for name, one in environment.items()
        if names_secret(name) and len(one) >= 8 and not one.startswith(("/", "./", "~"))
        and not _plain(one) and not _word(one, 16)
    }  # fmt: skip
    return tuple(sorted(found, key=len, reverse=True))


_FILES = (
    r"(^|/)(\.env(\.(?!example$|sample$|template$)[^/]*)?|\.netrc|\.pgpass|\.pypirc|\.npmrc|id_(rsa|dsa|ecdsa|ed25519)|"
    r"[^/]*\.(pem|p12|pfx|keystore|key)|credentials[^/]*\.json|credentials|service[-_]account[^/]*\.json|"
    r"\.kaggle/kaggle\.json|\.streamlit/secrets\.toml)$"
)


def names_secret_file(path: str) -> bool:
    """Whether a file called so usually holds a secret."""
    return _compiled(_FILES).search(path) is not None
