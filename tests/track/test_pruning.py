"""Cells without hope end early: in the process, and through the real supervisor."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracked import Place

from pinyon.execute.local import LocalTarget
from pinyon.execute.protocol import AttemptSpec, SpecOut
from pinyon.model.condition import Comparison
from pinyon.model.event import Event
from pinyon.model.graph import Command
from pinyon.track.prune import PRUNED, StopWhen, leave_word, stop_when, take_word
from pinyon.track.running import Run

Begin = Callable[..., Run]
WHEN = "accuracy < 0.3 and step >= 5"


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "step"]), st.sampled_from(["<", ">="]), st.integers(0, 3)),
        min_size=1,
    ),
    st.dictionaries(st.sampled_from(["a", "b", "step"]), st.sampled_from([0, 1, 2.5, math.nan])),
    st.integers(0, 3),
)
def test_it_is_met_when_every_clause_is(clauses: list[tuple[str, str, int]], newest: dict, step: int) -> None:
    stop = StopWhen(tuple(Comparison(*one) for one in clauses))
    values = {"step": step, **newest}

    def holds(name: str, op: str, number: int) -> bool:
        value = values.get(name, math.nan)
        return value < number if op == "<" else value >= number

    assert bool(stop.met(newest, step)) == all(holds(*one) for one in clauses)


def test_what_it_says(inside: Begin) -> None:
    stop = stop_when(WHEN)
    assert stop is not None
    assert stop.met({"accuracy": 0.25}, 7) == "accuracy < 0.3 and step >= 5 held at step 7: accuracy 0.25"
    assert stop_when("  ") is None
    with pytest.raises(ValueError, match="no condition"):
        stop_when("accuracy is bad")


def test_the_call_after_the_one_that_flagged_it_ends_the_process(
    place: Place, inside: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside(PINYON_STOP_WHEN=WHEN)
    for step in range(5):
        run.log(accuracy=0.1, step=step)
    run.log(accuracy=0.5, step=5)
    run.log(accuracy=math.nan, step=6)
    run.log(accuracy=0.2, step=7)  # flagged
    assert take_word(str(place.store.root), place.attempt) == ""
    with pytest.raises(SystemExit) as ended:
        run.log(accuracy=0.9, step=8)
    assert ended.value.code == PRUNED
    assert len(place.points()) == 9, "what the last call said is recorded, too"
    word = "accuracy < 0.3 and step >= 5 held at step 7: accuracy 0.2"
    assert capfd.readouterr().err == f"pinyon: ended early: {word}\n"
    assert take_word(str(place.store.root), place.attempt) == word
    assert take_word(str(place.store.root), place.attempt) == ""


def test_a_loop_ends_it_too(inside: Begin) -> None:
    run = inside(PINYON_STOP_WHEN="loss > 1")
    done = []

    def train() -> None:
        for step in run.progress(range(10)):
            done.append(step)
            run.log(loss=step)

    with pytest.raises(SystemExit):
        train()
    assert done == [0, 1, 2]
    assert run._loops == []


def test_a_thread_alone_is_not_ended(inside: Begin) -> None:
    run = inside(PINYON_STOP_WHEN="loss > 1")
    said: list[Any] = []

    def work() -> None:
        for step in range(5):
            run.log(loss=step)
        said.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == ["done"]
    with pytest.raises(SystemExit):
        run.log(loss=0)


def test_a_condition_that_is_none_is_said(inside: Begin, capfd: pytest.CaptureFixture[str]) -> None:
    run = inside(PINYON_STOP_WHEN="loss is high")
    for _ in range(3):
        run.log(loss=9)
    assert capfd.readouterr().err.count("PINYON_STOP_WHEN is left out: 'loss is high' is no condition") == 1


def test_without_a_place_for_the_word_it_goes_on(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside(PINYON_STOP_WHEN="loss > 1")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pinyon.track.prune.leave_word", refuse)
    for _ in range(4):
        run.log(loss=9)
    assert capfd.readouterr().err.count("should end early, but") == 1


SCRIPT = """
import pinyon
run = pinyon.run()
for step in run.progress(range(100)):
    run.log(accuracy=0.1, step=step)
open("out", "w").write("done")
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("{python} train.py", PRUNED),
        ("{python} train.py; echo went on", 0),
        ("{python} train.py || exit 1", 1),
        (
            "{python} -c \"import subprocess, sys; sys.exit(subprocess.call([sys.executable, 'train.py']) != 0)\"",
            1,
        ),
        ("{python} train.py; echo late > out", 0),
    ],
)
def test_the_attempt_is_cancelled_whatever_is_made_of_the_exit_code(
    tmp_path: Path, command: str, code: int
) -> None:
    place = Place(tmp_path / "project")
    (place.root / "train.py").write_text(SCRIPT)
    (place.root / "out").write_text("old")
    end = supervise(place, command.format(python=sys.executable), {"PINYON_STOP_WHEN": WHEN})
    assert (end["state"], end["detail"], end["exit_code"]) == ("CANCELLED", "pruned", code)
    assert end["message"] == "accuracy < 0.3 and step >= 5 held at step 5: accuracy 0.1"
    assert not end["reusable"]
    assert (place.root / "out").read_text() == "old"
    assert {point["step"] for point in place.points()} <= set(range(7))
    assert not list((place.store.root / "tmp").glob("pruned-*"))


def test_a_condition_that_is_never_met_changes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "project")
    (place.root / "train.py").write_text(SCRIPT)
    end = supervise(place, f"{sys.executable} train.py", {"PINYON_STOP_WHEN": "accuracy < 0.05"})
    assert (end["state"], end["detail"]) == ("SUCCEEDED", "")
    assert (place.root / "out").read_text() == "done"


def test_a_word_without_a_condition_counts_for_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "project")
    leave_word(str(place.store.root), "a-12-1-0", "somebody else's")
    assert supervise(place, "echo x > out", {})["state"] == "SUCCEEDED"


def test_a_script_of_nobodys_is_cancelled_too(own: Place) -> None:
    done = own.script(SCRIPT, PINYON_STOP_WHEN=WHEN)
    assert done.returncode == PRUNED
    assert not (own.root / "out").exists()
    (row,) = own.cli("show", "@train")["history"]
    assert (row["state"], row["detail"], row["exit_code"]) == ("CANCELLED", "pruned", PRUNED)
    assert "held at step 5" in row["message"]


def supervise(place: Place, line: str, env: dict[str, str]) -> dict[str, Any]:
    """Run a shell line as an attempt with the out ``out``; its ``ended``."""
    spec = AttemptSpec(
        "a-12-1-0", "x-1", "train", str(place.root), "in place", Command("shell", (line,)), ".", env, (),
        (SpecOut("out", "out", True, False),),
    )  # fmt: skip
    target = LocalTarget(place.root, place.store, "project")
    target.start()
    target.submit(spec)
    try:
        while True:
            for event in target.poll(30):
                if isinstance(event, Event) and event.kind == "ended":
                    return event.body
    finally:
        target.close()


def test_the_exit_code_is_nobody_elses() -> None:
    assert PRUNED == 79
    assert PRUNED not in [getattr(os, name) for name in dir(os) if name.startswith("EX_")]
