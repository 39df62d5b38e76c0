"""TensorBoard's folders, W&B's offline runs and API exports, Neptune's export: one run each way, and what is broken."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from moved import RECORDED, bring, curve, known, lay, objects, runs, table

from pinyon.errors import ForeignFileError, PlanError
from pinyon.query import duck


def _events(folder: Path, name: str, recorded: str = "tensorboardx.tfevents") -> Path:
    (folder / name).mkdir(parents=True)
    target = folder / name / "events.out.tfevents.1700000000.host.1.0"
    shutil.copyfile(RECORDED / recorded, target)
    return target


def _numbers(recorded: str) -> list[str]:
    """(tag, step, value) of each number that TensorBoard itself found in a recorded file."""
    told = json.loads((RECORDED / f"{recorded}.json").read_text())["numbers"]
    return sorted(repr((tag, step, float(value))) for tag, step, _, value in told)


@pytest.mark.parametrize("recorded", ["tensorboardx.tfevents", "tensors.tfevents", "torch.tfevents"])
def test_a_folder_of_tensorboard_is_a_run_with_all_its_numbers(tmp_path: Path, recorded: str) -> None:
    _events(tmp_path / "logs", "first", recorded)
    report = bring(tmp_path / "p", "tensorboard", tmp_path / "logs")
    assert (report.imported, report.skipped) == (1, ())
    assert runs(tmp_path / "p")["first"].stage == "@logs"
    found = table(tmp_path / "p", "select metric, step, value from points")
    assert sorted(map(repr, found)) == _numbers(recorded)


def test_a_folder_of_tensorboard_that_was_moved_is_the_same_run(tmp_path: Path) -> None:
    _events(tmp_path / "a/logs", "first")
    bring(tmp_path / "p", "tensorboard", tmp_path / "a/logs")
    shutil.move(str(tmp_path / "a"), str(tmp_path / "b"))
    assert bring(tmp_path / "p", "tensorboard", tmp_path / "b/logs").same == 1


def test_a_damaged_event_file_is_named_and_the_others_come(tmp_path: Path) -> None:
    _events(tmp_path / "logs", "good")
    broken = _events(tmp_path / "logs", "broken")
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 255
    broken.write_bytes(data)
    report = bring(tmp_path / "p", "tensorboard", tmp_path / "logs")
    assert (report.imported, len(report.skipped)) == (1, 1)
    assert "broken" in report.skipped[0].run
    assert list(runs(tmp_path / "p")) == ["good"]


def _offline(folder: Path) -> Path:
    place = folder / "wandb/offline-run-1-abc"
    lay(place, {"files/plots/roc.txt": "a curve", "files/config.yaml": "lr: 1"})
    shutil.copyfile(RECORDED / "run.wandb", place / "run-abc.wandb")
    return place


def test_an_offline_run_of_wandb_comes_with_numbers_settings_and_files(tmp_path: Path) -> None:
    _offline(tmp_path)
    report = bring(tmp_path / "p", "wandb", tmp_path / "wandb")
    row = runs(tmp_path / "p")["first try"]
    assert (report.imported, report.left, row.stage, row.status) == (1, {}, "@demo", "SUCCEEDED")
    assert (row.params["lr"], row.params["model.width"], row.params["late"]) == (0.1, 64, 5)
    assert (row.tags["group"], row.tags["base"], row.metrics["best"]) == ("g", "", 0.9)
    assert len(curve(tmp_path / "p", "first try", "train/loss")) == 40
    assert curve(tmp_path / "p", "first try", "inf") == [(100, -math.inf)]
    found = table(tmp_path / "p", "select name, role from artifacts order by 1")
    assert found == [("big", "text"), ("plots/roc.txt", "artifact")]
    found = objects(tmp_path / "p")
    assert [row for row in found if row[1] == "histogram"] == [("h", "histogram", 0), ("h", "histogram", 20)]
    assert ("text", "text", 100) in found


def test_a_wandb_file_that_was_cut_off_is_a_run_that_was_lost(tmp_path: Path) -> None:
    whole = (RECORDED / "run.wandb").read_bytes()
    (tmp_path / "run-abc.wandb").write_bytes(whole[: len(whole) // 2])
    report = bring(tmp_path / "p", "wandb", tmp_path / "run-abc.wandb")
    row = runs(tmp_path / "p")["first try"]
    assert (row.status, row.attempt.message) == ("LOST", "its file ends before the run did")
    assert any("stop before they say" in reason for reason in report.left)
    (tmp_path / "run-abc.wandb").write_bytes(whole)  # it was still being copied
    assert bring(tmp_path / "p", "wandb", tmp_path / "run-abc.wandb").updated == 1
    row = runs(tmp_path / "p")["first try"]
    assert (row.status, row.attempts) == ("SUCCEEDED", 2)
    assert len(curve(tmp_path / "p", "first try", "train/loss")) == 40


@pytest.mark.parametrize("data", [b"", b":W&B", b"what is this"])
def test_a_wandb_file_that_tells_of_no_run_is_named_and_skipped(tmp_path: Path, data: bytes) -> None:
    _offline(tmp_path)
    (tmp_path / "wandb/broken.wandb").write_bytes(data)
    report = bring(tmp_path / "p", "wandb", tmp_path / "wandb")
    assert (report.imported, [Path(one.run).name for one in report.skipped]) == (1, ["broken.wandb"])


def test_a_damaged_wandb_file_is_skipped_as_a_whole(tmp_path: Path) -> None:
    data = bytearray((RECORDED / "run.wandb").read_bytes())
    data[40_000] ^= 255
    (tmp_path / "run.wandb").write_bytes(data)
    report = bring(tmp_path / "p", "wandb", tmp_path)
    assert (report.imported, len(report.skipped)) == (0, 1)
    assert runs(tmp_path / "p") == {}


_ABOUT = {
    "id": "abc", "name": "brisk-sun-1", "state": "crashed", "project": "demo", "created_at": "2026-01-02T03:04:05",
    "group": "g", "tags": ["base"], "notes": "a note",
}  # fmt: skip
_ROWS = [
    {"_step": 0, "_timestamp": 1767323045.5, "_runtime": 1.0, "loss": 0.5, "val": {"f1": 0.25}},
    {
        "_step": 7,
        "_timestamp": 1767323046.5,
        "_runtime": 2.0,
        "loss": float("nan"),
        "word": "text",
        "none": None,
    },
]


def _history(kind: str) -> dict[str, str]:
    if kind == "history.json":
        return {kind: json.dumps(_ROWS)}
    if kind == "history.jsonl":
        return {kind: "".join(json.dumps(row) + "\n" for row in _ROWS)}
    if kind == "frame":
        names = sorted({name for row in _ROWS for name in row})
        return {
            "history.json": json.dumps(
                {name: {str(at): row.get(name) for at, row in enumerate(_ROWS)} for name in names}
            )
        }
    return {
        "history.csv": ",_step,_timestamp,loss,val.f1,word\n0,0,1767323045.5,0.5,0.25,\n1,7,1767323046.5,NaN,,text\n"
    }


@pytest.mark.parametrize("kind", ["history.json", "history.jsonl", "frame", "history.csv"])
def test_what_the_api_of_wandb_gave_is_read(tmp_path: Path, kind: str) -> None:
    config = {"lr": 0.1, "model": {"width": 64}, "seed": {"value": 3, "desc": None}, "_wandb": {"x": 1}}
    files = {
        "run.json": json.dumps(_ABOUT),
        "config.json": json.dumps(config),
        "summary.json": '{"best": 0.9, "_step": 7}',
    }
    lay(tmp_path / "export/abc", files | _history(kind))
    report = bring(tmp_path / "p", "wandb", tmp_path / "export")
    row = runs(tmp_path / "p")["brisk-sun-1"]
    assert (row.status, row.attempt.started, row.metrics) == ("FAILED", 1767323045, {"best": 0.9})
    assert row.params == {"lr": 0.1, "model.width": 64, "seed": 3}
    (first, second) = curve(tmp_path / "p", "brisk-sun-1", "loss")
    assert (first, second[0], math.isnan(second[1])) == ((0, 0.5), 7, True)
    assert curve(tmp_path / "p", "brisk-sun-1", "val.f1") == [(0, 0.25)]
    assert report.left == {"values of W&B's that are no numbers": 1}
    assert bring(tmp_path / "p", "wandb", tmp_path / "export").same == 1


@pytest.mark.parametrize("files", [{"config.json": "{"}, {"config.json": "[1]"}, {"history.json": "[1, 2]"}])
def test_a_broken_export_of_wandb_is_named_and_skipped(tmp_path: Path, files: dict[str, str]) -> None:
    lay(
        tmp_path / "export",
        {"good/config.json": '{"lr": 1}', **{f"bad/{name}": text for name, text in files.items()}},
    )
    report = bring(tmp_path / "p", "wandb", tmp_path / "export")
    assert (report.imported, [Path(one.run).name for one in report.skipped]) == (1, ["bad"])


def _neptune(folder: Path) -> Path:
    """As neptune-exporter's documentation describes its files."""
    data = folder / "exports/data/team_demo_1a2b"
    data.mkdir(parents=True)
    lay(folder / "exports/files/team_demo_1a2b", {"RUN-1/model/weights.bin": "bytes"})
    with closing(duck.connect()) as connection:
        connection.execute("""
            create table t (project_id varchar, run_id varchar, attribute_path varchar, attribute_type varchar,
                step decimal(18,6), timestamp timestamptz, int_value bigint, float_value double, string_value varchar,
                bool_value boolean, datetime_value timestamptz, string_set_value varchar[],
                file_value struct(path varchar), histogram_value struct(type varchar, edges double[], "values" double[]))
        """)
        for path, kind, column, value in (
            ("sys/name", "string", "string_value", "'try'"),
            ("sys/creation_time", "datetime", "datetime_value", "to_timestamp(1700000000)"),
            ("sys/modification_time", "datetime", "datetime_value", "to_timestamp(1700000060)"),
            ("sys/failed", "bool", "bool_value", "true"),
            ("sys/tags", "string_set", "string_set_value", "['base']"),
            ("config/lr", "float", "float_value", "0.1"),
            ("config/layers", "int", "int_value", "2"),
            ("config/when", "datetime", "datetime_value", "to_timestamp(0)"),
            ("model/weights", "file", "file_value", "{path: 'RUN-1/model/weights.bin'}"),
            ("model/gone", "file", "file_value", "{path: 'RUN-1/gone.bin'}"),
            ("log", "string_series", "string_value", "'a line'"),
        ):
            connection.execute(
                f"insert into t (project_id, run_id, attribute_path, attribute_type, {column})"
                f" values ('team/demo', 'RUN-1', '{path}', '{kind}', {value})"
            )
        for step, value in (("0", "1.5"), ("1", "'nan'"), ("2.5", "'inf'")):
            connection.execute(
                "insert into t (project_id, run_id, attribute_path, attribute_type, step, timestamp, float_value)"
                f" values ('team/demo', 'RUN-1', 'metrics/loss', 'float_series', {step}, to_timestamp(1700000001), {value})"
            )
        connection.execute(f"copy t to {duck.quoted(str(data / 'RUN-1_part_0.parquet'))} (format parquet)")
    return folder / "exports"


