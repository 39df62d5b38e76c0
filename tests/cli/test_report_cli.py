"""`pinyon report`: which experiment, and where the report goes. What it says is tested in tests/report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pinyon.session.study
from pinyon.cli.report import command
from pinyon.errors import PlanError
from pinyon.model.experiment import Cell, Experiment, Objective, Phase, Selection, Standing
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult

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
    return CliRunner().invoke(command, list(arguments), obj=str(root), catch_exceptions=True)


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


def test_for_programs(root: Path) -> None:
    found = json.loads(good(root, "--json", "--md", str(root / "r.md")).stdout)
    assert found["winner"] == "c-2"
    assert found["written"] == [str(root / "r.md")]
    assert json.loads(good(root, "--json").stdout)["counts"]["distinct"] == 2


@pytest.mark.parametrize(
    ("spec", "arguments", "said"),
    [
        (SPEC, ["rate"], "no experiment 'rate'"),
        (SPEC + "  other: {stage: train, phases: {lr: {grid: {lr: [1]}}}}\n", [], "there are rates, other"),
        (SPEC.partition("experiments")[0], [], "there is no experiment"),
        (SPEC.partition("experiments")[0], ["rates"], "there is no experiment"),
    ],
)
def test_an_experiment_that_is_not_there(root: Path, spec: str, arguments: list[str], said: str) -> None:
    (root / "pinyon.yaml").write_text(spec)
    before = sorted(root.rglob("*"))
    result = call(root, *arguments)
    assert isinstance(result.exception, PlanError)
    assert said in str(result.exception)
    assert sorted(root.rglob("*")) == before


def test_a_name_that_cannot_be_encoded_is_written_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def provide(_: Path, experiment: str) -> Any:
        found = outcome(experiment)
        odd = {recipe: one._replace(execution="x-\udcff") for recipe, one in found.attempts.items()}
        return found._replace(attempts=odd)

    monkeypatch.setattr(pinyon.session.study, "study_result", provide, raising=False)
    for kind in ("html", "md", "csv"):
        good(root, f"--{kind}", str(root / f"r.{kind}"))
        assert (root / f"r.{kind}").read_bytes().decode()
