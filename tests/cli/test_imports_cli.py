"""Files that Python imports though no dep names them: recorded, told of when they change, keyed if one asks for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pinyon import session
from pinyon.model.project import Goal
from pinyon.spec.load import load_project

SPEC = """\
stages:
  make: {cmd: python make.py, deps: [raw.txt], outs: [made.txt]}
  train: {cmd: python -m pkg.train, deps: [made.txt, pkg/named.py], outs: [model.txt]}
  shell: {cmd: cp raw.txt copy.txt, deps: [raw.txt], outs: [copy.txt]}
"""
FILES = {
    "pinyon.yaml": SPEC,
    "raw.txt": "raw\n",
    "make.py": "import helpers\nopen('made.txt', 'w').write(helpers.text())\n",
    "helpers.py": "def text():\n    return open('raw.txt').read()\n",
    "pkg/__init__.py": "",
    "pkg/named.py": "",
    "pkg/train.py": "import helpers, pkg.named, json\nopen('model.txt', 'w').write('model')\n",
}
ADVICE = ", which changed since; name it in deps, or set strict_deps: true"


@pytest.fixture
def python(empty: Any) -> Any:
    empty.fill(FILES)
    empty.good("run")
    return empty


def notes(project: Any, *arguments: str) -> list[str]:
    lines = project.good("run", *arguments).out.splitlines()
    return [line.removeprefix("note").strip() for line in lines if line.startswith("note")]


def imported(project: Any, stage: str) -> list[str]:
    return [path for path, _ in project.good("show", stage, "--json").json()["inputs"].get("imports", [])]


def test_what_no_dep_names_is_recorded(python: Any) -> None:
    assert imported(python, "make") == ["helpers.py", "make.py"]
    assert imported(python, "train") == ["helpers.py", "pkg/__init__.py", "pkg/train.py"]
    assert imported(python, "shell") == []


@pytest.mark.parametrize("before", [0, 2], ids=["at once", "after a fingerprint"])
def test_a_change_is_told_of_every_time_and_runs_nothing(python: Any, before: int) -> None:
    for _ in range(before):
        assert notes(python) == []
    python.write(helpers_py="def text():\n    return 'other'\n")
    for _ in range(3):
        assert notes(python) == [f"make and 1 more import helpers.py{ADVICE}"]
    assert notes(python, "make") == [f"make imports helpers.py{ADVICE}"]
    assert python.read("made.txt") == "raw\n"


def test_the_script_itself_is_run_not_imported(python: Any) -> None:
    python.fill({"make.py": FILES["make.py"] + "\n"})
    assert notes(python) == [f"make runs make.py{ADVICE}"]


def test_a_file_that_is_gone_has_changed(python: Any) -> None:
    (python.root / "pkg/__init__.py").unlink()
    assert notes(python) == [f"train imports pkg/__init__.py{ADVICE}"]


def test_the_same_again_is_no_change(python: Any) -> None:
    python.write(helpers_py="x = 1\n")
    assert notes(python)
    python.fill({"helpers.py": FILES["helpers.py"]})
    assert notes(python) == []
    assert notes(python) == []


def test_why_names_it(python: Any) -> None:
    python.write(helpers_py="x = 1\n")
    lines = python.good("plan", "--why").out.splitlines()
    assert f"unchanged make  imports helpers.py{ADVICE}" in lines
    assert f"unchanged train  imports helpers.py{ADVICE}" in lines


def test_what_runs_again_learns_the_new_one(python: Any) -> None:
    python.fill(
        {"raw.txt": "new\n", "helpers.py": "import more\ndef text():\n    return 'x'\n", "more.py": ""}
    )
    assert notes(python) == []
    assert imported(python, "make") == ["helpers.py", "make.py", "more.py"]
    assert notes(python) == []


def test_a_restored_out_is_told_of_too(python: Any) -> None:
    python.write(helpers_py="x = 1\n")
    (python.root / "made.txt").unlink()
    assert notes(python, "make") == [f"make imports helpers.py{ADVICE}"]


def test_isolated_attempts_import_what_was_frozen(empty: Any) -> None:
    empty.fill(FILES)
    empty.good("run", "--isolated")
    assert imported(empty, "make") == ["helpers.py", "make.py"]
    assert notes(empty, "--isolated") == []
    empty.write(helpers_py="x = 1\n")
    assert notes(empty, "--isolated") == [f"make and 1 more import helpers.py{ADVICE}"]


def test_a_dep_around_it_covers_it(empty: Any) -> None:
    spec = "stages:\n  t: {cmd: python -m pkg.train, deps: [pkg], outs: [model.txt]}\n"
    empty.fill({**FILES, "pinyon.yaml": spec})
    empty.good("run")
    assert imported(empty, "t") == ["helpers.py"]


def test_what_cannot_be_parsed_is_recorded_as_such(empty: Any) -> None:
    empty.fill(
        {
            **FILES,
            "helpers.py": "def (\n",
            "make.py": "try:\n    import helpers\nexcept SyntaxError:\n    open('made.txt', 'w')",
        }
    )
    empty.good("run", "make")
    inputs = empty.good("show", "make", "--json").json()["inputs"]
    assert ([path for path, _ in inputs["imports"]], inputs["unparsed"]) == (
        ["helpers.py", "make.py"],
        ["helpers.py"],
    )


def test_without_any_cache_it_is_told_of_all_the_same(python: Any) -> None:
    shutil.rmtree(python.root / ".pinyon/cache")
    python.write(helpers_py="x = 1\n")
    assert notes(python) == [f"make and 1 more import helpers.py{ADVICE}"]


def test_strict_deps_are_deps(python: Any) -> None:
    spec = python.root / "pinyon.yaml"
    text = spec.read_text()
    for name in ("make", "train"):
        assert f"  {name}: {{cmd" in text
        text = text.replace(f"  {name}: {{cmd", f"  {name}: {{strict_deps: true, cmd")
    spec.write_text(text)
    project = load_project(Path(python.root))
    graph, _ = session.load(project, Goal())
    deps = {task.stage.name: task.stage.deps for task in graph.tasks.values()}
    assert deps["make"] == ("raw.txt", "helpers.py", "make.py")
    assert deps["train"] == ("made.txt", "pkg/named.py", "helpers.py", "pkg/__init__.py", "pkg/train.py")
    assert deps["shell"] == ("raw.txt",)
    assert {"helpers.py", "make.py"} <= set(graph.sources)