@pytest.mark.parametrize("part", ["", "data"])
def test_an_export_of_neptune_is_read(tmp_path: Path, part: str) -> None:
    place = _neptune(tmp_path) / part
    report = bring(tmp_path / "p", "neptune", place)
    row = runs(tmp_path / "p")["try"]
    assert (row.stage, row.status, row.attempt.started, row.attempt.seconds) == (
        "@demo",
        "FAILED",
        1700000000,
        60,
    )
    assert row.params == {"config/lr": 0.1, "config/layers": 2, "config/when": "1970-01-01T00:00:00+00:00"}
    assert row.tags == {"base": "", "name": "try", "id": "RUN-1"}
    (first, second, third) = curve(tmp_path / "p", "try", "metrics/loss")
    assert (first, second[0], math.isnan(second[1]), third) == ((0, 1.5), 1, True, (2_500_000, math.inf))
    assert table(tmp_path / "p", "select name from artifacts") == [("model/weights",)]
    assert report.left == {
        "files that the export does not hold": 1,
        "steps with decimals, which count in millionths now": 1,
        "string_series of Neptune's": 1,
    }
    before = known(tmp_path / "p")
    assert bring(tmp_path / "p", "neptune", place).same == 1
    assert known(tmp_path / "p") == before


def test_parquet_files_of_others_are_no_export_of_neptune(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ForeignFileError, match="no Parquet files of neptune-exporter's"):
        bring(tmp_path / "p", "neptune", tmp_path)


