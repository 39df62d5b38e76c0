"""Parameter files of five kinds, read as plain data; YAML and JSON are written back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pinyon.errors import SpecError
from pinyon.spec.params import parse_params, write_params


def refusal(file: str, text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        parse_params(text.encode() if isinstance(text, str) else text, file)
    return str(caught.value)


SAME: Any = {
    "train": {"lr": 0.0001, "epochs": 10, "name": "été", "on": True, "sizes": [1, 2.5], "none": None}
}

PYTHON = '''\
"""Parameters."""
import os
LR: float = 1e-4
EPOCHS = 10
SIZES = [1, 2.5]
PAIR = (1, "b")
CHOICES = {3, 1, 2}
OPTIONS = {"a": {"b": -1}, 2: None}
PATTERN = "\\d"
DANGER = os.system("touch here")
NAMED = EPOCHS
a = b = 3
x, y = 1, 2
declared: int
OPTIONS["later"] = 1
{[]: 1}
BAD = {[]: 1}


class Train:
    batch = 32

    class Inner:
        deep = True

    def __init__(self):
        self.hidden = 64
        self.rate: float = 0.5
        local = 7
        other.field = 8
        self.a.b = 9

    def method(self):
        self.never = 1


def function():
    inside = 1
'''


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("p.yaml", "train: {lr: 1e-4, epochs: 10, name: été, on: true, sizes: [1, 2.5], none: ~}"),
        (
            "p.yml",
            "train:\n  lr: 0.0001\n  epochs: 10\n  name: été\n  on: true\n  sizes: [1, 2.5]\n  none:\n",
        ),
        ("dir.d/P.JSON", json.dumps(SAME)),
        (
            "p.py",
            "class train:\n  lr=1e-4\n  epochs=10\n  name='été'\n  on=True\n  sizes=[1,2.5]\n  none=None\n",
        ),
    ],
)
def test_the_kinds_say_the_same(file: str, text: str) -> None:
    assert parse_params(text.encode(), file) == SAME
    assert parse_params(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), file) == SAME


def test_toml_with_dates_as_text() -> None:
    text = "[train]\nlr = 1e-4\nn = 0x10\nday = 2024-01-31\nat = 10:30:00\n"
    text += 'then = 2024-01-31T10:00:00Z\nx = nan\n"a.b" = []\n'
    data = parse_params(text.replace("\n", "\r\n").encode(), "p.toml")["train"]
    assert math.isnan(data.pop("x"))
    assert data == {
        "lr": 1e-4,
        "n": 16,
        "day": "2024-01-31",
        "at": "10:30:00",
        "then": "2024-01-31T10:00:00+00:00",
        "a.b": [],
    }


def test_python_is_looked_at_and_never_executed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_params(PYTHON.encode(), "p.py") == {
        "LR": 1e-4,
        "EPOCHS": 10,
        "SIZES": [1, 2.5],
        "PAIR": [1, "b"],
        "CHOICES": [1, 2, 3],
        "OPTIONS": {"a": {"b": -1}, 2: None},
        "PATTERN": "\\d",
        "Train": {"batch": 32, "Inner": {"deep": True}, "hidden": 64, "rate": 0.5},
    }
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["p.yaml", "p.json", "p.toml", "p.py"])
@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_mapping(file: str, text: bytes) -> None:
    assert parse_params(text, file) == {}


def test_nan_and_infinities_pass() -> None:
    for file, text in {"p.yaml": "[.nan, -.inf]", "p.json": "[NaN, -Infinity]"}.items():
        nan, infinity = parse_params(text.encode(), file)
        assert math.isnan(nan)
        assert infinity == -math.inf


KINDS = "parameters cannot be read from a file that ends in"
ALLOWED = "allowed are .yaml, .yml, .json, .toml, .py"

REFUSED = [
    ("p.yamel", "", f"p.yamel: {KINDS} '.yamel'; {ALLOWED} → did you mean .yaml?"),
    ("a.yaml/p", "", f"a.yaml/p: {KINDS} ''; {ALLOWED}"),
    ("p.yaml", "a: 1\na: 2\n", "p.yaml:2: the key 'a' stands twice in one mapping → remove one of them"),
    (
        "p.json",
        '{\n"a": 1,\n"a": 2}',
        "p.json:3: the key 'a' stands twice in one object → remove one of them",
    ),
    (
        "p.json",
        '[{"a": 1}, {"a": 1,\n"a": 2}]',
        "p.json: the key 'a' stands twice in one object → remove one of them",
    ),
    ("p.json", '{"a":\n?}', "p.json:2: not JSON: Expecting value"),
    ("p.json", "{\n1: 2}", "p.json:2: not JSON: Expecting property name enclosed in double quotes"),
    ("p.json", '{"a": "\\ud800"}', "p.json: '\\ud800' is not text; half of a surrogate pair stands alone"),
    (
        "p.json",
        b'{"a":\n"\xff"}',
        "p.json:2: this file is not UTF-8 text → save it as UTF-8 (iconv -t UTF-8)",
    ),
    ("p.toml", "a = 1\nb = \n", "p.toml:2: not TOML: Invalid value"),
    ("p.toml", "a = 1\na = 2\n", "p.toml:2: not TOML: Cannot overwrite a value"),
    ("p.toml", "a = 1\nb = [", "p.toml:2: not TOML: Invalid value"),
    ("p.toml", "a = 99:99:99\n", "p.toml:1: not TOML: Expected newline or end of document after a statement"),
    ("p.toml", "a = 2024-02-31\n", "p.toml:1: not TOML: Invalid date or datetime"),
    ("p.py", "a = 1\nb = (\n", "p.py:2: not Python: '(' was never closed"),
    ("p.py", "a = 1\n b = 2\n", "p.py:2: not Python: unexpected indent"),
    ("p.py", "a = b'bytes'", "p.py: a value of type bytes is no parameter → write text or a number"),
    ("p.py", "a = 3j", "p.py: a value of type complex is no parameter → write text or a number"),
]


@pytest.mark.parametrize(("file", "text", "message"), REFUSED)
def test_refusals(file: str, text: str | bytes, message: str) -> None:
    assert refusal(file, text) == message


def test_too_many_values_are_data() -> None:
    assert refusal("p.json", "[" + "1," * 400_000 + "1]") == "p.json: more than 250,000 values"


@pytest.mark.parametrize("format", ["yaml", ".yml", "json", ".JSON"])
def test_writing_and_reading_give_the_same(format: str) -> None:
    written = write_params(SAME, format)
    assert parse_params(written, f"p.{format.lstrip('.').lower()}") == SAME
    assert written.endswith(b"\n")


@pytest.mark.parametrize("format", ["toml", ".py", "ini"])
def test_other_kinds_are_not_written(format: str) -> None:
    with pytest.raises(SpecError) as caught:
        write_params({}, format)
    assert str(caught.value) == (
        f"a .{format.lstrip('.')} parameter file cannot be written; only .yaml, .yml and .json can → "
        "keep the parameters that change in params.yaml"
    )


def test_written_yaml_is_for_people() -> None:
    assert write_params({"b": {"lr": 1e-05, "sizes": [1, 2]}, "a": "1e4"}, "yaml").decode() == (
        "b:\n  lr: 1.0e-05\n  sizes:\n  - 1\n  - 2\na: '1e4'\n"
    )
