"""The tables are what docs/FORMAT.md §11 says, and hold what the journals tell."""

from __future__ import annotations

import json
import math
import re
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from stores import Told, key_of, point, run_of

from pinyon.query.compact import compact
from pinyon.query.contract import TABLES
from pinyon.query.tables import Tables

FORMAT = Path(__file__).parents[2] / "docs" / "FORMAT.md"


def test_columns_and_types_are_those_of_the_contract(told):
    told.index.catch_up()
    with ExitStack() as stack:
        connection = Tables(told.store, told.index, TABLES, stack).connection
        rows = connection.execute(
            "select table_name, column_name, data_type from information_schema.columns where table_schema = 'main'"
            " order by table_name, ordinal_position"
        ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, type in rows:
        found.setdefault(table, []).append((column, type))
    assert found == {table: list(columns) for table, columns in TABLES.items()}


def test_the_contract_is_the_one_that_is_written_down():
    text = FORMAT.read_text().partition("## 11. Tables")[2].partition("\n## ")[0]
    written = dict(re.findall(r"^\| (\w+) \| (.*) \|$", text, re.MULTILINE))
    del written["table"]
    assert written == {
        table: ", ".join(f"{column} {type}" for column, type in columns[:-1])
        for table, columns in TABLES.items()
    }
    assert all(columns[-1] == ("project", "VARCHAR") for columns in TABLES.values())


def test_an_empty_store_has_empty_tables(told):
    found = told.tables(*TABLES)
    assert {table for table, rows in found.items() if rows} <= {"events"}


def test_executions(told):
    told.execution("x-1")
    told.execution("x-2")
    told.tell("finished", execution="x-1", state="SUCCEEDED", counts={})
    rows = told.rows(
        "select execution, actor, goal, host, seconds >= 0, state, project from executions order by 1"
    )
    goal = '{"stages": ["train"]}'
    assert rows == [
        ("x-1", "person:u", goal, "h", True, "SUCCEEDED", "p"),
        ("x-2", "person:u", goal, "h", None, "RUNNING", "p"),
    ]


def test_runs_and_attempts(told):
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2, seconds=2.5)
    told.attempt(2, state=None)
    told.tell("tagged", attempt="a-1-1", tags={"by": "me", "gone": "x"})
    told.tell("tagged", attempt="a-1-2", tags={"gone": None, "n": "2"})
    told.tell("tagged", attempt="a-1-1", tags={"gone": None})
    rows = told.rows(
        "select run, key, stage, status, attempt, attempts, seconds, tags, project from runs order by 1"
    )
    assert rows == [
        (run_of(1), key_of(1), "train", "SUCCEEDED", "a-1-2", 2, 2.5, '{"by": "me", "n": "2"}', "p"),
        (run_of(2), key_of(2), "train", "RUNNING", "a-2-1", 1, 0.0, "{}", "p"),
    ]
    rows = told.rows(
        "select attempt, run, execution, epoch, mode, host is not null, state, detail, exit_code, seconds, cpu_seconds,"
        " max_rss from attempts order by 1"
    )
    assert rows == [
        ("a-1-1", run_of(1), "x-1", 1, "isolated", True, "FAILED", "oom", 1, 1.5, 1.25, 2**33),
        ("a-1-2", run_of(1), "x-1", 2, "isolated", True, "SUCCEEDED", "", 0, 2.5, 1.25, 2**33),
        ("a-2-1", run_of(2), "x-1", 1, "isolated", True, "RUNNING", "", None, 0.0, None, None),
    ]


def test_params_are_leaves_with_their_types(told):
    params = [
        ["params.yaml", "model", {"layers": 2, "name": "lstm", "bias": True}],
        ["conf.json", "sizes", [1, 2]],
        ["params.yaml", "none", None],
        ["params.yaml", "huge", 10**400],
        ["params.yaml", "", {"x.y": 0.5}],
    ]
    told.attempt(1, inputs={"params": params, "flags": [["lr", 0.1]]})
    told.tell("params", attempt="a-1-1", params={"opt.beta": 0.9, "lr": 7, "model.layers": 7})
    rows = told.rows("select file, name, type, number, left(text, 12) from params order by 1, 2")
    assert rows == [
        ("", "lr", "number", 0.1, "0.1"),
        ("", "opt.beta", "number", 0.9, "0.9"),
        ("conf.json", "sizes", "list", None, "[1, 2]"),
        ("params.yaml", "huge", "number", None, "100000000000"),
        ("params.yaml", "model.bias", "boolean", 1.0, "true"),
        ("params.yaml", "model.layers", "number", 2.0, "2"),
        ("params.yaml", "model.name", "text", None, "lstm"),
        ("params.yaml", "none", "null", None, None),
        ("params.yaml", "x.y", "number", 0.5, "0.5"),
    ]


