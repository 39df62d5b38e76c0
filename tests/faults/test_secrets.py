"""Row 25: canaries go in by every door, and none is found in any byte of the store; what only looks like one stays."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import io
import json
import os
import random
import string
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

SEED = int(os.environ.get("PINYON_SEED", "25"))
ROUNDS = 20 if os.environ.get("PINYON_FAULTS") == "deep" else 1

_LETTERS = string.ascii_letters + string.digits
HARMLESS = [
    "max_tokens=256", "tokenizer=bert-base-uncased", "secret_sauce=0.3", "token_ids=[101, 2023]", "eos_token=</s>",
    "pad_token=[PAD]", "tokens_per_second=1234.5", "num_keys=12", "keyboard=qwerty", "monkey=business", "author=Key West",
    "scikit-learn==1.5.0", "sk-learn-compatible-classifier", "hf_hub_download", "the password is wrong", "token: the",
    "digest=0123456789abcdef0123456789abcdef", "https://github.com/a/b.git", "git@github.com:a/b.git", "asic design",
    "Bearer of bad news and of good", "secret: required", "password: null", "PASSWORD=$DB_PASSWORD", "API_KEY=${API_KEY}",
    "cache_key=9f3c1a2b9f3c1a2b", "sort_key=name", "primary_key=id", "api_key=None", "http://localhost:8080/x?key=1&y=2",
    "learning_rate=1e-3", "tokenization=wordpiece", "secretary=bob", "passwords=3", "credentials: default", "sk-1",
    "AKIA", "ghp_short", "eyJ.eyJ.x", "BEGIN PUBLIC KEY", "--token-dim 64", "--max-tokens 512",
]  # fmt: skip


def made(rng: random.Random, count: int, letters: str = _LETTERS) -> str:
    """Random letters with a digit, a small and a capital letter among them."""
    return "q7" + "".join(rng.choice(letters) for _ in range(count - 3)) + letters[-1].upper()


# How each kind is written: what stands before it, and the canary itself.
KINDS: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "aws id": lambda rng: ("", "AKIA" + "".join(rng.choice(string.ascii_uppercase) for _ in range(16))),
    "aws secret": lambda rng: ("AWS_SECRET_ACCESS_KEY=", made(rng, 40)),
    "github": lambda rng: ("", "ghp_" + made(rng, 36)),
    "github fine": lambda rng: ("", "github_pat_" + made(rng, 40)),
    "hf": lambda rng: ("", "hf_" + made(rng, 34)),
    "wandb": lambda rng: ("WANDB_API_KEY=", "".join(rng.choice("0123456789abcdef") for _ in range(40))),
    "openai": lambda rng: ("", "sk-proj-" + made(rng, 40)),
    "slack": lambda rng: ("", "xoxb-1234567890-" + made(rng, 24)),
    "google": lambda rng: ("", "AIza" + made(rng, 35)),
    "jwt": lambda rng: ("", f"eyJ{made(rng, 20)}.eyJ{made(rng, 20)}.{made(rng, 20)}"),
    "url": lambda rng: ("https://bob:", made(rng, 12)),
    "option": lambda rng: ("--password ", made(rng, 12)),
    "assigned": lambda rng: ("DB_PASSWORD=", made(rng, 12)),
    "bearer": lambda rng: ("Authorization: Bearer ", made(rng, 24)),
}
AFTER = {"url": "@example.org/x"}

SCRIPT = """
import sys, pinyon
run = pinyon.run(params={{"db": {{"password": {param!r}}}, "note": {param_text!r}, "max_tokens": 256}})
run.note({note!r})
run.tag(why={tag!r})
run.summary["text"] = {summary!r}
run.summary["harmless"] = {harmless!r}
run.log(loss=0.5)
print({out!r})
print({err!r}, file=sys.stderr)
for line in {harmless!r}.split("\\n"):
    print(line)
