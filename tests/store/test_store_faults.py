"""Faults of disks and processes: nothing acknowledged is lost, nothing wrong is read, nothing else is hidden.

The rows are those of the table of faults that the project must survive: 1 kill, 4 torn writes, 5 full disks, 6 errors of
the disk, 8 races, 17 rot, 18 one unreadable journal, 24 names.
"""

# ruff: noqa: T201 - each test prints its load
# ruff: noqa: PT011, PT012, PT017 - the errors are injected, so which one comes is the point or is of no interest

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path

import pytest
from breaking import broken, failing, small_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.errors import RefConflictError, StoreError
from pinyon.model.event import Event
from pinyon.store.local import LocalStore
from pinyon.testing.blobs import BAD_NAMES
from pinyon.testing.faulty import Fault, FaultyStore
from pinyon.testing.layout import FileLayout, blob_place
from pinyon.testing.processes import Child, in_processes, in_threads
from pinyon.testing.refs import REFUSED_NAMES, STRANGE_NAMES, assert_one_winner

PARTS = [".gitignore", "blobs", "format.json", "journals", "refs", "tmp"]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A new store on disk."""
    made = LocalStore(tmp_path / "store")
    made.prepare("test")
    return made


@pytest.fixture
def rng() -> random.Random:
    """Seeded by PINYON_SEED, else anew; pytest shows the seed of a test that fails."""
    seed = int(os.environ.get("PINYON_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PINYON_SEED={seed}")
    return random.Random(seed)


def everything(store: LocalStore) -> list[Event]:
    """All records, by (writer, seq)."""
    found = [event for segment in store.journals.segments() for event, _ in store.journals.read(segment)]
    return sorted(found, key=lambda event: (event.writer, event.seq))


def damage(store: LocalStore) -> list[tuple[str, bool]]:
    """What verify tells of the journals: the segment, and whether it is only torn."""
    segments = store.journals.segments()
    return [(segment, found.torn) for segment in segments for found in store.journals.verify(segment)]


# 1


def test_kill_while_appending_loses_nothing_acknowledged(store: LocalStore, rng: random.Random):
    def work(tell):
        writer = store.journals.open_writer()
        while True:
            event = writer.append("noted", {"text": "x" * (os.urandom(1)[0] * 40)})
            tell([event.writer, event.seq])

    kills, acknowledged, torn, slowest = 30, set(), 0, 0.0
    for _ in range(kills):
        child = Child(work)
        child.first()
        time.sleep(rng.uniform(0.001, 0.03))
        child.kill()
        acknowledged |= {tuple(line) for line in child.lines()}
        began = time.perf_counter()
        torn += sum(is_torn for _, is_torn in damage(store))
        slowest = max(slowest, time.perf_counter() - began)
    kept = {(event.writer, event.seq) for event in everything(store)}
    print(
        f"{kills} kills, {len(acknowledged)} acknowledged, {len(kept)} kept, slowest recovery {slowest:.2f} s"
    )
    assert len(acknowledged) >= 1000
    assert acknowledged <= kept
    assert all(is_torn for _, is_torn in damage(store)), "torn lines are only ever last"
    assert slowest <= 1


# 4


@pytest.mark.parametrize("error", [None, errno.ENOSPC, errno.EIO], ids=["short", "ENOSPC", "EIO"])
def test_a_torn_write_of_any_length_is_reported_once(store: LocalStore, error: int | None):
    for length in range(51):

        def tear(real, fd, data, length=length):
            written = real(fd, bytes(data)[:length])
            if error:
                raise OSError(error, os.strerror(error))
            return written

        writer = store.journals.open_writer()
        made = [writer.append("before", {"length": length})]
        with broken("write", store.root / "journals", tear), pytest.raises(OSError):
            writer.append("torn", {})
        made += [writer.append("after", {}), writer.append("after", {})]
        mine = [event for event in everything(store) if event.writer == writer.writer]
        assert [event for event in mine if event.kind != "opened"] == made
        assert [event.seq for event in mine] == list(range(5))
        told = [found for found in damage(store) if found[0].startswith(writer.writer)]
        assert told == ([(f"{writer.writer}.facts.0.jsonl", True)] if length else [])
    print("51 torn writes")


def test_a_segment_whose_first_write_fails_is_followed_by_a_sound_one(store: LocalStore):
    writer = store.journals.open_writer()
    made = [writer.append("before", {})]
    writer.close()
    with broken("write", store.root / "journals", failing(errno.EIO)), pytest.raises(OSError):
        writer.append("lost", {})
    made.append(writer.append("after", {}))
    assert [event for event in everything(store) if event.kind in ("before", "after")] == made
    assert damage(store) == []


def test_short_writes_of_blobs_are_continued_and_of_refs_refused(store: LocalStore):
    for length in range(1, 51):
        with broken("write", store.root / "tmp", lambda real, fd, data, n=length: real(fd, bytes(data)[:n])):
            name = store.blobs.put(data := os.urandom(120))
            with pytest.raises(OSError):
                store.refs.set("best", 1, expect=0)
        assert store.blobs.read(name) == data
    assert store.refs.get("best") is None
    assert os.listdir(store.root / "tmp") == []


# 5


def fill(path: Path) -> None:
    """Take all the space there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path):
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        store = LocalStore(disk / "store")
        store.prepare("full")
        writer = store.journals.open_writer()
        made = [writer.append("noted", {"text": "x" * 300})]
        fill(disk / "filler")
        failures = 0
        for _ in range(40):
            try:
                made.append(writer.append("noted", {"text": "x" * 300}))
            except OSError:
                failures += 1
        for call in (
            lambda: store.blobs.put(os.urandom(9000)),
            lambda: store.refs.set("best", "x" * 9000, expect=0),
        ):
            with pytest.raises(OSError):
                call()
        assert os.listdir(disk / "store" / "tmp") == []
        assert list(store.blobs.names()) == []
        assert store.refs.get("best") is None
        assert store.refs.names() == []
        (disk / "filler").unlink()
        made.append(writer.append("after", {}))
        writer.flush()
        print(f"{len(made)} acknowledged, {failures} refused")
        assert failures >= 20
        assert [event for event in everything(store) if event.kind != "opened"] == made
        assert all(torn for _, torn in damage(store))
        assert store.blobs.read(store.blobs.put(b"abc")) == b"abc"
        assert store.refs.set("best", 1, expect=0).version == 1


