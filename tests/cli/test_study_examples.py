"""What the examples' experiments would do, as `plan` says before anything has run."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def plan(project, name: str, experiment: str) -> dict[str, Any]:
    shutil.copytree(
        EXAMPLES / name, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".pinyon")
    )
    return project.good("plan", experiment, "--json").json()


def values(phase: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(cell["assignment"].values()) for cell in phase["cells"]]


def test_the_lstm_study_has_fifteen_cells_and_thirteen_runs(project):
    found = plan(project, "lstm", "lstm-optimization")
    assert (found["cells"], found["replicates"], found["distinct"]) == (15, 15, 13)
    warp, shape, depth = found["phases"]
    assert values(warp) == [(0.1,), (0.12,), (0.15,), (0.2,)]
    assert values(shape) == [(h, n, k) for h in (64, 128) for n in (4, 8) for k in (1, 2)]
    assert values(depth) == [(50,), (75,), (100,)]
    # The encoder is keyed by all that it declares: one for each sigma, shape and depth, whatever the heads.
    assert Counter(task["stage"] for task in found["tasks"]) == {
        "prepare": 1, "pretrain": 9, "train": 13, "evaluate": 1, "latency": 1, "control": 1,
    }  # fmt: skip


def test_the_full_lstm_study_repeats_the_fine_tuning_only(project):
    found = plan(project, "lstm", "lstm-optimization-full")
    assert (found["cells"], found["replicates"], found["distinct"]) == (15, 45, 39)
    counts = Counter(task["stage"] for task in found["tasks"])
    assert (counts["prepare"], counts["pretrain"], counts["train"]) == (1, 9, 39)
    assert (counts["evaluate"], counts["latency"], counts["control"]) == (3, 3, 3)


def test_the_lstm_folds_are_five_splits_with_and_without_pre_training(project):
    found = plan(project, "lstm", "lstm-folds")
    assert (found["cells"], found["replicates"], found["distinct"]) == (4, 20, 20)
    assert Counter(task["stage"] for task in found["tasks"])["prepare"] == 5


@pytest.mark.parametrize(
    ("name", "experiment", "counts"),
    [("study", "rings", (11, 33, 27)), ("flags", "moons", (10, 20, 20))],
)
def test_small_studies(project, name, experiment, counts):
    found = plan(project, name, experiment)
    assert (found["cells"], found["replicates"], found["distinct"]) == counts


def test_an_argparse_script_runs_three_phases(project):
    """Nothing in it was written for us, and it reads no file of parameters."""
    plan(project, "flags", "moons")
    out = project.good("run", "moons", "-j", "2").out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("winner")] == [
        "step",
        "size",
        "input",
    ]
    assert "10 cells, 20 distinct runs" in out
    assert len(project.read("pinyon.yaml").splitlines()) <= 12


def test_an_argparse_script_is_told_what_is_set(project):
    plan(project, "flags", "moons")
    text = project.read("pinyon.yaml")
    project.fill({"pinyon.yaml": text.replace("    stage:", "    set: {epochs: 5}\n    stage:")})
    command = project.good("plan", "moons", "--json").json()["stages"]["train"]["cmd"]
    assert command[command.index("--epochs") + 1] == "5"
    said = project.good("plan", "moons", "-S", "epochs=7", "--json").json()
    assert (said["set"], said["distinct"]) == ({"epochs": 7}, 20)
    command = said["stages"]["train"]["cmd"]
    assert command[command.index("--epochs") + 1] == "7"
    project.fill({"pinyon.yaml": text.replace("    stage:", "    set: {epochz: 5}\n    stage:")})
    ended = project("plan", "moons")
    assert (ended.code, "set: epochz: neither params.yaml nor a command has" in ended.err) == (3, True)
    assert "did you mean epochs?" in ended.err
