"""The process that follows files: every number once, under its name, whatever happens to the process or to the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import madefiles as made
import pytest

from pinyon.query import points as reader
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

ATTEMPT, FAR = "a-1", 60.0


class Tail:
    """One such process and its store."""

    def __init__(
        self, root: Path, since: float | None = None, before: tuple[str, ...] = (), most: int = 0
    ) -> None:
        self.root, self.store = root, LocalStore(root / ".pinyon")
        self.store.prepare("p")
        self.since = time.time() if since is None else since
        argv = [
            sys.executable,
            "-P",
            "-m",
            "pinyon.bridges.tail",
            str(self.store.root),
            ATTEMPT,
            repr(self.since),
        ]
        argv += [str(root), "project", *before]
        if most:  # bytes of one file, beyond which the system refuses
            argv = ["prlimit", f"--fsize={most}", *argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.writer = self.process.stdin, self.process.stdout.readline().decode().strip()

    def follow(self, *paths: str, held: bool = False) -> Tail:
        for path in paths:
            self.stdin.write(json.dumps({"file": path, "held": held}).encode() + b"\n")
        self.stdin.flush()
        return self

    def until(self, count: int) -> None:
        """Wait for so many numbers on disk."""
        deadline = time.monotonic() + FAR
        while len(self.points()) < count:
            assert time.monotonic() < deadline, self.points()
            time.sleep(0.02)

    def end(self) -> Tail:
        self.stdin.write(b'{"end": true}\n')
        self.stdin.close()
        assert self.process.wait(FAR) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self

    def kill(self) -> str:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(FAR)
        self.process.communicate()
        return self.writer

    def points(self) -> list[tuple[str, int, float]]:
        """(metric, step, value) of all processes, sorted."""
        rows: list[tuple[str, int, float]] = []
        for segment in self.store.journals.points():
            found = reader.read(self.store.root / "journals" / segment).points
            rows += [(metric, step or 0, value) for _, metric, step, value in found.numbers()]
        return sorted(rows)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        events = [
            event
            for segment in self.store.journals.segments()
            for event, _ in self.store.journals.read(segment)
        ]
        return [event.body for event in events if event.kind == kind]


def names(tail: Tail) -> set[str]:
    return {metric for metric, _, _ in tail.points()}


def test_numbers_come_while_the_file_grows_and_say_when_they_were(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    events = made.Events(f"{tmp_path}/runs")
    tail.follow(events.path)
    for step in range(5):
        events.add(step * 10, tail.since + 1.5 + step, train__loss=step / 4)
        tail.until(step + 1)
    assert tail.end().points() == [("train/loss", step * 10, step / 4) for step in range(5)]
    (segment,) = tail.store.journals.points()
    found = reader.read(tail.store.root / "journals" / segment).points
    assert found.t == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert set(found.attempt) == {ATTEMPT}
    assert not [*tail.store.journals.verify(segment)]
    (followed,) = tail.facts("followed")
    assert followed == {
        "attempt": ATTEMPT,
        "tool": "tensorboard",
        "file": os.path.relpath(events.path, tmp_path),
        "points": 5,
    }


def test_wandb_settings_tags_notes_and_summary_are_records(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    run = made.Wandb(f"{tmp_path}/wandb", "first", lr=0.1)
    run.add(made.history(7, time.time(), loss=0.5, picture={"_type": "image-file"}))
    run.add(made.field(3, made.items({"loss": 0.5, "best": 0.25, "_runtime": 3})))
    tail.follow(run.path).end()
    assert tail.points() == [("loss", 7, 0.5)]
    assert tail.facts("params") == [{"attempt": ATTEMPT, "params": {"lr": 0.1}}]
    assert tail.facts("tagged") == [{"attempt": ATTEMPT, "tags": {"name": "first"}}]
    assert tail.facts("summary") == [{"attempt": ATTEMPT, "values": {"loss": 0.5, "best": 0.25}}]
    assert tail.facts("followed")[0]["left_out"] == {"image-file": 1}


def test_the_process_may_be_killed_at_any_moment_and_nothing_is_doubled(tmp_path: Path) -> None:
    since, before = time.time(), tuple[str, ...]()
    events, run = made.Events(f"{tmp_path}/runs"), made.Wandb(f"{tmp_path}/wandb", "first", lr=0.1)
    run.add(made.field(17, made.field(9, "a note")))
    written = 0
    for turn in range(6):
        tail = Tail(tmp_path, since, before).follow(run.path, events.path)
        for _ in range(50):
            events.add(written, loss=written)
            events.add(0, same=1.0)  # the same step and value, again and again
            run.add(made.history(written, time.time(), accuracy=written))
            written += 1
        if turn == 5:
            break
        if turn % 2:
            tail.until(3 * written - 20 * turn)
        before = (*before, tail.kill())
    tail.end()
    expected = [("accuracy", i, float(i)) for i in range(300)] + [("loss", i, float(i)) for i in range(300)]
    assert [row for row in tail.points() if row[0] != "same"] == expected
    assert len([row for row in tail.points() if row[0] == "same"]) == 300
    assert [body["text"] for body in tail.facts("noted")] == ["a note"]
    assert len(tail.facts("followed")) == 2


def test_folders_below_and_beside_the_first_give_their_path(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    folders = ["logs/train", "logs/train/sub", "logs/validation", "logs/train/1795365073.25"]
    files = [made.Events(f"{tmp_path}/{folder}") for folder in folders]
    for number, file in enumerate(files):
        file.add(number, loss=1.0)
    tail.follow(*(file.path for file in files)).end()
    assert tail.points() == [
        ("loss", 0, 1.0),
        ("loss", 3, 1.0),
        ("sub/loss", 1, 1.0),
        ("validation/loss", 2, 1.0),
    ]


def test_a_second_run_of_wandb_gives_its_name_or_its_number(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    files = [made.Wandb(f"{tmp_path}/wandb", name, lr=number) for number, name in enumerate(["a", "b"])]
    files.append(made.Wandb(f"{tmp_path}/wandb/other"))
    for number, file in enumerate(files):
        file.add(made.history(number, time.time(), loss=1.0))
    tail.follow(*(file.path for file in files)).end()
    assert tail.points() == [("3/loss", 2, 1.0), ("b/loss", 1, 1.0), ("loss", 0, 1.0)]
    assert [body["params"] for body in tail.facts("params")] == [{"lr": 0}, {"b/lr": 1}]


def test_two_tools_with_one_name_are_not_mixed(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    own = PointsWriter(str(tail.store.root / "journals"), "w-own")
    own.write([Point(0, 1.0, 1, {"loss": 9.0})], ATTEMPT)
    own.write([Point(0, 1.0, 1, {"f1": 9.0})], "a-another")
    run, events = made.Wandb(f"{tmp_path}/wandb"), made.Events(f"{tmp_path}/runs")
    run.add(made.history(1, time.time(), loss=1.0, accuracy=1.0, f1=1.0))
    events.add(1, loss=2.0, accuracy=2.0, late=2.0)
    tail.follow(run.path, events.path).end()
    assert tail.points() == [
        ("accuracy", 1, 1.0), ("f1", 1, 1.0), ("f1", 1, 9.0), ("late", 1, 2.0), ("loss", 1, 9.0),
        ("tensorboard/accuracy", 1, 2.0), ("tensorboard/loss", 1, 2.0), ("wandb/loss", 1, 1.0),
    ]  # fmt: skip


def test_a_file_that_was_begun_before_the_attempt_is_not_its(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    old = made.Events(f"{tmp_path}/runs", tail.since - 3)
    old.add(1, loss=1.0)
    tail.follow(old.path).end()
    assert not tail.store.journals.points()
    assert not tail.facts("followed")


def test_a_clock_that_was_set_back_takes_nothing_from_a_file_that_the_command_held(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    files = [
        made.Events(f"{tmp_path}/runs/{name}", tail.since - back) for name, back in (("a", 30), ("b", 90))
    ]
    for file in files:
        file.add(1, tail.since - 29.5, loss=1.0)
    tail.follow(*(file.path for file in files), held=True).end()
    assert tail.points() == [("loss", 1, 1.0)]


def test_a_damaged_file_is_named_once_and_the_others_go_on(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    bad, good = made.Events(f"{tmp_path}/a"), made.Events(f"{tmp_path}/b")
    bad.add(1, loss=1.0)
    bad.raw(b"\0" * 64)
    bad.add(2, loss=2.0)
    good.add(3, loss=3.0)
    tail.follow(bad.path, good.path, f"{tmp_path}/none.wandb").end()
    assert tail.points() == [("b/loss", 3, 3.0), ("loss", 1, 1.0)]
    none, damaged = sorted(body["text"] for body in tail.facts("noted"))[::-1]
    assert damaged.startswith(os.path.relpath(bad.path, tmp_path) + " is damaged: byte ")
    assert none == "none.wandb could not be followed: cannot be opened: No such file or directory"
    assert [len(body.get("damage", ())) for body in tail.facts("followed")] == [1, 0]


def test_it_finishes_although_nobody_listens(tmp_path: Path) -> None:
    """As when the supervisor was killed: what the files hold is still written."""
    tail = Tail(tmp_path)
    events = made.Events(f"{tmp_path}/runs")
    for step in range(20_000):
        events.raw(made.event(time.time(), step, made.scalar("loss", 1.0)))
    tail.follow(events.path)
    assert tail.process.stdout is not None
    tail.process.stdout.close()
    tail.stdin.close()
    time.sleep(0.5)
    events.raw(made.event(time.time(), 20_000, made.scalar("loss", 1.0)))
    tail.until(20_001)
    assert tail.process.poll() is None  # somebody holds the file open
    del events
    assert tail.process.wait(FAR) == 0
    assert len(tail.facts("followed")) == 1


@pytest.mark.parametrize("values", [{"nan": float("nan")}, {"inf": float("inf")}])
def test_what_is_not_finite_stays_so(values: dict[str, float], tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    events = made.Events(f"{tmp_path}/runs")
    events.add(1, **values)
    tail.follow(events.path).end()
    ((name, _, value),) = tail.points()
    assert str(value) == name


def test_what_the_disk_refuses_is_tried_again(tmp_path: Path) -> None:
    """A file may hold one batch only: the second is refused, taken back, and goes to the next segment."""
    tail = Tail(tmp_path, most=120_000)
    events = made.Events(f"{tmp_path}/runs")
    for step in range(3_500):
        events.raw(made.event(time.time(), step, made.scalar("loss", step)))
    tail.follow(events.path).end()
    assert tail.points() == [("loss", step, float(step)) for step in range(3_500)]
    segments = tail.store.journals.points()
    assert len(segments) >= 3
    assert not [damage for segment in segments for damage in tail.store.journals.verify(segment)]


def test_what_is_no_number_is_an_object_or_a_blob_once(tmp_path: Path) -> None:
    since = time.time()
    events, picture = made.Events(f"{tmp_path}/runs"), b"\x89PNG" + bytes(20_000)
    run = made.Wandb(f"{tmp_path}/wandb")
    bars = {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.5, float("inf")]}
    run.add(made.history(3, since + 2, weights=bars, picture={"_type": "image-file"}))
    for value in (made.text("note", "hello"), made.image("large", picture), made.image("odd", b"no picture")):
        events.raw(made.event(since + 1, 7, value))
    tail = Tail(tmp_path, since).follow(run.path, events.path)
    deadline = time.monotonic() + FAR
    while not tail.facts("artifact"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    tail = Tail(tmp_path, since, (tail.kill(),)).follow(run.path, events.path).end()
    texts = [path.read_text() for path in (tail.store.root / "journals").glob("*.points.*")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    objects = [(line["t"], line["step"], line["o"]) for line in lines if "o" in line]
    assert objects == [
        (2.0, 3, {"weights": {"type": "histogram", "edges": [0.0, 0.5, "Infinity"], "counts": [1, 2]}}),
        (1.0, 7, {"note": {"type": "text", "text": "hello"}}),
    ]
    (artifact,) = tail.facts("artifact")
    assert (artifact["name"], artifact["path"], artifact["role"]) == ("large", "large.png", "image")
    assert artifact["about"] == {"step": 7, "t": 1.0, "format": "png"}
    assert tail.store.blobs.read(artifact["digest"]) == picture
    left = [(body.get("objects"), body["left_out"]) for body in tail.facts("followed")]
    assert left == [(1, {"image-file": 1}), (2, {"image": 1})]