@pytest.mark.parametrize("kind", ["tensorboard", "wandb", "neptune", "csv", "mlflow", "parquet"])
def test_an_empty_folder_and_none_are_said(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ForeignFileError):
        bring(tmp_path / "p", kind, tmp_path / "empty")
    with pytest.raises(PlanError, match="there is nothing to import"):
        bring(tmp_path / "p", kind, tmp_path / "none")
    assert not os.path.exists(tmp_path / "p/.pinyon")


@pytest.mark.parametrize("kind", ["mlflow", "tensorboard", "wandb"])
def test_a_run_that_vanishes_while_importing_is_skipped_and_nothing_of_it_is_here(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "place"
    for name in ("a", "b", "c"):
        if kind == "mlflow":
            lay(
                place / "1",
                {"meta.yaml": "name: x", f"{name}/meta.yaml": "status: 3", f"{name}/metrics/loss": "1 1 1\n"},
            )
        elif kind == "tensorboard":
            _events(place, name)
        else:
            lay(place / f"wandb/offline-run-1-{name}", {"config.json": "{}"})
            shutil.copyfile(RECORDED / "run.wandb", place / f"wandb/offline-run-1-{name}/run-{name}.wandb")

    def vanish(done: int, _: int) -> None:
        if done == 1:
            gone = (
                next(path for path in place.rglob("b") if path.is_dir())
                if kind != "wandb"
                else place / "wandb/offline-run-1-b"
            )
            shutil.rmtree(gone)

    report = bring(tmp_path / "p", kind, place, tell=vanish)
    assert (len(report.skipped), report.left["damaged runs"]) == (1, 1)
    assert "b" in report.skipped[0].run
    assert report.runs == 3
    assert "b" not in runs(tmp_path / "p")
    assert table(tmp_path / "p", "select count(*) from points where run is null") == [(0,)]


@pytest.mark.parametrize("broken", ["runs", "points"])
def test_a_damaged_export_of_parquet_is_refused_and_nothing_is_written(tmp_path: Path, broken: str) -> None:
    lay(tmp_path, {"t.csv": "run,metric,step,value\na,loss,1,0.5\n"})
    bring(tmp_path / "p", "csv", tmp_path / "t.csv")
    (tmp_path / "p/pinyon.yaml").touch()
    call = [sys.executable, "-m", "pinyon.cli", "export", "parquet", "-o", str(tmp_path / "out")]
    subprocess.run(call, cwd=tmp_path / "p", check=True, capture_output=True)
    file = tmp_path / f"out/{broken}.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ForeignFileError):
        bring(tmp_path / "q", "parquet", tmp_path / "out")
    assert not (tmp_path / "q/.pinyon").exists()
