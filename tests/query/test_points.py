"""Points come out as they went in, or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import point, spelled

from pinyon.query import points
from pinyon.store.journal import LocalJournals

BATCHES = [
    [point("a-1", step, step / 10, loss=1 / (step + 1), n=step) for step in range(at, at + 3)]
    for at in (0, 3, 6)
]


def found(path: Path, data: bytes, start: int = 0, stop: int | None = None) -> points.Found:
    path.write_bytes(data)
    return points.read(path, start, stop)


def rows(told: points.Found) -> list[tuple[object, ...]]:
    return [row[1:] for row in placed(told)]


def placed(told: points.Found) -> list[tuple[Any, ...]]:
    """Where its line begins, attempt, metric, step, t and value of every point."""
    lines = zip(*told.points[:1], *told.points[2:7], strict=True)
    return [
        (at, attempt, name, step, t, value)
        for at, attempt, step, t, names, values in lines
        for name, value in zip(names, values, strict=True)
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "w-1.points.0.jsonl"


def test_every_metric_of_every_line_is_a_row(file):
    told = found(file, spelled([point("a-1", 7, 0.5, loss=0.25, accuracy=1)]))
    assert rows(told) == [("a-1", "loss", 7, 0.5, 0.25), ("a-1", "accuracy", 7, 0.5, 1.0)]
    assert told.damaged == []
    assert told.end == file.stat().st_size


def test_what_was_not_flushed_counts_but_is_not_settled(file):
    data = spelled(BATCHES[0], tail=BATCHES[1], torn='{"v":1,"attempt":"a-1","t":1,"step":99,"m":{"lo')
    told = found(file, data)
    assert [row[2] for row in rows(told)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert told.end == len(spelled(BATCHES[0]))
    assert told.damaged == []


def test_numbers_that_json_has_not(file):
    values = {
        "nan": "NaN",
        "up": "Infinity",
        "down": "-Infinity",
        "yes": True,
        "huge": 10**400,
        "text": "fast",
        "none": None,
    }
    told = found(file, spelled([point("a-1", 1, **values)]))
    found_values = {row[1]: row[4] for row in rows(told)}
    assert math.isnan(found_values.pop("nan"))
    assert found_values == {"up": math.inf, "down": -math.inf, "yes": 1.0, "huge": math.inf}


def test_points_without_a_step_and_with_one_beyond_all_bounds(file):
    told = found(file, spelled([point("a-1", None, x=1), point("a-1", 2**70, x=2), point("a-1", -5, x=3)]))
    assert [(row[2], row[4]) for row in rows(told)] == [(None, 1.0), (-5, 3.0)]
    assert told.end == 0  # one of the lines was not understood, so nothing is settled


def test_objects_are_no_numbers_and_a_line_may_hold_both(file):
    words = {"type": "text", "text": "\u00e9 \ud800", "flush": 1}
    both = {**point("a-1", 3, 0.25, loss=0.5), "o": {"words": words}}
    told = found(file, spelled([both, {"v": 1, "attempt": "a-1", "t": 1, "step": 4, "o": {"words": words}}]))
    assert list(told.points.numbers()) == [("a-1", "loss", 3, 0.5)]
    assert told.points.names == [("loss",), ("words",), ("words",)]
    assert [one and json.loads(one[0]) for one in told.points.objects] == [None, words, words]
    assert told.end == file.stat().st_size


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000 + b"\n",
        b'{"v":1,"m":' * 50_000 + b"\n",
        b"\xff\xfe\x00\n",
        b"1" * 5000 + b"\n",
        b"\n",
        b"null\n",
        b"[1],[2]\n",
    ],
)
def test_a_bomb_hides_nothing_else(file, bomb):
    data = spelled(BATCHES[0]) + bomb + spelled(BATCHES[1])
    told = found(file, data)
    assert [row[2] for row in rows(told)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert told.end == len(spelled(BATCHES[0]))


def test_a_metric_called_flush_is_no_flush_line(file):
    batch = [point("a-1", 1, flush=3.0), {"v": 1, "flush": "me", "attempt": "a-1", "step": 2, "m": {"x": 1}}]
    assert [row[1:3] for row in rows(found(file, spelled(batch)))] == [("flush", 1), ("x", 2)]


def test_a_batch_whose_flush_line_has_rotted_hides_no_other(file):
    data = bytearray(spelled(*BATCHES))
    at = data.index(b'"flush": 1')
    data[at : at + 7] = b"!flush!"
    told = found(file, bytes(data))
    assert sorted({row[2] for row in rows(told)}) == [0, 1, 2, 6, 7, 8]
    assert told.damaged == [len(spelled(BATCHES[0]))]


@given(st.integers(0, len(spelled(*BATCHES)) - 1), st.integers(0, 7))
def test_no_flipped_bit_becomes_a_wrong_value(tmp_path_factory, at, bit):
    data = bytearray(spelled(*BATCHES))
    data[at] ^= 1 << bit
    told = found(tmp_path_factory.getbasetemp() / "flipped.points.0.jsonl", bytes(data))
    right = {
        json.dumps(one)
        for one in rows(found(tmp_path_factory.getbasetemp() / "right.points.0.jsonl", spelled(*BATCHES)))
    }
    # The last flush line vouches for its batch; without it these are points that were not flushed, and may be wrong.
    wrong = {json.dumps(one) for one in rows(told)} - right
    assert not wrong or not told.damaged
    settled = [row[1:] for row in placed(told) if row[0] < told.end]
    assert {json.dumps(one) for one in settled} <= right
    if at < len(spelled(BATCHES[0])):  # two of three batches are untouched
        assert len(rows(told)) >= 12


@given(st.integers(0, len(spelled(*BATCHES))))
def test_a_file_cut_anywhere_gives_its_first_points(tmp_path_factory, end):
    path = tmp_path_factory.getbasetemp() / "cut.points.0.jsonl"
    whole = rows(found(path, spelled(*BATCHES)))
    some = found(path, spelled(*BATCHES)[:end])
    assert rows(some) == whole[: len(rows(some))]
    assert some.damaged == []
    # What is settled stays: reading on from there gives the rest.
    rest = found(path, spelled(*BATCHES), some.end)
    settled = [row[1:] for row in placed(some) if row[0] < some.end]
    assert settled + rows(rest) == whole


def test_segments_are_only_those_of_points(tmp_path):
    for name in (
        "w-1.points.0.jsonl",
        "w-1.points.10.jsonl",
        "w-1.facts.0.jsonl",
        "w-1.points.x.jsonl",
        "points.0.jsonl.tmp",
    ):
        (tmp_path / "journals").mkdir(exist_ok=True)
        (tmp_path / "journals" / name).touch()
    assert LocalJournals(tmp_path).points() == ["w-1.points.0.jsonl", "w-1.points.10.jsonl"]
    assert LocalJournals(tmp_path / "none").points() == []


def test_points_know_their_batch(file):
    data = spelled([point("a-1", 1, x=1, y=2)], [point("a-1", 2, x=3)], tail=[point("a-1", 3, x=4)], first=7)
    assert found(file, data).points.batch == [7, 8, None]
    odd = data.replace(b'"flush": 7', b'"flush": true').replace(b'"flush": 8', b'"flush": -1')
    assert found(file, odd).points.batch == [1, None, None]
