"""What a push and a pull copy, hold back and refuse."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import StoreError
from pinyon.store import tree
from pinyon.store.local import LocalStore
from pinyon.store.objects import Abilities
from pinyon.store.remote.store import RemoteStore
from pinyon.sync import carry, flow
from pinyon.sync.carry import Moved
from pinyon.sync.pull import pull, pull_plan
from pinyon.sync.push import push, push_plan
from pinyon.sync.status import status
from pinyon.sync.verify import verify
from pinyon.testing.memory import Cut, FaultyObjects, MemoryObjects
from pinyon.testing.remote import dangling


@pytest.fixture
def home(tmp_path: Path) -> LocalStore:
    """A home store."""
    store = LocalStore(tmp_path / "home")
    store.prepare("p")
    return store


@pytest.fixture
def mirror(tmp_path: Path) -> RemoteStore:
    """A place that nobody has written to."""
    return RemoteStore(MemoryObjects(str(tmp_path)))


def pushed(source: LocalStore, target: RemoteStore, **named: Any) -> Moved:
    return push(source, target, push_plan(source, target, named.pop("wanted", None)), **named)


def pulled(source: RemoteStore, target: LocalStore, **named: Any) -> Moved:
    return pull(source, target, pull_plan(source, target, named.pop("wanted", None)), **named)


def recorded(store: LocalStore, *names: str) -> tuple[str, int]:
    writer = store.journals.open_writer()
    event = writer.append("pinned", {"blobs": list(names)})
    writer.close()
    return event.writer, event.seq


def events_of(store: LocalStore | RemoteStore) -> set[tuple[str, int]]:
    segments = store.journals.segments()
    return {(event.writer, event.seq) for name in segments for event, _ in store.journals.read(name)}


def folder(store: LocalStore, files: list[bytes]) -> tuple[str, list[str]]:
    names = store.blobs.put_small(files)
    rows = [tree.Row(f"{place}", name, len(files[place])) for place, name in enumerate(names)]
    return store.blobs.put(tree.encode(rows)) + "/", names


def test_a_second_clone_has_everything(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    name, files = folder(home, [b"%d" % index for index in range(100)])
    large = home.blobs.put(os.urandom(300_000))
    recorded(home, name, large)
    home.refs.set("best", {"blob": large}, expect=0, actor="jay")
    log = home.root / "logs/x-1/1.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"no line feed, and more of an attempt that runs")
    writer = home.journals.open_writer()
    writer.append("ended", {"attempt": "a-1", "log": ["logs/x-1/1.log", 3, 12]})
    writer.close()
    told: dict[str, int] = {}
    moved = pushed(home, mirror, progress=lambda what, count: told.update({what: told.get(what, 0) + count}))
    assert (moved.blobs, moved.streams, moved.refs, moved.held, moved.damaged) == (102, 3, 1, (), ())
    assert told["refs"] == 1
    journals = sum(size for place, size in home.streams.sizes().items() if place.startswith("journals/"))
    assert (told["journals"], told["logs"]) == (journals, 12)
    assert told["blobs"] >= moved.size - told["journals"] - told["logs"]
    clone = LocalStore(tmp_path / "clone")
    assert pulled(mirror, clone)[:4] == moved[:4]
    for store in (mirror, clone):
        assert (verify(store).damage, events_of(store)) == ((), events_of(home))
        assert store.refs.history("best") == home.refs.history("best")
        assert store.blobs.missing([*files, large, name]) == set()
        assert store.streams.read("logs/x-1/1.log", 0, 100) == b"no line feed"  # secrets are out of it
    assert not any(status(clone, mirror)[2:])


def test_many_small_blobs_are_few_objects(home: LocalStore, mirror: RemoteStore):
    home.blobs.put_small(os.urandom(1_000) for _ in range(10_000))
    assert pushed(home, mirror).blobs == 10_000
    assert len(list(mirror.objects.list())) <= 5
    assert (status(home, mirror).there.blobs, push_plan(home, mirror).blobs) == (10_000, {})


def test_status_asks_for_listings_only(home: LocalStore, tmp_path: Path):
    """So that it stays quick however much there is: indexes of packs are read once."""
    home.blobs.put_small(b"%d" % index for index in range(500))
    recorded(home)
    place = MemoryObjects(str(tmp_path / "place"))
    mirror = RemoteStore(place, tmp_path / "cache")
    pushed(home, mirror)
    status(home, mirror)
    counted = FaultyObjects(place, Cut(1_000, frozenset({"read", "fetch", "size"})))
    assert not status(home, RemoteStore(counted, tmp_path / "cache")).push
    assert counted.calls == 1  # format.json
    counted = FaultyObjects(place, Cut(1_000, frozenset({"list"})))
    status(home, RemoteStore(counted, tmp_path / "cache"))
    assert counted.calls <= 6


def test_a_cache_that_has_rotted_is_not_believed(home: LocalStore, tmp_path: Path):
    names = home.blobs.put_small(b"%d" % index for index in range(100))
    place = MemoryObjects(str(tmp_path / "place"))
    pushed(home, RemoteStore(place))
    assert RemoteStore(place, tmp_path / "cache").blobs.missing(names) == set()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(bytes(reversed(kept.read_bytes())))
    assert RemoteStore(place, tmp_path / "cache").blobs.missing(names) == set()


def test_a_push_of_some_blobs_holds_back_what_names_others(
    home: LocalStore, mirror: RemoteStore, tmp_path: Path
):
    names = [home.blobs.put(b"%d" % number) for number in range(3)]
    first, second = recorded(home, names[0]), recorded(home, names[1])
    home.refs.set("best", {"run": "r-1"}, expect=0)
    moved = pushed(home, mirror, wanted=names[:1])
    assert moved.blobs == 1
    assert any(second[0] in held for held in moved.held)
    assert (first in events_of(mirror), second in events_of(mirror)) == (True, False)
    assert mirror.refs.names() == []  # it may tell of what the other record says
    assert mirror.blobs.missing(names) == set(names[1:])
    assert pushed(home, mirror).held == ()
    assert (events_of(mirror), mirror.refs.names()) == (events_of(home), ["best"])


def test_a_folder_waits_for_its_files(home: LocalStore, mirror: RemoteStore):
    name, files = folder(home, [b"1", b"2"])
    recorded(home, name)
    pushed(home, mirror, wanted=[name.removesuffix("/"), files[0]])
    assert (dangling(mirror), mirror.blobs.missing([name, *files])) == (set(), {files[1]})
    assert pushed(home, mirror, wanted=[name]).held == ()
    assert mirror.blobs.missing([name, *files]) == set()
    assert events_of(mirror) == events_of(home)


def test_a_name_that_is_cut_in_two_is_seen(
    home: LocalStore, mirror: RemoteStore, monkeypatch: pytest.MonkeyPatch
):
    writer, other = home.journals.open_writer(), home.blobs.put(b"other")
    for number in range(20):
        writer.append("pinned", {"blobs": [home.blobs.put(b"%d" % number)]})
    wanted = [name for name in home.blobs.names() if name != other]
    writer.append("pinned", {"blobs": [other]})
    for size in (7, 64, 100, 333):
        monkeypatch.setattr(carry, "_CHUNK", size)
        target = RemoteStore(MemoryObjects(f"{mirror.url}-{size}"))
        assert len(pushed(home, target, wanted=wanted).held) == 1
        stored = target.streams.read(f"journals/{writer.writer}.facts.0.jsonl", 0, 1 << 20)
        assert other.encode() not in stored
        assert pushed(home, target).held == ()
        assert events_of(target) == events_of(home)


def test_a_stream_of_many_chunks_goes_at_once(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    writer = home.journals.open_writer()
    for _ in range(3):
        writer.append("noted", {"text": "x" * 5_000_000})
    assert pushed(home, mirror).size == sum(home.streams.sizes().values())
    clone = LocalStore(tmp_path / "clone")
    pulled(mirror, clone)
    assert events_of(clone) == events_of(home)
    assert verify(clone).damage == ()


def test_a_push_that_comes_late_takes_nothing_away(home: LocalStore, mirror: RemoteStore):
    writer = home.journals.open_writer()
    writer.append("noted", {"text": "1"})
    early = push_plan(home, mirror)
    writer.append("noted", {"text": "2"})
    pushed(home, mirror)
    assert push(home, mirror, early).damaged == ()
    assert events_of(mirror) == events_of(home)


def test_stores_of_two_projects_are_not_mixed(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    pushed(home, mirror)
    other = LocalStore(tmp_path / "other")
    other.prepare("q")
    recorded(other)
    before = {key: mirror.objects.read(key) for key, _ in mirror.objects.list()}
    for refused in (
        lambda: pushed(other, mirror),
        lambda: pulled(mirror, other),
        lambda: status(other, mirror),
    ):
        with pytest.raises(StoreError, match="this store belongs to project"):
            refused()
    assert before == {key: mirror.objects.read(key) for key, _ in mirror.objects.list()}


def test_refs_of_two_homes_are_not_mixed(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    home.refs.set("best", 1, expect=0)
    pushed(home, mirror)
    other = LocalStore(tmp_path / "other")
    other.prepare("p", project=str(home.describe()["project"]))
    other.refs.set("best", 2, expect=0)
    other.blobs.put(b"other")
    for refused in (lambda: pushed(other, mirror), lambda: pulled(mirror, other)):
        with pytest.raises(StoreError, match="version 1 of ref 'best' differs") as caught:
            refused()
        assert other.url in str(caught.value)
        assert mirror.url in str(caught.value)
    assert list(mirror.blobs.names()) == []


def test_a_home_elsewhere_is_not_pushed_into(home: LocalStore, mirror: RemoteStore):
    mirror.prepare("p", project=str(home.describe()["project"]))
    with pytest.raises(StoreError, match="home"):
        pushed(home, mirror)


def test_a_clone_sets_no_ref_and_a_restored_home_does(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    home.refs.set("best", 1, expect=0)
    pushed(home, mirror)
    clone, restored = LocalStore(tmp_path / "clone"), LocalStore(tmp_path / "restored")
    pulled(mirror, clone)
    with pytest.raises(StoreError, match="mirror"):
        clone.refs.set("best", 2, expect=1)
    pulled(mirror, restored, home=True)
    assert restored.refs.set("best", 2, expect=1).version == 2
    assert pushed(restored, mirror).refs == 1


def test_what_a_clone_has_done_comes_home(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    pushed(home, mirror)
    clone = LocalStore(tmp_path / "clone")
    pulled(mirror, clone)
    event = recorded(clone, name := clone.blobs.put(b"done elsewhere"))
    pushed(clone, mirror)
    pulled(mirror, home)
    assert event in events_of(home)
    assert home.blobs.read(name) == b"done elsewhere"


def test_a_pull_of_some_blobs_brings_all_records(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    name, files = folder(home, [b"1", b"2"])
    other = home.blobs.put(os.urandom(100_000))
    recorded(home, name, other)
    pushed(home, mirror)
    clone = LocalStore(tmp_path / "clone")
    assert pulled(mirror, clone, wanted=[name]).blobs == 3
    assert clone.blobs.missing([name, *files, other]) == {other}
    assert events_of(clone) == events_of(home)


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_rot_is_neither_sent_nor_taken(home: LocalStore, mirror: RemoteStore, tmp_path: Path, size: int):
    good, bad = (home.blobs.put(os.urandom(size)) for _ in range(2))
    early, late = recorded(home, good), recorded(home, bad)
    sound = home.blobs.read(bad)
    path = home.blobs.path(bad)
    path.chmod(0o644)
    path.write_bytes(bytes(reversed(sound)))
    moved = pushed(home, mirror)
    assert bad in moved.damaged[0]
    assert (early in events_of(mirror), late in events_of(mirror), dangling(mirror)) == (True, False, set())
    path.write_bytes(sound)
    assert pushed(home, mirror).damaged == ()
    key = f"blobs/{bad[7:9]}/{bad[9:]}"
    mirror.objects.write(key, bytes(reversed(sound)))
    clone = LocalStore(tmp_path / "clone")
    moved = pulled(mirror, clone)
    assert bad in moved.damaged[0]
    assert (clone.blobs.missing([good, bad]), late in events_of(clone)) == ({bad}, False)
    mirror.objects.write(key, sound)
    assert pulled(mirror, clone).damaged == ()
    assert (clone.blobs.read(bad), late in events_of(clone)) == (sound, True)


def test_rot_in_a_pack_there_is_not_taken(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    names = home.blobs.put_small(b"number %d" % index for index in range(100))
    pushed(home, mirror)
    (pack,) = (key for key, _ in mirror.objects.list("packs/"))
    mirror.objects.write(pack, mirror.objects.read(pack).replace(b"number 50", b"number 5!"))
    clone = LocalStore(tmp_path / "clone")
    assert len(pulled(mirror, clone).damaged) == 1
    assert len(clone.blobs.missing(names)) == 1


def test_a_journal_with_rot_is_told_and_hides_nothing(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    recorded(home)
    (place,) = home.streams.sizes()
    pushed(home, mirror)
    key = f"{place}/{0:012d}"
    data = mirror.objects.read(key)
    mirror.objects.write(key, data.replace(b'"pinned"', b'"pinnep"'))
    clone = LocalStore(tmp_path / "clone")
    moved = pulled(mirror, clone)
    assert place in moved.damaged[0]
    assert str(data.index(b"\n") + 1) in moved.damaged[0]
    assert len(events_of(clone)) == 2


def test_a_journal_that_two_stores_tell_differently_is_not_mixed(home: LocalStore, mirror: RemoteStore):
    writer = home.journals.open_writer()
    writer.append("noted", {"text": "1"})
    other = recorded(home)
    pushed(home, mirror)
    path = home.root / f"journals/{writer.writer}.facts.0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"1"', b'"2"') + b"more\n")
    before = mirror.streams.sizes()
    (told,) = pushed(home, mirror).damaged
    assert writer.writer in told
    assert (mirror.streams.sizes(), other in events_of(mirror)) == (before, True)


def test_what_is_condemned_stays_behind_and_is_sent_when_it_is_needed_again(
    home: LocalStore, mirror: RemoteStore
):
    name = home.blobs.put(b"idle")
    home.blobs.condemn([name])
    assert pushed(home, mirror).blobs == 0
    home.blobs.put(b"idle")
    assert pushed(home, mirror).blobs == 1
    mirror.blobs.condemn([name])
    assert pushed(home, mirror).blobs == 1
    assert mirror.blobs.condemned() == {}
    assert mirror.blobs.delete([name], time.time() + 60) == {}


def test_a_push_keeps_to_its_rate(monkeypatch: pytest.MonkeyPatch):
    """By a clock of the test's own."""
    now, slept = [0.0], list[float]()
    monkeypatch.setattr(flow.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        flow.time, "sleep", lambda wait: (slept.append(wait), now.__setitem__(0, now[0] + wait))
    )
    tell = flow.Flow(1, rate=1_000).tell("blobs")
    for _ in range(10):
        tell(500)
    assert now[0] == pytest.approx(5.0)
    now[0] = 100.0
    tell(500)
    assert now[0] == pytest.approx(100.5)  # what was not used is not saved up


