"""decide, one situation at a time: what is done, in which order, and what it costs. `test_machine` does the rest."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from world import Driver, World, name_of, task_of

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Out, Retry, Stage
from pinyon.model.outcome import CANCELLED, FAILED, LOST, SUCCEEDED
from pinyon.model.project import Goal
from pinyon.plan.actions import Action, Look, Repair, Reuse, Run, Stop, Wait
from pinyon.plan.check import first_look, refuse_absent
from pinyon.plan.decide import Settled, decide, forecast
from pinyon.plan.state import Seen


def stage(name: str, deps: str = "", outs: str = "", **more: object) -> Stage:
    found = Stage(
        name, Command("exec", (name,)), ".", tuple(deps.split()), (), tuple(Out(o) for o in outs.split())
    )
    return found._replace(**more)  # type: ignore[arg-type]


def driver(world: World, *stages: Stage, jobs: int = 1, **goal: object) -> Driver:
    return Driver(world, list(stages), Goal(**goal), jobs)  # type: ignore[arg-type]


def told(actions: Iterable[Action]) -> list[str]:
    """Actions as words: ``run a``, ``reuse a``, ``look x y``, ``wait``, …"""
    words = []
    for action in actions:
        match action:
            case Run(task) | Reuse(task):
                words.append(f"{type(action).__name__.lower()} {task.stage.name}")
            case Look(paths):
                words.append(f"look {' '.join(paths)}")
            case Repair(attempt):
                words.append(f"repair {attempt.stage}")
            case Wait(_, adopted):
                words.append("wait for others" if adopted else "wait")
            case Stop(failed):
                words.append(f"stop {' '.join(failed)}")
    return words


def reason(actions: Iterable[Action]) -> str:
    return next(str(action.reason) for action in actions if isinstance(action, Run | Reuse | Repair | Stop))


def ran(driver: Driver) -> list[str]:
    return [run.task.stage.name for run in driver.runs]


def everything(world: World, *stages: Stage, **goal: object) -> Driver:
    found = driver(world, *stages, **goal)
    assert found.finish() == "done"
    return found


LINE = (stage("a", "raw", "x"), stage("b", "x", "y"), stage("c", "y", "z"))


# -- what runs ----------------------------------------------------------------------------------------------------------


def test_a_line_runs_in_order_and_then_nothing_does():
    world = World({"raw": "1"})
    assert ran(everything(world, *LINE)) == ["a", "b", "c"]
    assert driver(world, *LINE).decide() == []


def test_an_edit_runs_only_what_reads_it():
    world = World({"raw": "1", "raw2": "1"})
    stages = (*LINE, stage("other", "raw2", "w"))
    everything(world, *stages)
    world.files["raw2"] = "2"
    assert ran(everything(world, *stages)) == ["other"]


def test_going_back_restores_instead_of_running():
    world = World({"raw": "1"})
    everything(world, *LINE)
    before = dict(world.files)
    world.files["raw"] = "2"
    everything(world, *LINE)
    world.files["raw"] = "1"
    back = driver(world, *LINE)
    assert told(back.decide()) == ["reuse a"]
    assert reason(back.decide()) == "x different here; made before"
    assert back.finish() == "done"
    assert (back.runs, world.files) == ([], before)
    assert {verdict.kind for verdict in back.done.verdicts.values()} == {"reuse"}


def test_an_out_that_comes_out_the_same_stops_the_wave():
    world = World({"raw": "1"})
    stages = (stage("constant", "raw", "x"), stage("b", "x", "y"))
    everything(world, *stages)
    world.files["raw"] = "2"
    assert ran(everything(world, *stages)) == ["constant"]


@pytest.mark.parametrize(
    ("more", "goal", "words"),
    [
        ({"always_changed": True}, {}, "always_changed"),
        ({"deps": ()}, {}, "it declares no deps and no params, so it always runs"),
        ({}, {"force": True}, "forced (-f)"),
    ],
)
def test_what_runs_though_nothing_changed(more, goal, words):
    world = World({"raw": "1"})
    always = stage("a", "raw", "x")._replace(**more)
    everything(world, always)
    again = driver(world, always, **goal)
    assert told(again.decide()) == ["run a"]
    assert reason(again.decide()) == words
    assert again.finish() == "done"
    assert [run.epoch for run in again.runs] == [2]


def test_frozen_never_runs_not_even_forced():
    world = World({"raw": "1", "x": "as it is"})
    ice = (stage("a", "raw", "x", frozen=True), stage("b", "x", "y"))
    assert ran(everything(world, *ice, force=True)) == ["b"]
    assert world.files["x"] == "as it is"


def test_an_edited_out_that_is_not_kept_is_made_again():
    world = World({"raw": "1"})
    bare = stage("a", "raw")._replace(outs=(Out("x", cache=False),))
    everything(world, bare)
    world.files["x"] = "edited"
    again = driver(world, bare)
    assert told(again.decide()) == ["run a"]
    assert reason(again.decide()) == "x was edited, and its bytes are not kept (cache: false)"


def test_a_lost_blob_is_made_again():
    world = World({"raw": "1"})
    everything(world, LINE[0])
    world.blobs.clear()
    del world.files["x"]
    again = driver(world, LINE[0])
    again.act()
    assert reason(again.decide()) == "x is missing, and its bytes in the store are damaged or gone"


def test_isolated_executions_do_not_make_the_same_for_ever():
    """An answer whose bytes are not kept is no answer for who cannot look into the project."""
    world = World({"raw": "1"})
    bare = stage("a", "raw")._replace(outs=(Out("x", cache=False),))
    everything(world, bare)
    first = driver(world, bare, isolated=True)
    assert reason(first.decide()) == "its outs were made before, but not kept in the store (cache: false)"
    first.finish()
    assert ran(everything(world, bare, isolated=True)) == []


# -- what must be looked at ---------------------------------------------------------------------------------------------


def test_nothing_is_said_about_what_was_not_looked_at():
    world = World({"raw": "1"})
    blind = driver(world, *LINE)
    blind.seen_files.clear()
    assert told(blind.decide()) == ["look raw"]


def test_a_file_inside_an_out_is_looked_at_once_it_is_made():
    world = World({"raw": "1"})
    stages = (stage("a", "raw", "d"), stage("b", "d/a", "y"), stage("c", "d", "z"))
    found = driver(world, *stages)
    assert told(found.decide()) == ["run a"]
    found.pending = []
    found.act()
    world.end(next(iter(world.live)))
    assert told(found.decide()) == ["run c", "look d/a"]


def test_a_source_that_is_not_there_is_refused_before_anything_runs():
    world = World({})
    with pytest.raises(PlanError, match="stage 'a' depends on raw, which does not exist; no stage makes it"):
        driver(world, *LINE)
    driver(world, stage("a", "raw", "x", frozen=True))
    lock = stage("a", "", "x", env=("uv.lock",))
    with pytest.raises(PlanError, match=r"depends on uv\.lock"):
        driver(world, lock)


def test_first_look_is_at_sources_and_outs():
    graph = driver(World({"raw": ""}), *LINE).graph
    assert first_look(graph) == ["raw", "x", "y", "z"]
    refuse_absent(graph, {"raw": "blake3:1"})


def test_what_a_producer_did_not_leave_stops_only_who_reads_it():
    world = World({"raw": "1"})
    stages = (
        stage("a", "raw", "d"),
        stage("b", "d/never", "y"),
        stage("c", "y", "z"),
        stage("e", "d/a", "w"),
    )
    found = driver(world, *stages, keep_going=True)
    assert found.finish() == "stopped"
    assert found.stop is not None
    assert (found.stop.failed, ran(found)) == (("b",), ["a", "e"])
    assert found.stop.reason.text == "d/never does not exist: a did not leave it"


# -- how many, and which first ------------------------------------------------------------------------------------------


def test_only_so_many_start_as_are_free_in_the_graphs_order():
    world = World({"raw": "1"})
    wide = [stage(f"s{n}", "raw", f"o{n}") for n in range(5)]
    found = driver(world, *wide, jobs=2)
    assert told(found.decide()) == ["run s0", "run s1"]
    found.act()
    found.act()
    assert told(found.decide()) == ["wait"]


def test_a_full_house_is_not_the_end_though_earlier_work_turned_up():
    """While c runs in the only slot, a's outs are restored; b, which stands before c, may then run, but not yet."""
    world = World({"raw": "1", "raw2": "1"})
    a, b, c = stage("a", "raw", "x"), stage("b", "x", "y"), stage("c", "raw2", "z")
    everything(world, a)
    del world.files["x"]
    found = driver(world, a, b, c)
    assert told(found.decide()) == ["reuse a", "run c"]
    found.act()
    found.act()
    assert told(found.decide()) == ["wait"]
    assert found.finish() == "done"
    assert ran(found) == ["c", "b"]


