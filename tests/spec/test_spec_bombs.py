"""FAULTS row 22: small files that would grow, sink or never end are refused in a second and in little memory."""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Callable

import pytest

from pinyon.errors import SpecError
from pinyon.spec.params import parse_params
from pinyon.spec.yaml import load_yaml

DEEP = "lists and mappings lie more than 50 deep in each other"
MANY = "more than 250,000 values; aliases count as often as they are used"
LONG = "an integer is too long; 1,000 digits are allowed"
NESTED = "values lie more than 50 deep in each other"


def _billion_laughs(width: int, levels: int) -> str:
    rows = ["a0: &a0 lol"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(rows)


def _merges(width: int, levels: int) -> str:
    keys = ", ".join(f"k{n}: 1" for n in range(width))
    return f"base: &a {{{keys}}}\n" + "".join(f"m{n}: {{<<: *a}}\n" for n in range(levels))


YAML_BOMBS: list[tuple[str, Callable[[], str], str]] = [
    ("billion laughs", lambda: _billion_laughs(10, 12), f"f:7: {MANY}"),
    ("two at a time", lambda: _billion_laughs(2, 60), f"f:17: {MANY}"),
    ("merged", lambda: _merges(2_000, 2_000), f"f:63: {MANY}"),
    ("chain of aliases", lambda: _billion_laughs(1, 60), f"f:51: {DEEP}"),
    ("5,000 lists", lambda: "[" * 5_000, f"f:1: {DEEP}"),
    ("500,000 lists", lambda: "[" * 500_000, f"f:1: {DEEP}"),
    ("5,000 mappings", lambda: "{a: " * 5_000, f"f:1: {DEEP}"),
    ("block lists", lambda: "- " * 5_000, f"f:1: {DEEP}"),
    ("indented", lambda: "".join(f"{' ' * n}a:\n" for n in range(900)), f"f:51: {DEEP}"),
    (
        "huge integer",
        lambda: "a: " + "9" * 900_000,
        "f:1: an integer of 900,000 digits is too long; 1,000 are allowed",
    ),
    (
        "huge hex",
        lambda: "a: 0x" + "f" * 5_000,
        "f:1: an integer of 5,002 digits is too long; 1,000 are allowed",
    ),
    (
        "too long",
        lambda: "#" * 1_000_001,
        ("f: this file is longer than 1.0 MB → move the data into a file of its own and name that in deps"),
    ),
    (
        "complex keys",
        lambda: "? " * 5_000,
        ("f:1: a list or a mapping cannot be a key → put it in quotes if it is a template, '${…}'"),
    ),
]


class Bounds:
    """CPU seconds and memory (bytes of the high-water mark) that a block may take."""

    def __enter__(self) -> None:
        self.before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def __exit__(self, *_: object) -> None:
        assert time.process_time() - self.before[0] < 1.0
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.before[1]) * 1024 < 200e6


def refusal(raw: bytes, file: str) -> str:
    with Bounds(), pytest.raises(SpecError) as caught:
        load_yaml(raw, file) if file == "f" else parse_params(raw, file)
    return str(caught.value)


@pytest.mark.parametrize(("build", "message"), [b[1:] for b in YAML_BOMBS], ids=[b[0] for b in YAML_BOMBS])
def test_yaml_bombs(build: Callable[[], str], message: str) -> None:
    assert refusal(build().encode(), "f") == message


