"""MLflow's runs, of its database and of its folder, as recorded from MLflow itself."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from moved import bring, curve, known, lay, mlflow_database, mlruns, runs, table

from pinyon.bridges.moving.kinds import open_source
from pinyon.errors import ForeignFileError, WorkspaceLockedError
from pinyon.execute.locks import try_lock
from pinyon.registry.registry import Registry
from pinyon.store.local import LocalStore

both = pytest.mark.parametrize("made", [mlflow_database, mlruns])
Made = Callable[[Path], Path]


def _change(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(sql)
        connection.commit()


@both
def test_runs_come_with_everything_that_they_have(tmp_path: Path, made: Made) -> None:
    report = bring(tmp_path / "p", "mlflow", made(tmp_path / "m"))
    found = runs(tmp_path / "p")
    assert (report.imported, report.skipped, report.left["deleted runs"]) == (4, (), 1)
    assert {name: row.status for name, row in found.items()} == {
        "first: try": "SUCCEEDED", "child": "SUCCEEDED", "failed": "FAILED", "open": "LOST",
    }  # fmt: skip
    first = found["first: try"]
    assert first.stage == "@digits"
    assert first.params == {"lr": 0.1, "layers": 2, "flag": True, "opt/name": "adam\nw", "code": "007"}
    assert first.tags["k"] == "v"
    assert first.tags["dataset.d"].endswith(" train")
    assert not any(tag.startswith("mlflow.") for tag in first.tags)
    assert first.attempt.seconds > 0


@both
def test_points_and_final_values_keep_nan_and_infinity(tmp_path: Path, made: Made) -> None:
    bring(tmp_path / "p", "mlflow", made(tmp_path / "m"))
    assert curve(tmp_path / "p", "first: try", "loss") == [(1, 1.0), (2, math.inf), (30, 0.25)]
    ((step, value),) = curve(tmp_path / "p", "first: try", "val/acc")
    assert (step, math.isnan(value)) == (1, True)
    assert runs(tmp_path / "p")["first: try"].metrics == {"loss": 0.25, "val/acc": "NaN"}
    assert table(tmp_path / "p", "select t from points where metric = 'loss' and step = 30")[0][0] > 0


@both
def test_artifacts_are_files_and_a_model_is_one_folder(tmp_path: Path, made: Made) -> None:
    bring(tmp_path / "p", "mlflow", made(tmp_path / "m"))
    found = table(tmp_path / "p", "select name, role, digest from artifacts order by name")
    assert [(name, role) for name, role, _ in found] == [("model", "model"), ("sub/x.txt", "artifact")]
    assert LocalStore(tmp_path / "p/.pinyon").blobs.read(found[1][2]) == b"hello"


@both
def test_a_nested_run_knows_its_parent_and_notes_come_along(tmp_path: Path, made: Made) -> None:
    bring(tmp_path / "p", "mlflow", made(tmp_path / "m"))
    store = LocalStore(tmp_path / "p/.pinyon")
    records = [event for name in store.journals.segments() for event, _ in store.journals.read(name)]
    intents = {one.body["origin"]["run"]: one.body for one in records if one.kind == "intent"}
    parents = [body["parent"] for body in intents.values() if "parent" in body]
    assert parents == [runs(tmp_path / "p")["first: try"].run]
    assert [one.body["text"] for one in records if one.kind == "noted"] == ["a note"]
    own = [one.body["tags"] for one in records if one.kind == "mlflow_tagged"]
    assert "first: try" in [tags.get("mlflow.runName") for tags in own]


@both
def test_a_second_import_adds_nothing_and_a_changed_run_only_itself(tmp_path: Path, made: Made) -> None:
    place, root = made(tmp_path / "m"), tmp_path / "p"
    bring(root, "mlflow", place)
    before, files = known(root), sorted((root / ".pinyon/journals").iterdir())
    again = bring(root, "mlflow", place)
    assert (again.imported, again.updated, again.same, again.models) == (0, 0, 4, ())
    assert (known(root), sorted((root / ".pinyon/journals").iterdir())) == (before, files)
    if place.is_dir():
        (metric,) = sorted(place.glob("*/*/metrics/loss"))[:1]
        metric.write_text(metric.read_text() + "1795366160999 0.125 31\n")
        name = (metric.parent.parent / "tags/mlflow.runName").read_text()
    else:
        _change(place, "update params set value = '0.2' where key = 'lr'")
        name = "first: try"
    changed = bring(root, "mlflow", place)
    assert (changed.imported, changed.updated, changed.same) == (0, 1, 3)
    assert {row.attempts for other, row in runs(root).items() if other != name} == {1}
    assert runs(root)[name].attempts == 2


def test_a_thousand_runs_are_no_thousand_files(tmp_path: Path) -> None:
    bring(tmp_path / "p", "mlflow", mlflow_database(tmp_path / "m"))
    assert len(list((tmp_path / "p/.pinyon/journals").glob("*.points.*"))) == 1


@both
def test_versions_of_models_come_with_their_names_once(tmp_path: Path, made: Made) -> None:
    place, root = made(tmp_path / "m"), tmp_path / "p"
    report = bring(root, "mlflow", place)
    registry = Registry(LocalStore(root / ".pinyon"))
    assert registry.names() == ["digit-model"]
    model = registry.model("digit-model")
    # MLflow's two versions are the same bytes of the same run, which is one version.
    assert report.models == ("digit-model@1",)
    assert model.aliases == {"champ": 1, "staging": 1}
    assert model.versions[0].about["version"] == 1
    assert model.versions[0].about["model"] == "digit model"
    assert model.versions[0].run == runs(root)["first: try"].run


@both
def test_a_name_that_was_moved_here_is_not_moved_back(tmp_path: Path, made: Made) -> None:
    place, root = made(tmp_path / "m"), tmp_path / "p"
    bring(root, "mlflow", place)
    registry = Registry(LocalStore(root / ".pinyon"))
    registry.unset(registry.model("digit-model"), "champ")
    bring(root, "mlflow", place)
    assert registry.model("digit-model").aliases == {"staging": 1}


@both
def test_a_model_that_runs_code_is_left_out_unless_it_is_trusted(tmp_path: Path, made: Made) -> None:
    place, root = made(tmp_path / "m"), tmp_path / "p"
    for model in tmp_path.glob("m/**/MLmodel"):
        (model.parent / "model.pkl").write_bytes(b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94.")
    report = bring(root, "mlflow", place)
    assert report.models == ()
    assert [count for reason, count in report.left.items() if "--trust" in reason] == [2]
    assert bring(root, "mlflow", place, trust=True).models == ("digit-model@1",)


def test_the_database_of_mlflow_1_can_be_read(tmp_path: Path) -> None:
    bring(tmp_path / "p", "mlflow", mlflow_database(tmp_path / "m", "mlflow_1_0.sql"))
    (row,) = runs(tmp_path / "p").values()
    assert (row.stage, row.status, row.params, row.attempt.seconds) == (
        "@digits",
        "SUCCEEDED",
        {"lr": 0.5},
        60,
    )
    assert [value for _, value in curve(tmp_path / "p", "old", "loss")] == [1.0, 0.5, 1 / 3]


def test_a_database_of_a_newer_schema_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    _change(place, "update alembic_version set version_num = 'feedfacecafe'")
    with pytest.raises(ForeignFileError, match=r"newer MLflow than .* \(schema feedfacecafe\)"):
        bring(tmp_path / "p", "mlflow", place)
    assert not (tmp_path / "p/.pinyon").exists()


@pytest.mark.parametrize("data", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 500])
def test_what_is_no_database_of_mlflow_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.db").write_bytes(data)
    with pytest.raises(ForeignFileError, match=r"no database of MLflow's|cannot be read"):
        bring(tmp_path / "p", "mlflow", tmp_path / "x.db")


def test_a_run_that_vanishes_while_importing_is_named_and_the_others_come(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    with closing(open_source("mlflow", str(place))) as source:
        names = [one.id for one in source.headings()]
        _change(place, f"delete from runs where run_uuid = '{names[1]}'")
        with pytest.raises(ForeignFileError, match="it has vanished"):
            source.read(names[1])
        assert source.read(names[0]).id == names[0]


def test_a_run_folder_without_artifacts_takes_no_file_of_its_neighbours(tmp_path: Path) -> None:
    place = tmp_path / "mlruns"
    lay(
        place,
        {"1/meta.yaml": "name: digits", "notes.txt": "of somebody else", "1/r1/meta.yaml": "status: 3\n"},
    )
    report = bring(tmp_path / "p", "mlflow", place)
    assert (report.imported, report.files) == (1, 0)


def test_broken_folders_are_named_and_hide_nothing(tmp_path: Path) -> None:
    place, root = mlruns(tmp_path / "m"), tmp_path / "p"
    experiment = next(path for path in place.iterdir() if any(path.glob("*/metrics")))
    first = next(path for path in experiment.iterdir() if (path / "params/lr").exists())
    (first / "metrics/loss").write_text("1795366160116 1.0 1\n1795366160117 what\n")
    lay(experiment, {"broken/meta.yaml": "{run_id: [", "empty/params/lr": "1"})
    report = bring(root, "mlflow", place)
    assert {one.run for one in report.skipped} == {first.name, "broken", "empty"}
    assert any("line 2 is no point" in one.why for one in report.skipped)
    assert report.left["damaged runs"] == 3
    assert set(runs(root)) == {"child", "failed", "open"}


def test_a_folder_that_was_moved_still_has_its_artifacts(tmp_path: Path) -> None:
    shutil.move(str(mlruns(tmp_path / "m")), str(tmp_path / "elsewhere"))
    bring(tmp_path / "p", "mlflow", tmp_path / "elsewhere")
    assert len(table(tmp_path / "p", "from artifacts")) == 2


def test_an_artifact_that_is_not_on_this_disk_is_counted(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    _change(place, "update runs set artifact_uri = 's3://bucket/' || run_uuid")
    report = bring(tmp_path / "p", "mlflow", place)
    assert [count for reason, count in report.left.items() if "s3:" in reason] == [4]
    assert report.imported == 4


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    dry = bring(tmp_path / "p", "mlflow", place, dry=True)
    assert not (tmp_path / "p/.pinyon").exists()
    done = bring(tmp_path / "p", "mlflow", place)
    assert dry._replace(models=()) == done._replace(models=(), left=dry.left)
    assert (dry.points, dry.files) == (5, 2)


def test_of_two_imports_at_once_one_is_told_to_wait(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    bring(tmp_path / "p", "mlflow", place)
    held = try_lock(str(tmp_path / "p/.pinyon/locks/import"))
    assert held is not None
    with pytest.raises(WorkspaceLockedError, match="another import writes into this store"):
        bring(tmp_path / "p", "mlflow", place)
    os.close(held)
    assert bring(tmp_path / "p", "mlflow", place).same == 4


def test_since_leaves_out_what_began_before(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    report = bring(tmp_path / "p", "mlflow", place, since=4e9)
    assert (report.runs, report.imported, report.left["runs that began before --since"]) == (4, 0, 4)
