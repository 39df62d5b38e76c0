"""Parameters as words: a parser that was asked for its flags gets the values that were meant, whatever they hold."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.capture.helptext import flags_in
from pinyon.errors import PlanError
from pinyon.model.flags import Flag
from pinyon.plan.spelling import declared, find, variable, without, words

PIECES = [
    "a",
    " ",
    "'",
    '"',
    "$(touch x)",
    "`id`",
    "\n",
    "\\",
    "-",
    "--lr",
    "=",
    ";",
    "|",
    "&",
    "é",
    "*",
    "~",
    "#",
    "{a,b}",
    "%s",
]
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=8).filter(
    lambda text: "\0" not in text
)
plain = texts.filter(lambda text: not text.startswith("-"))
floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(10**12), 10**12)
KINDS: dict[str, tuple[dict[str, Any], st.SearchStrategy[Any]]] = {
    "float": ({"type": float}, floats),
    "int": ({"type": int}, integers),
    "text": ({}, texts),
    "chosen": ({"choices": ["sgd", "adam w", "-x"]}, st.sampled_from(["sgd", "adam w", "-x"])),
    "chosen number": ({"choices": [1, 2], "type": int}, st.sampled_from([1, 2])),
    "switch": ({"action": "store_true", "default": False}, st.booleans()),
    "pair": ({"action": argparse.BooleanOptionalAction, "default": None}, st.booleans()),
    "some floats": ({"type": float, "nargs": "+"}, st.lists(floats, min_size=1, max_size=4)),
    "any integers": ({"type": int, "nargs": "*"}, st.lists(integers, max_size=4)),
    "two": ({"type": int, "nargs": 2}, st.lists(integers, min_size=2, max_size=2)),
    "x y": ({"nargs": 2, "metavar": ("X", "Y")}, st.lists(plain, min_size=2, max_size=2)),
    "some texts": ({"nargs": "+"}, st.lists(plain, min_size=1, max_size=3)),
    "optional": ({"nargs": "?", "const": "yes"}, texts),
}
NAMES = [
    "lr",
    "model.hidden-size",
    "weight_decay",
    "a-b_c.d",
    "very.long.name.of.a.flag.that.needs.a.line",
    "o",
]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise AssertionError(message)


@st.composite
def parsers(draw: st.DrawFn) -> tuple[argparse.ArgumentParser, dict[str, str], dict[str, Any]]:
    """A parser, its flags' destinations, and for some of them a value."""
    parser = _Parser("train.py", description="Trains.", allow_abbrev=draw(st.booleans()))
    parser.add_argument("data", nargs="?")
    where, meant = {}, {}
    for place, name in enumerate(draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))):
        options, values = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        short = [f"-{'abcdefg'[place]}"] if draw(st.booleans()) and name != "a" else []
        told = draw(st.sampled_from([None, "how it is", "--lr or not", "it is {a,b}, (default: 3)"]))
        where[name] = parser.add_argument(*short, f"--{name}", help=told, **options).dest
        if draw(st.booleans()):
            meant[name] = draw(values)
    return parser, where, meant


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(parsers())
def test_a_parser_asked_for_its_flags_gets_what_was_meant(made: Any) -> None:
    parser, where, meant = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "1000")
        flags = flags_in(parser.format_help())
    assert {flag.name for flag in flags} == set(where)
    given_words = words("argparse", list(meant.items()), flags)
    parsed = vars(parser.parse_args(["data.csv", *given_words]))
    for name, dest in where.items():
        expected = meant.get(name, parser.get_default(dest))
        assert parsed[dest] == expected, (name, given_words)
        assert type(parsed[dest]) is type(expected) or isinstance(expected, int)
    assert parsed["data"] == "data.csv"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "lr"),
        ("model.hidden_size", "model.hidden-size"),
        ("model_hidden_size", "model.hidden-size"),
        ("optim.lr", "lr"),
        ("l", "lr"),
        ("optimizer.momentum", None),
        ("decay", None),  # a part of two names
        ("x.y", None),
    ],
)
def test_a_name_means_one_flag_or_none(name: str, meant: str | None) -> None:
    flags = [
        Flag("lr", ("--lr", "-l")),
        Flag("model.hidden-size", ("--model.hidden-size",)),
        Flag("a.decay", ("--a.decay",)),
        Flag("b.decay", ("--b.decay",)),
        Flag("x-y", ("--x-y",)),
        Flag("x_y", ("--x_y",)),
    ]
    found = find(name, flags)
    assert (found and found.name) == meant
    assert find("optim.lr", flags, loose=False) is None


