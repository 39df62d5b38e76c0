"""A ring gives back what was put into it, believes nothing that is not, and is nobody's but its owner's."""

from __future__ import annotations

import fcntl
import mmap
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.model.ids import this_process
from pinyon.store import ringfile, rings
from pinyon.store.local import LocalStore
from pinyon.store.points import PointsWriter
from pinyon.store.recover import Recovered, recover, sweep
from pinyon.store.ring import HEAD, About, Ring
from pinyon.testing.processes import Child

SMALL = 1 << 12
VALUES = st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.integers(), st.just(float("nan")))
NAMES = st.sampled_from(["loss", "a\n\"'", "é", "\ud800", '{"v":1,"flush":'])
ROWS = st.dictionaries(NAMES, VALUES, max_size=4)


def kind_of(values: dict[str, Any]) -> tuple[Any, ...]:
    return (*values, *map(type, values.values()))


def new_ring(size: int = SMALL) -> Ring:
    ring = Ring(mmap.mmap(-1, HEAD + size))
    ring.begin(About([], "/store", "a-1", "p"))
    return ring


def put(ring: Ring, step: int, values: dict[str, Any]) -> bool:
    return ring.put(0.5, step, values, kind_of(values))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.tuples(st.integers(-(2**70), 2**70), ROWS), st.integers(1, 30)), max_size=200))
def test_a_ring_is_a_queue(moves: list[Any]) -> None:
    ring, expected, dropped = new_ring(), [], 0
    for move in moves:
        if isinstance(move, tuple):
            if put(ring, *move):
                expected.append(move)
            else:
                dropped += 1
                assert ring.filled > SMALL // 2, "there was room"
        else:
            portion = ring.take(move)
            found = [(point.step, point.values) for point in portion.points]
            assert repr(found) == repr(expected[: len(found)])
            assert len(found) == min(move, len(expected))
            ring.hold(7, portion.after)
            assert ring.in_hand == ((7, portion.after) if expected else None)
            assert ring.take(1).after == portion.after or not expected
            ring.done(portion.after)
            del expected[: len(found)]
    assert ring.waiting() == len(expected)
    ring.close()


def test_more_kinds_than_can_be_described_are_kept_all_the_same() -> None:
    ring = new_ring(1 << 20)
    rows = [{f"{'name' * 20}{number}": float(number)} for number in range(1_500)]
    assert all(put(ring, number, row) for number, row in enumerate(rows))
    assert 100 < len(ring.kinds) < 1_500
    assert [point.values for point in ring.take(2_000).points] == rows


def test_very_many_names_in_one_call() -> None:
    ring = new_ring(8 << 20)
    row = {f"m{number}": float(number) for number in range(100_000)}
    assert put(ring, 3, row)
    found: dict[str, float] = {}
    while ring.filled:
        portion = ring.take()
        for point in portion.points:
            assert point.step == 3
            found |= point.values
        ring.done(portion.after)
    assert found == row


# Rings of dead processes

STEPS = 300


