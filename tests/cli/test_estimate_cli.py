"""Estimates from outside: before a run, in its records, and after one that was far off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pinyon import pipeline
from pinyon.model.project import Goal
from pinyon.query.index import Index
from pinyon.report.estimate import sentence
from pinyon.report.told import Told


def test_what_never_ran_is_unknown(project: Any) -> None:
    assert "estimate" not in project.good("plan").out
    assert project.good("plan", "--json").json()["estimate"]["unknown"] == [
        "prepare",
        "train",
        "report",
        "side",
    ]


def test_after_a_run_its_times_are_expected(finished: Any) -> None:
    assert "estimate" not in finished.good("plan").out
    finished.write(raw_txt="new\n")
    assert "estimate" not in finished.good("plan").out  # it is over before it is read
    figures = finished.good("plan", "--json").json()["estimate"]
    assert figures["from_past"] == 3
    assert 0 < figures["serial_seconds"] < 60
    assert figures["unknown"] == []
    assert finished.stages() == ["prepare", "train", "report"]
    (attempt,) = finished.good("show", "train", "--json").json()["history"]
    assert 0 < attempt["estimate"] < 60
    assert "estimated" not in finished.good("show", "train").out


def test_the_line_of_a_plan(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def durations(_: Index, by: str, names: Any) -> dict[str, list[float]]:
        return {name: [600.0] for name in names if by == "stage"}

    monkeypatch.setattr(Index, "durations", durations)
    finished.write(raw_txt="new\n")
    plan = pipeline.plan(Path(finished.root), Goal(), jobs=3)
    assert sentence(plan.expected) == (
        "estimate: ~10 mins prepare + 10 mins train + 10 mins report = ~30 min; critical path ~30 min;"
        " with -j 3 ~30 min (3 from past runs)"
    )


def test_a_stage_that_was_far_off_is_told_of(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def durations(_: Index, by: str, names: Any) -> dict[str, list[float]]:
        return {name: [1.0, 600.0, 900.0] for name in names if (by, name) == ("stage", "train")}

    monkeypatch.setattr(Index, "durations", durations)
    monkeypatch.setenv("RAN", str(project.ran))
    told: list[Told] = []
    pipeline.run(Path(project.root), Goal(), tell=told.append)
    notes = [one.text for one in told if one.kind == "note"]
    assert len(notes) == 1
    assert re.fullmatch(r"train took [\d.]+ s, estimated 10 min: −\d+ %", notes[0])
    assert "s (estimated 10 min)" in project.good("show", "train").out