def test_a_failure_begins_nothing_else(home: LocalStore, tmp_path: Path):
    for _ in range(20):
        home.blobs.put(os.urandom(70_000))
    recorded(home, *home.blobs.names())
    place = MemoryObjects(str(tmp_path / "place"), Abilities(parallel=2))
    mirror = RemoteStore(FaultyObjects(place, Cut(3, frozenset({"write"}), always=False)))
    with pytest.raises(StoreError, match="write failed"):
        pushed(home, mirror)
    keys = {key.partition("/")[0] for key, _ in place.list()}
    assert keys == {"format.json", "blobs"}
    there = sum(key.startswith("blobs/") for key, _ in place.list())
    assert there < 10
    assert pushed(home, RemoteStore(place)).blobs == 20 - there


def test_keys_that_others_have_made_lead_nowhere(home: LocalStore, mirror: RemoteStore, tmp_path: Path):
    """A place may hold anything: it is left alone, and hides nothing."""
    name = home.blobs.put(b"x")
    recorded(home, name)
    pushed(home, mirror)
    for key in (
        "logs/../evil.log/000000000000",
        "logs/../../evil.log/000000000000",
        "logs/a/../../../evil.log/000000000000",
        "journals/../evil.facts.0.jsonl/000000000000",
        "journals/evil.facts.0.jsonl\n/000000000000",
        "journals/evil/000000000000",
        "refs/../000001",
        "refs/%2e%2e/000001",
        "blobs/../evil",
        "blobs/ab/evil",
        "packs/evil",
        "packs/" + "0" * 64,
    ):
        mirror.objects.write(key, b"evil")
    clone = LocalStore(tmp_path / "deep" / "clone")
    assert pulled(mirror, clone)[4:] == ((), ())
    assert (events_of(clone), clone.blobs.read(name)) == (events_of(home), b"x")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]
    assert not push_plan(home, mirror)
    told = {one.file.removeprefix(f"{mirror.url}/") for one in verify(mirror).damage}
    assert {"blobs/abevil", "packs/" + "0" * 64} <= told
