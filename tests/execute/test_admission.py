"""Admission for real: stages that note when they ran and on which GPUs, on machines that we make up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from pinyon import pipeline
from pinyon.errors import PlanError, StageFailedError
from pinyon.model.project import Goal
from pinyon.plan.state import Gpu, Machine
from pinyon.report.told import Tell, Told

NOTE = """\
import os, sys, time
began = time.monotonic()
open(sys.argv[1] + ".here", "w").close()
for other in sys.argv[2:]:  # only together with these can it end
    while not os.path.exists(other + ".out.here"):
        assert time.monotonic() < began + 30, other
        time.sleep(0.01)
time.sleep(0.1)
env = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "DVC_ROOT", "DVC_STAGE")}
open(sys.argv[1], "w").write(repr((began, time.monotonic(), env)))
"""
BOX = Machine(8.0, 100_000_000, (Gpu("0", vram=24 * 10**9), Gpu("1", vram=80 * 10**9)))


class Note(NamedTuple):
    began: float
    ended: float
    env: dict[str, str | None]


class Place:
    """A project whose stages are `NOTE` at work, by name and resources."""

    def __init__(self, root: Path, meet: str = "", **stages: str) -> None:
        self.root, self.names = root, list(stages)
        (root / "note.py").write_text(NOTE)
        lines = [
            f"{name}: {{cmd: python note.py {name}.out {meet}, deps: [note.py], outs: [{name}.out],"
            f" resources: {{{asked}}}}}"
            for name, asked in stages.items()
        ]
        self.write(lines)
        self.told: list[Told] = []

    def write(self, stages: Iterable[str]) -> None:
        (self.root / "pinyon.yaml").write_text("\n  ".join(["stages:", *stages]) + "\n")

    def run(self, jobs: int = 4, machine: Machine = BOX, **goal: bool) -> dict[str, Note]:
        goal_ = Goal(**goal)  # type: ignore[arg-type]
        result = pipeline.run(self.root, goal_, jobs=jobs, machine=machine, tell=self.told.append)
        assert result.counts["succeeded"] == len(self.names)
        return {name: Note(*eval((self.root / f"{name}.out").read_text())) for name in self.names}

    def intents(self) -> dict[str, dict[str, object]]:
        lines = [
            line
            for path in (self.root / ".pinyon/journals").iterdir()
            for line in path.read_text().splitlines()
        ]
        records = sorted(map(json.loads, lines), key=lambda record: record["ts"])
        bodies = [record["body"] for record in records if record["kind"] == "intent"]
        return {body["stage"]: body for body in bodies}


def test_each_gpu_has_one_stage_at_a_time(tmp_path):
    place = Place(tmp_path, **{f"s{number}": "gpus: 1" for number in range(4)})
    notes = place.run()
    for gpu in ("0", "1"):
        mine = sorted(note for note in notes.values() if note.env["CUDA_VISIBLE_DEVICES"] == gpu)
        assert len(mine) == 2
        assert all(earlier.ended <= later.began for earlier, later in pairwise(mine))


def test_halves_share_a_gpu_and_vram_chooses_it(tmp_path):
    stages = {"a": "gpus: 0.5", "b": "gpus: 0.5", "big": "vram: 40GB", "none": "cpus: 1"}
    notes = Place(tmp_path, " ".join(stages), **stages).run()
    seen = {name: note.env["CUDA_VISIBLE_DEVICES"] for name, note in notes.items()}
    assert seen == {"a": "0", "b": "0", "big": "1", "none": None}


def test_memory_and_cpus_keep_apart(tmp_path):
    notes = Place(tmp_path, a="memory: 60MB", b="memory: 60MB", c="cpus: 5", d="cpus: 5").run()
    for one, other in (("a", "b"), ("c", "d")):
        first, second = sorted((notes[one], notes[other]))
        assert first.ended <= second.began


def test_intents_say_what_was_asked_for_and_given(tmp_path):
    place = Place(tmp_path, a="gpus: 2, cpus: 3, memory: 1MB", b="")
    place.run()
    asked = {"cpus": 3.0, "memory": 1_000_000, "gpus": 2.0, "devices": ["0", "1"]}
    assert [place.intents()[name].get("resources") for name in "ab"] == [asked, None]


@pytest.mark.parametrize("isolated", [False, True])
def test_attempts_get_an_environment(tmp_path, monkeypatch, isolated):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    place = Place(tmp_path, a="cpus: 3", b="")
    if isolated:  # the outs stay in the store
        pipeline.run(tmp_path, Goal(isolated=True), jobs=4, machine=BOX)
        work = tmp_path / ".pinyon/work"
        pipeline.run(tmp_path, Goal(), machine=BOX)
    notes = (
        {name: Note(*eval((tmp_path / f"{name}.out").read_text())) for name in "ab"}
        if isolated
        else place.run()
    )
    assert [notes[name].env["OMP_NUM_THREADS"] for name in "ab"] == ["3", "2"]
    assert [notes[name].env["DVC_STAGE"] for name in "ab"] == ["a", "b"]
    roots = {str(work / slot / tmp_path.name) for slot in "01"} if isolated else {str(tmp_path)}
    assert {notes[name].env["DVC_ROOT"] for name in "ab"} <= roots


def test_what_the_user_exported_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    env = Place(tmp_path, a="cpus: 1").run()["a"].env
    assert (env["OMP_NUM_THREADS"], env["DVC_ROOT"]) == ("9", "/elsewhere")


def test_two_executions_share_one_machine(tmp_path):
    """Both are at work when the first takes both GPUs; the second has to learn of it from the records, and waits."""
    project = tmp_path / "project"
    project.mkdir()
    place = Place(project)
    rows = {
        "p": ("q", "note.py", 0),
        "q": ("a", "note.py", 0),
        "a": ("b", "p.out", 2),
        "b": ("b", "q.out", 1),
    }
    place.write(
        f"{name}: {{cmd: python note.py {name}.out {tmp_path}/{until}, deps: [{dep}], outs: [{name}.out],"
        f" resources: {{gpus: {gpus}}}}}"
        for name, (until, dep, gpus) in rows.items()
    )
    other: list[threading.Thread] = []
    heard: list[str] = []

    def sign(name: str) -> None:
        (tmp_path / f"{name}.out.here").touch()

    def first(told: Told) -> None:
        if (told.kind, told.stage) == ("running", "p"):
            other.append(threading.Thread(target=execute, args=(second, "b")))
            other[0].start()
        elif (told.kind, told.stage) == ("running", "a"):
            sign("a")

    def second(told: Told) -> None:
        if told.kind == "standing":
            return
        heard.append(f"{told.kind} {told.stage}".strip())
        if heard[-1] == "running q":
            sign("q")
        elif heard[-1] in ("wait", "run b"):
            sign("b")

    def execute(tell: Tell, goal: str) -> None:
        pipeline.run(project, Goal((goal,), isolated=True), jobs=2, machine=BOX, tell=tell)

    execute(first, "a")
    other[0].join()
    assert heard[heard.index("ended q") :] == ["ended q", "wait", "run b", "running b", "ended b"]


def test_too_much_is_refused_before_anything_happens(tmp_path):
    place = Place(tmp_path, a="", b="gpus: 3")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(PlanError) as refused:
        place.run()
    assert str(refused.value).startswith(
        "pinyon.yaml:3: stage 'b' asks for 3 GPUs, and there are 2; it could never start here → "
    )
    kept = [path for path in tmp_path.rglob("*") if "cache" not in path.parts and path.name != ".pinyon"]
    assert sorted(kept) == before
    with pytest.raises(PlanError, match="stage 'b' asks for 3 GPUs"):
        pipeline.plan(tmp_path, Goal(), machine=BOX)


def test_what_was_made_elsewhere_needs_no_machine(tmp_path):
    place = Place(tmp_path, a="gpus: 2")
    place.run()
    small = Machine(1.0, 1)
    (tmp_path / "a.out").unlink()
    assert pipeline.plan(tmp_path, Goal(), machine=small).verdicts.popitem()[1].kind == "reuse"  # type: ignore[attr-defined]
    assert pipeline.run(tmp_path, Goal(), machine=small).counts == {"reused": 1}
    with pytest.raises(PlanError, match="asks for 2 GPUs, and there are none"):
        pipeline.run(tmp_path, Goal(force=True), machine=small)


def test_a_failure_with_resources_is_a_failure(tmp_path):
    place = Place(tmp_path, a="gpus: 1", b="gpus: 2")
    (tmp_path / "note.py").write_text("raise SystemExit(3)")
    with pytest.raises(StageFailedError):
        place.run()


def test_how_far_it_is_and_how_long_it_takes_is_told_all_the_time(tmp_path):
    place = Place(tmp_path, a="", b="")
    for text in ("", "#"):
        place.told.clear()
        (tmp_path / "note.py").write_text(NOTE + text)
        place.run(jobs=1)
    standings = [told.standing for told in place.told if told.standing is not None]
    assert [standing.total for standing in standings] == [2] * len(standings)
    done = [standing.done for standing in standings]
    assert (done[0], done[-1], done) == (0, 1, sorted(done))
    left = [standing.left for standing in standings]
    assert left[0] is None  # nobody knew yet that something would run
    assert all(seconds is not None and 0 <= seconds < 60 for seconds in left[1:])
    assert len(left) > 2
    assert place.intents()["a"]["estimate"] == pytest.approx(0.1, abs=30.0)
