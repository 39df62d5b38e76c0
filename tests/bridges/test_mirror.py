"""Live mirrors, look by look: what is new goes out once, whatever becomes of the mirror, its notes and its target."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from madefiles import read_to_end

from pinyon.bridges.moving.cursors import Cursors
from pinyon.bridges.moving.eventsink import EventSink
from pinyon.bridges.moving.follow import Asked, Sum, follow
from pinyon.bridges.moving.mirror import Looked, Mirror
from pinyon.bridges.recording import Recorder, begin, key_of
from pinyon.bridges.tensorboard.events import EventFile
from pinyon.errors import ExecuteError, PlanError, WorkspaceLockedError
from pinyon.execute.locks import try_lock
from pinyon.model.ids import this_process
from pinyon.query import points as reader
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore
from pinyon.store.points import PointsWriter

Point = tuple[str, int, float]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    made = LocalStore(tmp_path / "p/.pinyon")
    made.prepare("p")
    return made


def run(store: LocalStore, name: str, **more: str) -> Recorder:
    """A run that goes on: its process is this one."""
    return begin(
        store, key=key_of(name), stage=f"@{name}", started=1e9, process=this_process(), params={"lr": 0.5}, **more
    )  # fmt: skip


def log(told: Recorder, *steps: int) -> None:
    told.log([(1e9 + step, step, {"loss": step / 4}) for step in steps])


@contextmanager
def mirror(store: LocalStore, target: Path, *names: str) -> Iterator[Mirror]:
    """A mirror as a process has it; who leaves it without a `look` that came back has been killed."""
    index, cursors = Index(store.cache / FILE, store.journals), Cursors(store.cache / "mirror.db")
    with closing(index), closing(cursors):
        yield Mirror(store, index, EventSink(str(target)), cursors, names, files=False)


def look(store: LocalStore, target: Path, *names: str) -> Looked:
    with mirror(store, target, *names) as one:
        return one.look()


def files(target: Path) -> dict[str, Counter[Point]]:
    """The points of each event file, by its experiment."""
    found: dict[str, Counter[Point]] = {}
    for path in target.rglob("*tfevents*"):
        events, errors = read_to_end(EventFile(str(path)), path)
        assert not errors
        values = [(event.step, value) for event in events for value in event.values if value.kind == "scalar"]
        assert path.parent.parent.name not in found
        found[path.parent.parent.name] = Counter((value.tag, step, value.data) for step, value in values)
    return found


def losses(*steps: int) -> Counter[Point]:
    return Counter(("loss", step, step / 4) for step in steps)


def test_each_look_writes_what_is_new(store: LocalStore, tmp_path: Path) -> None:
    one = run(store, "a")
    with mirror(store, tmp_path / "t") as going:
        log(one, 0, 1)
        assert going.look() == Looked(0, 2, 1)
        assert going.look() == Looked(0, 0, 1)
        log(one, 2)
        other = run(store, "b")
        log(other, 7)
        assert going.look() == Looked(0, 2, 2)
        assert files(tmp_path / "t") == {"a": losses(0, 1, 2), "b": losses(7)}
        log(one, 3)
        one.end("SUCCEEDED", 1e9 + 9, metrics={"best": 0.25, "loss": 7})
        other.end("FAILED", 1e9 + 9)
        assert going.look().runs == 2
    assert files(tmp_path / "t") == {"a": losses(0, 1, 2, 3) + Counter([("best", 0, 0.25)]), "b": losses(7)}


def test_a_mirror_that_died_after_writing_and_before_noting_doubles_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run(store, "a")
    log(one, 0, 1)
    look(store, tmp_path / "t")
    log(one, 2, 3)
    with monkeypatch.context() as patched:
        patched.setattr(Cursors, "note", lambda *_: os._exit(9))
        child = os.fork()
        if child == 0:
            look(store, tmp_path / "t")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert files(tmp_path / "t") == {"a": losses(0, 1, 2, 3)}
    log(one, 4)
    look(store, tmp_path / "t")
    assert files(tmp_path / "t") == {"a": losses(0, 1, 2, 3, 4)}


@pytest.mark.parametrize("what", ["notes", "damaged notes", "target", "short target"])
def test_what_is_taken_away_is_written_anew(store: LocalStore, tmp_path: Path, what: str) -> None:
    one, notes, target = run(store, "a"), store.cache / "mirror.db", tmp_path / "t"
    log(one, 0, 1)
    look(store, target)
    if what == "notes":
        notes.unlink()
    elif what == "damaged notes":
        notes.write_bytes(b"no database" * 500)
    elif what == "target":
        shutil.rmtree(target)
    else:
        os.truncate(next(target.rglob("*tfevents*")), 40)
    log(one, 2)
    look(store, target)
    assert files(target) == {"a": losses(0, 1, 2)}


def test_a_run_that_goes_on_after_its_end_goes_on_in_the_mirror(store: LocalStore, tmp_path: Path) -> None:
    one = run(store, "a")
    log(one, 0)
    one.end("FAILED", 1e9 + 1)
    assert look(store, tmp_path / "t") == Looked(1, 1, 0)
    assert look(store, tmp_path / "t") == Looked(0, 0, 0)
    again = begin(
        store, key=key_of("a"), stage="@a", started=1e9 + 5, epoch=2, process=this_process(), params={"lr": 0.5},
    )  # fmt: skip
    log(again, 1)
    assert look(store, tmp_path / "t") == Looked(0, 1, 1)
    again.end("SUCCEEDED", 1e9 + 9)
    assert look(store, tmp_path / "t") == Looked(1, 0, 0)
    assert files(tmp_path / "t")["a"] == losses(0, 1)


def test_points_of_which_nobody_knows_the_run_yet_wait_for_it(store: LocalStore, tmp_path: Path) -> None:
    told = begin(store, key=key_of("a"), stage="@a", started=1e9)  # afterwards: its intent comes last
    log(told, 0, 1)
    assert look(store, tmp_path / "t") == Looked(0, 0, 1)  # who tells it may tell of more
    told.end("SUCCEEDED", 1e9 + 2)
    assert look(store, tmp_path / "t") == Looked(1, 2, 0)
    assert files(tmp_path / "t")["a"] == losses(0, 1)


def test_a_batch_that_was_written_again_counts_once(store: LocalStore, tmp_path: Path) -> None:
    one = run(store, "a")
    log(one, 0, 1)
    segment = store.journals.points()[0]
    heir = PointsWriter(f"{store.root}/journals", segment.split(".")[0], number=1, flush=0)
    look(store, tmp_path / "t")
    data = (store.root / "journals" / segment).read_bytes()
    assert json.loads(data.splitlines()[-1])["flush"] == 0
    (store.root / "journals" / segment.replace(".0.jsonl", ".1.jsonl")).write_bytes(data)
    assert heir.next == 0
    assert look(store, tmp_path / "t").points == 0
    assert files(tmp_path / "t") == {"a": losses(0, 1)}


def test_only_runs_that_are_named_are_mirrored(store: LocalStore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        log(run(store, name), 0)
    look(store, tmp_path / "t", "@b")
    assert list(files(tmp_path / "t")) == ["b"]


def kept(store: LocalStore, asked: Asked, said: list[str], wait: list[float]) -> Sum:
    """A mirror that is kept; a wait beyond those that are given is Ctrl-C."""
    done = Sum()

    def pause(seconds: float) -> None:
        wait.append(seconds)
        if len(wait) > 5:
            raise KeyboardInterrupt

    with closing(Index(store.cache / FILE, store.journals)) as index:
        follow(store, index, asked, done, warn=said.append, wait=pause)
    return done


def test_a_target_that_fails_is_named_once_and_waited_for(store: LocalStore, tmp_path: Path) -> None:
    log(run(store, "a"), 0)
    (tmp_path / "t").touch()
    said, waits = list[str](), list[float]()
    with pytest.raises(KeyboardInterrupt):
        kept(store, Asked("tensorboard", str(tmp_path / "t")), said, waits)
    assert len(said) == 1
    assert "is not written: NotADirectoryError" in said[0]
    assert waits == [2, 4, 8, 16, 32, 60]


def test_until_done_ends_when_nothing_goes_on_and_gives_up_a_target_that_fails_then(
    store: LocalStore, tmp_path: Path
) -> None:
    one = run(store, "a")
    log(one, 0)
    with pytest.raises(KeyboardInterrupt):
        kept(store, Asked("tensorboard", str(tmp_path / "t"), until_done=True), [], [])
    one.end("SUCCEEDED", 1e9 + 1)
    waits = list[float]()
    done = kept(store, Asked("tensorboard", str(tmp_path / "t"), until_done=True), [], waits)
    assert (done.taken().runs, waits) == (1, [])
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        kept(store, Asked("tensorboard", str(tmp_path / "file"), until_done=True), [], [])


def test_what_cannot_be_mirrored_is_said_at_once(store: LocalStore, tmp_path: Path) -> None:
    log(run(store, "a"), 0)
    with pytest.raises(PlanError, match="csv is written as a whole; there are mlflow, tensorboard, wandb"):
        kept(store, Asked("csv", str(tmp_path / "t")), [], [])
    with pytest.raises(PlanError, match="nothing is known of 'sacred'"):
        kept(store, Asked("sacred", str(tmp_path / "t")), [], [])
    with pytest.raises(PlanError):
        kept(store, Asked("tensorboard", str(tmp_path / "t"), ["nobody"]), [], [])


def test_of_two_mirrors_to_one_place_the_second_is_refused(store: LocalStore, tmp_path: Path) -> None:
    one = run(store, "a")
    one.end("SUCCEEDED", 1e9 + 1)
    asked = Asked("tensorboard", str(tmp_path / "t"), until_done=True)
    kept(store, asked, [], [])
    (lock,) = (store.cache / "mirrors").glob("*.lock")
    held = try_lock(str(lock))
    assert held is not None
    with pytest.raises(WorkspaceLockedError, match="another mirror writes there"):
        kept(store, asked, [], [])
    os.close(held)


def test_what_another_tool_refuses_is_tried_again_from_where_it_was_noted(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, calls = run(store, "a"), list[str]()
    log(one, 0)
    one.end("SUCCEEDED", 1e9 + 1)
    finish = EventSink.finish

    def refuse(sink: EventSink, told: object) -> None:
        calls.append("finish")
        if len(calls) == 1:
            raise ExecuteError("MLflow refuses: it is busy")
        finish(sink, told)  # type: ignore[arg-type]

    monkeypatch.setattr(EventSink, "finish", refuse)
    said = list[str]()
    done = kept(store, Asked("tensorboard", str(tmp_path / "t"), until_done=True), said, [])
    assert (len(said), done.taken().runs) == (1, 1)
    assert files(tmp_path / "t") == {"a": losses(0)}


BESIDE = """
import madefiles as made, shutil, time
from pathlib import Path
time.sleep(0.3)  # of shorter commands nothing is followed
name = f"r-{'0123456789abcdef'}"
events, run = made.Events("runs/own"), made.Wandb("wandb", "own")
events.add(0, loss=1)
run.add(made.history(0, 1.0, accuracy=1))
there = Path("logs/tr") / name
there.mkdir(parents=True)
shutil.copy(events.path, there / f"events.out.tfevents.{int(time.time())}.{name}.0")
there = Path(time.strftime(f"wandb/offline-run-%Y%m%d_%H%M%S-{name}"))
there.mkdir()
shutil.copy(run.path, there / f"run-{name}.wandb")
"""


def test_what_a_mirror_writes_beside_a_command_is_not_taken_for_the_commands_own(tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").touch()
    (tmp_path / "train.py").write_text(BESIDE)
    env = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{Path(__file__).parent}"}
    call = [sys.executable, "-m", "pinyon.cli", "run", "--", sys.executable, "train.py"]
    subprocess.run(call, cwd=tmp_path, env=env, check=True, capture_output=True)
    store = LocalStore(tmp_path / ".pinyon")
    found = [
        (name, value)
        for segment in store.journals.points()
        for _, name, _, value in reader.read(store.root / "journals" / segment).points.numbers()
        if not name.startswith("system.")
    ]
    assert sorted(found) == [("accuracy", 1.0), ("loss", 1.0)]
