"""A stage for a command that stands in no file: when it is a stage like others, and when each time is a run of its own."""

from __future__ import annotations

import pytest

from pinyon.errors import CycleError, PlanError
from pinyon.model.graph import Adhoc, Command, Stage
from pinyon.model.project import Goal
from pinyon.plan.adhoc import adhoc_stage
from pinyon.plan.build import graph_of
from pinyon.plan.keys import key_of
from pinyon.plan.reasons import inputs_of

COMMAND = Command("exec", ("python", "train.py"))


def stage(**more: object) -> Stage:
    return adhoc_stage("train", COMMAND, "sub", nonce="n-1", **more)  # type: ignore[arg-type]


def test_with_nothing_said_it_always_runs_as_a_new_run() -> None:
    plain = stage()
    assert (plain.name, plain.wdir, plain.unconditional) == ("@train", "sub", True)
    assert plain.adhoc == Adhoc("n-1", (), ("sub/metrics.json",))
    other = plain._replace(adhoc=plain.adhoc._replace(nonce="n-2"))
    assert key_of(plain, ()) != key_of(other, ())


def test_metrics_alone_make_no_stage_of_it() -> None:
    plain = stage(metrics=["../a.json"])
    assert (plain.outs, plain.adhoc.metrics) == ((), ("sub/metrics.json", "a.json"))


@pytest.mark.parametrize("more", [{"deps": ["d", "d"]}, {"outs": ["o"]}])
def test_deps_or_outs_do(more: dict[str, list[str]]) -> None:
    real = stage(metrics=["m.json"], **more)
    assert real.adhoc == Adhoc()
    assert [(out.path, out.role) for out in real.outs][-1] == ("sub/m.json", "metric")
    assert key_of(real, ()) == key_of(
        adhoc_stage("x", COMMAND, "sub", nonce="n-2", metrics=["m.json"], **more), ()
    )  # type: ignore[arg-type]


def test_flags_are_recorded_and_not_keyed() -> None:
    plain, flagged = stage(), stage(flags=[("lr", 0.1)])
    assert key_of(plain, ()) == key_of(flagged, ())
    assert "flags" not in inputs_of(plain, ())
    assert inputs_of(flagged, ())["flags"] == [["lr", 0.1]]


@pytest.mark.parametrize("path", ["../../x", "/x", "..", "../.pinyon/x", "../.pinyon"])
def test_an_out_lies_in_the_project_and_not_in_the_store(path: str) -> None:
    with pytest.raises(PlanError):
        stage(outs=[path])


def test_what_it_reads_it_does_not_write() -> None:
    with pytest.raises(CycleError):
        graph_of([stage(deps=["x"], outs=["x"])], Goal())