def test_artifacts_and_checkpoints(told):
    told.attempt(1)
    here = told.store.blobs.put(b"weights")
    gone = "blake3:" + "e" * 64
    told.tell(
        "artifact",
        attempt="a-1-1",
        name="confusion",
        path="c.svg",
        digest=here,
        size=7,
        role="figure",
        about={},
    )
    told.tell("checkpoint", attempt="a-1-1", step=100, digest=here, size=7, metrics={"loss": "NaN"})
    dropped = told.writer.append(
        "checkpoint", {"attempt": "a-1-1", "step": 150, "digest": here, "size": 7, "metrics": {}}
    )
    told.tell(
        "checkpoint",
        attempt="a-1-1",
        step=200,
        drops=[[dropped.writer, dropped.seq]],
        digest=gone,
        size=8,
        metrics={},
    )
    told.tell("checkpoint", attempt="a-?", step=2**80, digest=None, size="big", drops=[1, [[], {}], ["w"]])
    assert told.rows("select run, attempt, name, path, digest, size, role from artifacts order by role") == [
        (run_of(1), "a-1-1", "confusion", "c.svg", here, 7, "figure"),
        (run_of(1), "a-1-1", "model", "model", f"blake3:{key_of(1)}", 10, "out"),
    ]
    assert told.rows(
        "select run, step, digest, size, metrics, replicas from checkpoints order by 2 nulls last"
    ) == [
        (run_of(1), 100, here, 7, '{"loss": "NaN"}', 1),
        (run_of(1), 200, gone, 8, "{}", 0),
        (None, None, None, None, "{}", 0),
    ]


def test_stages_are_as_they_last_ran(told):
    told.attempt(1, inputs={"command": ["exec", "old"]})
    told.attempt(2, inputs={"command": ["shell", "python train.py"], "wdir": "sub"})
    rows = told.rows("from stages")
    assert rows == [("train", "python train.py", "sub", '["train.py"]', '["model"]', "p")]


def cells(told: Told, execution: str = "x-1", phase: str = "lr", first: int = 1) -> None:
    told.tell(
        "cells",
        execution=execution,
        experiment="e",
        phase=phase,
        base=[["width", 8]],
        cells=[
            {
                "cell": f"c-{n}",
                "number": n,
                "assignment": [["lr", n / 10]],
                "replicates": [{"seed": [["seed", s]], "recipe": f"recipe-{first + n}"} for s in (0, 1)][:n],
            }
            for n in (1, 2)
        ],
    )


def test_cells_belong_to_runs_by_their_recipe(told):
    told.execution()
    told.attempt(2)
    cells(told)
    cells(told)  # a second time, as each execution says it
    rows = told.rows(
        "select experiment, phase, cell, number, seed, overlay, recipe, execution, run from cells order by 3, 5"
    )
    overlay = [
        json.dumps({"width": 8, "lr": lr, "seed": seed}) for lr, seed in ((0.1, 0), (0.2, 0), (0.2, 1))
    ]
    assert rows == [
        ("e", "lr", "c-1", 1, "0", overlay[0], "recipe-2", "x-1", run_of(2)),
        ("e", "lr", "c-2", 2, "0", overlay[1], "recipe-3", "x-1", None),
        ("e", "lr", "c-2", 2, "1", overlay[2], "recipe-3", "x-1", None),
    ]
    assert told.rows("select experiment, phase from runs") == [("e", "lr")]


def test_another_project_with_the_same_recipe_is_in_no_experiment_of_ours(told):
    told.execution()
    cells(told)
    told.attempt(2, project="other")
    assert told.rows("select project, experiment from runs") == [("other", None)]


def test_refs_in_all_versions_and_one_that_has_rotted(told):
    told.store.refs.set("models/a", {"x": math.nan}, expect=0, actor="person:u")
    told.store.refs.set("models/a", [1], expect=1)
    told.store.refs.set("bad", 1, expect=0)
    file = told.store.root / "refs" / "bad" / "000001"
    file.chmod(0o644)
    file.write_text("{}")
    rows = told.rows("select name, version, value, actor, project from refs order by 2")
    assert rows == [("models/a", 1, '{"x": "NaN"}', "person:u", "p"), ("models/a", 2, "[1]", "", "p")]
    assert "ref 'bad' is left out" in told.notes("refs")[0]


