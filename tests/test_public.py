"""The error tree: drawn in errors.py, and exactly as it is drawn."""

from __future__ import annotations

import builtins
import re

import pytest

from pinyon import errors
from pinyon.errors import PinyonError

_DRAWN = re.compile(r"^\s*(?P<indent>[│├└─ ]*)(?P<name>\w+Error)\s+(?:exit (?P<code>\d))?\s*(?P<about>.*)$")


def tree(kind: type[PinyonError] = PinyonError, depth: int = 0) -> list[tuple[str, int]]:
    """Every class and its depth, in the order of definition."""
    below = [
        item
        for sub in kind.__subclasses__()
        if sub.__module__ == errors.__name__
        for item in tree(sub, depth + 1)
    ]
    return [(kind.__name__, depth), *below]


def drawn() -> list[re.Match[str]]:
    """The lines of the drawing."""
    return [match for line in (errors.__doc__ or "").splitlines() if (match := _DRAWN.match(line))]


def test_the_drawing_is_the_tree():
    depths = [match.start("name") // 4 - 1 for match in drawn()]
    assert list(zip([match["name"] for match in drawn()], depths, strict=True)) == tree()


def test_exit_codes_are_as_drawn_and_inherited():
    for match in drawn():
        kind = getattr(errors, match["name"])
        if match["code"]:
            assert kind.exit_code == int(match["code"])
        else:
            assert "exit_code" not in vars(kind), "a leaf exits as its phase does"
    phases = [kind.exit_code for kind in PinyonError.__subclasses__() if kind.__module__ == errors.__name__]
    assert phases == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", [name for name, _ in tree()])
def test_each_says_what_it_means_and_tells_all_it_knows(name: str):
    kind = getattr(errors, name)
    assert kind.__doc__
    assert kind.__doc__.strip().splitlines()[0].endswith((".", ","))
    error = kind("it broke", where="a.yaml:3", why="because", next="pinyon verify")
    assert str(error) == "a.yaml:3: it broke; because → pinyon verify"
    assert str(kind("it broke")) == "it broke"
    told = error.as_dict()
    assert told == {
        "error": name,
        "what": "it broke",
        "where": "a.yaml:3",
        "why": "because",
        "next": "pinyon verify",
        "exit_code": kind.exit_code,
    }


def test_errors_that_have_a_builtin_are_one():
    twins = {
        name: [base.__name__ for base in getattr(errors, name).__mro__ if hasattr(builtins, base.__name__)]
        for name, _ in tree()
    }
    extra = {name: bases[0] for name, bases in twins.items() if bases[0] != "Exception"}
    assert extra == {
        "UnknownGoalError": "KeyError",
        "UnknownModelError": "KeyError",
        "MissingBlobError": "FileNotFoundError",
        "MissingObjectError": "FileNotFoundError",
    }


def test_nothing_else_is_public():
    public = [
        name for name, value in vars(errors).items() if not name.startswith("_") and isinstance(value, type)
    ]
    assert sorted(public) == sorted(name for name, _ in tree())
