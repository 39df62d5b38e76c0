"""What we compute of DVC's, beside what DVC computes, over inputs that nobody chose."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import Oracle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.bridges.dvc.compose import entry_of, run_cache_key
from pinyon.bridges.dvc.hashes import Digest, md5_of, md5_of_listing
from pinyon.bridges.dvc.layout import lay_out
from pinyon.bridges.dvc.lock import parse_lock
from pinyon.model.graph import Command, Out, Param, Stage

settings.register_profile("dvc", deadline=None, derandomize=True, database=None, max_examples=150)
examples = settings(
    settings.get_profile("dvc"),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def ask(dvc_python: str) -> Iterator[Oracle]:
    oracle = Oracle(dvc_python)
    yield oracle
    oracle.close()


PIECES = [
    "a", "python", "train.py", "--lr", "0.1", "'x'", '"q"', "a:b", "x: y", "#c", "a #b", "&&", "|", ">", "é", "☃", "\n",
    "\\\n", "  ", "\t", "y" * 40, "z" * 85, "{", "[1]", "-", "?", ":", "1e5", "0x1f", "2020-01-01", "yes", "null", "~", "=",
    "<<", "a'b", "%", "@", "😀", "\a", "-0", "1_0", ".5", "...", "---", ",", "\\",
]  # fmt: skip
texts = st.builds(
    lambda parts, between: between.join(parts),
    st.lists(st.sampled_from(PIECES), max_size=40),
    st.sampled_from([" ", " ", "", "\n"]),
) | st.text(max_size=20)
scalars = texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
keys = texts.filter(lambda text: len(text) < 40)  # DVC breaks longer ones, and cannot read them back
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def readable(text: str) -> bool:
    return "\x85" not in text and "\u2028" not in text and "\u2029" not in text


@examples
@given(st.dictionaries(st.text("abc.@-/", min_size=1, max_size=8), documents, min_size=1, max_size=3))
def test_the_layout_is_dvcs(ask: Oracle, data: dict[str, Any]) -> None:
    if all(map(readable, _texts(data))):
        assert lay_out(data) == ask("dump", data)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in _texts(part))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))
    elif isinstance(value, str):
        yield value


blocks = st.binary(max_size=40) | st.sampled_from(
    [b"\r\n", b"text\r\n", b"\0", b"\r", b"a" * 600, b"\x80" * 300]
)
contents = st.lists(blocks, max_size=12).map(b"".join)


@examples
@given(contents | contents.map(lambda data: data + b"text\r\n" * 180_000 + data))
def test_md5_of_a_file(ask: Oracle, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    encoded = base64.b64encode(data).decode()
    assert md5_of(path) == ask("md5", encoded)
    assert md5_of(path, legacy=True) == ask("old md5", encoded)


names = st.lists(st.text("ab.é-_ A", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@examples
@given(st.dictionaries(names, st.text("0123456789abcdef", min_size=32, max_size=32), max_size=6))
def test_digest_of_a_folder(ask: Oracle, files: dict[str, str]) -> None:
    assert md5_of_listing(files.items()) == ask("tree", list(files.items()))


params = st.dictionaries(st.text("ab.", min_size=1, max_size=3), documents, max_size=3)


@examples
@given(params, st.lists(names, min_size=1, max_size=3, unique=True), st.booleans())
def test_the_key_of_the_run_cache(
    ask: Oracle, values: dict[str, Any], deps: list[str], executable: bool
) -> None:
    stage = Stage(
        "s", Command("shell", ("x",)), ".", tuple(deps),
        tuple(Param("params.yaml", name, value) for name, value in values.items()),
        (Out("out"), Out("dir/other")), cmd="x",
    )  # fmt: skip
    digests = {path: Digest("0" * 32, 5, None, executable) for path in (*deps, "out", "dir/other")}
    assert run_cache_key(stage, digests) == ask("run key", entry_of(stage, digests))


@examples
@given(
    st.dictionaries(
        st.text("abc.@-/é 1", min_size=1, max_size=9).filter(str.strip), params, min_size=1, max_size=4
    )
)
def test_a_lock_keeps_what_nobody_touches(ask: Oracle, stages: dict[str, dict[str, Any]]) -> None:
    """A file of DVC's comes out as it went in, and a new entry stands where the old one stood."""
    data = {
        "schema": "2.0",
        "stages": {name: {"cmd": "x", "params": {"p.yaml": values}} for name, values in stages.items()},
    }
    if not all(map(readable, _texts(data))):
        return
    written = ask("dump", data)
    lock = parse_lock(written.encode(), "dvc.lock")
    assert lock.text() == written
    name = max(stages)
    data["stages"][name] = {"cmd": "y"}
    assert lock.having(name, {"cmd": "y"}).text() == ask("dump", data)