def test_waiting_goes_on_while_something_else_is_admitted():
    world = World({"raw": "1"})
    found = driver(world, stage("a", "raw", "x"), stage("b", "raw", "y"), jobs=2)
    found.decide()
    found.pending = []
    found.act()
    assert told(found.decide()) == ["run b", "wait"]


# -- failures -----------------------------------------------------------------------------------------------------------

FORK = (
    stage("bad", "raw", "x"),
    stage("child", "x", "y"),
    stage("grandchild", "y", "z"),
    stage("fine", "raw", "w"),
)


def test_a_failure_stops_what_is_new():
    world = World({"raw": "1"})
    world.broken = {"bad"}
    found = driver(world, *FORK)
    assert found.finish() == "stopped"
    assert ran(found) == ["bad"]
    assert found.stop is not None
    assert (found.stop.failed, found.stop.reason.text) == (("bad",), "exit code 1")
    verdicts = {
        found.graph.tasks[recipe].stage.name: v.reason.text for recipe, v in found.done.verdicts.items()
    }
    assert verdicts["child"] == "needs bad, which failed"
    assert verdicts["grandchild"] == "needs bad, which failed"


def test_what_runs_when_something_fails_may_end():
    world = World({"raw": "1"})
    world.broken = {"bad"}
    found = driver(world, *FORK, stage("late", "w", "v"), jobs=2)
    found.act()
    found.act()
    world.end(min(world.live))
    assert told(found.decide()) == ["wait"]
    world.end(min(world.live))
    assert told(found.decide()) == ["stop bad"]


