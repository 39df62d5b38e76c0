"""Runs inside runs, and runs of one group."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from tracked import Place

from pinyon.track import current
from pinyon.track.running import Run

Begin = Callable[..., Run]


def listed(place: Place, *arguments: str) -> dict[str, dict[str, object]]:
    """Runs by stage."""
    return {row["stage"]: row for row in place.cli("runs", *arguments)}


FOLDS = """
import pinyon
with pinyon.run(name="cv", params={"k": 2}) as run:
    for fold in range(2):
        with run.child(f"fold-{fold}", params={"fold": fold}, tags={"kind": "fold"}, group="folds") as inner:
            assert pinyon.run() is run
            assert inner.params.fold == fold
            inner.log(loss=fold + 0.5)
            inner.summary["f1"] = fold
    run.log(loss=9.0)
"""


def test_runs_inside_a_run_are_runs_of_their_own(own: Place) -> None:
    done = own.script(FOLDS)
    assert (done.returncode, done.stderr) == (0, "")
    rows = listed(own)
    outer = rows["@cv"]
    assert set(rows) == {"@cv", "@fold-0", "@fold-1"}
    assert (outer["parent"], outer["group"]) == (None, None)
    for fold in range(2):
        row = rows[f"@fold-{fold}"]
        assert (row["parent"], row["group"], row["status"]) == (outer["run"], "folds", "SUCCEEDED")
        assert (row["params"], row["metrics"], row["tags"]) == (
            {"fold": fold},
            {"f1": fold},
            {"kind": "fold"},
        )
    of = {point["attempt"]: point["m"] for point in own.points()}
    assert [of[rows[stage]["attempt"]] for stage in ("@cv", "@fold-0", "@fold-1")] == [
        {"loss": 9.0},
        {"loss": 0.5},
        {"loss": 1.5},
    ]
    own.sound()


def test_they_are_found_by_parent_and_group_and_shown_with_each_other(own: Place) -> None:
    own.script(FOLDS)
    outer = str(listed(own)["@cv"]["run"])
    assert set(listed(own, "--group", "folds")) == {"@fold-0", "@fold-1"}
    assert set(listed(own, "--group", "others")) == set(listed(own, "--group", "a'b\\")) == set()
    assert set(listed(own, "--group", "folds", "--where", "f1 = 0 or f1 = 7")) == {"@fold-0"}
    assert set(listed(own, "--where", f"group = folds and parent = {outer}")) == {"@fold-0", "@fold-1"}
    assert set(listed(own, "--where", "parent = null")) == {"@cv"}
    shown = own.cli("show", "@cv")
    assert [(one["stage"], one["status"]) for one in shown["children"]] == [
        ("@fold-0", "SUCCEEDED"),
        ("@fold-1", "SUCCEEDED"),
    ]
    inner = own.cli("show", "@fold-1")
    assert (inner["parent"], inner["group"], inner["children"]) == (outer, "folds", [])


def test_each_ends_as_it_ends(own: Place) -> None:
    done = own.script(
        """
import pinyon
with pinyon.run(name="cv") as run:
    try:
        with run.child("bad"):
            raise ValueError("no data")
    except ValueError:
        pass
    late = run.child("late")
with late.child("deep"):
    pass
late.log(loss=1.0)  # the end of the outer one did not end it
late.finish()
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = listed(own)
    assert {stage: row["status"] for stage, row in rows.items()} == {
        "@cv": "SUCCEEDED", "@bad": "FAILED", "@late": "SUCCEEDED", "@deep": "SUCCEEDED",
    }  # fmt: skip
    assert rows["@deep"]["parent"] == rows["@late"]["run"]
    assert own.cli("show", "@bad")["history"][0]["message"] == "ValueError: no data"
    assert [point["m"] for point in own.points()] == [{"loss": 1.0}]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ("raise ValueError('x')", "FAILED"),
        ("sys.exit(3)", "FAILED"),
        ("sys.exit()", "SUCCEEDED"),
        ("pass", "SUCCEEDED"),
    ],
)
@pytest.mark.parametrize("within", ["own", "attempt"])
def test_what_is_open_when_the_process_ends_ends_with_it(
    own: Place, within: str, end: str, state: str
) -> None:
    if within == "attempt":
        own.env |= own.of("a-cdcdcdcdcdcd-1-00000000")
    code = f"import sys, pinyon\nrun = pinyon.run()\nrun.child('one')\nrun.child('two').child('three')\n{end}"
    done = own.script(code)
    assert "pinyon" not in done.stderr
    rows = listed(own)
    assert {rows[f"@{name}"]["status"] for name in ("one", "two", "three")} == {state}