def test_events_are_all_there_is_each_once(told):
    told.tell("from the future", what="?", deep={"x": [1, "\ud800", "é\0"]})
    rows = told.rows("select seq, kind, body->>'$.what', project from events order by seq")
    assert rows == [(0, "opened", None, "p"), (1, "from the future", "?", "p")]
    # The next segment tells the last record again, after a write that had failed and landed all the same.
    [segment] = told.store.journals.segments()
    directory = told.store.root / "journals"
    lines = (directory / segment).read_bytes().splitlines(keepends=True)
    (directory / segment.replace(".0.", ".1.")).write_bytes(lines[-1])
    assert len(told.rows("from events")) == 2


def test_costs_know_no_price_yet(told):
    told.attempt(1)
    assert told.rows("from costs") == [("a-1-1", "box", None, 1.5, None, "p")]


def test_edges_go_from_blobs_to_runs_to_blobs(told):
    told.attempt(1, stage="prepare")
    told.attempt(2, inputs={"deps": [["model", f"blake3:{key_of(1)}"]]})
    told.attempt(2, epoch=2, inputs={"deps": [["model", f"blake3:{key_of(1)}"]]})
    told.tell("resumed", attempt="a-2-2", step=3, digest="blake3:" + "e" * 64, **{"from": "a-2-1"})
    assert set(told.rows("select source, target, kind from edges")) == {
        ("blake3:" + "d" * 64, run_of(1), "reads"),
        (run_of(1), f"blake3:{key_of(1)}", "writes"),
        (f"blake3:{key_of(1)}", run_of(2), "reads"),
        (run_of(1), run_of(2), "feeds"),
        (run_of(2), f"blake3:{key_of(2)}", "writes"),
        ("a-2-1", "a-2-2", "resumes"),
    }


# -- points and what they sum up to -------------------------------------------------------------------------------------


def test_points_have_their_run(told):
    told.attempt(1)
    told.points([point("a-1-1", 1, 0.5, loss=0.25)], tail=[point("a-unknown", 1, loss=1)])
    assert told.rows("from points order by attempt") == [
        (run_of(1), "a-1-1", "loss", 1, 0.5, 0.25, "p"),
        (None, "a-unknown", "loss", 1, 0.0, 1.0, ""),
    ]
    assert len(told.rows("from summary")) == 1


def test_nan_is_counted_and_never_best(told):
    told.attempt(1)
    values = [0.5, "NaN", 0.25, "Infinity", "NaN"]
    told.points(
        [point("a-1-1", step, accuracy=value, loss=value, width=value) for step, value in enumerate(values)]
    )
    rows = told.rows("select metric, isnan(last), best, min, max, n, nan from summary order by 1")
    assert rows == [
        ("accuracy", True, math.inf, 0.25, math.inf, 5, 2),
        ("loss", True, 0.25, 0.25, math.inf, 5, 2),
        ("width", True, None, 0.25, math.inf, 5, 2),
    ]


def test_an_objective_says_which_way_is_best(told):
    told.attempt(1)
    told.points([point("a-1-1", step, score=step, size=step, loss=step) for step in (1, 2)])
    told.tell(
        "selected",
        experiment="e",
        phase="a",
        execution="x-1",
        objective={"metric": "score", "goal": "minimize", "prefer": "size"},
    )
    told.tell(
        "selected",
        experiment="e",
        phase="b",
        execution="x-1",
        objective={"metric": "loss", "goal": "maximize"},
    )
    told.tell(
        "selected",
        experiment="f",
        phase="b",
        execution="x-1",
        objective={"metric": "loss", "goal": "minimize"},
    )
    told.tell("selected", experiment="f", phase="c", execution="x-1", objective="?")
    rows = told.rows("select metric, best from summary order by 1")
    assert rows == [("loss", None), ("score", 1.0), ("size", 1.0)]


def test_final_values_go_before_the_last_point(told):
    told.attempt(1, metrics={"accuracy": 0.9, "note": "NaN"})
    told.points([point("a-1-1", 1, accuracy=0.7, loss=1), point("a-1-1", 2, accuracy=0.8, loss=0.5)])
    told.tell("summary", attempt="a-1-1", values={"accuracy": 0.1, "words": 3})
    told.tell("summary", attempt="a-1-1", values={"words": "many"})
    rows = told.rows("select metric, last::varchar, text, max, n from summary order by 1")
    assert rows == [
        ("accuracy", "0.9", None, 0.8, 2),
        ("loss", "0.5", None, 1.0, 2),
        ("note", "nan", None, None, 0),
        ("words", None, "many", None, 0),
    ]


