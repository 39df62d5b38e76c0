"""CSVs: what is guessed of them, what is said of them, and that nothing is lost on the way out and back."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved import bring, curve, lay, runs

from pinyon.bridges.moving.cells import spell, unspell
from pinyon.bridges.moving.csvsink import CsvSink
from pinyon.bridges.moving.nouns import Curves, MovedRun
from pinyon.bridges.moving.table import Asked, TableFiles
from pinyon.errors import ForeignFileError


def test_one_row_a_value(tmp_path: Path) -> None:
    text = "run;step;metric;value\na;0;loss;0.5\na;1;loss;nan\nb;0;acc;1e-3\nb;1;acc;what\nb;0.5;acc;1\n"
    lay(tmp_path, {"log.csv": text})
    report = bring(tmp_path / "p", "csv", tmp_path / "log.csv")
    columns = "; ".join(f"{name} is column '{name}'" for name in ("run", "step", "metric", "value"))
    assert report.told == (f"log.csv: one row a value; {columns}",)
    assert report.left == {"steps that are no whole numbers": 1, "values that are no numbers": 1}
    assert set(runs(tmp_path / "p")) == {"a", "b"}
    (first, second) = curve(tmp_path / "p", "a", "loss")
    assert (first, math.isnan(second[1])) == ((0, 0.5), True)
    assert curve(tmp_path / "p", "b", "acc") == [(0, 0.001)]


def test_one_row_a_step(tmp_path: Path) -> None:
    lay(tmp_path, {"train.csv": "epoch,time,loss,acc,lr\n0,1700000000,1.5,,0.1\n1,1700000060,1.0,0.5,0.1\n"})
    bring(tmp_path / "p", "csv", tmp_path / "train.csv", Asked(params=("lr",)))
    row = runs(tmp_path / "p")["train"]
    assert (row.stage, row.params, row.attempt.started, row.attempt.seconds) == (
        "@train",
        {"lr": 0.1},
        1.7e9,
        60,
    )
    assert curve(tmp_path / "p", "train", "loss") == [(0, 1.5), (1, 1.0)]
    assert curve(tmp_path / "p", "train", "acc") == [(1, 0.5)]


def test_one_row_a_run(tmp_path: Path) -> None:
    text = "Name,model,lr,accuracy,started,status\nx,lstm,0.1,0.9,2026-01-02T03:04:05+00:00,failed\ny,mlp,0.2,0.8,,\n"
    lay(tmp_path, {"sweep.csv": text})
    bring(tmp_path / "p", "csv", tmp_path / "sweep.csv", Asked(params=("lr", "model")))
    found = runs(tmp_path / "p")
    assert (found["x"].params, found["x"].metrics) == ({"lr": 0.1, "model": "lstm"}, {"accuracy": 0.9})
    assert (found["x"].status, found["x"].attempt.started) == ("FAILED", 1767323045)
    assert (found["y"].status, found["y"].stage) == ("SUCCEEDED", "@sweep")


def test_columns_can_be_named(tmp_path: Path) -> None:
    lay(tmp_path, {"t.csv": "who,when,loss\na,3,0.5\nb,4,0.25\n"})
    bring(tmp_path / "p", "csv", tmp_path / "t.csv", Asked(run="who", step="when"))
    assert curve(tmp_path / "p", "b", "loss") == [(4, 0.25)]
    with pytest.raises(ForeignFileError, match="there is no column 'gone'; there are who, when, loss"):
        bring(tmp_path / "p", "csv", tmp_path / "t.csv", Asked(step="gone"))


def test_rows_that_grew_are_the_next_attempt_and_new_runs_are_new(tmp_path: Path) -> None:
    head = "run,step,metric,value\n"
    lay(tmp_path, {"t.csv": f"{head}a,0,loss,1\nb,0,loss,1\n"})
    bring(tmp_path / "p", "csv", tmp_path / "t.csv")
    started = {name: row.attempt.started for name, row in runs(tmp_path / "p").items()}
    lay(tmp_path, {"t.csv": f"{head}a,0,loss,1\nb,0,loss,1\nb,1,loss,2\nc,0,loss,1\n"})
    report = bring(tmp_path / "p", "csv", tmp_path / "t.csv")
    assert (report.imported, report.updated, report.same) == (1, 1, 1)
    assert runs(tmp_path / "p")["a"].attempt.started == started["a"]
    assert curve(tmp_path / "p", "b", "loss") == [(0, 1.0), (1, 2.0)]


@pytest.mark.parametrize("text", ["", "\n", "a,b\n", "a,b\n1\n", "\0\0\0"])
def test_what_says_nothing_is_no_run(tmp_path: Path, text: str) -> None:
    lay(tmp_path, {"t.csv": text})
    report = bring(tmp_path / "p", "csv", tmp_path / "t.csv")
    assert report.imported == 0


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(ForeignFileError, match="this is no CSV"):
        bring(tmp_path / "p", "csv", tmp_path / "t.csv")


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_plain = st.none() | st.booleans() | st.integers() | st.floats() | _texts
_named = st.dictionaries(_texts, _plain, max_size=4)
_points = st.lists(
    st.tuples(_texts, st.integers(-(2**63), 2**63 - 1), st.floats(1, 4e9) | st.just(math.nan), st.floats()),
    max_size=8,
)


@given(_plain)
def test_a_cell_gives_its_value_back(value: Any) -> None:
    assert repr(unspell(spell(value))) == repr(value)


def _sorted(values: Mapping[str, Any]) -> str:
    return repr(sorted(values.items()))


def _without(run: MovedRun) -> MovedRun:
    """What is compared as a whole."""
    return run._replace(curves=None, params={}, finals={}, guess=0.0)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_texts.filter(str.strip), st.tuples(_named, _named, _points), min_size=1, max_size=3))
def test_what_goes_out_comes_back(told: dict[str, tuple[dict[str, Any], dict[str, Any], list[Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sink, expected = CsvSink(folder), {}
        for name, (params, finals, points) in told.items():
            curves = Curves()
            for point in points:
                curves.add(*point)
            expected[name] = MovedRun(
                id=name, name="n", experiment="e", started=1.5, ended=2.25, params=params, tags={"name": "n", "k": ""},
                finals=finals, curves=curves,
            )  # fmt: skip
            sink.write(expected[name])
        sink.close()
        with closing(TableFiles(folder)) as source:
            assert {one.id for one in source.headings()} == set(expected)
            for name, run in expected.items():
                found = source.read(name)
                assert repr(list(found.curves)) == repr(list(run.curves))
                assert _sorted(found.params) == _sorted(run.params)
                assert _sorted(found.finals) == _sorted(run.finals)
                assert repr(_without(found)) == repr(_without(run))
            assert not source.left
