"""A Hypothesis state machine over any store: what a model in memory says must be what the store says.

::

    class Machine(StoreMachine):
        def make_store(self, path): …

    TestMachine = Machine.TestCase
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pinyon.errors import CorruptError, RefConflictError
from pinyon.model.event import Event
from pinyon.store.protocol import JournalWriter, Store
from pinyon.testing.journals import segment_of
from pinyon.testing.layout import FileLayout, Layout, blob_place

BYTES = st.binary(max_size=40)
NAMES = st.sampled_from(["best", "claims/1", "../x", ".松", "a b"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


class _Segment:
    """What must be in one segment: the records that can be read, and how many pieces of damage verify must tell."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self.damaged = 0
        self.torn = False


class _Writer:
    """A writer and its segments so far; ``closed``: its next record begins another."""

    def __init__(self, writer: JournalWriter) -> None:
        self.writer = writer
        self.segments: list[_Segment] = []
        self.closed = True


class StoreMachine(RuleBasedStateMachine):
    """Override `make_store`, and `layout` where the store's url is not a directory."""

    def make_store(self, path: Path) -> Store:
        """A new store under ``path``, ready to be written."""
        raise NotImplementedError

    def layout(self, store: Store) -> Layout:
        """The way to the stored bytes."""
        return FileLayout(store)

    @initialize()
    def begin(self) -> None:
        """An empty store and an empty model."""
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.store = self.make_store(self.path / "store")
        self.put_: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {}
        self.refs: dict[str, list[Any]] = {}
        self.writers: list[_Writer] = []

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "directory"):
            for writer in self.writers:
                writer.writer.close()
            self.directory.cleanup()

    # Blobs

    @rule(data=BYTES)
    def put(self, data: bytes) -> None:
        """A put heals only what is shorter or longer than it was."""
        name = self.store.blobs.put(data)
        if len(self.stored.get(name, b"")) != len(data) or name not in self.stored:
            self.stored[name] = data
        self.put_[name] = data

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), bit=st.integers(0, 7))
    def flip_blob(self, data: st.DataObject, bit: int) -> None:
        """One bit of one blob; flipped twice it is sound again."""
        name = data.draw(st.sampled_from(sorted(self.stored)))
        if old := self.stored[name]:
            at = data.draw(st.integers(0, len(old) - 1))
            self.stored[name] = old[:at] + bytes([old[at] ^ 1 << bit]) + old[at + 1 :]
            self.layout(self.store).set(blob_place(name), self.stored[name])

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def cut_blob(self, data: st.DataObject) -> None:
        """A blob loses its end."""
        name = data.draw(st.sampled_from(sorted(self.stored)))
        self.stored[name] = self.stored[name][:-1]
        self.layout(self.store).set(blob_place(name), self.stored[name])

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        """The bytes that were put, or an error; by both ways out."""
        name = data.draw(st.sampled_from(sorted(self.stored)))
        target = self.path / "out"
        target.unlink(missing_ok=True)
        if self.stored[name] == self.put_[name]:
            self.store.blobs.copy_out(name, target)
            assert self.store.blobs.read(name) == target.read_bytes() == self.put_[name]
        else:
            with pytest.raises(CorruptError):
                self.store.blobs.read(name)
            with pytest.raises(CorruptError):
                self.store.blobs.copy_out(name, target)
            assert not target.exists()

    # Refs

    @rule(name=NAMES, value=JSON, off=st.sampled_from([0, 0, 0, -1, 1, 5]))
    def set_ref(self, name: str, value: Any, off: int) -> None:
        """With the right expectation it is the next version; with another, a conflict."""
        newest = len(self.refs.get(name, []))
        if off:
            with pytest.raises(RefConflictError):
                self.store.refs.set(name, value, expect=newest + off)
        else:
            assert self.store.refs.set(name, value, expect=newest).version == newest + 1
            self.refs.setdefault(name, []).append(value)

    # Journals

    @rule()
    def open_writer(self) -> None:
        """Another writer, which has written nothing."""
        self.writers.append(_Writer(self.store.journals.open_writer()))

    @precondition(lambda self: self.writers)
    @rule(data=st.data(), body=BODIES)
    def append(self, data: st.DataObject, body: dict[str, Any]) -> None:
        """In the open segment, or in the next."""
        writer = data.draw(st.sampled_from(self.writers))
        event = writer.writer.append("noted", body)
        if writer.closed:
            segment = _Segment(segment_of(writer.writer.writer, len(writer.segments)))
            segment.events.append(next(self.store.journals.read(segment.name))[0])
            writer.segments.append(segment)
            writer.closed = False
        writer.segments[-1].events.append(event)

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """Closed is a record too; closing twice is closing once."""
        writer = data.draw(st.sampled_from(self.writers))
        writer.writer.close()
        if not writer.closed:
            *_, (last, _) = self.store.journals.read(writer.segments[-1].name)
            writer.segments[-1].events.append(last)
            writer.closed = True

    @precondition(lambda self: any(writer.closed and writer.segments for writer in self.writers))
    @rule(data=st.data(), tail=st.binary(min_size=1, max_size=20).filter(lambda tail: b"\n" not in tail))
    def tear(self, data: st.DataObject, tail: bytes) -> None:
        """Half a line behind a closed segment."""
        closed = [writer for writer in self.writers if writer.closed and writer.segments]
        segment = data.draw(st.sampled_from(closed)).segments[-1]
        place = f"journals/{segment.name}"
        self.layout(self.store).set(place, self.layout(self.store).get(place) + tail)
        segment.torn = True

    @precondition(lambda self: any(writer.closed and writer.segments for writer in self.writers))
    @rule(data=st.data())
    def flip_record(self, data: st.DataObject) -> None:
        """One bit of one record of a closed segment (not of its last, whose chain the next segment carries on)."""
        closed = [writer for writer in self.writers if writer.closed and writer.segments]
        segment = data.draw(st.sampled_from(closed)).segments[-1]
        if segment.damaged:
            return
        lines = self.layout(self.store).get(f"journals/{segment.name}").splitlines(keepends=True)
        index = data.draw(st.integers(0, len(segment.events) - 2))
        line = lines[index]
        at = data.draw(st.integers(0, 10_000)) % (
            len(line) - 1
        )  # the length depends on the clock, the draw must not
        lines[index] = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        self.layout(self.store).set(f"journals/{segment.name}", b"".join(lines))
        del segment.events[index]
        segment.damaged += 1

    # What must always hold

    @invariant()
    def blobs_agree(self) -> None:
        """The same names; verify tells exactly the damaged ones."""
        assert sorted(self.store.blobs.names()) == sorted(self.stored)
        for name, data in self.stored.items():
            assert (self.store.blobs.verify(name) is None) == (data == self.put_[name])

    @invariant()
    def refs_agree(self) -> None:
        """The same names, versions and values."""
        assert self.store.refs.names() == sorted(self.refs)
        for name, values in self.refs.items():
            history = self.store.refs.history(name)
            assert [(found.version, found.value) for found in history] == list(enumerate(values, 1))
            assert self.store.refs.get(name) == history[-1]
        assert not list(self.store.refs.verify())

    @invariant()
    def journals_agree(self) -> None:
        """The same segments and records; verify tells damage and torn tails, and nothing else."""
        segments = [segment for writer in self.writers for segment in writer.segments]
        assert self.store.journals.segments() == sorted(segment.name for segment in segments)
        for segment in segments:
            assert [event for event, _ in self.store.journals.read(segment.name)] == segment.events
            told = [damage.torn for damage in self.store.journals.verify(segment.name)]
            assert told == [False] * segment.damaged + [True] * segment.torn