def test_a_failure_counts_before_what_stands_earlier_in_the_order():
    """The failing stage comes last in the order, and its failure is news together with a free slot."""
    world = World({"raw": "1"})
    world.broken = {"bad"}
    stages = (stage("first", "raw", "x"), stage("second", "x", "y"), stage("bad", "raw", "z"))
    found = driver(world, *stages, jobs=2)
    found.act()
    found.act()
    for name in sorted(world.live):
        world.end(name)
    assert told(found.decide()) == ["stop bad"]
    assert told(decide(found.graph, world.history, found.seen(), Settled())) == ["stop bad"]


def test_keep_going_does_everything_else():
    world = World({"raw": "1"})
    world.broken = {"bad"}
    found = driver(world, *FORK, keep_going=True)
    assert found.finish() == "stopped"
    assert ran(found) == ["bad", "fine"]


@pytest.mark.parametrize(
    ("retry", "ends", "tries"),
    [
        (Retry(), [(FAILED, "exit")], 1),
        (Retry(2, ("exit",)), [(FAILED, "exit")] * 9, 3),
        (Retry(2, ("oom",)), [(FAILED, "exit")] * 9, 1),
        (Retry(2, ("oom",)), [(FAILED, "oom"), (FAILED, "exit")], 2),
        (Retry(1, ("exit",)), [(FAILED, "exit"), (SUCCEEDED, "")], 2),
        (Retry(), [(LOST, "lost")] * 9, 4),
        (Retry(5), [(LOST, "lost")] * 9, 6),
        (Retry(1, ("exit",)), [(LOST, "lost"), (FAILED, "exit"), (FAILED, "exit")], 3),
        (Retry(1, ("exit",)), [(FAILED, "exit"), (LOST, "lost"), (FAILED, "exit")], 3),
        (Retry(3, ("exit",)), [(CANCELLED, "user")], 1),
    ],
)
def test_how_often_a_stage_is_tried(retry, ends, tries):
    world = World({"raw": "1"})
    found = driver(world, stage("a", "raw", "x", retry=retry))
    for state, detail in ends:
        found.act()
        if found.ended:
            break
        name = next(iter(world.live))
        del world.live[name]
        world.history.change(name, state=state, detail=detail, exit_code=1)
    assert len(found.runs) == tries