def test_a_process_that_is_killed_loses_all_that_were_open(own: Place) -> None:
    done = own.script(
        """
import os, pinyon
run = pinyon.run(name="cv")
run.child("done").finish()
run.child("open").child("deep")
run.flush()
os.kill(os.getpid(), 9)
"""
    )
    assert done.returncode == -signal.SIGKILL
    assert {stage: row["status"] for stage, row in listed(own).items()} == {
        "@cv": "LOST", "@done": "SUCCEEDED", "@open": "LOST", "@deep": "LOST",
    }  # fmt: skip


def test_threads_have_their_own_at_once(own: Place) -> None:
    done = own.script(
        """
import sys, threading, pinyon
hook, leave = sys.excepthook, sys.exit
both = threading.Barrier(8)
with pinyon.run(name="cv") as run:
    def fold(number):
        with run.child(f"fold-{number}") as inner:
            both.wait()
            for step in range(100):
                inner.log(value=number)
    threads = [threading.Thread(target=fold, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
assert (sys.excepthook, sys.exit) == (hook, leave), "nothing of ours is left"
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = listed(own)
    values: dict[str, list[float]] = {}
    for point in own.points():
        values.setdefault(point["attempt"], []).append(point["m"]["value"])
    assert [values[rows[f"@fold-{number}"]["attempt"]] for number in range(8)] == [
        [number] * 100 for number in range(8)
    ]
    assert len({segment.name.split(".")[0] for segment in own.segments()}) == 8


def test_inside_an_attempt_it_is_recorded_in_its_store(own: Place) -> None:
    """Also from a workspace in which there is a project without a store."""
    work = own.root / "work"
    work.mkdir()
    (work / "pinyon.yaml").write_text("stages: {}\n")
    attempt = "a-cdcdcdcdcdcd-1-00000000"
    own.env |= own.of(attempt) | {"PINYON_RUN": "r-cdcdcdcdcdcdcdcd", "PINYON_ROOT": str(work)}
    own.script(
        "import os, pinyon\nos.chdir('work')\nwith pinyon.run().child('inner') as one:\n    one.log(x=1)"
    )
    assert not (work / ".pinyon").exists()
    (row,) = own.cli("runs")
    assert (row["stage"], row["parent"], row["status"]) == ("@inner", "r-cdcdcdcdcdcdcdcd", "SUCCEEDED")
    (intent,) = own.bodies("intent")
    assert (intent["mode"], intent["root"], intent["project"]) == ("in place", str(work), "project")


def test_a_process_that_is_started_joins_the_outer_run(own: Place) -> None:
    done = own.script(
        """
import subprocess, sys, pinyon
run = pinyon.run(name="outer")
with run.child("inner"):
    code = "import pinyon; print(pinyon.run().id, end='')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == run.id
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_ends_nothing(own: Place) -> None:
    done = own.script(
        """
import os, sys, pinyon
run = pinyon.run(name="outer")
inner = run.child("inner")
inner.log(x=1)
if (child := os.fork()) == 0:
    inner.log(x=2)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
inner.log(x=3)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {stage: row["status"] for stage, row in listed(own).items()} == {
        "@outer": "SUCCEEDED",
        "@inner": "SUCCEEDED",
    }
    assert sorted(point["m"]["x"] for point in own.points()) == [1, 2, 3]
    assert len(own.bodies("ended")) == 2


def test_a_group_of_runs_that_are_not_nested(own: Place) -> None:
    own.script(
        """
import pinyon
for seed in range(2):
    with pinyon.run(name="train", params={"seed": seed}, group="seeds") as run:
        run.summary["f1"] = seed
pinyon.run(name="other").finish()
"""
    )
    assert {row["params"]["seed"] for row in own.cli("runs", "--group", "seeds")} == {0, 1}
    rows = own.cli("runs")
    assert sorted(str(row["group"]) for row in rows) == ["None", "seeds", "seeds"]


def test_names_are_those_that_were_given(own: Place) -> None:
    own.script(
        'import pinyon\npinyon.run(name="phase1_tw_0.10", group="lstm-optimization-2025").child("fold 1/é").finish()'
    )
    rows = listed(own)
    assert set(rows) == {"@phase1_tw_0.10", "@fold 1/é"}
    assert rows["@phase1_tw_0.10"]["group"] == "lstm-optimization-2025"


def test_the_group_of_an_attempt_is_a_tag(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "_current", None)
    for name, value in place.of(place.attempt).items():
        monkeypatch.setenv(name, value)
    current.run(group="seeds").flush()
    assert place.bodies("tagged") == [{"attempt": place.attempt, "tags": {"group": "seeds"}}]


def test_where_nothing_is_recorded_runs_inside_are_nothing_new(own: Place) -> None:
    done = own.script(
        """
import os, pinyon
os.environ.update(PINYON_ATTEMPT="a-1-1", PINYON_PARAMS="[]")
with pinyon.run().child("one", params={"x": {"y": 1}}) as inner:
    inner.log(loss=1)
    assert inner.params.x.y == 1
"""
    )
    assert done.returncode == 0
    assert done.stderr.count("pinyon: ") == 1
    assert own.cli("runs") == []


def test_many_after_each_other_leave_nothing_behind(own: Place) -> None:
    """Neither threads nor files that are open, nor hooks over each other."""
    done = own.script(
        """
import os, sys, threading, time, pinyon
with pinyon.run(name="outer") as run:
    run.flush()
    hook = sys.excepthook
    for number in range(60):
        with run.child("inner") as inner:
            inner.log(x=number)
    assert sys.excepthook is hook
    end = time.monotonic() + 20
    while threading.active_count() > 3 and time.monotonic() < end:
        time.sleep(0.01)
    print(threading.active_count(), len(os.listdir("/proc/self/fd")))
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    threads, files = map(int, done.stdout.split())
    assert threads <= 3
    assert files < 20
    assert len(own.cli("runs", "--stage", "@inner")) == 60


def test_the_listing_stands_below_parents(own: Place) -> None:
    own.script(
        """
import pinyon
with pinyon.run(name="a") as a:
    with a.child("b") as b:
        b.child("c").finish()
    a.child("d").finish()
"""
    )

    def printed(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pinyon.cli", *arguments],
            cwd=own.root, env={**own.env, "COLUMNS": "200"}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    rows = printed("runs")[1:]
    assert [(len(row) - len(row.lstrip()), row.split()[1]) for row in rows] == [
        (0, "@a"),
        (2, "@b"),
        (4, "@c"),
        (2, "@d"),
    ]
    flat = printed("runs", "--stage", "@c")[1:]
    assert [len(row) - len(row.lstrip()) for row in flat] == [0]
    shown = printed("show", "@b")
    assert any(row.startswith("parent    r-") for row in shown)
    assert any(row.startswith("child     r-") and row.endswith("@c  SUCCEEDED") for row in shown)


def test_the_table_of_runs_knows_parent_and_group(own: Place) -> None:
    own.script(FOLDS)
    asked = 'select stage, parent is not null as inner, "group" from runs order by stage'
    assert own.cli("query", asked) == [
        {"stage": "@cv", "inner": False, "group": None},
        {"stage": "@fold-0", "inner": True, "group": "folds"},
        {"stage": "@fold-1", "inner": True, "group": "folds"},
    ]


def test_the_clock_of_the_processor_is_that_of_the_run(own: Place) -> None:
    own.script(
        """
import time, pinyon
end = time.process_time() + 0.5
while time.process_time() < end: pass
with pinyon.run(name="idle"): pass
"""
    )
    (ended,) = own.bodies("ended")
    assert ended["cpu_seconds"] < 0.4