def seen(told: Told) -> list[tuple[str, int, float]]:
    return told.rows("select attempt, step, value from points order by 2, 1, 3")


def test_a_resumed_attempt_overrules_from_its_step_on(told):
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2)
    told.tell("resumed", attempt="a-1-2", step=3, digest="blake3:" + "e" * 64, **{"from": "a-1-1"})
    told.points([point("a-1-1", step, loss=step) for step in range(6)])
    told.points([point("a-1-2", step, loss=step + 100) for step in (3, 4)])
    assert seen(told) == [
        ("a-1-1", 0, 0.0),
        ("a-1-1", 1, 1.0),
        ("a-1-1", 2, 2.0),
        ("a-1-2", 3, 103.0),
        ("a-1-2", 4, 104.0),
    ]
    assert told.rows("select last, n from summary") == [(104.0, 5)]


def test_what_a_resumed_attempt_has_not_reached_yet_stays(told):
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2, state=None)
    told.tell("resumed", attempt="a-1-2", step=1, digest="blake3:" + "e" * 64, **{"from": "a-1-1"})
    told.points([point("a-1-1", step, loss=step) for step in range(3)])
    assert len(seen(told)) == 3  # nothing was logged again so far
    told.points(tail=[point("a-1-2", 2, loss=9)])  # the checkpoint was of the end of step 1
    assert seen(told) == [("a-1-1", 0, 0.0), ("a-1-1", 1, 1.0), ("a-1-2", 2, 9.0)]


def test_one_value_at_the_first_step_overrules_nothing_before_the_resumed_one(told):
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2)
    told.tell("resumed", attempt="a-1-2", step=2, digest="blake3:" + "e" * 64, **{"from": "a-1-1"})
    told.points([point("a-1-1", step, loss=step) for step in range(4)])
    told.points([point("a-1-2", 0, n_parameters=5), point("a-1-2", 2, loss=7)])
    assert [row[1:] for row in seen(told)] == [(0, 0.0), (0, 5.0), (1, 1.0), (2, 7.0)]


def test_order_is_by_epoch_not_by_time_or_file(told):
    told.points([point("a-1-2", 0, loss=2)])
    told.points([point("a-1-1", 0, loss=1), point("a-1-1", None, t=1, memory=1)])
    told.attempt(1, epoch=2)
    told.attempt(1, epoch=1)
    assert told.rows("select metric, value from points order by 1") == [("loss", 2.0), ("memory", 1.0)]


def test_the_last_of_one_step_is_the_later_line(told):
    told.attempt(1)
    told.points([point("a-1-1", 5, loss=1)], segment="w-1.points.2.jsonl")
    told.points(
        [point("a-1-1", 5, loss=2)], [point("a-1-1", 4, loss=3)], segment="w-1.points.10.jsonl", first=1
    )
    assert told.rows("select last from summary") == [(2.0,)]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_batch_that_is_written_again_after_a_failed_write_counts_once(told, compacted):
    told.attempt(1)
    one, two, three = ([point("a-1-1", step, loss=step)] for step in range(3))
    told.points(
        one, two, tail=three, segment="w-1.points.0.jsonl"
    )  # the second write landed and was told as failed
    if compacted:
        compact(told.store)
    told.points(two, three, segment="w-1.points.1.jsonl", first=1)
    told.points(one, segment="w-2.points.1.jsonl")  # another writer, whose first segment is gone
    assert [step for (step,) in told.rows("select step from points order by 1")] == [0, 0, 1, 2]
    compact(told.store)
    assert [step for (step,) in told.rows("select step from points order by 1")] == [0, 0, 1, 2]


# -- damage -------------------------------------------------------------------------------------------------------------


def test_one_unreadable_run_of_a_thousand_hides_no_other(told):
    for number in range(999):
        told.attempt(number)
    told.tell(
        "intent", attempt="a-odd", execution="x-1", key={"not": "text"}
    )  # sound, and in no form that we know
    told.tell("ended", attempt="a-odd", state=None)
    told.tell("durable", through="?")
    told.tell("reused", stage=None)
    told.tell("cells", execution="x-1", experiment="e", cells=[{}])
    told.tell("summary", attempt="a-1-1", values="?")
    assert told.rows("select count(*) from runs") == [(999,)]
    assert told.notes("runs") == ["1 attempts are left out, their records are unreadable: a-odd"]