def test_the_reason_of_another_try_counts_and_names_the_cause():
    world = World({"raw": "1"})
    world.broken = {"a"}
    found = driver(world, stage("a", "raw", "x", retry=Retry(2, ("exit",))))
    found.act()
    world.end(next(iter(world.live)))
    assert reason(found.decide()) == "try 2 of 3 after exit"


# -- crashes and others -------------------------------------------------------------------------------------------------


def test_what_nobody_will_finish_is_repaired_before_anything_else():
    world = World({"raw": "1"})
    dead = driver(world, *LINE)
    dead.act()
    world.kill(dead, half_written=True)
    found = driver(world, *LINE)
    assert told(found.decide()) == ["repair a"]
    assert reason(found.decide()) == "a: its supervisor is gone and left no result"
    assert found.finish() == "done"
    assert ran(found) == ["a", "b", "c"]
    assert [run.epoch for run in found.runs] == [2, 1, 1]


def test_a_living_attempt_of_another_execution_is_adopted():
    world = World({"raw": "1"})
    gone = driver(world, *LINE)
    gone.act()
    found = driver(world, *LINE)
    assert told(found.decide()) == ["wait for others"]
    verdict = found.done.verdicts[task_of(found.graph, "a").recipe]
    assert (verdict.kind, verdict.reason.text) == ("wait", "another execution is making it right now")
    assert found.finish() == "done"
    assert ran(found) == ["b", "c"]


def test_what_an_adopted_attempt_left_in_the_project_is_seen():
    world = World({"raw": "1"})
    bare = stage("a", "raw")._replace(outs=(Out("x", cache=False),))
    gone = driver(world, bare)
    gone.act()
    assert ran(everything(world, bare)) == []


def test_what_an_orphan_is_writing_is_left_alone_whatever_its_key():
    """Its driver was killed, the stage has changed since, and its attempt still writes to the same place."""
    world = World({"raw": "1"})
    gone = driver(world, stage("a", "raw", "x"))
    gone.act()
    changed = stage("a", "raw", "x")._replace(command=Command("exec", ("new",)))
    found = driver(world, changed)
    assert told(found.decide()) == ["wait for others"]
    assert found.finish() == "done"
    assert ran(found) == ["a"]
    assert told(driver(world, changed, isolated=True).decide()) == []


def test_a_key_that_is_claimed_is_waited_for():
    world = World({"raw": "1"})
    found = driver(world, *LINE, isolated=True)
    (run,) = found.decide()
    assert isinstance(run, Run)
    seen = found.seen()._replace(held={run.key: "x-9 on host"})
    assert decide(found.graph, world.history, seen, Settled()) == [Wait(("x-9 on host",), adopted=True)]