def test_a_disk_without_inodes_hurts_no_other_file(tmp_path: Path):
    with small_disk(tmp_path / "disk", "nr_inodes=20") as disk:
        store = LocalStore(disk / "store")
        store.prepare("inodes")
        writer = store.journals.open_writer()
        made = [writer.append("noted", {})]
        writer.close()
        fillers = []
        with pytest.raises(OSError, match="No space"):
            while True:
                fillers.append(disk / f"filler-{len(fillers)}")
                fillers[-1].touch()
        for call in (
            lambda: writer.append("refused", {}),
            lambda: store.blobs.put(b"abc"),
            lambda: store.refs.set("best", 1, expect=0),
        ):
            with pytest.raises(OSError):
                call()
        # A writer that kept the number of a descriptor it had closed would sync or close somebody else's file here.
        with open(tmp_path / "innocent", "w") as innocent:
            writer.close()
            innocent.write("unharmed")
        for filler in fillers[:-1]:
            filler.unlink()
        made.append(writer.append("after", {}))
        assert [event for event in everything(store) if event.kind in ("noted", "after")] == made
        assert store.journals.segments() == [f"{writer.writer}.facts.{number}.jsonl" for number in (0, 1)]
        assert damage(store) == []
        assert store.blobs.put(b"abc")
        assert store.refs.set("best", 1, expect=0)
    print(f"{len(fillers)} inodes taken")


def test_the_next_segment_cannot_be_opened(store: LocalStore, tmp_path: Path):
    writer = store.journals.open_writer()
    writer.append("noted", {})
    with broken("write", store.root / "journals", failing(errno.EIO)), pytest.raises(OSError):
        writer.append("lost", {})
    with broken("open", store.root / "journals", failing(errno.ENOSPC, always=True)):
        for _ in range(3):
            with pytest.raises(OSError):
                writer.append("refused", {})
        with open(tmp_path / "innocent", "w") as innocent:
            with pytest.raises(OSError):
                writer.close()
            innocent.write("unharmed")
    writer.append("after", {})
    assert [event.seq for event in everything(store)] == [0, 1, 2, 3]
    assert damage(store) == []


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get
)
@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
def test_every_call_passes_an_error_on_and_recovers(
    store: LocalStore, tmp_path: Path, number: int, always: bool
):
    name = store.blobs.put(b"abc")
    for nth in (1, 3):
        calls = {
            "blobs.put": lambda s: s.blobs.put(os.urandom(8)),
            "blobs.copy_out": lambda s: s.blobs.copy_out(name, tmp_path / "out"),
            "blobs.flush": lambda s: s.blobs.flush([name]),
            "refs.set": lambda s: s.refs.set("best", 1, expect=len(s.refs.history("best"))),
            "journals.open_writer": lambda s: s.journals.open_writer().append("noted", {}),
        }
        for call, act in calls.items():
            faulty = FaultyStore(store, Fault(call, nth, number, always))
            failed = []
            for turn in range(1, 6):
                try:
                    act(faulty)
                except OSError as error:
                    assert error.errno == number
                    failed.append(turn)
            assert failed == (list(range(nth, 6)) if always else [nth]), call
            assert faulty.calls[call] == 5
        _assert_a_writer_passes_errors_on(store, nth, number, always)
    assert damage(store) == []
    assert list(store.refs.verify()) == []