@pytest.mark.parametrize("depth", [50, 51])
def test_fifty_levels_are_the_limit_in_every_format(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for file, text in {"p.yaml": nested, "p.json": nested}.items():
        if depth == 50:
            assert json.dumps(parse_params(text.encode(), file)) == nested
        else:
            assert "more than 50 deep" in refusal(text.encode(), file)
    for file, text in {"p.toml": f"a = {nested[1:-1]}", "p.py": f"a = {nested[1:-1]}"}.items():
        if depth == 50:
            assert json.dumps(parse_params(text.encode(), file)["a"]) == nested[1:-1]
        else:
            assert "more than 50 deep" in refusal(text.encode(), file)


BIG = [
    ("p.yaml", "[" + "1," * 7_900_000 + "1]"),
    ("p.yaml", "- a\n" * 3_900_000),
    ("p.json", "[" + "1," * 4_000_000 + "1]"),
    ("p.py", "a = 1\n" * 50_000),
]


@pytest.mark.parametrize(("file", "text"), BIG, ids=["yaml", "yaml-lines", "json", "python"])
def test_megabytes_of_small_values_are_refused_in_time(file: str, text: str) -> None:
    assert re.search(r"more than 250,000 values|longer than 250\.0 kB", refusal(text.encode(), file))


OTHERS: list[tuple[str, str, Callable[[], str], str]] = [
    ("json lists", "p.json", lambda: "[" * 100_000, f"p.json: {NESTED}"),
    ("json objects", "p.json", lambda: '{"a":' * 100_000, f"p.json: {NESTED}"),
    ("json closed lists", "p.json", lambda: "[" * 400 + "]" * 400, f"p.json: {NESTED}"),
    ("json integer", "p.json", lambda: "9" * 1_000_000, f"p.json: {LONG}"),
    ("json long integer", "p.json", lambda: "9" * 2_000, f"p.json: {LONG}"),
    ("toml lists", "p.toml", lambda: "a = " + "[" * 100_000, f"p.toml: {NESTED}"),
    ("toml dotted key", "p.toml", lambda: "b = 1\n" + "a." * 200_000 + "a = 1", f"p.toml:2: {NESTED}"),
    ("toml quoted key", "p.toml", lambda: '"a" . ' * 100_000 + "a = 1", f"p.toml:1: {NESTED}"),
    ("toml table", "p.toml", lambda: "[" + "a." * 60 + "a]", f"p.toml:1: {NESTED}"),
    ("toml integer", "p.toml", lambda: "a = " + "9" * 100_000, f"p.toml: {LONG}"),
    ("toml hex", "p.toml", lambda: "a = 0x" + "f" * 100_000, f"p.toml: {LONG}"),
    ("python hex", "p.py", lambda: "a = 0x" + "f" * 100_000, f"p.py: {LONG}"),
    (
        "python sum",
        "p.py",
        lambda: "a = " + "1+" * 50_000 + "1",
        "p.py: this Python is nested too deeply to be read",
    ),
    (
        "python minus",
        "p.py",
        lambda: "a = " + "-" * 50_000 + "1",
        "p.py: this Python is nested too deeply to be read",
    ),
]


@pytest.mark.parametrize(
    ("file", "build", "message"), [b[1:] for b in OTHERS], ids=[b[0].replace(" ", "-") for b in OTHERS]
)
def test_bombs_in_other_formats(file: str, build: Callable[[], str], message: str) -> None:
    assert refusal(build().encode(), file) == message


@pytest.mark.parametrize(
    "text", ["a = " + "(" * 300, "a = " + "9" * 5_000, "a = 1\0", "f(" * 5_000, "{" * 150]
)
def test_python_bombs_that_python_words_itself(text: str) -> None:
    assert refusal(text.encode(), "p.py").startswith("p.py")


def test_a_run_of_word_characters_takes_linear_time_in_toml() -> None:
    assert refusal(b"a" * 999_000, "p.toml").startswith("p.toml:1: not TOML: ")
    assert refusal(b"a-" * 400_000 + b".", "p.toml").startswith("p.toml:1: not TOML: ")


def test_the_bound_is_on_values_with_aliases_written_out() -> None:
    block = f"a: &a [{'1,' * 998}1]\n"  # 1,000 values with the list itself
    assert len(load_yaml(f"{block}b: [{'*a,' * 248}]\n".encode(), "f").data["b"]) == 248
    with pytest.raises(SpecError, match="more than 250,000 values"):
        load_yaml(f"{block}b: [{'*a,' * 249}]\n".encode(), "f")
