"""Whatever stands in a file, reading it ends in data or in a `SpecError`, soon."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pinyon.errors import SpecError
from pinyon.spec.load import load_project
from pinyon.spec.params import parse_params, write_params

KINDS = ["p.yaml", "p.json", "p.toml", "p.py"]
MANY = settings(max_examples=300, deadline=2_000, suppress_health_check=[HealthCheck.too_slow])

WORDS = r"""
    stages vars cmd deps outs params metrics plots meta pinyon wdir retry on times resources cpus cache a.py ${x}
    1 1e-4 true ~ .nan << *a &a !!int !x ? - : , [ ] { } | > ' " # --- ... % @ ` \
""".split()  # noqa: SIM905 -- a list of fifty quoted words hides the words
words = st.sampled_from([*WORDS, " ", "\t", "\n", "\r\n", "\ufeff", "\x85", "\u2028", "\0"])
layout = st.lists(
    st.tuples(st.integers(0, 4), words, st.sampled_from([": ", ":\n", "\n", " ", ", "])), max_size=40
)
yaml_like = layout.map(lambda rows: "".join(" " * (2 * indent) + word + end for indent, word, end in rows))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(
        [
            "1e4",
            "0o17",
            "017",
            "on",
            "~",
            "",
            "null",
            "<<",
            "=",
            "12:30:45",
            "1_0",
            ".inf",
            "- a",
            "2024-01-01",
        ]
    )
)
names = st.text() | st.sampled_from(["1", "true", "<<", "~", "a: b", "# c", "x" * 200])
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)

KEYS = """
    cmd wdir deps params outs metrics plots frozen always_changed desc meta vars env resources retry timeout foreach do
    matrix cpus gpus memory vram time times on cache persist x y path labels pinyon name
""".split()  # noqa: SIM905 -- the same
SECTIONS = """
    stages vars params metrics plots artifacts datasets meta experiments targets stores rules project
""".split()  # noqa: SIM905 -- the same
schema_words = st.sampled_from(KEYS)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5) | schema_words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(schema_words | st.integers(0, 2), inner, max_size=4)
    ),
    max_leaves=20,
)
sections = st.sampled_from(SECTIONS)


def read(raw: bytes, file: str) -> None:
    start = time.process_time()
    with contextlib.suppress(SpecError):
        parse_params(raw, file)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("file", KINDS)
@MANY
@given(raw=st.binary(max_size=400))
@example(raw=b"\xff\xfe")
@example(raw=b"&")
@example(raw=b"\xef\xbb\xbf\xef\xbb\xbf")
def test_random_bytes(file: str, raw: bytes) -> None:
    read(raw, file)


@pytest.mark.parametrize("file", KINDS)
@MANY
@given(text=yaml_like | st.text(max_size=200))
def test_random_text(file: str, text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"), file)


def load(name: str, raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SpecError):
        (Path(folder) / name).write_bytes(raw)
        for stage in load_project(Path(folder)).stages:
            assert stage.origin.line > 0


@pytest.mark.parametrize("name", ["pinyon.yaml", "dvc.yaml"])
@MANY
@given(text=yaml_like)
def test_random_text_as_a_project(name: str, text: str) -> None:
    load(name, text.encode())


@pytest.mark.parametrize("name", ["pinyon.yaml", "dvc.yaml"])
@MANY
@given(data=st.dictionaries(sections, junk, max_size=4))
def test_random_sections_as_a_project(name: str, data: Any) -> None:
    load(name, write_params(data, "yaml"))


@pytest.mark.parametrize("name", ["pinyon.yaml", "dvc.yaml"])
@MANY
@given(body=st.dictionaries(schema_words, junk, max_size=5))
def test_random_stages(name: str, body: Any) -> None:
    load(name, write_params({"stages": {"a": {"cmd": "x", **body}}}, "yaml"))


@pytest.mark.parametrize("format", ["yaml", "json"])
@MANY
@given(data=plain)
@example(data="\x85")
@example(data="\ufeff")
@example(data=["\u2028", "a\r\nb", " ", "\n", "\t", "\x7f"])
@example(data={"k": "x" * 2_000 + " " + "y" * 2_000})
def test_what_is_written_is_read(format: str, data: Any) -> None:
    found = parse_params(write_params(data, format), f"p.{format}")
    assert repr(found) == repr({} if data is None else data)  # repr also tells 1 from 1.0 and -0.0 from 0.0
