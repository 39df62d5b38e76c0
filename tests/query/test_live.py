"""What open attempts do now, read as it grows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import AWAY, DEAD

from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, host_name, this_process
from pinyon.query import growth, live
from pinyon.query.going import Going, Picture
from pinyon.query.index import FILE, Index
from pinyon.query.live import Live, Now
from pinyon.query.pace import Pace
from pinyon.store.journal import LocalJournalWriter
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter


class World:
    """A store on disk, written as drivers, supervisors and training processes do."""

    def __init__(self, root: Path) -> None:
        self.store = LocalStore(root / ".pinyon")
        self.store.prepare("world")
        self.index = Index(self.store.cache / FILE, self.store.journals)
        self.driver = self.writer()
        body = {"execution": "x-1", "project": "world", "host": host_name(), "goal": {"stages": ["train"]}}
        self.driver.append(
            "execution", {**body, "actor": {"kind": "person", "name": "eve"}, "stages": 5, "settled": 1}
        )

    def writer(self) -> LocalJournalWriter:
        return self.store.journals.open_writer(project="world")

    def begin(self, name: str, supervisor: ProcessId | None = None, recipe: str = "", **running: Any) -> None:
        self.driver.append(
            "intent",
            {
                "attempt": name, "execution": "x-1", "project": "world", "root": "/", "key": f"{name:0<64}",
                "recipe": recipe or name, "stage": "train", "epoch": 1, "mode": "isolated", "reason": "",
                "supervisor": list(supervisor or this_process()), "inputs": {},
            },
        )  # fmt: skip
        self.driver.append("running", {"attempt": name, "pid": 1, **running})

    def end(self, name: str, state: str = "SUCCEEDED") -> None:
        body = {"attempt": name, "state": state, "detail": "", "seconds": 1.0, "reusable": True}
        self.driver.append("ended", body)

    def rank(self) -> tuple[LocalJournalWriter, PointsWriter]:
        """A training process: its facts and its points."""
        facts = self.writer()
        facts.begin()
        return facts, PointsWriter(str(self.store.root / "journals"), facts.writer)

    def close(self) -> None:
        self.index.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def points(*values: float, first: int = 0, **more: float) -> list[Point]:
    return [Point(n, float(n), n, {"loss": value, **more}) for n, value in enumerate(values, first)]


def only(live: Live) -> Now:
    (row,) = live.look()
    return row


def looking(world: World) -> Live:
    world.index.catch_up()
    return Live(world.store, world.index)


def test_the_newest_value_of_each_metric_whichever_process_wrote_it(world):
    world.begin("a-1")
    first, second = world.rank()[1], world.rank()[1]
    first.write(points(3.0, 2.0), "a-1")
    second.write([Point(0, 0.5, 1, {"val.loss": 9.0})], "a-1")
    look = looking(world)
    now = only(look)
    assert {name: one.value for name, one in now.metrics.items()} == {"loss": 2.0, "val.loss": 9.0}
    assert (now.metrics["loss"].step, list(now.metrics["loss"].recent)) == (1, [3.0, 2.0])
    first.write(points(1.0, float("nan"), first=2), "a-1")
    second.write([Point(1, 0.6, 2, {"system.cpu": 50.0})], "a-1")
    now = only(look)
    assert math.isnan(now.metrics["loss"].value)
    assert now.metrics["loss"].step == 3
    assert now.system["cpu"].value == 50.0
    assert "system.cpu" not in now.metrics


def test_every_byte_of_points_is_read_once(world, monkeypatch):
    world.begin("a-1")
    writer = world.rank()[1]
    read: list[tuple[int, int]] = []
    parse = growth.points.parse
    monkeypatch.setattr(
        growth.points, "parse", lambda data, at: read.append((at, at + len(data))) or parse(data, at)
    )
    look = looking(world)
    for number in range(5):
        writer.write(points(float(number), first=number), "a-1")
        look.look()
        look.look()
    (path,) = (world.store.root / "journals").glob("*.points.0.jsonl")
    assert [begin for begin, _ in read] == [0, *(end for _, end in read[:-1])]
    assert read[-1][1] == path.stat().st_size


def test_of_a_long_history_only_the_end_is_read(world, monkeypatch):
    monkeypatch.setattr(growth, "_BACK", 0)
    monkeypatch.setattr(growth, "_LEAST", 2000)
    world.begin("a-1")
    writer = world.rank()[1]
    for number in range(200):
        writer.write(points(float(number), first=number), "a-1")
    now = only(looking(world))
    assert now.metrics["loss"].value == 199.0
    assert len(now.metrics["loss"].recent) < 40
    assert (
        list(now.metrics["loss"].recent) == [float(n) for n in range(200)][-len(now.metrics["loss"].recent) :]
    )


def test_a_batch_counts_when_it_is_whole(world):
    world.begin("a-1")
    facts, writer = world.rank()
    writer.write(points(1.0), "a-1")
    look = looking(world)
    look.look()
    (path,) = (world.store.root / "journals").glob(f"{facts.writer}.points.0.jsonl")
    before = path.read_bytes()
    writer.write([Point(1, 1.0, 1, {"flush": 7.0, "v": 1})], "a-1")  # a metric that looks like a flush line
    whole = path.read_bytes()
    for length in range(len(before), len(whole)):
        path.write_bytes(whole[:length])
        assert set(only(look).metrics) == {"loss"}
    path.write_bytes(whole)
    assert only(look).metrics["flush"].value == 7.0


def test_the_next_segment_of_a_writer_is_gone_on_with(world):
    world.begin("a-1")
    facts, writer = world.rank()
    writer.write(points(1.0), "a-1")
    look = looking(world)
    only(look)
    for number in range(1, 4):
        again = PointsWriter(str(world.store.root / "journals"), facts.writer)
        again._number = number  # what it would have after as many write errors
        again.write(points(float(number + 1), first=number), "a-1")
        look.look()
        assert only(look).metrics["loss"].value == number + 1


def test_what_has_ended_is_left_alone(world, monkeypatch):
    world.begin("a-1")
    facts, writer = world.rank()
    writer.write(points(1.0), "a-1")
    look = looking(world)
    assert [row.attempt.id for row in look.look()] == ["a-1"]
    world.end("a-1")
    facts.close()
    assert look.look() == []
    asked: list[str] = []
    size = world.store.journals.size
    monkeypatch.setattr(world.store.journals, "size", lambda name: asked.append(name) or size(name))
    look.look()
    assert not any(name.startswith(facts.writer) for name in asked)


def test_the_last_line_of_a_log_is_the_newest_state_of_a_progress_bar(world):
    log = world.store.root / "logs/x-1/0.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"old attempt\nfirst\n")
    world.begin("a-1", log=["logs/x-1/0.log", 12])
    look = looking(world)
    assert only(look).line == "first"
    with log.open("ab") as file:
        file.write(b" 10%|#\r 20%|##\r")
    assert only(look).line == " 20%|##"


def test_statuses_are_those_of_the_one_place(world):
    world.begin("a-1")
    world.begin("a-2", DEAD)
    world.begin("a-3", AWAY)
    look = looking(world)
    for _ in range(2):
        found = {row.attempt.id: row.verdict.status for row in look.look()}
        assert found == {"a-1": "RUNNING", "a-2": "LOST", "a-3": "UNKNOWN"}


@pytest.mark.parametrize("off", [0, -3 * 86400, 3 * 86400])
@pytest.mark.parametrize("supervisor", [None, AWAY])
def test_durations_are_never_negative_whatever_the_clock_says(world, monkeypatch, off, supervisor):
    world.begin("a-1", supervisor)
    world.rank()[1].write([Point(0, 7.5, 0, {"loss": 1.0})], "a-1")
    real = live.time.time
    monkeypatch.setattr(live.time, "time", lambda: real() + off)
    now = only(looking(world))
    age = 3600.0 if supervisor else live._age(this_process()) + 1
    assert 7.5 <= now.elapsed <= max(age, 7.6)
    assert now.silent is None or now.silent >= 0


def test_several_projects_share_a_home(world):
    world.begin("a-1")
    world.index.catch_up()
    for project, count in (("world", 1), ("other", 0), ("all", 1), (None, 1)):
        assert len(Live(world.store, world.index, project).look()) == count


# -- how fast ------------------------------------------------------------------------------------------------------------


def progress(step: int, ts: float, total: int | None = 100, label: str = "", writer: str = "w-1") -> Event:
    body = {"attempt": "a-1", "step": step, "total": total, **({"label": label} if label else {})}
    return Event(writer, 0, "progress", ts, body)


def test_rate_and_time_left():
    pace = Pace()
    assert pace.now(0.0) is None
    pace.add(progress(0, 1000.0), 5.0)
    assert pace.now(5.0)[:] == (0, 100, "", None, None)
    pace.add(progress(20, 1010.0), 15.0)
    assert pace.now(15.0)[3:] == (2.0, 40.0)
    assert pace.now(25.0)[3:] == (2.0, 30.0)  # it goes on between two records
    assert pace.now(1e6)[4] == 0.0
    pace.add(progress(5, 1020.0), 26.0)  # another epoch: the rate begins anew
    assert pace.now(26.0)[3] is None


def test_the_outer_loop_says_how_long_it_takes():
    pace = Pace()
    pace.add(progress(0, 0.0, 10, "epochs"), 0.0)
    pace.add(progress(3, 1.0, 500, "batches"), 1.0)
    assert pace.now(1.0).label == "epochs"
    pace.add(progress(10, 9.0, 10, "epochs"), 9.0)
    assert pace.now(9.0).label == "batches"


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(-1e6, 1e6), st.sampled_from([None, 0, 50])), max_size=8)
)
def test_no_clock_makes_a_rate_or_a_time_left_negative(records):
    pace = Pace()
    for number, (step, ts, total) in enumerate(records):
        pace.add(progress(step, ts, total), float(number))
        now = pace.now(float(number))
        assert now.rate is None or now.rate > 0
        assert now.left is None or now.left >= 0


# -- the whole picture ----------------------------------------------------------------------------------------------------


def picture(world: World, *names: str) -> Picture:
    world.index.catch_up()
    return Going(world.store, world.index, names).look()


def test_an_execution_says_how_far_it_is(world):
    world.begin("a-1")
    world.begin("a-2")
    world.driver.append(
        "reused", {"execution": "x-1", "stage": "prepare", "recipe": "r", "key": "k", "attempt": "a-0"}
    )
    world.end("a-1")
    (work,) = picture(world).works
    # One needed nothing, one was reused, one has succeeded; five in all.
    assert work.counts == (3, 1, 0, 1, 5)
    assert (work.state, work.goal, work.project) == ("RUNNING", "train", "world")
    assert [row.attempt.id for row in work.attempts] == ["a-2"]


def test_cells_are_counted_by_phase_and_named_by_what_they_set(world):
    cells = [
        {
            "cell": f"c-{lr}", "number": number, "assignment": [["train.lr", lr]],
            "replicates": [{"seed": [["seed", seed]], "recipe": f"r-{lr}-{seed}"} for seed in (0, 1)],
        }
        for number, lr in enumerate((0.1, 0.2))
    ]  # fmt: skip
    about = {"execution": "x-1", "experiment": "rates", "phase": "coarse"}
    world.driver.append("cells", {**about, "base": [["train.size", 3]], "cells": cells})
    world.begin("a-1", recipe="r-0.1-0")
    world.begin("a-2", recipe="r-0.2-1")
    world.end("a-1", "FAILED")
    found = picture(world)
    (part,) = found.works[0].phases
    assert (part.experiment, part.phase, part.counts) == ("rates", "coarse", (0, 1, 1, 2, 4))
    assert found.cells == {"a-2": "lr=0.2 seed=1"}
    assert [row.attempt.id for row in picture(world, "rates").works[0].attempts] == ["a-2"]
    assert picture(world, "sizes").works == []


def test_what_ended_since_the_last_look_is_shown_for_a_while(world, monkeypatch):
    world.begin("a-1")
    world.index.catch_up()
    going = Going(world.store, world.index)
    assert going.look().over == []
    world.end("a-1", "FAILED")
    world.begin("a-2")
    world.end("a-2")  # it was never seen at work
    over = going.look().over
    assert {(one.attempt.id, one.verdict.status) for one in over} == {("a-1", "FAILED"), ("a-2", "SUCCEEDED")}
    real = live.time.monotonic
    monkeypatch.setattr(live.time, "monotonic", lambda: real() + 61)
    assert going.look().over == []


@pytest.mark.parametrize(
    ("name", "shown"), [("train", 2), ("a-1", 1), ("x-1", 2), ("r-a-2", 1), ("trai", 0), ("a", 0)]
)
def test_only_what_is_asked_for(world, name, shown):
    world.begin("a-1")
    world.begin("a-2")
    assert sum(len(work.attempts) for work in picture(world, name).works) == shown


def test_an_execution_without_attempts_goes_on_while_its_driver_does(world):
    (work,) = picture(world).works
    assert (work.execution, work.attempts) == ("x-1", [])
    world.driver.append("finished", {"execution": "x-1", "state": "SUCCEEDED", "counts": {}})
    assert picture(world).works == []
