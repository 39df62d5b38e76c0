"""YAML 1.2: what a plain word means, how a document is put together, and where everything stands."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import pinyon.spec.yaml as yaml12
from pinyon.errors import SpecError


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything here holds for PyYAML with and without its C half."""
    if request.param == "python":
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "yaml._yaml", None)
            importlib.reload(yaml12)
        yield
        importlib.reload(yaml12)
    else:
        yield


def load(text: str | bytes) -> Any:
    return yaml12.load_yaml(text.encode() if isinstance(text, str) else text, "p.yaml").data


def refusal(text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        load(text)
    return str(caught.value)


WORDS: list[tuple[str, Any]] = [
    ("1e-4", 1e-4),
    ("1E+4", 1e4),
    ("1e4", 1e4),
    ("-1.5e3", -1500.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("+0.25", 0.25),
    ("1.0", 1.0),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("017", 17),
    ("0o17", 15),
    ("0x1F", 31),
    ("on", "on"),
    ("off", "off"),
    ("yes", "yes"),
    ("No", "No"),
    ("y", "y"),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("tRUE", "tRUE"),
    ("false", False),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("", None),
    (".inf", math.inf),
    ("+.INF", math.inf),
    ("-.Inf", -math.inf),
    ("inf", "inf"),
    ("nan", "nan"),
    ("12:30:45", "12:30:45"),
    ("1_000", "1_000"),
    ("0b101", "0b101"),
    ("-0x1F", "-0x1F"),
    ("0o18", "0o18"),
    ("2024-01-31", "2024-01-31"),
    ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
    ("1.2.3", "1.2.3"),
    ("1e", "1e"),
    (".", "."),
    ("-", [None]),
    ("+", "+"),
    ("=", "="),
    ("${lr}", "${lr}"),
    ("'1'", "1"),
    ('"1e-4"', "1e-4"),
    ("'true'", "true"),
    ("!!str 12", "12"),
    ("! 12", "12"),
    ("!!int '12'", 12),
    ("!!float 1", 1.0),
    ("!!float 0x10", 16.0),
    ("!!bool 'true'", True),
    ("!!null ''", None),
    ("!!seq [1]", [1]),
    ("!!map {a: 1}", {"a": 1}),
]


@pytest.mark.parametrize(("word", "value"), WORDS)
def test_a_word_means_what_the_core_schema_says(word: str, value: Any) -> None:
    found = load(f"a: {word}\n")["a"] if word != "-" else load("a:\n  -\n")["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert all(math.isnan(value) for value in load("[.nan, .NaN, .NAN]"))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("---\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("%YAML 1.2\n---\na: 1\n", {"a": 1}),
        ("2: a\ntrue: b\n~: c\n1.5: d\n", {2: "a", True: "b", None: "c", 1.5: "d"}),
        ("a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x 3\n*x : b\n", {"a": 3, 3: "b"}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("- &b {k: 1, l: 2}\n- {<<: *b, k: 3}\n", [{"k": 1, "l": 2}, {"k": 3, "l": 2}]),
        ("- &b {k: 1}\n- {k: 3, <<: *b}\n", [{"k": 1}, {"k": 3}]),
        (
            "- &a {k: 1}\n- &b {k: 2, l: 2}\n- {<<: [*a, *b]}\n",
            [{"k": 1}, {"k": 2, "l": 2}, {"k": 1, "l": 2}],
        ),
        ("- &a {k: 1}\n- &b {<<: *a, l: 2}\n- {<<: *b}\n", [{"k": 1}, {"k": 1, "l": 2}, {"k": 1, "l": 2}]),
        ("{<<: {k: 1}}", {"k": 1}),
        ("'<<': 1", {"<<": 1}),
        ("[<<]", ["<<"]),
        ("<<", "<<"),
        ("a: >\n  folded\n  text\n\nb: |\n  kept\n  lines\n", {"a": "folded text\n", "b": "kept\nlines\n"}),
        ('"a\\tb\\u00e9"', "a\tbé"),
    ],
)
def test_documents(text: str, data: Any) -> None:
    assert load(text) == data


def test_merged_keys_come_first_as_in_pyyaml() -> None:
    assert list(load("- &b {m: 1, n: 2}\n- {a: 1, <<: *b}\n")[1]) == ["m", "n", "a"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_byte_order_marks_and_line_ends_change_nothing(mark: bytes, end: bytes) -> None:
    raw = mark + end.join([b"a: 1", b"b:", b"  - c", b"d: |", b"  x", b"  y", b""])
    assert load(raw) == {"a": 1, "b": ["c"], "d": "x\ny\n"}


REFUSED = [
    ("a: 1\nb: 2\na: 3\n", "p.yaml:3: the key 'a' stands twice in one mapping → remove one of them"),
    ("a:\n  1: x\n  true: y\n", "p.yaml:3: the key 'True' stands twice in one mapping → remove one of them"),
    (
        "&a {}: 1",
        "p.yaml:1: a list or a mapping cannot be a key → put it in quotes if it is a template, '${…}'",
    ),
    (
        "b: &a []\n*a : 1",
        "p.yaml:2: a list or a mapping cannot be a key → put it in quotes if it is a template, '${…}'",
    ),
    ("a: &base 1\nb: *bse\n", "p.yaml:2: nothing is anchored as &bse → did you mean base?"),
    ("a: *x\n", "p.yaml:1: nothing is anchored as &x"),
    ("a: &a\n  b: *a\n", "p.yaml:2: *a stands inside what it names; that would never end"),
    ("a: 1\n---\nb: 1\n", "p.yaml:2: a second document begins here → keep one document in a file"),
    (
        "a: !secret x\n",
        "p.yaml:1: the tag !secret is not known; known are !!str, !!int, !!float, !!bool, !!null",
    ),
    (
        "a: !!timestamp 2024-01-01\n",
        "p.yaml:1: the tag !!timestamp is not known; known are !!str, !!int, !!float, !!bool, !!null",
    ),
    ("a: !!set {x}\n", "p.yaml:1: the tag !!set is not known; known are !!map and !!seq"),
    ("a: !!int x\n", "p.yaml:1: 'x' is not a !!int"),
    ("a: !!float 0x" + "f" * 999, "p.yaml:1: an integer of 1,001 digits is too long; 1,000 are allowed"),
    ("a: !!float 0x" + "f" * 998, "p.yaml:1: '0x" + "f" * 38 + "' is not a !!float"),
    ("- &a {}\n- {<<: 3}\n", "p.yaml:2: << takes a mapping or a list of mappings → write <<: *name"),
    (
        "- &a {}\n- <<: *a\n  <<: *a\n",
        "p.yaml:3: the key '<<' stands twice in one mapping → write <<: [*a, *b]",
    ),
    (
        "a: 1\nb: \x07\n",
        "p.yaml:2: the character '\\x07' cannot stand in YAML → remove it, or write it as an escape in quotes",
    ),
    (b"a: 1\nb: \xff\n", "p.yaml:2: this file is not UTF-8 text → save it as UTF-8 (iconv -t UTF-8)"),
    ("a: 1".encode("utf-16"), "p.yaml:1: this file is not UTF-8 text → save it as UTF-8 (iconv -t UTF-8)"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refusals_name_the_line(text: str | bytes, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: b: c\n", 1, "put text that holds ': ' in quotes"),
        ("a:\n\tb: 1\n", 2, "indent with spaces, and put text that begins with %, @ or ` in quotes"),
        ("a: 1\nb: @x\n", 2, "indent with spaces, and put text that begins with %, @ or ` in quotes"),
        ("a: {b: 1\nc: 2\n", 2, "check brackets, quotes and the indentation"),
        ("a: 'x\n", 2, ""),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int, hint: str) -> None:
    message = refusal(text)
    assert message.startswith(f"p.yaml:{line}: not YAML: ") or "libyaml" not in message
    assert yaml12.Parser.__module__ == "pinyon.spec.yaml" or hint in message


LINES = """\
stages:
  train.a:
    cmd: |
      one
      two
    deps:
    - a
    - b:
        c: 1
  1: {x: [1,
      2]}
e: &e
  f: 1
g: *e
h:
  <<: *e
  i: 2
"""


def test_every_path_has_a_line() -> None:
    lines = yaml12.load_yaml(LINES.encode(), "p.yaml").lines
    expected = {
        "stages": 1,
        "stages.train.a": 2,
        "stages.train.a.cmd": 3,
        "stages.train.a.deps": 6,
        "stages.train.a.deps.0": 7,
        "stages.train.a.deps.1": 8,
        "stages.train.a.deps.1.b": 8,
        "stages.train.a.deps.1.b.c": 9,
        "stages.1": 10,
        "stages.1.x": 10,
        "stages.1.x.0": 10,
        "stages.1.x.1": 11,
        "e": 12,
        "e.f": 13,
        "g": 14,
        "h": 15,
        "h.<<": 16,
        "h.i": 17,
    }
    assert dict(lines) == expected
    assert len(lines) == len(expected)
    assert lines.get("nobody") is None


def test_the_upper_lines_need_no_second_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = yaml12.load_yaml(LINES.encode(), "p.yaml").lines
    monkeypatch.setattr(yaml12, "_places", None)
    assert lines["stages"] == 1
    assert lines["stages.train.a"] == 2
    assert lines["stages.1"] == 10


def test_written_yaml_reads_alike_in_both_versions_of_yaml() -> None:
    import yaml

    data = {
        "a": ["on", "1e4", "0o17", "017", "12:30", "2024-01-01", "~", "", "<<", "=", "1_000", " x", "é\n"]
    }
    written = yaml12.dump_yaml(data)
    assert load(written) == data
    assert yaml.safe_load(written) == data


def test_written_floats_are_floats_in_both_versions_of_yaml() -> None:
    import yaml

    data = [1e-05, 1e300, 0.1, -0.0, math.inf, 1.0]
    written = yaml12.dump_yaml(data)
    assert load(written) == data
    assert yaml.safe_load(written) == data


def test_shared_values_are_written_out() -> None:
    shared = {"k": [1]}
    assert b"&" not in yaml12.dump_yaml({"a": shared, "b": shared})


def test_loading_a_project_module_does_not_import_pyyaml() -> None:
    code = "import sys, pinyon.spec.load; print('yaml' in sys.modules, 'difflib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
