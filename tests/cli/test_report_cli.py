"""`pinyon report`: which experiment, and where the report goes. What it says is tested in tests/report."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pinyon.session.study
from pinyon.cli.group import group
from pinyon.errors import PlanError
from pinyon.model.experiment import Cell, Experiment, Objective, Phase, Selection, Standing
from pinyon.model.outcome import SUCCEEDED, Attempt, Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.store.local import LocalStore

SPEC = """\
stages:
  train: {cmd: "echo {} > metrics.json", params: [lr], metrics: [metrics.json]}
experiments:
  rates: {stage: train, objective: {maximize: f1}, phases: {lr: {grid: {lr: [0.1, 0.2]}}}}
"""


def outcome(name: str) -> StudyResult:
    """Two cells, of which the second is better."""
    phase = Phase("lr", grid=(("lr", (0.1, 0.2)),))
    rows, attempts = [], {}
    for number, rate in enumerate((0.1, 0.2), 1):
        pairs = (("lr", rate),)
        rows.append((Cell(f"c-{number}", "lr", number, pairs), (Replicate((), pairs, f"r{number}"),)))
        attempts[f"r{number}"] = Attempt(
            f"a-{number}", str(number) * 64, f"r{number}", "train", "x-1", 1, "isolated", SUCCEEDED,
            metrics={"f1": rate}, seconds=2.0,
        )  # fmt: skip
    standings = (Standing("c-2", True, mean=0.2), Standing("c-1", True, mean=0.1))
    experiment = Experiment(name, "train", (phase,), Objective("f1", "maximize"))
    study = Study(experiment, (PhaseStudy(phase, (), tuple(rows)),), complete=True)
    return StudyResult(
        study, attempts, selections={"lr": Selection("c-2", "f1 0.2 is the highest", standings, ("c-2",))}
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def provide(start: Path, experiment: str) -> StudyResult:
        assert start == tmp_path
        return outcome(experiment)

    monkeypatch.setattr(pinyon.session.study, "study_result", provide, raising=False)
    (tmp_path / "pinyon.yaml").write_text(SPEC)
    (tmp_path / "params.yaml").write_text("lr: 0.1\n")
    return tmp_path


def call(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(group, ["-C", str(root), "report", *arguments], catch_exceptions=True)


def good(root: Path, *arguments: str) -> Result:
    result = call(root, *arguments)
    assert result.exit_code == 0, result.output
    return result


def test_the_only_experiment_is_shown_as_markdown_with_what_to_do_next(root: Path) -> None:
    result = good(root)
    assert result.stdout.startswith("# Experiment rates\n")
    assert "lr/2 (lr=0.2): f1 0.2 is the highest." in result.stdout
    assert result.stderr == "with pictures: pinyon report rates --html report.html\n"
    assert good(root, "rates").stdout == result.stdout


def test_a_damaged_journal_is_named(root: Path) -> None:
    store = LocalStore(root / ".pinyon")
    store.prepare("p")
    driver = store.journals.open_writer(project="p")
    driver.append("noted", {"text": "one"})
    driver.close()
    name = f"{driver.writer}.facts.0.jsonl"
    path = store.root / "journals" / name
    path.write_bytes(path.read_bytes().replace(b'"one"', b'"two"'))
    result = good(root)
    assert result.stdout.startswith("# Experiment rates\n")
    assert f"note: {name} has 1 damaged line," in result.stderr


def test_a_person_sees_it_drawn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinyon.cli.report.is_watched", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    text = good(root).stdout
    assert "Experiment rates" in text
    assert "# Experiment" not in text
    assert "**" not in text


def test_files_are_written_and_named(root: Path) -> None:
    paths = [str(root / name) for name in ("r.html", "r.md", "r.csv")]
    result = good(root, "--html", paths[0], "--md", paths[1], "--csv", paths[2])
    assert result.stdout.split() == paths
    assert Path(paths[0]).read_text().startswith("<!doctype html>")
    assert Path(paths[1]).read_text().startswith("# Experiment rates")
    with open(paths[2], encoding="utf-8", newline="") as file:
        text = file.read()
    assert [row["metric:f1"] for row in csv.DictReader(io.StringIO(text, newline=""))] == ["0.1", "0.2"]
    assert text.count("\r\n") == 3


def test_the_best_cells_alone(root: Path) -> None:
    lines = good(root, "--top", "1").stdout.splitlines()
    assert lines[0].startswith("winner    lr/2 (lr=0.2): f1 0.2 is the highest.")
    assert [line.split()[:2] for line in lines[-2:]] == [["rank", "cell"], ["1", "lr/2"]]
    assert len(good(root, "--top", "9").stdout.splitlines()) == len(lines) + 1
    assert "# Experiment" not in "\n".join(lines)


def test_the_best_cells_and_the_files(root: Path) -> None:
    path = str(root / "r.md")
    lines = good(root, "--top", "1", "--md", path).stdout.splitlines()
    assert lines[:-2] == good(root, "--top", "1").stdout.splitlines()
    assert lines[-2:] == ["", path]
    assert "lr/1" in Path(path).read_text()  # a file has all of them
    found = json.loads(good(root, "--top", "1", "--json").stdout)
    assert [row["rank"] for row in found["leaderboard"]] == [1, 2]


def test_no_cell_is_not_a_number_of_cells(root: Path) -> None:
    result = call(root, "--top", "0")
    assert result.exit_code == 2
    assert "--top" in result.output


def test_for_programs(root: Path) -> None:
    found = json.loads(good(root, "--json", "--md", str(root / "r.md")).stdout)
    assert found["winner"] == "c-2"
    assert found["written"] == [str(root / "r.md")]
    assert json.loads(good(root, "--json").stdout)["counts"]["distinct"] == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC + "  other: {stage: train, phases: {lr: {grid: {lr: [1]}}}}\n", "there are rates, other"),
        (SPEC.partition("experiments")[0], "there is no experiment"),
    ],
)
def test_which_experiment_is_not_guessed(root: Path, spec: str, said: str) -> None:
    (root / "pinyon.yaml").write_text(spec)
    before = sorted(root.rglob("*"))
    result = call(root)
    assert isinstance(result.exception, PlanError)
    assert said in str(result.exception)
    assert sorted(root.rglob("*")) == before


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text(SPEC)
    (tmp_path / "params.yaml").write_text("lr: 0.1\n")
    result = call(tmp_path, "rate", "--html", str(tmp_path / "r.html"))
    assert isinstance(result.exception, PlanError)
    assert "rates" in str(result.exception)
    assert not (tmp_path / "r.html").exists()


def test_a_name_that_cannot_be_encoded_is_written_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def provide(_: Path, experiment: str) -> Any:
        found = outcome(experiment)
        odd = {
            recipe: one._replace(outputs=(Output("\udcff.bin", "blake3:0", 1),))
            for recipe, one in found.attempts.items()
        }
        return found._replace(attempts=odd)

    monkeypatch.setattr(pinyon.session.study, "study_result", provide, raising=False)
    for kind in ("html", "md", "csv"):
        good(root, f"--{kind}", str(root / f"r.{kind}"))
        assert (root / f"r.{kind}").read_bytes().decode()


def test_a_real_study_is_reported_from_its_records(tmp_path: Path) -> None:
    root = tmp_path / "study"
    root.mkdir()
    (root / "params.yaml").write_text("lr: 0.1\nseed: 0\n")
    (root / "train.py").write_text(
        "import json, re\n"
        "found = dict(re.findall(r'(\\w+): ([0-9.]+)', open('params.yaml').read()))\n"
        "import pinyon\n"
        "run = pinyon.run()\n"
        "for step in range(5):\n"
        "    run.log(loss=1 / (step + 1), step=step)\n"
        "json.dump({'f1': float(found['lr']) + int(found['seed']) / 100}, open('metrics.json', 'w'))\n"
    )
    (root / "pinyon.yaml").write_text(
        "stages:\n"
        f"  train: {{cmd: [{sys.executable}, train.py], deps: [train.py], params: [lr, seed], metrics: [metrics.json]}}\n"
        "experiments:\n"
        "  rates: {stage: train, objective: {maximize: f1}, seeds: {seed: [0, 1]},"
        " phases: {lr: {grid: {lr: [0.1, 0.2]}}, again: {grid: {lr: [0.2, 0.3]}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "run", "rates"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(
        good(root, "--json", "--html", str(root / "r.html"), "--csv", str(root / "r.csv")).stdout
    )
    assert found["counts"] == {
        "cells": 4, "replicates": 8, "distinct": 6, "run": 6, "reused": 0, "failed": 0, "missing": 0
    }  # fmt: skip
    assert [phase["winner"] is not None for phase in found["phases"]] == [True, True]
    page = (root / "r.html").read_text()
    assert "Learning curves" in page
    assert page.count('stroke-opacity=".5"') == 6 - 2  # all but the winner's
    text = good(root).stdout
    assert "**Winner:** again/2 (lr=0.3): f1 0.305 ± 0.005 (n = 2)" in text
    assert (
        "Against the winner of lr: f1 +0.1000, over pairs of 2 equal seeds: better by more than chance"
        in text
    )
    assert "again/1 (all 2 replicates): the same keys, and so the same runs, as lr/2" in text
    with open(root / "r.csv", encoding="utf-8", newline="") as file:
        assert sum(row["winner"] == "true" for row in csv.DictReader(file)) == 4
