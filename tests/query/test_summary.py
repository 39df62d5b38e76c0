"""What compaction sums up is what a plain computation over all points gives, whatever was written, resumed, compacted."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import Told, point, run_of, spelled

from pinyon.query import compact as module
from pinyon.query import counted, cover
from pinyon.query.compact import compact

_SQL = "select run, metric, last, min, max, n, nan from summary"
_VALUES = [0.5, -1.0, 3.25, "NaN", "Infinity", "-Infinity", 7]


def rows(told: Told) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): repr(row[2:]) for row in told.rows(_SQL)}


def plain(told: Told, resumed: dict[str, int]) -> dict[tuple[str, str], str]:
    """The same, from every line of every segment, without SQL and without parts."""
    lines = []  # writer, number of the segment, place in it, batch, point
    for path in sorted((told.store.root / "journals").glob("*.points.*")):
        writer, _, number, _ = path.name.split(".")
        waiting: list[dict[str, Any]] = []
        for at, line in enumerate(path.read_bytes().splitlines()):
            record = json.loads(line)
            if "flush" in record:
                lines += [(writer, int(number), place, record["flush"], one) for place, one in waiting]
                waiting = []
            else:
                waiting.append((at, record))
        lines += [(writer, int(number), place, None, one) for place, one in waiting]
    first: dict[tuple[str, int], int] = {}
    for writer, number, _, batch, _ in lines:
        if batch is not None:
            first[writer, number] = min(first.get((writer, number), batch), batch)
    kept = []
    for writer, number, place, batch, one in lines:
        later = [b for (w, n), b in first.items() if w == writer and n > number]
        if not later or (batch is not None and batch < min(later)):
            kept.append((writer, number, place, one))
    begins: dict[str, int] = {}
    for *_, one in kept:
        begins[one["attempt"]] = min(begins.get(one["attempt"], 2**62), one["step"])
    ranks = {f"a-{run}-{epoch}": (run, epoch) for run in (1, 2) for epoch in (1, 2, 3)}
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for writer, number, place, one in kept:
        run, epoch = ranks[one["attempt"]]
        cuts = [
            max(begin, resumed.get(name, begin))
            for name, begin in begins.items()
            if ranks[name][0] == run and ranks[name][1] > epoch
        ]
        if not cuts or one["step"] < min(cuts):
            for metric, value in one["m"].items():
                found[run_of(run), metric].append(((one["step"], epoch, writer, number, place), float(value)))
    return {key: _sum(values) for key, values in found.items()}


def _sum(values: list[tuple[Any, float]]) -> str:
    numbers = [value for _, value in values if not math.isnan(value)]
    low, high = (min(numbers), max(numbers)) if numbers else (None, None)
    return repr((max(values)[1], low, high, len(values), len(values) - len(numbers)))


_moves = st.lists(
    st.one_of(
        st.tuples(st.just("compact"), st.sampled_from([200, 2**40])),
        st.tuples(st.just("merge")),
        st.tuples(st.just("lose"), st.integers(0, 9), st.sampled_from(["blob", "list", "summary"])),
        st.tuples(st.just("resumed"), st.integers(1, 2), st.integers(1, 3), st.integers(0, 8)),
        st.tuples(
            *(st.just("points"), st.integers(0, 2), st.integers(1, 2), st.integers(1, 3), st.integers(0, 8)),
            *(st.sampled_from(_VALUES), st.sampled_from(["same", "same", "next", "again", "tail"])),
        ),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40)
@given(_moves)
def test_for_any_history_and_any_schedule_the_summary_is_that_of_all_points(history):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FILES", 2)
        told = Told(Path(folder))
        for run in (1, 2):
            for epoch in (1, 2, 3):
                told.attempt(run, epoch=epoch, metrics={})
        writers = _Writers(told)
        resumed: dict[str, int] = {}
        for move in history:
            if move[0] == "compact":
                compact(told.store, most=move[1])
            elif move[0] == "merge":
                with patch.context() as inner:
                    inner.setattr(module, "_FILES", 0)
                    compact(told.store)
            elif move[0] == "lose":
                _lose(told, *move[1:])
            elif move[0] == "resumed":
                name = f"a-{move[1]}-{move[2]}"
                if name not in resumed:
                    resumed[name] = move[3]
                    told.tell("resumed", attempt=name, step=move[3])
            else:
                writers.write(*move[1:])
        assert rows(told) == plain(told, resumed)
        told.index.catch_up()
        summed = told.rows("select run, sum(n)::bigint from summary group by 1 order by 1")
        assert summed == told.rows("select run, count(*) from points group by 1 order by 1")
        told.close()


class _Writers:
    """Processes that write batches, one segment after the other; a batch may be written again into the next one."""

    def __init__(self, told: Told) -> None:
        self.folder = told.store.root / "journals"
        self.number = [0, 0, 0]
        self.flushes = [0, 0, 0]
        self.torn = [False] * 3

    def write(self, writer: int, run: int, epoch: int, step: int, value: Any, how: str) -> None:
        if how == "next" or (self.torn[writer] and how != "again"):
            self.number[writer] += 1  # nobody appends behind what was not flushed
        self.torn[writer] = how == "tail"
        if how == "again":
            self.number[writer] += 1
            self.flushes[writer] = max(self.flushes[writer] - 1, 0)
        path = self.folder / f"w-{writer}.points.{self.number[writer]}.jsonl"
        batch = [point(f"a-{run}-{epoch}", step + more, 0.1 * step, loss=value, n=step) for more in (0, 2, 1)]
        data = spelled(tail=batch) if how == "tail" else spelled(batch, first=self.flushes[writer])
        self.flushes[writer] += how != "tail"
        with open(path, "ab") as file:
            file.write(data)


def _lose(told: Told, which: int, what: str) -> None:
    parts = cover.told(told.store).parts
    if parts and (name := getattr(parts[which % len(parts)], what)):
        told.store.blobs.path(name).unlink(missing_ok=True)


def test_points_are_not_opened_for_it_unless_an_attempt_cuts_another(told, monkeypatch):
    opened: list[Any] = []
    real = cover.Part.files
    monkeypatch.setattr(counted, "covered", lambda *asked: opened.append(asked[2]) or cover.covered(*asked))
    assert real is cover.Part.files
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2)
    told.points([point("a-1-1", step, loss=step) for step in range(6)])
    told.points([point("a-1-2", step, loss=-step) for step in range(9, 12)])
    compact(told.store)
    assert told.rows(_SQL) == [(run_of(1), "loss", -11.0, -11.0, 5.0, 9, 0)]
    assert opened == [{"summary"}]
    told.points([point("a-1-2", 4, loss=-4)])
    compact(told.store)
    assert told.rows(_SQL) == [(run_of(1), "loss", -11.0, -11.0, 3.0, 8, 0)]
    assert opened[1:] == [{"summary"}, {"summary", "rows"}]


def test_a_file_without_a_summary_as_older_releases_wrote_it_is_summed_up(told):
    told.attempt(1)
    told.points([point("a-1-1", step, loss=step) for step in range(6)])
    before = rows(told)
    compact(told.store)
    ref = told.store.refs.get("tables")
    old = [{name: row[name] for name in ("table", "blob", "list", "rows")} for row in ref.value["files"]]
    told.store.refs.set("tables", {"files": old}, expect=ref.version)
    assert rows(told) == before
    told.points([point("a-1-1", 6, loss=6)])
    compact(told.store)
    assert rows(told) == {(run_of(1), "loss"): repr((6.0, 0.0, 6.0, 7, 0))}


def test_seconds_come_back_as_they_were(told):
    told.attempt(1)
    times = [0.0, 0.1, 1 / 3, 12345.678901, 1e12, 1e-9, "NaN", 2.5e9]
    told.points([point("a-1-1", step, t, loss=1) for step, t in enumerate(times)])
    sql = "select t::varchar from points order by step"
    before = told.rows(sql)
    compact(told.store)
    assert told.rows(sql) == before