def _assert_a_writer_passes_errors_on(store: LocalStore, nth: int, number: int, always: bool) -> None:
    faulty = FaultyStore(
        store, Fault("journals.append", nth, number, always), Fault("journals.flush", 1, number)
    )
    writer, made = faulty.journals.open_writer(), []
    for _ in range(5):
        try:
            made.append(writer.append("noted", {}))
        except OSError as error:
            assert error.errno == number
    with pytest.raises(OSError):
        writer.flush()
    writer.close()
    kept = [event for event in everything(store) if event.writer == writer.writer and event.kind == "noted"]
    assert kept == made
    assert len(made) == (nth - 1 if always else 4)


# 6


def test_a_failed_fsync_is_never_reported_as_success_later(store: LocalStore):
    writer = store.journals.open_writer()
    before = writer.append("before", {})
    with broken("fdatasync", store.root / "journals", failing(errno.EIO)) as calls:
        for _ in range(3):
            with pytest.raises(OSError):
                writer.flush()
        after = writer.append("after", {})
        with pytest.raises(OSError):
            writer.flush()
    assert len(calls) == 2, (
        "synced by the first flush, and on leaving it; never by the flushes that had to fail"
    )
    assert store.journals.segments() == [f"{writer.writer}.facts.{number}.jsonl" for number in (0, 1)]
    assert [event for event in everything(store) if event.kind != "opened"] == [before, after]
    with pytest.raises(OSError):
        writer.close()
    other = store.journals.open_writer()
    other.append("noted", {})
    other.flush()
    assert damage(store) == []


def test_a_flush_covers_the_segments_left_before_it(store: LocalStore):
    writer = store.journals.open_writer()
    writer.append("before", {})
    with broken("write", store.root / "journals", failing(errno.EIO)), pytest.raises(OSError):
        writer.append("lost", {})
    with broken("fdatasync", store.root / "journals", lambda real, fd: real(fd)) as calls:
        writer.append("after", {})
        writer.flush()
    assert [Path(call).name for call in calls] == [
        f"{writer.writer}.facts.{number}.jsonl" for number in (0, 1)
    ]


def test_a_segment_that_cannot_be_synced_when_left_spoils_the_flush(store: LocalStore):
    writer = store.journals.open_writer()
    writer.append("before", {})
    with broken("write", store.root / "journals", failing(errno.ENOSPC)), pytest.raises(OSError):
        writer.append("lost", {})
    with broken("fdatasync", store.root / "journals", failing(errno.EIO)):
        writer.append("after", {})
        with pytest.raises(OSError):
            writer.flush()


@pytest.mark.parametrize(
    ("call", "place"),
    [("fsync", "tmp"), ("rename", "tmp"), ("write", "tmp"), ("link", "tmp"), ("open", "tmp")],
)
def test_an_error_of_the_disk_leaves_the_old_or_the_new(store: LocalStore, call: str, place: str):
    store.refs.set("best", "old", expect=0)
    for nth in range(1, 4):
        with broken(call, store.root / place, failing(errno.EIO, nth=nth)):
            for act in (lambda: store.blobs.put(b"abc"), lambda: store.refs.set("best", "new", expect=1)):
                try:
                    act()
                except (OSError, RefConflictError):
                    continue
        assert [found.value for found in store.refs.history("best")] in (["old"], ["old", "new"])
        assert not [name for name in store.blobs.names() if store.blobs.verify(name)]
        assert os.listdir(store.root / "tmp") == []
    assert store.blobs.read(store.blobs.put(b"abc")) == b"abc"


def test_a_link_whose_answer_got_lost_has_won(store: LocalStore):
    def lose_the_answer(real, *arguments):
        real(*arguments)
        raise OSError(errno.EIO, "the answer got lost")

    with broken("link", store.root / "tmp", lose_the_answer):
        assert store.refs.set("best", 1, expect=0).version == 1
    assert len(store.refs.history("best")) == 1


