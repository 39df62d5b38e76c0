"""Out of Pinyon and back in: the same numbers, NaN and the infinities among them."""

from __future__ import annotations

import json
import math
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from moved import bring, mlflow_database, runs, table

import pinyon.bridges.moving.kinds as kinds
from pinyon.bridges.moving.take import Taken, chosen, export
from pinyon.bridges.tensorboard import EventFile
from pinyon.errors import PlanError
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore

_POINTS = """
select t.name, p.metric, p.step, p.value from points p join (
    select run, tags ->> '$.name' as name from runs
) t using (run)
"""


def take(root: Path, kind: str, place: Path, *names: str, files: bool = False) -> Taken:
    """Export runs of the project in ``root``."""
    store = LocalStore(root / ".pinyon")
    with ExitStack() as stack:
        index = stack.enter_context(closing(Index(store.cache / FILE, store.journals)))
        index.catch_up()
        rows = chosen(index, names)
        return export(
            store,
            index,
            rows,
            kinds.open_sink(kind, str(place)),
            files=files,
            tell=lambda _done, _total: None,
        )


def _points(root: Path) -> list[str]:
    return sorted(map(repr, table(root, _POINTS)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    bring(tmp_path / "p", "mlflow", mlflow_database(tmp_path / "m"))
    return tmp_path / "p"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_goes_out_comes_back(tmp_path: Path, root: Path, kind: str) -> None:
    done = take(root, kind, tmp_path / "out")
    assert (done.runs, done.points, done.left) == (4, 5, {})
    report = bring(tmp_path / "q", kind, tmp_path / "out")
    assert (report.imported, report.left) == (4, {})
    assert _points(tmp_path / "q") == _points(root)
    before, after = runs(root), runs(tmp_path / "q")
    for name, row in before.items():
        assert (after[name].params, after[name].tags) == (row.params, row.tags)
        assert after[name].metrics == row.metrics
        assert (after[name].status, after[name].stage) == (row.status, row.stage)
        assert after[name].attempt.started == row.attempt.started
        assert after[name].attempt.seconds == pytest.approx(row.attempt.seconds, abs=2e-6)
    assert bring(tmp_path / "q", kind, tmp_path / "out").same == 4


def test_event_files_have_the_numbers_to_the_last_bit(tmp_path: Path, root: Path) -> None:
    take(root, "tensorboard", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["digits"]
    bring(tmp_path / "q", "tensorboard", tmp_path / "out")
    found = table(tmp_path / "q", "select metric, step, value from points")
    assert sorted(map(repr, found)) == sorted(
        map(repr, table(root, "select metric, step, value from points"))
    )
    assert {"lr": 0.1, "layers": 2, "flag": True, "opt/name": "adam\nw", "code": "007"} in [
        row.params for row in runs(tmp_path / "q").values()
    ]


def test_event_files_are_what_tensorboards_own_reader_understands(tmp_path: Path, root: Path) -> None:
    take(root, "tensorboard", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("digits/first_try-*/events.out.tfevents.*")
    events = list(EventFile(str(path)).read())
    assert events[0].version == "brain.Event:2"
    scalars = [(one.tag, event.step) for event in events for one in event.values if one.kind == "scalar"]
    assert sorted(scalars) == [("loss", 1), ("loss", 2), ("loss", 30), ("val/acc", 1)]


def test_only_the_runs_that_are_named_are_written(tmp_path: Path, root: Path) -> None:
    name = runs(root)["child"].run
    assert take(root, "csv", tmp_path / "out", name).runs == 1
    assert set((tmp_path / "out/points.csv").read_text().split()[1].split(",")[:2]) == {name, "loss"}
    with pytest.raises(PlanError, match="no run, attempt or stage"):
        take(root, "csv", tmp_path / "out", "r-ffffffffffffffff")


def test_an_export_replaces_an_earlier_one_as_a_whole(tmp_path: Path, root: Path) -> None:
    for _ in range(2):
        take(root, "csv", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["points.csv", "runs.csv"]
    assert len((tmp_path / "out/runs.csv").read_text().splitlines()) == 5 + 1  # a parameter holds a line feed


class _Kept:
    """Takes what a tool would be given."""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}

    def write(self, run: Any) -> None:
        files = {}
        for one in run.files:
            path = Path(one.path)
            files[one.name] = sorted(path.iterdir()) if path.is_dir() else path.read_text()
        self.runs[run.name] = (run, files)

    def close(self) -> None:
        self.runs["closed"] = True

    def drop(self) -> None:
        self.runs["dropped"] = True


def test_a_tool_is_given_artifacts_and_everything_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = _Kept()
    monkeypatch.setattr(kinds, "open_sink", lambda _kind, _place: sink)
    assert take(root, "mlflow", root, files=True).files == 2
    run, files = sink.runs["first: try"]
    assert files["sub/x.txt"] == "hello"
    assert [path.name for path in files["model"]] == ["MLmodel", "weights.json"]
    assert (run.experiment, run.note, run.state, sink.runs["closed"]) == (
        "digits",
        "a note",
        "SUCCEEDED",
        True,
    )
    assert sink.runs["child"][0].parent == run.id
    assert math.isnan(run.finals["val/acc"])
    assert sink.runs["open"][0].state == "RUNNING"


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
def test_a_tool_that_is_not_installed_is_said(
    tmp_path: Path, root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(PlanError, match=f"not installed here → pip install {kind}"):
        take(root, kind, tmp_path / "out")
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["m", "p"]'