@pytest.mark.parametrize(
    ("flag", "value", "why"),
    [
        (Flag("quiet", ("--quiet",), 0, 0), 3, "takes no value"),
        (Flag("lr", ("--lr",)), [1, 2], "takes one value"),
        (Flag("lr", ("--lr",)), {"a": 1}, "text, a number or a boolean"),
        (Flag("xy", ("--xy",), 2, 2), [1], "takes 2 values"),
        (Flag("xs", ("--xs",), 1, None), [], "takes at least 1 values"),
        (Flag("xs", ("--xs",), 1, None), ["a", "-b"], "begin with a dash"),
        (Flag("opt", ("--opt",), choices=("sgd", "adam")), "adm", "did you mean adam"),
        (Flag("lr", ("--lr",)), "a\0b", "NUL"),
    ],
)
def test_what_a_flag_does_not_take_is_refused(flag: Flag, value: Any, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        words("argparse", [(flag.name, value)], [flag])


def test_a_value_that_begins_with_a_dash_is_glued_to_its_flag() -> None:
    lr, xs = Flag("lr", ("--lr",)), Flag("xs", ("--xs",), 1, None)
    assert words("argparse", [("lr", -1e-3)], [lr]) == ["--lr=-0.001"]
    assert words("argparse", [("lr", "-1e-3")], [lr]) == ["--lr=-1e-3"]
    assert words("argparse", [("xs", [1, -1e-7])], [xs]) == ["--xs", "1", "-0.0000001"]
    assert words("argparse", [("lr", None)], [lr]) == []


def test_booleans_take_the_spelling_of_a_choice() -> None:
    assert words("argparse", [("amp", True)], [Flag("amp", ("--amp",), choices=("True", "False"))]) == [
        "--amp",
        "True",
    ]
    assert words("argparse", [("amp", False)], [Flag("amp", ("--amp",))]) == ["--amp", "false"]


def test_of_declared_flags_nothing_is_known_but_their_names() -> None:
    flags = declared("argparse", ["lr", "--model.size", "xs", "fast", "slow"])
    pairs = [("lr", 0.1), ("model.size", 3), ("xs", [1, 2]), ("fast", True), ("slow", False)]
    assert words("argparse", pairs, flags) == ["--lr", "0.1", "--model.size", "3", "--xs", "1", "2", "--fast"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lr", "LR"), ("train.lr", "TRAIN_LR"), ("a-b c", "A_B_C"), ("1st", "_1ST"), ("é", "_")],
)
def test_a_variable_is_upper_case(name: str, expected: str) -> None:
    assert variable(name) == expected


@settings(deadline=None, derandomize=True, database=None, max_examples=30)
@given(
    st.lists(
        texts | integers | floats | st.booleans() | st.lists(integers, max_size=3), min_size=1, max_size=4
    )
)
def test_the_environment_arrives_as_it_is(values: list[Any]) -> None:
    names = [f"a.b{place}" for place in range(len(values))]
    row = words("env", list(zip(names, values, strict=True)), declared("env", names))
    script = "import os, json; print(json.dumps([os.environ[f'A_B{i}'] for i in range(len(json.loads(os.environ['N'])))]))"
    done = subprocess.run(
        ["env", *row, f"N={json.dumps(names)}", sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    for value, arrived in zip(values, json.loads(done.stdout), strict=True):
        assert arrived == value if isinstance(value, str) else json.loads(arrived) == value


def test_null_leaves_a_variable_out_and_files_need_no_words() -> None:
    assert words("env", [("a", None)], declared("env", ["a"])) == []
    assert words("file", [("a", 1)], []) == []


@pytest.mark.parametrize(
    ("flag", "before", "after"),
    [
        (Flag("lr", ("--lr", "-l")), "a --lr 1 b", "a b"),
        (Flag("lr", ("--lr", "-l")), "--lr=1 b -l 2", "b"),
        (Flag("lr", ("--lr",)), "--lrs 1 -- --lr 3", "--lrs 1 -- --lr 3"),
        (Flag("xs", ("--xs",), 1, None), "--xs 1 -2 3 --lr 4", "--lr 4"),
        (Flag("amp", ("--amp",), 0, 0, "--no-amp"), "x --no-amp y --amp", "x y"),
        (Flag("ckpt", ("--ckpt",), 0, 1), "--ckpt --lr 1", "--lr 1"),
        (Flag("ckpt", ("--ckpt",), 0, 1), "--ckpt a --lr 1", "--lr 1"),
        (Flag("lr", ("--lr",)), "--lr", ""),
    ],
)
def test_what_a_command_says_already_is_taken_out(flag: Flag, before: str, after: str) -> None:
    assert without(before.split(), flag) == after.split()