def test_after_a_loss_what_another_execution_finished_is_taken():
    world = World({"raw": "1"})
    mine = driver(world, LINE[0], isolated=True)
    mine.act()
    world.kill(mine, half_written=False)
    other = driver(world, LINE[0], isolated=True)
    assert other.finish() == "done"
    assert ran(other) == ["a"]
    assert mine.finish() == "done"
    assert ran(mine) == ["a"], "once more, though it was made meanwhile"


# -- while only planning ------------------------------------------------------------------------------------------------


def planned(world: World, *stages: Stage, **goal: object) -> dict[str, tuple[str, str]]:
    found = driver(world, *stages, **goal)
    files = found.seen_files
    while looks := [
        a for a in decide(found.graph, world.history, Seen(files=files), found.done) if isinstance(a, Look)
    ]:
        files |= {path: name_of(world.files, path) for look in looks for path in look.paths}
    verdicts = forecast(found.graph, world.history, found.done)
    return {found.graph.tasks[recipe].stage.name: (v.kind, v.reason.text) for recipe, v in verdicts.items()}


def test_a_plan_has_a_verdict_for_every_task():
    world = World({"raw": "1", "raw2": "1"})
    stages = (*LINE, stage("other", "raw2", "w"))
    everything(world, *stages)
    world.files["raw"] = "2"
    found = planned(world, *stages)
    assert found["a"][0] == "run"
    assert found["a"][1].startswith("dep raw changed: ")
    assert found["b"] == ("run", "a runs first and may change what this stage reads")
    assert found["c"] == ("run", "b runs first and may change what this stage reads")
    assert found["other"] == ("unchanged", "nothing it depends on has changed")


def test_a_plan_foresees_its_own_changes_behind_a_run():
    world = World({"raw": "1"})
    everything(world, *LINE)
    world.files["raw"] = "2"
    changed = LINE[1]._replace(command=Command("exec", ("new",)))
    found = driver(world, LINE[0], changed)
    found.decide()
    verdict = forecast(found.graph, world.history, found.done)[task_of(found.graph, "b").recipe]
    assert verdict.reason.details == ("command changed: b → new",)


def test_a_plan_knows_what_cannot_be_had():
    world = World({"raw": "1"})
    stages = (
        stage("ice", "raw", "i", frozen=True),
        stage("b", "i", "y"),
        stage("c", "y", "z"),
        stage("d", "raw", "w"),
    )
    found = planned(world, *stages)
    assert found["ice"] == ("unchanged", "frozen: its outs count as they are")
    assert found["b"] == ("stop", "i does not exist, and ice, which makes it, is frozen")
    assert found["c"] == ("stop", "needs b, which failed")
    assert found["d"][0] == "run"


def test_planning_has_no_limit_and_no_history():
    world = World({"raw": "1"})
    wide = [stage(f"s{n}", "raw", f"o{n}") for n in range(9)]
    assert {kind for kind, _ in planned(world, *wide).values()} == {"run"}


# -- what it costs ------------------------------------------------------------------------------------------------------


def costs(stages: list[Stage], jobs: int) -> tuple[float, int]:
    """Answers asked for per task over a first execution, and over the next one, which has nothing to do."""
    world = World({"raw": "1"})
    first = driver(world, *stages, jobs=jobs)
    assert first.finish(20 * len(stages)) == "done"
    assert len(first.runs) == len(stages)
    asked = world.history.asked / len(stages)
    world.history.asked = 0
    assert driver(world, *stages).decide() == []
    return asked, world.history.asked


SIZE = 1000
CHAIN = [stage(f"s{n}", f"o{n - 1}" if n else "raw", f"o{n}") for n in range(SIZE)]
FAN = [stage(f"s{n}", "raw", f"o{n}") for n in range(SIZE)]


@pytest.mark.parametrize("shape", [CHAIN, FAN], ids=["chain", "fan"])
def test_an_execution_asks_a_few_answers_per_task_whatever_its_size(shape):
    asked, again = costs(shape, 1)
    assert asked <= 3
    assert again == SIZE
