"""The rules of journals (docs/FORMAT.md §3)."""

from __future__ import annotations

import json
import math
import threading
import time
import zlib
from hashlib import blake2b
from typing import Any

import pytest

from pinyon.errors import StoreError
from pinyon.model.actor import Actor
from pinyon.model.event import Event
from pinyon.model.ids import this_process
from pinyon.store.authors import author_of
from pinyon.store.protocol import Damage, Store
from pinyon.testing.case import StoreCase
from pinyon.testing.processes import Child

_BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"text": 'quote " backslash \\ slash / newline \n null \0 松 🌰 \u2028\u2029\x85\ufeff \x7f'},
    {"surrogate": "\ud800 \udcff", "key \ud800": 1},
    {"crc": "00000000", "nested": {"crc": ',"crc":"00000000"}'}},
    {"numbers": [0, -1, 2**70, 0.1, 1e-320, 1e300, True, None], "deep": [[[[{"a": [{}]}]]]]},
    {"v": 2, "seq": -1, "writer": "w-other", "prev": "", "body": {}},
)


def segment_of(writer: str, number: int = 0) -> str:
    """The name of a writer's segment."""
    return f"{writer}.facts.{number}.jsonl"


def sealed(record: dict[str, Any]) -> bytes:
    """A line with its crc and line feed, made by the letter of FORMAT §3 and by nothing else."""
    data = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    return data + f',"crc":"{zlib.crc32(data):08x}"}}\n'.encode()