def test_every_directory_that_a_ref_relies_on_is_synced(store: LocalStore):
    with broken("fsync", store.root, lambda real, fd: real(fd)) as calls:
        for version in range(2):
            store.refs.set("best", version, expect=version)
            assert {str(store.root / "refs"), str(store.root / "refs/best")} <= set(calls)
            calls.clear()


# 8


def test_fifty_races_of_two_processes_have_one_winner_each(store: LocalStore):
    assert_one_winner(store.refs, in_processes, racers=2, versions=50)
    print("50 races of 2 processes")


def test_races_of_sixteen_threads_have_one_winner_each(tmp_path: Path):
    store = LocalStore(tmp_path)
    store.prepare("race")
    assert_one_winner(store.refs, in_threads, racers=16, versions=20)
    print("20 races of 16 threads")


# A fork


def test_a_forked_child_can_hash_what_its_parent_hashed_with_threads(store: LocalStore, tmp_path: Path):
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    name = store.blobs.put(tmp_path / "large")

    def work(_):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a handler in Python would never get its turn
        signal.alarm(10)
        return store.blobs.put(tmp_path / "large"), store.blobs.verify(name)

    assert Child(work).result() == [name, None]


# 17


def test_rot_is_found_wherever_it_is(store: LocalStore, rng: random.Random):
    writer = store.journals.open_writer()
    for index in range(20):
        writer.append("noted", {"index": index, "text": "松" * 20})
    name = store.blobs.put(rng.randbytes(5000))
    store.refs.set("best", {"run": "r-1", "accuracy": 0.75}, expect=0, actor="jay")
    segment = store.journals.segments()[0]
    layout = FileLayout(store)
    verifiers = {
        f"journals/{segment}": lambda: list(store.journals.verify(segment)),
        blob_place(name): lambda: [store.blobs.verify(name)],
        "refs/best/000001": lambda: list(store.refs.verify()),
    }
    flips = 0
    for place, verify in verifiers.items():
        sound = layout.get(place)
        for _ in range(340):
            at, bit = rng.randrange(len(sound)), 1 << rng.randrange(8)
            layout.set(place, sound[:at] + bytes([sound[at] ^ bit]) + sound[at + 1 :])
            found = verify()
            assert found, (place, at, bit)
            assert found[0] is not None, (place, at, bit)
            assert found[0].file.endswith(place)
            line = sound.rfind(b"\n", 0, at) + 1 if place.startswith("journals") else 0
            assert found[0].offset == line, (place, at, bit)
            flips += 1
        layout.set(place, sound)
    print(f"{flips} flips")
    assert flips >= 1000


# 18


@pytest.mark.parametrize("how", ["a directory", "garbage", "empty"])
def test_one_unreadable_journal_hides_no_other(store: LocalStore, how: str):
    for index in range(100):
        store.journals.open_writer().append("noted", {"index": index})
    bad = store.journals.segments()[50]
    path = store.root / "journals" / bad
    path.unlink()
    if how == "a directory":
        path.mkdir()
    else:
        path.write_bytes(os.urandom(3000) + b"\n" if how == "garbage" else b"")
    shown, refused = 0, []
    for segment in store.journals.segments():
        try:
            shown += any(event.kind == "noted" for event, _ in store.journals.read(segment))
        except OSError:
            refused.append(segment)
    told = {segment for segment, _ in damage(store)}
    print(f"{shown} of 100 shown, told: {told}")
    assert shown == 99
    assert refused == ([bad] if how == "a directory" else [])
    assert told == (set() if how == "empty" else {bad})


# 24


def test_eighty_names_stay_inside(store: LocalStore, tmp_path: Path):
    for name in STRANGE_NAMES:
        store.refs.set(name, 1, expect=0)
    for refuse, names in ((store.refs.get, REFUSED_NAMES), (store.blobs.read, BAD_NAMES)):
        for name in names:
            with pytest.raises(StoreError):
                refuse(name)
    count = len(STRANGE_NAMES) + len(REFUSED_NAMES) + len(BAD_NAMES)
    print(f"{count} names")
    assert count >= 80
    assert len(store.refs.names()) == len(STRANGE_NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(alphabet=st.characters(), max_size=70) | st.text(alphabet="./\\%\0~ \udc80", max_size=10))
def test_any_name_is_escaped_or_refused(store: LocalStore, name: str):
    before = len(store.refs.history(name)) if name in store.refs.names() else 0
    try:
        store.refs.set(name, name.encode(errors="replace").hex(), expect=before)
    except StoreError as error:
        assert not isinstance(error, RefConflictError)
        assert not name or len(name.encode(errors="surrogatepass")) * 3 > 200
        return
    assert name in store.refs.names(name)
    assert sorted(path.name for path in store.root.iterdir()) == PARTS
