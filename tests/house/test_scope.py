"""docs/SCOPE.md claims only what a test shows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATES = {"works", "partly", "not yet"}
TEST = re.compile(r"`((?:examples/[\w-]+/)?tests/[\w/.-]+\.py)::([\w:]+)`")


def rows(text):
    """[id, what, state, where] of every row of every table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "id" and not set(row[0]) <= set("-")]


def functions(path):
    """Every function of a test file, as pytest names it."""
    body = ast.parse(path.read_text()).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return names | {
        f"{c.name}::{node.name}" for c in classes for node in c.body if isinstance(node, ast.FunctionDef)
    }


def faults(text, root):
    """What is wrong with the table, a sentence each."""
    table = rows(text)
    ids = [row[0] for row in table]
    yield from (f"{name}: twice" for name in sorted(set(ids)) if ids.count(name) > 1)
    for row in table:
        if len(row) != 4 or row[2] not in STATES:
            yield f"{row[0]}: four cells, and a state of {STATES}"
            continue
        tests = TEST.findall(row[3])
        if row[2] == "works" and not tests:
            yield f"{row[0]}: works, but names no test"
        for file, function in tests:
            if not (root / file).exists() or function not in functions(root / file):
                yield f"{row[0]}: there is no {file}::{function}"


def test_the_table_holds():
    text = (ROOT / "docs" / "SCOPE.md").read_text()
    assert len(rows(text)) >= 451
    assert not list(faults(text, ROOT))


GOOD = "| id | what | state | where, test |\n|---|---|---|---|\n| A01 | a | works | `x`, `tests/test_x.py::test_f` |\n"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| A01 | again | not yet | |", "A01: twice"),
        ("| A02 | b | works | `pinyon.store` |", "A02: works, but names no test"),
        ("| A02 | b | works | `tests/test_x.py::test_g` |", "A02: there is no tests/test_x.py::test_g"),
        ("| A02 | b | partly | `tests/test_y.py::test_f` |", "A02: there is no tests/test_y.py::test_f"),
        ("| A02 | b | soon | |", "A02: four cells"),
        ("| A02 | b | not yet |", "A02: four cells"),
    ],
)
def test_a_false_claim_is_found(row, fault, tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        "def test_f(): pass\nclass TestC:\n    def test_m(self): pass\n"
    )
    fine = "| A03 | c | works | `tests/test_x.py::TestC::test_m` |\n"
    assert not list(faults(GOOD + fine, tmp_path))
    found = list(faults(GOOD + row + "\n", tmp_path))
    assert len(found) == 1
    assert found[0].startswith(fault)