class JournalContract(StoreCase):
    """One test per rule."""

    def lines(self, store: Store, segment: str) -> list[bytes]:
        """The stored lines of a segment, each with its line feed."""
        return self.layout(store).get(f"journals/{segment}").splitlines(keepends=True)

    def rewrite(self, store: Store, segment: str, *lines: bytes) -> None:
        """Put other lines in the segment's place."""
        self.layout(store).set(f"journals/{segment}", b"".join(lines))

    def written(self, store: Store, count: int = 6) -> str:
        """The segment of a writer that has appended some records and not closed."""
        writer = store.journals.open_writer(user="jay")
        for index in range(count - 1):
            writer.append("noted", {"index": index, "text": "x" * 20})
        return segment_of(writer.writer)

    def test_journal_line_is_as_the_format_says(self, store: Store) -> None:
        """Every field, the chain and the crc, computed here by other code."""
        segment = self.written(store)
        prev = b""
        for seq, line in enumerate(self.lines(store, segment)):
            record = json.loads(line)
            assert list(record) == ["v", "writer", "seq", "kind", "ts", "prev", "body", "crc"]
            assert (record["v"], segment_of(record["writer"]), record["seq"]) == (1, segment, seq)
            assert record["prev"] == blake2b(prev, digest_size=16).hexdigest()
            covered = line[: line.rindex(b',"crc"')]
            assert record["crc"] == f"{zlib.crc32(covered):08x}"
            prev = line.removesuffix(b"\n")

    def test_journal_begins_with_opened(self, store: Store) -> None:
        """The first record of each segment says which process writes it, for whom, with which Pinyon."""
        writer = store.journals.open_writer(user="jay", actor=Actor("agent", "jay"), project="p")
        writer.append("noted", {})
        writer.close()
        writer.append("noted", {})
        for number in (0, 1):
            first = next(store.journals.read(segment_of(writer.writer, number)))[0]
            assert first.kind == "opened"
            assert first.body.keys() >= {"process", "user", "pinyon"}
            assert first.body["process"] == list(this_process())
            assert first.body["user"] == "jay"
            assert (first.body["actor"], first.body["project"]) == ({"kind": "agent", "name": "jay"}, "p")
            who = author_of(store.journals, segment_of(writer.writer, number))
            assert who == (("agent", "jay"), "p")

    def test_journal_without_a_record_leaves_no_file(self, store: Store) -> None:
        """Opened and closed is nothing; a no-op creates no journal."""
        store.journals.open_writer().close()
        assert store.journals.segments() == []
        assert store.journals.stamp() == store.journals.stamp()

    def test_journal_gives_back_what_was_appended(self, store: Store) -> None:
        """Bodies with every kind of text and number, and kinds nobody knows; append returns what read returns."""
        writer = store.journals.open_writer()
        made = [writer.append(f"kind {index} 松", body) for index, body in enumerate(_BODIES)]
        found = [event for event, _ in store.journals.read(segment_of(writer.writer))]
        assert [event.seq for event in found] == list(range(len(_BODIES) + 1))
        assert found[1:] == made
        assert [event.body for event in made] == list(_BODIES)

    def test_journal_carries_ten_megabytes_in_one_record(self, store: Store) -> None:
        """And the record after it."""
        writer = store.journals.open_writer()
        big, after = writer.append("big", {"text": "松\n" * 2_500_000}), writer.append("after", {})
        found = [event for event, _ in store.journals.read(segment_of(writer.writer))]
        assert found[1:] == [big, after]
        assert not list(store.journals.verify(segment_of(writer.writer)))

    def test_journal_spells_nan_and_infinity_as_text(self, store: Store) -> None:
        """Every line is JSON by the letter, which has neither."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        writer = store.journals.open_writer()
        writer.append("odd", {"m": [math.nan, {"a": math.inf, "b": (-math.inf,)}], "ok": 0.5})
        records = [
            json.loads(line, parse_constant=refuse) for line in self.lines(store, segment_of(writer.writer))
        ]
        assert records[1]["body"] == {"m": ["NaN", {"a": "Infinity", "b": ["-Infinity"]}], "ok": 0.5}

    def test_journal_refuses_what_is_not_json_and_goes_on(self, store: Store) -> None:
        """A body that cannot be encoded raises and leaves neither a gap nor half a line."""
        writer = store.journals.open_writer()
        writer.append("noted", {})
        with pytest.raises(TypeError):
            writer.append("bad", {"x": object()})
        assert writer.append("noted", {}).seq == 2
        assert not list(store.journals.verify(segment_of(writer.writer)))

    def test_journal_seq_and_chain_cross_segments(self, store: Store) -> None:
        """After closed the writer goes on in the next segment, and numbers and chain go on with it."""
        writer = store.journals.open_writer()
        for _ in range(3):
            writer.append("noted", {})
            writer.close()
        segments = [segment_of(writer.writer, number) for number in range(3)]
        assert store.journals.segments() == segments
        events = [event for segment in segments for event, _ in store.journals.read(segment)]
        assert [(event.seq, event.kind) for event in events] == list(
            enumerate(("opened", "noted", "closed") * 3)
        )
        prev = b""
        for line in (line for segment in segments for line in self.lines(store, segment)):
            assert json.loads(line)["prev"] == blake2b(prev, digest_size=16).hexdigest()
            prev = line.removesuffix(b"\n")

    def test_journal_never_goes_on_behind_what_others_wrote(self, store: Store) -> None:
        """A tail torn after closing stays as it is; the next record stands whole in a segment of its own."""
        writer = store.journals.open_writer()
        writer.append("noted", {})
        writer.close()
        self.rewrite(
            store,
            segment_of(writer.writer),
            torn := b"".join(self.lines(store, segment_of(writer.writer))) + b'{"v":1',
        )
        after = writer.append("after", {})
        assert self.layout(store).get(f"journals/{segment_of(writer.writer)}") == torn
        assert [event for event, _ in store.journals.read(segment_of(writer.writer, 1))][-1] == after
        assert [
            damage.torn for segment in store.journals.segments() for damage in store.journals.verify(segment)
        ] == [True]

    def test_journal_writers_are_apart(self, store: Store) -> None:
        """Each has its own id, file and numbers, however their appends interleave."""
        writers = [store.journals.open_writer() for _ in range(3)]
        for _ in range(5):
            for writer in writers:
                writer.append("noted", {"by": writer.writer})
        assert store.journals.segments() == sorted(segment_of(writer.writer) for writer in writers)
        for writer in writers:
            events = [event for event, _ in store.journals.read(segment_of(writer.writer))]
            assert [event.seq for event in events] == list(range(6))
            assert all(event.body["by"] == writer.writer for event in events[1:])

    def test_journal_refuses_a_forked_child(self, store: Store) -> None:
        """The child gets a StoreError, the file nothing; the parent goes on."""
        writer = store.journals.open_writer()
        writer.append("noted", {})

        def child(_: object) -> str:
            try:
                writer.append("child", {})
            except StoreError:
                return "refused"
            return "taken"

        assert Child(child).result() == "refused"
        writer.append("noted", {})
        assert [event.kind for event, _ in store.journals.read(segment_of(writer.writer))] == [
            "opened",
            "noted",
            "noted",
        ]

    def test_journal_record_survives_the_death_of_its_process(self, store: Store) -> None:
        """As soon as append has returned, without flush."""

        def child(tell: Any) -> None:
            writer = store.journals.open_writer()
            tell([writer.append("noted", {"index": index}).seq for index in range(20)])
            threading.Event().wait()  # and writes nothing more, which could push a buffer out

        process = Child(child)
        acknowledged = process.first()
        process.kill()
        process.lines()
        (segment,) = store.journals.segments()
        seqs = [event.seq for event, _ in store.journals.read(segment)]
        assert acknowledged[-1] == 20
        assert seqs == list(range(len(seqs)))
        assert len(seqs) > 20

    def test_journal_torn_tail_is_skipped_and_told(self, store: Store) -> None:
        """The last line cut at every length: all before it is read, and it is reported, once, as torn."""
        segment = self.written(store)
        lines = self.lines(store, segment)
        for cut in range(1, len(lines[-1])):
            self.rewrite(store, segment, *lines[:-1], lines[-1][:cut])
            assert [event.seq for event, _ in store.journals.read(segment)] == list(range(len(lines) - 1))
            self._assert_damage(store, segment, offset=sum(map(len, lines[:-1])), torn=True)

    def test_journal_damage_hides_no_other_record(self, store: Store) -> None:
        """A flip of any byte in a line: the others are read, and the line is reported with its offset."""
        segment = self.written(store)
        lines = self.lines(store, segment)
        for index in (0, 2, len(lines) - 2):
            for at in range(len(lines[index]) - 1):
                bad = bytearray(lines[index])
                bad[at] ^= 1
                self.rewrite(store, segment, *lines[:index], bytes(bad), *lines[index + 1 :])
                expected = [seq for seq in range(len(lines)) if seq != index]
                assert [event.seq for event, _ in store.journals.read(segment)] == expected
                self._assert_damage(store, segment, offset=sum(map(len, lines[:index])))

    def test_journal_lost_line_feed_hides_only_its_neighbours(self, store: Store) -> None:
        """Two lines that became one are one damage."""
        segment = self.written(store)
        lines = self.lines(store, segment)
        self.rewrite(store, segment, *lines[:2], lines[2][:-1] + b"\x0b", *lines[3:])
        assert [event.seq for event, _ in store.journals.read(segment)] == [0, 1, 4, 5]
        self._assert_damage(store, segment, offset=sum(map(len, lines[:2])))

    def _assert_damage(self, store: Store, segment: str, *, offset: int, torn: bool = False) -> Damage:
        (found,) = store.journals.verify(segment)
        assert found.file.endswith(segment)
        assert (found.offset, found.torn) == (offset, torn)
        return found

    def test_journal_edits_are_found_by_the_chain(self, store: Store) -> None:
        """A changed record with a crc of its own, a deleted one, two exchanged, one twice."""
        segment = self.written(store)
        lines = self.lines(store, segment)
        changed = json.loads(lines[2])
        del changed["crc"]
        changed["body"]["index"] = 99
        for edited in (
            [*lines[:2], sealed(changed), *lines[3:]],
            [*lines[:2], *lines[3:]],
            lines[1:],
            [*lines[:2], lines[3], lines[2], *lines[4:]],
            [*lines[:3], lines[2], *lines[3:]],
        ):
            self.rewrite(store, segment, *edited)
            assert list(store.journals.verify(segment))

    def test_journal_missing_and_foreign_segments_are_found(self, store: Store) -> None:
        """A segment deleted between two others, and the files of two writers exchanged."""
        writer = store.journals.open_writer()
        for _ in range(3):
            writer.append("noted", {})
            writer.close()
        one, two = segment_of(writer.writer, 0), self.written(store)
        assert not [damage for name in store.journals.segments() for damage in store.journals.verify(name)]
        own, other = self.lines(store, one), self.lines(store, two)
        self.rewrite(store, one, *other)
        self.rewrite(store, two, *own)
        assert list(store.journals.verify(one))
        assert list(store.journals.verify(two))
        self.rewrite(store, one, *own)
        self.layout(store).remove(f"journals/{segment_of(writer.writer, 1)}")
        assert list(store.journals.verify(segment_of(writer.writer, 2)))

    def test_journal_misshapen_records_hide_nothing(self, store: Store) -> None:
        """Lines whose crc is right and whose content is not a record; a record of a newer format is no damage."""
        segment = self.written(store)
        lines = self.lines(store, segment)
        record = {key: value for key, value in json.loads(lines[-1]).items() if key != "crc"}
        shapes: list[dict[str, Any]] = [
            {},
            {"v": 1},
            {"v": "1"},
            {**record, "seq": "7"},
            {**record, "body": []},
        ]
        for shape in shapes:
            self.rewrite(store, segment, *lines, sealed(shape), *lines[-1:])
            assert [event.seq for event, _ in store.journals.read(segment)][: len(lines)] == list(
                range(len(lines))
            )
            assert list(store.journals.verify(segment))
        self.rewrite(store, segment, *lines, sealed({"v": 2, "new": True}))
        assert len(list(store.journals.read(segment))) == len(lines)
        assert not list(store.journals.verify(segment))

    def test_journal_is_read_from_an_offset(self, store: Store) -> None:
        """Each record comes with the offset behind it, from which reading goes on; growth is seen."""
        writer = store.journals.open_writer()
        for index in range(5):
            writer.append("noted", {"index": index})
        segment = segment_of(writer.writer)
        found = list(store.journals.read(segment))
        for index, (_, end) in enumerate(found):
            assert list(store.journals.read(segment, end)) == found[index + 1 :]
        assert found[-1][1] == store.journals.size(segment) == sum(map(len, self.lines(store, segment)))
        made = writer.append("more", {})
        assert [event for event, _ in store.journals.read(segment, found[-1][1])] == [made]

    def test_journal_lists_only_segments_of_facts(self, store: Store) -> None:
        """Points and rubbish are not facts; what is absent has size 0 and no records."""
        segment = self.written(store)
        for other in ("w-1.points.0.jsonl", "notes.txt", f"{segment}.tmp", ".hidden"):
            self.layout(store).set(f"journals/{other}", b"rubbish\n")
        assert store.journals.segments() == [segment]
        assert store.journals.size("w-0.facts.0.jsonl") == 0
        assert not list(store.journals.read("w-0.facts.0.jsonl"))

    def test_journal_stamp_moves_when_a_segment_appears(self, store: Store) -> None:
        """And stays when only records do. A file system's clock moves in steps, so the looks stand apart."""
        stamps = [store.journals.stamp()]
        for _ in range(3):
            time.sleep(0.02)
            writer = store.journals.open_writer()
            writer.append("noted", {})
            stamps.append(store.journals.stamp())
            writer.append("noted", {})
            assert store.journals.stamp() == stamps[-1]
        assert len(set(stamps)) == 4

    def test_journal_ts_is_now(self, store: Store) -> None:
        """Seconds since the epoch, for people; the same in the event that append returns."""
        writer = store.journals.open_writer()
        made: Event = writer.append("noted", {})
        assert made.ts > 1.7e9
        assert [event.ts for event, _ in store.journals.read(segment_of(writer.writer))][-1] == made.ts

    def test_journal_closed_is_the_last_record(self, store: Store) -> None:
        """close says so in the file; closing twice says it once; flush is allowed before, after and without records."""
        writer = store.journals.open_writer()
        writer.flush()
        writer.append("noted", {})
        writer.flush()
        writer.close()
        writer.close()
        writer.flush()
        assert [event.kind for event, _ in store.journals.read(segment_of(writer.writer))] == [
            "opened",
            "noted",
            "closed",
        ]
