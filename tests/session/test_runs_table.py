"""`pinyon.runs(…)`: the table of runs in a notebook or a script."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import pinyon
from pinyon.errors import PlanError
from pinyon.session.table import Runs

HOSTILE = "<script>alert('&amp;')</script>"

SCRIPT = f"""
import pinyon
for number in range(3):
    with pinyon.run(name="fit", params={{"lr": number / 10, "word": "a"}}, tags={{"who": {HOSTILE!r}}}) as run:
        run.log(loss=1 - number / 10, step=0)
        run.summary["acc"] = number
        run.summary["status"] = {HOSTILE!r}
        run.summary["<b>name"] = 1
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "pinyon.yaml").touch()
    (root / "fit.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "fit.py"], cwd=root, check=True)
    return root


def asked(project: Path, where: str = "", **more: Any) -> Runs:
    return pinyon.runs(where, directory=str(project), **more)


class Page(HTMLParser):
    """Tags of a page, and the texts of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_rows_are_by_the_names_that_conditions_use(project: Path) -> None:
    found = asked(project, "params.lr > 0.05", sort="-acc")
    assert [row["params.lr"] for row in found] == [0.2, 0.1]
    assert found.columns[:6] == ["run", "stage", "status", "started", "seconds", "params.lr"]
    first = found[0]
    assert (first["stage"], first["status"], first["acc"]) == ("@fit", "SUCCEEDED", 2)
    assert (first["metric.status"], first["tag.who"]) == (HOSTILE, HOSTILE)
    assert len(asked(project, limit=1)) == 1


def test_columns_are_those_that_are_asked_for(project: Path) -> None:
    found = asked(project, sort="params.lr", columns="params.lr, loss.min, nothing")
    assert list(found) == [{"params.lr": n / 10, "loss.min": 1 - n / 10} for n in range(3)]
    assert repr(found) == "<3 runs: params.lr, loss.min, nothing>"
    assert repr(found[:1]) == "<1 run: params.lr, loss.min, nothing>"


def test_what_a_notebook_shows_is_a_table_and_text_stays_text(project: Path) -> None:
    found = asked(project)
    page = Page(found._repr_html_())
    assert page.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.cells.count(HOSTILE) == 6  # of each run a tag and a final value
    assert "<b>name" in page.cells
    many = Runs(
        [{"run": str(n)} for n in range(500)], ["run", *(f"c{n}" for n in range(50))], ["<i>said</i>"]
    )
    text = many._repr_html_()
    assert text.count("<tr>") == 61
    assert "440 more runs, 21 more columns" in text
    assert "&lt;i&gt;said&lt;/i&gt;" in text


def test_a_condition_that_is_none_is_said(project: Path) -> None:
    with pytest.raises(PlanError):
        asked(project, "loss <")


def test_frames_and_tables_of_others_get_columns_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas, pyarrow = ModuleType("pandas"), ModuleType("pyarrow")
    vars(pandas)["DataFrame"] = lambda told, columns: {name: told[name] for name in columns}
    vars(pandas)["to_datetime"] = lambda told, unit, utc: SimpleNamespace(told=told, unit=unit, utc=utc)
    vars(pyarrow)["table"] = lambda told: told
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    monkeypatch.setitem(sys.modules, "pyarrow", pyarrow)
    rows = [
        {"run": "a", "started": 1.5, "x": 1, "m": 1},
        {"run": "b", "started": 2.5, "x": 0.5, "m": "one"},
        {"run": "c"},
    ]
    found = Runs(rows, ["run", "started", "x", "m"])
    frame = found.to_pandas()
    assert (frame["run"], frame["x"]) == (["a", "b", "c"], [1, 0.5, None])
    assert (frame["started"].told, frame["started"].unit) == ([1.5, 2.5, None], "s")
    arrow = found.to_arrow()
    assert arrow["x"] == [1.0, 0.5, None]
    assert {type(value) for value in arrow["x"]} == {float, type(None)}
    assert arrow["m"] == ["1", "one", None]


@pytest.mark.parametrize(("name", "call"), [("pandas", Runs.to_pandas), ("pyarrow", Runs.to_arrow)])
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, name: str, call: Any) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PlanError, match=f"pip install {name}"):
        call(Runs([], []))
