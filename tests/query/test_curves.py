"""Curves of attempts out of the segments of points."""

from __future__ import annotations

import math
from pathlib import Path

from pinyon.query.curves import curves_of
from pinyon.store.points import Point, PointsWriter


def log(directory: Path, attempt: str, writer: str, *told: tuple[int, dict[str, float]]) -> None:
    points = PointsWriter(str(directory), writer)
    points.write(
        [Point(number, float(number), step, values) for number, (step, values) in enumerate(told)], attempt
    )


def test_each_attempt_has_its_metrics_by_step(tmp_path: Path) -> None:
    log(tmp_path, "a-1", "w-1", (0, {"loss": 1.0, "acc": 0.1}), (2, {"loss": 0.5}), (1, {"loss": 0.7}))
    log(tmp_path, "a-2", "w-2", (0, {"loss": 9.0}))
    assert curves_of(sorted(tmp_path.glob("*.points.*")), {"a-1"}) == {
        "a-1": {"loss": [(0, 1.0), (1, 0.7), (2, 0.5)], "acc": [(0, 0.1)]}
    }
    assert curves_of(sorted(tmp_path.glob("*.points.*")), {"a-1", "a-2", "a-3"})["a-2"] == {
        "loss": [(0, 9.0)]
    }
    assert curves_of(sorted(tmp_path.glob("*.points.*")), {"a-3"}) == {}
    assert curves_of([], {"a-1"}) == {}


def test_several_processes_of_an_attempt_are_joined_and_the_last_word_of_a_step_counts(
    tmp_path: Path,
) -> None:
    log(tmp_path, "a-1", "w-1", (0, {"loss": 1.0}), (1, {"loss": 0.9}))
    log(tmp_path, "a-1", "w-2", (1, {"loss": 0.8}), (2, {"loss": 0.7}))
    assert curves_of(sorted(tmp_path.glob("*.points.*")), {"a-1"}) == {
        "a-1": {"loss": [(0, 1.0), (1, 0.8), (2, 0.7)]}
    }


def test_nan_is_kept_and_damage_is_left_out(tmp_path: Path) -> None:
    log(tmp_path, "a-1", "w-1", (0, {"loss": math.nan}), (1, {"loss": 0.9}))
    (tmp_path / "w-3.points.1.jsonl").write_bytes(b"\xff not json\n")
    (tmp_path / "w-4.points.1.jsonl").write_bytes(b"[]\n")
    (tmp_path / "w-5.points.1.jsonl").write_bytes(b"")
    ((_, first), second) = curves_of(sorted(tmp_path.glob("*.points.*")), {"a-1"})["a-1"]["loss"]
    assert math.isnan(first)
    assert second == (1, 0.9)
