"""What docs/adopting.md says for those who call MLflow: each call of its example has a row, each answer exists."""

from __future__ import annotations

import ast
import re
import runpy

from transcripts import ROOT

import pinyon

PAGE = (ROOT / "docs/adopting.md").read_text()
EXAMPLE = ROOT / "examples/mlflow"
SECTION = PAGE.partition("## From MLflow calls")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| (.+) \|$", SECTION, re.MULTILINE)[2:]
VERBS = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))["verbs"]()


def calls(file: str, name: str) -> set[str]:
    """The attributes of a name that a script of the example calls."""
    tree = ast.parse((EXAMPLE / file).read_text())
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") == name
    }


def test_every_call_of_the_script_before_has_a_row() -> None:
    asked = calls("before.py", "mlflow")
    assert len(asked) >= 6
    answered = {name for left, _ in ROWS for name in re.findall(r"`mlflow\.(\w+)\(", left)}
    assert asked <= answered


def test_every_answer_exists() -> None:
    answers = " ".join(right for _, right in ROWS)
    told = set(re.findall(r"`(?:\w+ = )?(?:with )?run\.(\w+)", answers))
    assert len(told) >= 7
    assert [name for name in told if not hasattr(pinyon.Run, name) and name != "summary"] == []
    typed = {words.rstrip("`").strip() for words in re.findall(r"`pinyon ([a-z]+(?: [a-z]+)?)", answers)}
    assert len(typed) >= 6
    assert [words for words in typed if words not in VERBS] == []


def test_the_script_after_calls_nothing_of_mlflow() -> None:
    text = (EXAMPLE / "after.py").read_text()
    assert "mlflow" not in text
    assert calls("after.py", "run") == {"log", "artifact"}