def fill(store: Path, writer: str, *, flushed: int = 0, half: bool = False, size: int | None = None) -> None:
    """What a process does that logs, writes some of it, and is killed; ``half``: after a batch was put down."""

    def work(_: object) -> str:
        with pytest.MonkeyPatch.context() as patch:
            if size is not None:
                patch.setattr(ringfile, "SIZE", size)
            made = ringfile.make(writer, About(list(this_process()), os.path.realpath(store), "a-1", "p"))
        assert made.path, made.why
        stream = PointsWriter(f"{store}/journals", writer)
        for step in range(STEPS):
            assert put(made.ring, step, {"loss": step / 2, **({"n": step} if step % 3 else {})})
        for _ in range(flushed):
            portion = made.ring.take(50)
            made.ring.hold(stream.next, portion.after)
            stream.write(portion.points, "a-1")
            made.ring.done(portion.after)
        if half:
            portion = made.ring.take(50)
            made.ring.hold(stream.next, portion.after)
            stream.write(portion.points, "a-1")
        return made.path

    assert Child(work).result()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store; its rings go with it."""
    made = LocalStore(tmp_path / "store")
    made.prepare("p")
    yield made.root
    for path in rings.found(str(made.root)):
        rings.remove(path)
    for name in (folder := Path(rings.folders_of(str(made.root))[0])).glob("*"):
        name.unlink()
    if folder.is_dir():
        folder.rmdir()


def steps_of(store: Path) -> list[int]:
    """Steps of points that count, by docs/FORMAT.md §5; each segment must verify."""
    from pinyon.query import points as reading
    from pinyon.store.journal import LocalJournals

    found: list[tuple[int, int | None]] = []
    for name in sorted((store / "journals").glob("*.points.*")):
        assert [one for one in LocalJournals(store).verify(name.name) if not one.torn] == []
        read = reading.read(name)
        told = dict.fromkeys(zip(read.points.step, read.points.batch, strict=True))
        begun = min((batch for _, batch in told if batch is not None), default=None)
        if begun is not None:
            found = [(step, batch) for step, batch in found if batch is not None and batch < begun]
        found += [(step, batch) for step, batch in told if step is not None]
    return [step for step, _ in found]


@pytest.mark.parametrize("flushed", [0, 1, 3])
@pytest.mark.parametrize("half", [False, True])
def test_what_the_dead_left_is_written_once(store: Path, flushed: int, half: bool) -> None:
    fill(store, "w-1", flushed=flushed, half=half)
    (done,) = recover(str(store), "a-1", sync=True)
    assert done == Recovered("w-1", "a-1", STEPS - 50 * (flushed + half))
    assert steps_of(store) == list(range(STEPS))
    assert recover(str(store)) == []
    assert not Path(rings.folders_of(str(store))[0]).exists()


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_batch_that_was_cut_off_is_written_again(store: Path, cut: int) -> None:
    """Whole lines that no flush line vouches for are in the ring, too, and do not count twice."""
    fill(store, "w-1", flushed=2, half=True)
    segment = store / "journals" / "w-1.points.0.jsonl"
    segment.write_bytes(segment.read_bytes()[:-cut])
    (done,) = recover(str(store))
    assert done.points == STEPS - 100
    assert sorted(path.name for path in (store / "journals").glob("*.points.*")) == [
        "w-1.points.0.jsonl",
        "w-1.points.1.jsonl",
    ]
    assert steps_of(store) == list(range(STEPS))


def test_others_attempts_and_the_living_are_left_alone(store: Path) -> None:
    fill(store, "w-1")
    assert recover(str(store), "a-2") == []
    path = next(rings.found(str(store)))
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert recover(str(store)) == []
    made = ringfile.make("w-2", About(list(this_process()), os.path.realpath(store), "a-1", "p"))
    assert [one.writer for one in recover(str(store))] == ["w-1"]
    rings.remove(made.path)
    made.ring.close()


def test_a_ring_that_is_not_what_was_written_is_set_aside(store: Path) -> None:
    """Whatever byte is another: nothing that is wrong is believed, and nothing raises."""
    seed = int(os.environ.get("PINYON_SEED", "7"))
    drawn = random.Random(seed)
    fill(store, "w-1", size=1 << 14)
    path = Path(next(rings.found(str(store))))
    sound = path.read_bytes()
    places = [
        *range(0, 700, 3),
        *range(4096, 4200, 3),
        *(drawn.randrange(HEAD, len(sound)) for _ in range(300)),
    ]
    aside = 0
    for place in places:
        data = bytearray(sound)
        data[place] ^= 1 << drawn.randrange(8)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        (done,) = recover(str(store)) or [None]
        found = steps_of(store)
        assert found == list(range(len(found)))
        if done is None:  # the name of a process that may live
            assert 128 <= place < 4096
            path.unlink()
        elif done.why:
            aside += 1
            assert Path(done.damaged).read_bytes()[:100] != b""
            Path(done.damaged).unlink()
        for segment in (store / "journals").glob("*.points.*"):
            segment.unlink()
    path.parent.mkdir(exist_ok=True)
    for size in (0, 1, 100, HEAD, HEAD + 100, len(sound) - 1):
        path.write_bytes(sound[:size])
        (done,) = recover(str(store))
        assert done.why
        Path(done.damaged).unlink()
    print(f"seed {seed}: {len(places)} flips, {aside} set aside")  # noqa: T201 - the load
    assert aside > 200


def test_rings_of_stores_that_are_gone_do_not_stay_for_ever(store: Path, tmp_path: Path) -> None:
    gone = LocalStore(tmp_path / "gone")
    gone.prepare("p")
    for one in (store, gone.root):
        fill(one, "w-1", size=1 << 14)
    shutil.rmtree(gone.root)
    (path,) = rings.found(str(gone.root))
    assert sweep() == 0
    for one in (store, gone.root):
        os.utime(rings.folders_of(str(one))[0], (0, 0))
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep() == 0
    assert sweep() == 1
    assert not Path(path).parent.exists()
    assert len(list(rings.found(str(store)))) == 1


@pytest.mark.parametrize("how", ["link", "file", "open", "foreign"])
def test_a_folder_of_somebody_elses_is_refused(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    shared = tmp_path / "shm"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr(rings, "SHM", str(shared))
    monkeypatch.setattr(ringfile, "SHM", str(shared))
    folder, target = shared / f"pinyon-{os.geteuid()}", tmp_path / "target"
    target.mkdir()
    if how == "link":
        folder.symlink_to(target)
    elif how == "file":
        folder.write_text("")
    else:
        folder.mkdir(0o700)
        folder.chmod(0o777 if how == "open" else 0o700)
        if how == "foreign":
            if os.geteuid():
                pytest.skip("needs root: to give a folder away")
            os.chown(folder, 12345, 12345)
    made = ringfile.make("w-1", About(list(this_process()), os.path.realpath(store), "a-1", "p"))
    assert made.path.startswith(f"{store}/cache/rings/"), made.path
    assert list(target.iterdir()) == []
    assert os.stat(made.path).st_mode & 0o077 == 0
    rings.remove(made.path)
    made.ring.close()


def test_without_any_room_a_ring_is_in_memory(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ringfile, "SHM", "/nowhere")
    monkeypatch.setattr(rings, "SHM", "/nowhere")
    (store / "cache").write_text("a file")
    made = ringfile.make("w-1", About(list(this_process()), os.path.realpath(store), "a-1", "p"))
    assert made.path == ""
    assert "/nowhere: No such file or directory; " in made.why
    assert put(made.ring, 1, {"x": 1.0})
    made.ring.close()
