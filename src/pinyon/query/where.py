"""The small language of ``--where``: ``params.lr < 0.01 and (stage = train or not status = FAILED)``. Pure.

A comparison is NAME OP VALUE; ``and``, ``or``, ``not`` and parentheses join them. Numbers compare with numbers, text with
text, booleans with booleans; what is missing, NaN or of another kind meets no comparison but ``= null``. Where a name has
several values, as a run may belong to several phases, one that meets it is enough, and for ``!=`` all must.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model import units

Values = tuple[Any, ...]
# By name the values of every row; a test says of each row whether it meets the condition: whole columns at once, since a
# call for each row would cost more than the comparing.
Get = Callable[[str], Sequence[Values]]
Test = Callable[[Get], list[bool]]

_TOKEN = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<op><=|>=|==|!=|<|>|=|~)
    |(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()<>=!~"']+))""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf", re.IGNORECASE)
_WORDS = {"true": True, "false": False, "null": None}
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DEEPEST = 50  # parentheses and nots within each other
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
# Names whose values are seconds, and how people write those.
_MEANT: dict[str, tuple[Callable[[str], float], str]] = {
    "started": (
        lambda text: datetime.fromisoformat(text).timestamp(),
        "a date such as 2026-11-22 or '2026-11-22 14:30'",
    ),
    "seconds": (units.seconds, "a duration such as 90s or 1h30m"),
}


class Token(NamedTuple):
    """A piece of the text; ``at`` is its first character."""

    kind: str
    text: str
    at: int


class Condition(NamedTuple):
    """A parsed text.

    Attributes:
        names: that it asks of, each with the position of its first use.
        typed: (name, value) of the comparisons that ask for a value of one kind.
    """

    text: str
    test: Test
    names: dict[str, int]
    typed: list[tuple[str, Any]] = []


def parse(text: str) -> Condition:
    """The condition that a person wrote.

    Raises:
        PlanError: it is none; the message shows where with a caret.
    """
    parser = _Parser(text)
    return Condition(text, parser.whole(), parser.names, parser.typed)


def wrong(text: str, at: int, what: str, why: str) -> PlanError:
    """An error that shows its place in the text."""
    shown = re.sub(r"\s", " ", text)
    return PlanError(f"{what}; {why}\n  {shown}\n  {' ' * at}^\n", next="pinyon runs --help")


class _Parser:
    def __init__(self, text: str) -> None:
        self.names: dict[str, int] = {}
        self.typed: list[tuple[str, Any]] = []
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _is(self, word: str) -> bool:
        token = self._peek()
        if token.kind == "word" and token.text.lower() == word:
            self._next += 1
            return True
        return False

    def _wrong(self, token: Token, what: str) -> PlanError:
        found = "the end" if token.kind == "end" else f"'{token.text}'"
        example = "params.lr < 0.01 and stage = train"
        return wrong(
            self._text, token.at, f"here is {found}, and {what} is expected", f"write as in {example}"
        )

    def whole(self) -> Test:
        test = self._either()
        if self._peek().kind != "end":
            raise self._wrong(self._peek(), "and, or, or the end")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._is("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda get: _joined(any, tests, get)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._is("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda get: _joined(all, tests, get)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(self._peek(), f"something less deep than {_DEEPEST} levels")
        try:
            if self._is("not"):
                negated = self._one()
                return lambda get: [not met for met in negated(get)]
            if self._peek().kind != "open":
                return self._comparison()
            self._take()
            inner = self._either()
            if self._peek().kind != "close":
                raise self._wrong(self._peek(), "')'")
            self._take()
            return inner
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        name = self._take()
        if name.kind not in ("word", "quoted"):
            raise self._wrong(name, "a name")
        op = self._take()
        if op.kind != "op":
            raise self._wrong(op, "one of = != < <= > >= ~")
        value = self._take()
        if value.kind not in ("word", "quoted"):
            raise self._wrong(value, "a value")
        plain = _unquoted(name)
        self.names.setdefault(plain, name.at)
        wanted = self._value(plain, op, value)
        if wanted is not None and op.text != "~":
            self.typed.append((plain, wanted))
        return _test(plain, op.text, wanted)

    def _value(self, name: str, op: Token, token: Token) -> Any:
        if token.kind == "quoted":
            value: Any = _unquoted(token)
        elif token.text.lower() in _WORDS:
            value = _WORDS[token.text.lower()]
        elif _NUMBER.fullmatch(token.text):
            value = float(token.text)
        else:
            value = token.text
        if isinstance(value, str) and name in _MEANT and op.text != "~":
            value = self._meant(name, token, value)
        if op.text == "~" and token.kind == "word":
            value = token.text
        if op.text in _ORDER and (value is None or isinstance(value, bool)):
            raise self._wrong(token, "a number or text")
        return value

    def _meant(self, name: str, token: Token, text: str) -> float:
        read, example = _MEANT[name]
        try:
            return read(text)
        except (ValueError, OverflowError, OSError):
            raise self._wrong(token, example) from None


def _tokens(text: str) -> list[Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise wrong(
                text, at, f"'{text[at]}' begins nothing here", "quotes are closed, and != is one operator"
            )
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*found, Token("end", "", end)]


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text


def _joined(how: Callable[[Iterable[bool]], bool], tests: list[Test], get: Get) -> list[bool]:
    return [how(row) for row in zip(*(test(get) for test in tests), strict=True)]


def _test(name: str, op: str, wanted: Any) -> Test:
    if op == "!=":
        same = _test(name, "=", wanted)
        if wanted is None:
            return lambda get: [not met for met in same(get)]
        return lambda get: [
            bool(known(values)) and not met for values, met in zip(get(name), same(get), strict=True)
        ]
    if wanted is None:
        return lambda get: [not known(values) for values in get(name)]
    if op == "~":
        text = str(wanted).lower()
        return lambda get: [any(text in _text(value) for value in values) for values in get(name)]
    return lambda get: _compared(get(name), _ORDER.get(op, operator.eq), wanted)


def _compared(column: Sequence[Values], compare: Callable[[Any, Any], bool], wanted: Any) -> list[bool]:
    kind, met = type(wanted), []
    for values in column:
        # Most rows have one value, of the kind that is wanted.
        if (
            len(values) == 1
            and type(value := values[0]) is kind
            and (kind is float or value not in _NOT_FINITE)
        ):
            met.append(compare(value, wanted))
        else:
            met.append(any(_meets(compare, value, wanted) for value in values))
    return met


def not_comparable(column: Sequence[Values], wanted: Any) -> list[int]:
    """The rows whose values are known, and none of them of the kind that a comparison asks for."""
    kind = type(wanted)
    odd = [
        at
        for at, values in enumerate(column)
        if not (
            len(values) == 1 and type(values[0]) is kind and (kind is float or values[0] not in _NOT_FINITE)
        )
    ]
    return [
        at
        for at in odd
        if (held := known(column[at])) and not any(comparable(value, wanted) for value in held)
    ]


def known(values: Values) -> Values:
    """Those that are neither null nor NaN."""
    return tuple(
        v for v in values if v is not None and not (isinstance(n := plain(v), float) and math.isnan(n))
    )


def plain(value: Any) -> Any:
    """A value as records have it, as it is meant: NaN and infinities are numbers, though JSON has them as text."""
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def comparable(value: Any, wanted: Any) -> bool:
    """Whether a value that is known is of the kind that a comparison asks for."""
    value = plain(value)
    if isinstance(value, bool) or isinstance(wanted, bool):
        return isinstance(value, bool) and isinstance(wanted, bool)
    return isinstance(value, int | float) if isinstance(wanted, float) else isinstance(value, str)


def _text(value: Any) -> str:
    return str(value).lower()


def _meets(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    if not comparable(value, wanted):
        return False
    value = plain(value)
    return value is wanted if isinstance(value, bool) else compare(value, wanted)
