"""Readers of journals that break a rule of FORMAT §3."""

# ruff: noqa: ARG002 - a fake takes what the protocol gives, and may ignore it

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinyon.model.event import DRIVER_KINDS, SUPERVISOR_KINDS, Event
from pinyon.store.journal import LocalJournals, LocalJournalWriter
from pinyon.store.lines import decode
from pinyon.store.protocol import Damage
from pinyon.testing.fakes.base import breaks


def _event(line: bytes) -> Event | None:
    record = decode(line)
    return None if record is None else Event(*(record[field] for field in Event._fields))


@breaks("test_journal_gives_back_what_was_appended")
class _DropsUnknownKinds(LocalJournals):
    """What this version does not know is not there."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        known = {"opened", "closed", *DRIVER_KINDS, *SUPERVISOR_KINDS}
        return (found for found in super().read(segment, offset) if found[0].kind in known)


@breaks("test_journal_gives_back_what_was_appended")
class _SplitsLinesAsText(LocalJournals):
    """U+2028 in a text ends the line."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        for line in (self._dir / segment).read_text(errors="replace").splitlines():
            if (event := _event(line.encode())) is not None:
                yield event, 0


@breaks("test_journal_damage_hides_no_other_record")
class _StopsAtDamage(LocalJournals):
    """Reads up to the first bad line."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        for expected, (event, end) in enumerate(super().read(segment, offset)):
            if event.seq != expected:
                return
            yield event, end


@breaks("test_journal_lost_line_feed_hides_only_its_neighbours")
class _ResumesOneLineLate(LocalJournals):
    """Distrusts the line after a bad one."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        before = -1
        for event, end in super().read(segment, offset):
            if event.seq == before + 1 or event.seq == 0:
                yield event, end
            before = event.seq


@breaks("test_journal_damage_hides_no_other_record")
class _GivesTheOffsetBehind(LocalJournals):
    """Reports where the bad line ends."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage._replace(offset=damage.offset + 1) for damage in super().verify(segment))


@breaks("test_journal_damage_hides_no_other_record")
class _CallsDamageTorn(LocalJournals):
    """All damage is harmless."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage._replace(torn=True) for damage in super().verify(segment))


@breaks("test_journal_torn_tail_is_skipped_and_told")
class _CallsTornDamage(LocalJournals):
    """Every kill looks like rot."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage._replace(torn=False) for damage in super().verify(segment))


@breaks("test_journal_torn_tail_is_skipped_and_told")
class _HidesTornTails(LocalJournals):
    """Skips them and says nothing."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage for damage in super().verify(segment) if not damage.torn)


@breaks("test_journal_torn_tail_is_skipped_and_told")
class _FailsAtTornTails(LocalJournals):
    """A half line ends the reading with an error."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        yield from super().read(segment, offset)
        json.loads((self._dir / segment).read_bytes().splitlines()[-1])


@breaks("test_journal_edits_are_found_by_the_chain")
class _SkipsTheChain(LocalJournals):
    """A record whose crc is right is the right record."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage for damage in super().verify(segment) if "chain" not in damage.what)


@breaks("test_journal_missing_and_foreign_segments_are_found")
class _MissesMissingSegments(LocalJournals):
    """Each file by itself."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage for damage in super().verify(segment) if "missing" not in damage.what)


@breaks("test_journal_missing_and_foreign_segments_are_found")
class _TrustsFileNames(LocalJournals):
    """Does not look whose records stand in a file."""

    def verify(self, segment: str) -> Iterator[Damage]:
        return (damage for damage in super().verify(segment) if "in a file of" not in damage.what)


@breaks("test_journal_misshapen_records_hide_nothing")
class _TrustsShapes(LocalJournals):
    """A field that is absent ends the reading with an error."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        for line in (self._dir / segment).read_bytes().splitlines():
            if (event := _event(line)) is not None:
                yield event, 0


@breaks("test_journal_misshapen_records_hide_nothing")
class _RefusesNewerFormats(LocalJournals):
    """What a newer Pinyon wrote is damage."""

    def verify(self, segment: str) -> Iterator[Damage]:
        yield from super().verify(segment)
        for line in (self._dir / segment).read_bytes().splitlines():
            record = decode(line)
            if record is not None and record.get("v") != 1:
                yield Damage(segment, 0, "another version")


@breaks("test_journal_is_read_from_an_offset")
class _ReadsFromTheBeginning(LocalJournals):
    """Whatever the offset."""

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        return super().read(segment)


@breaks("test_journal_lists_only_segments_of_facts")
class _ListsEveryFile(LocalJournals):
    """Points and rubbish too."""

    def segments(self) -> list[str]:
        return sorted(os.listdir(self._dir)) if self._dir.is_dir() else []


@breaks("test_journal_stamp_moves_when_a_segment_appears")
class _StampsNothing(LocalJournals):
    """Readers never look again."""

    def stamp(self) -> tuple[int, ...]:
        return ()


@breaks("test_journal_writers_are_apart")
class _SharesOneWriter(LocalJournals):
    """All of a process write through one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._shared = super().open_writer()

    def open_writer(self, **about: Any) -> LocalJournalWriter:
        return self._shared