def test_a_rotted_line_hides_no_other(told):
    told.attempt(1)
    told.tell("noted", attempt="a-1-1", text="to be spoilt")
    told.attempt(2)
    [segment] = told.store.journals.segments()
    file = told.store.root / "journals" / segment
    file.write_bytes(file.read_bytes().replace(b"spoilt", b"SPOILT") + b'{"v":1,"torn')
    assert len(told.rows("from runs")) == 2
    kinds = [kind for (kind,) in told.rows("select kind from events order by seq")]
    assert "noted" not in kinds
    assert kinds.count("ended") == 2


def test_rotted_points_are_noted_and_left_out(told):
    told.attempt(1)
    path = told.points([point("a-1-1", 1, loss=1.5)], [point("a-1-1", 2, loss=2.5)])
    path.write_bytes(path.read_bytes().replace(b"1.5", b"9.5"))
    assert told.rows("select step, value from points") == [(2, 2.5)]
    assert told.notes("points") == [
        "w-0001.points.0.jsonl at byte 0: points that are not those that were written are left out"
    ]


def test_a_segment_that_cannot_be_read_hides_no_other(told):
    told.attempt(1)
    told.points([point("a-1-1", 1, loss=1)])
    (told.store.root / "journals" / "w-9.points.0.jsonl").mkdir()
    assert len(told.rows("from points")) == 1
    assert "w-9.points.0.jsonl is left out, it cannot be read" in told.notes("points")[0]


@pytest.mark.parametrize(
    "name",
    ['a"b', "drop table", "é↯", "x'y;--", "\ud800", "a\0b", "%s", "<script>", " ", "a.b.c", "\x1b[31m"],
)
def test_names_are_only_names(told, name):
    told.attempt(1, inputs={"params": [["params.yaml", name, name]]}, metrics={name: 1})
    told.tell("tagged", attempt="a-1-1", tags={name: name})
    told.points([point("a-1-1", 1, **{name: 2})])
    shown = name.encode(errors="replace").decode()
    assert told.rows("select name, text from params") == [(shown, shown)]
    assert told.rows("select metric, value from points") == [(shown, 2.0)]
    assert told.rows("select metric, last, n from summary") == [(shown, 1.0, 1)]
    assert json.loads(told.rows("select tags from runs")[0][0]) == {shown: shown}


def test_a_hundred_thousand_points_of_a_thousand_metrics(told):
    told.attempt(1)
    told.points(*([point("a-1-1", step, **{f"m{n}": n * step for n in range(1000)})] for step in range(100)))
    assert told.rows("select count(*), max(value), count(distinct metric) from points") == [
        (100_000, 99.0 * 999, 1000)
    ]
    assert told.rows("select count(*) from summary where max = 99 * substr(metric, 2)::int") == [(1000,)]


def test_tables_can_be_read_while_others_write(told):
    told.attempt(1)
    stop = threading.Event()
    path = told.points()

    def write() -> None:
        step = 0
        with open(path, "ab") as file:
            while not stop.is_set():
                file.write(json.dumps(point("a-1-1", step, loss=step)).encode() + b"\n")
                file.flush()
                step += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            [(count, last)] = told.rows("select count(*), max(step) from points")
            assert count == (0 if last is None else last + 1)
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("compacted", [False, True])
def test_a_segment_that_goes_on_for_a_dead_writer_counts_once(told, compacted):
    """Its first batch is there from earlier tries, too: whole, without its end, and as the beginning of a line."""
    told.attempt(1)
    one, two, three = ([point("a-1-1", 10 * n + step, loss=n) for step in range(3)] for n in range(3))
    told.points(one, tail=two[:2], torn='{"v":1,', segment="w-9.points.0.jsonl")
    rows = "select step::int, value from points order by 1"
    if compacted:  # what was not flushed is never covered
        compact(told.store)
    assert len(told.rows(rows)) == 5
    told.points(tail=two[:1], segment="w-9.points.1.jsonl", first=1)  # killed while it recovered
    told.points(two, three, segment="w-9.points.2.jsonl", first=1)
    assert told.rows(rows) == [(10 * n + step, float(n)) for n in range(3) for step in range(3)]
    told.points(
        one[:1], segment="w-10.points.0.jsonl"
    )  # another writer's batch of that number is another batch
    if compacted:
        compact(told.store)
    assert len(told.rows(rows)) == 10


def test_a_batch_that_landed_although_it_failed_counts_once(told):
    told.attempt(1)
    batches = [[point("a-1-1", n, loss=n)] for n in range(4)]
    told.points(*batches[:3], segment="w-9.points.0.jsonl")
    told.points(*batches[2:], segment="w-9.points.1.jsonl", first=2)
    assert told.rows("select step::int from points order by 1") == [(n,) for n in range(4)]