raise RuntimeError({error!r})
"""


class Canaries:
    """Secrets that were let fly: each is unlike all others."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.known: dict[str, str] = {}
        self._kinds: Iterator[str] = iter(())

    def text(self, door: str, kind: str = "") -> str:
        """A text with a canary of the next kind in it."""
        kind = kind or self._next()
        before, canary = KINDS[kind](self._rng)
        self.known[f"{door}: {kind}"] = canary
        return f"{before}{canary}{AFTER.get(kind, '')}"

    def bare(self, door: str, length: int = 16) -> str:
        """A canary that nothing but its name gives away."""
        return self.known.setdefault(door, made(self._rng, length))

    def _next(self) -> str:
        kind = next(self._kinds, "")
        if not kind:
            order = list(KINDS)
            self._rng.shuffle(order)
            self._kinds = iter(order)
            kind = next(self._kinds)
        return kind


def inside(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and what is packed in them: zlib and gzip streams wherever they begin, tar, zip, Parquet."""
    yield data
    if depth > 3:
        return
    for magic, bits in ((b"\x78\x01", 15), (b"\x78\x9c", 15), (b"\x78\xda", 15), (b"\x1f\x8b", 31)):
        at = data.find(magic)
        while at >= 0:
            try:
                found = zlib.decompressobj(bits).decompress(data[at:])
            except zlib.error:
                found = b""
            if found:
                yield from inside(found, depth + 1)
            at = data.find(magic, at + 1)
    if data[:4] == b"PAR1":
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(data)
            file.flush()
            rows = duckdb.sql(f"select * from read_parquet('{file.name}')").fetchall()
        yield json.dumps(rows, default=str, ensure_ascii=False).encode()
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if (file := archive.extractfile(member)) is not None:
                    yield from inside(file.read(), depth + 1)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for name in packed.namelist():
                yield from inside(packed.read(name), depth + 1)


def stored(root: Path) -> dict[str, list[bytes]]:
    """All bytes below a store, by path; names of files are among them."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[str(path)] = [str(path).encode(), *inside(path.read_bytes())]
    return found


def hits(store: dict[str, list[bytes]], known: dict[str, str]) -> list[str]:
    """Doors by which a canary came in, with where it was found, in plain or as JSON spells it."""
    return [
        f"{door} in {path}"
        for door, canary in known.items()
        for path, parts in store.items()
        if any(canary.encode() in part for part in parts)
    ]


def call(root: Path, env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinyon.cli", *words],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def git(root: Path, env: dict[str, str], *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, env=env, check=True, capture_output=True)


def project(root: Path, canaries: Canaries) -> dict[str, str]:
    """A repository that is dirty with secrets, and an environment that holds some."""
    root.mkdir()
    text = canaries.text
    env = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "ann", f"GIT_{who}_EMAIL": "ann@example.org"}
    for name in ("MY_API_KEY", "HF_TOKEN", "DB_PASSWORD", "WANDB_API_KEY", "CLIENT_SECRET"):
        env[name] = canaries.bare(f"env {name}", 24)
    # One that only its name gives away: printed bare, nothing else tells what it is.
    dep = canaries.text("dep file name", "github")
    named = canaries.text("name of an untracked file", "hf")
    script = SCRIPT.format(
        param=canaries.bare("param by name", 14), param_text=text("param text"),
        note=text("note"), tag=text("tag"), summary=text("summary"), error=text("traceback"),
        out="\n".join(text("stdout", kind) for kind in KINDS),
        err=text("stderr"), harmless="\n".join(HARMLESS),
    )  # fmt: skip
    (root / "train.py").write_text("print('was here')\n")
    (root / "clean.py").write_text("x = 1\n")
    (root / "pinyon.yaml").write_text("stages: {}\n")
    (root / ".gitignore").write_text("\n")
    git(root, env, "init", "-q")
    git(root, env, "remote", "add", "origin", text("remote", "url"))
    git(root, env, "add", "-A")
    git(root, env, "commit", "-qm", "state")
    (root / "clean.py").write_text("x = 2\n")
    (root / "train.py").write_text(script)
    (root / "config.py").write_text(f"# {text('dirty diff')}\n# {text('dirty diff 2')}\n")
    git(root, env, "add", "config.py")
    for number in range(6):
        (root / f"new{number}.txt").write_text(f"{text(f'untracked {number}')}\n")
    (root / ".env").write_text(f"X={text('.env')}\n")
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{canaries.bare('pem', 60)}\n"
    (root / "id_rsa").write_text(pem)
    (root / "pem.txt").write_text(pem)
    (root / f"{named}.txt").write_text("harmless\n")
    (root / dep).write_text("data\n")
    (root / "requirements.txt").write_text(f"--index-url {text('lock', 'url')}\n")
    (root / "params.yaml").write_text(f"login:\n  password: {canaries.bare('yaml', 13)}\n  user: bob\n")
    fails = f"python -c \"raise ValueError('{text('traceback of a stage', 'openai')}')\""
    echo = f"echo {text('command of a stage', 'github')} $HF_TOKEN; echo {text('command of a stage', 'option')}; env"
    (root / "pinyon.yaml").write_text(
        "stages:\n  make:\n    cmd: " + json.dumps(f"{echo}; cp {dep} out.txt") + f"\n    deps: ['{dep}']\n"
        "    params: [login]\n    outs: [out.txt]\n"
        "  fail:\n    cmd: " + json.dumps(fails) + "\n"
    )  # fmt: skip
    return env


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_canary_is_in_the_store(tmp_path: Path, number: int) -> None:
    canaries = Canaries(random.Random(SEED + number))
    root = tmp_path / "project"
    env = project(root, canaries)
    assert call(root, env, "run", "make").returncode == 0
    assert call(root, env, "run", "make", "-f").returncode == 0
    assert call(root, env, "run", "fail").returncode == 4
    words = [
        *canaries.text("option of a command", "option").split(), f"--api-key={canaries.bare('option =', 20)}",
        "--url", canaries.text("url of a command", "url"), "--max-tokens", "256",
    ]  # fmt: skip
    assert call(root, env, "run", "--", "python", "train.py", *words).returncode == 1
    plain = {name: value for name, value in env.items() if not name.startswith("PINYON_")}
    done = subprocess.run(
        [sys.executable, "train.py", *words], cwd=root, env=plain, capture_output=True, text=True, timeout=60
    )
    assert "RuntimeError" in done.stderr
    call(root, env, "compact")
    store = stored(root / ".pinyon")
    load = sum(len(part) for parts in store.values() for part in parts)
    print(
        f"seed {SEED + number}: {len(canaries.known)} canaries, {len(store)} files, {load} bytes looked through"
    )
    assert len(canaries.known) >= 40
    assert len(store) >= 20
    # The cache is no part of the store and never copied; it finds files by their names, so it has to know them.
    found = [
        hit
        for hit in hits(store, canaries.known)
        if not ("name" in hit.split(":")[0] and "/.pinyon/cache/" in hit)
    ]
    assert found == [], "\n".join(line.replace(str(tmp_path), "") for line in found)
    everything = b"".join(part for parts in store.values() for part in parts).decode(errors="replace")
    missing = [
        text for text in HARMLESS if text not in everything and json.dumps(text)[1:-1] not in everything
    ]
    assert missing == []
    assert len(set(HARMLESS)) >= 40
    # What was left out is named; what is harmless is kept.
    shown = call(root, env, "show", "make", "--json").stdout
    assert "secret" in shown
    assert call(root, env, "bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out/clean.py").read_text() == "x = 2\n"
    # A key is made of what was given, not of what the record says: nothing has to run again.
    again = call(root, env, "run", "make", "--json")
    assert json.loads(again.stdout)["counts"] == {}


def test_the_search_finds_what_is_packed(tmp_path: Path) -> None:
    """The search above is no good if it cannot find a canary in a pack, an archive or a stream."""
    canary = "ghp_" + "a1B2" * 9
    plain = f"-- {canary} --".encode()
    box = io.BytesIO()
    with tarfile.open(fileobj=box, mode="w:gz") as archive:
        info = tarfile.TarInfo("x")
        info.size = len(plain)
        archive.addfile(info, io.BytesIO(plain))
    parquet = tmp_path / "parquet"
    duckdb.sql(f"copy (select '{canary}' as text) to '{parquet}' (format parquet, compression zstd)")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x", plain)
    for name, data in (
        ("plain", plain), ("zlib", b"pack" + zlib.compress(plain)), ("tar", box.getvalue()),
         ("zip", zipped.getvalue()),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    found = hits(stored(tmp_path), {"canary": canary})
    assert len(found) == 5
