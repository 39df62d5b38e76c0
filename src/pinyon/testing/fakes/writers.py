"""Writers of journals that break a rule of FORMAT §3."""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path
from typing import Any

from pinyon.model.event import Event
from pinyon.store.facts import chain
from pinyon.store.journal import LocalJournalWriter
from pinyon.store.lines import encode
from pinyon.testing.fakes.base import breaks


class _Plain(LocalJournalWriter):
    """`record`, `seal` and `emit` are what the fakes change."""

    def record(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        fields = {"writer": self._writer, "seq": self._seq, "kind": kind, "ts": round(time.time(), 6)}
        return {"v": 1, **fields, "prev": self._prev, "body": body}

    def seal(self, record: dict[str, Any]) -> bytes:
        return encode(record)

    def emit(self, data: bytes) -> None:
        os.write(self._fd, data)

    def _write(self, kind: str, body: dict[str, Any]) -> Event:
        record = self.record(kind, body)
        line = self.seal(record)
        self.emit(line + b"\n")
        self._seq += 1
        self._prev = chain(line)
        return Event(self._writer, record["seq"], kind, record["ts"], body)


@breaks("test_journal_line_is_as_the_format_says")
class _ChainsBodies(_Plain):
    """The chain covers what was said, not who said it, nor when."""

    def record(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        self._prev, before = chain(encode(body)), self._prev
        return {**super().record(kind, body), "prev": before}

    def _write(self, kind: str, body: dict[str, Any]) -> Event:
        event = super()._write(kind, body)
        self._prev = chain(encode(body))
        return event


@breaks("test_journal_line_is_as_the_format_says")
class _SumsTheWrongBytes(_Plain):
    """The crc covers itself."""

    def seal(self, record: dict[str, Any]) -> bytes:
        line = encode(record)
        return line[:-10] + b'%08x"}' % zlib.crc32(line)


@breaks("test_journal_begins_with_opened")
class _SkipsOpened(_Plain):
    """Nobody knows which process wrote the file."""

    def _write(self, kind: str, body: dict[str, Any]) -> Event:
        return super()._write("noted", {}) if kind == "opened" else super()._write(kind, body)


@breaks("test_journal_without_a_record_leaves_no_file")
class _OpensAtOnce(LocalJournalWriter):
    """A no-op leaves a file."""

    def __init__(self, directory: Path, user: str) -> None:
        super().__init__(directory, user)
        self._open()


@breaks("test_journal_gives_back_what_was_appended")
class _ReplacesLoneSurrogates(_Plain):
    """File names that are not UTF-8 lose their letters."""

    def seal(self, record: dict[str, Any]) -> bytes:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        return encode(json.loads(text.encode(errors="replace")))


@breaks("test_journal_carries_ten_megabytes_in_one_record")
class _CutsLongRecords(_Plain):
    """Writes what fits into its buffer."""

    def emit(self, data: bytes) -> None:
        super().emit(data[: 1 << 20])


@breaks("test_journal_spells_nan_and_infinity_as_text")
class _WritesBareNan(_Plain):
    """As Python's json does unless told otherwise."""

    def seal(self, record: dict[str, Any]) -> bytes:
        data = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
        return data + b',"crc":"%08x"}' % zlib.crc32(data)


@breaks("test_journal_refuses_what_is_not_json_and_goes_on")
class _CountsWhatItDidNotWrite(LocalJournalWriter):
    """A refused record leaves a gap."""

    def append(self, kind: str, body: dict[str, Any]) -> Event:
        try:
            return super().append(kind, body)
        except TypeError:
            self._seq += 1
            raise


@breaks("test_journal_seq_and_chain_cross_segments")
class _RestartsItsNumbers(LocalJournalWriter):
    """Each segment counts from 0."""

    def _open(self) -> None:
        self._seq = 0
        super()._open()


@breaks("test_journal_seq_and_chain_cross_segments")
class _RestartsItsChain(LocalJournalWriter):
    """A segment can be deleted unnoticed."""

    def _open(self) -> None:
        self._prev = chain(b"")
        super()._open()


@breaks("test_journal_never_goes_on_behind_what_others_wrote")
class _AppendsBehindTheTail(LocalJournalWriter):
    """Resumes in the last file, so that its next record becomes part of the torn line."""

    def _open(self) -> None:
        if self._number < 0:
            super()._open()
        else:
            path = self._directory / f"{self._writer}.facts.0.jsonl"
            self._fd, self._retired = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), False


@breaks("test_journal_refuses_a_forked_child")
class _LetsChildrenWrite(LocalJournalWriter):
    """Two processes, one file, one sequence."""

    def append(self, kind: str, body: dict[str, Any]) -> Event:
        self._process = self._process._replace(pid=os.getpid())
        return super().append(kind, body)


@breaks("test_journal_record_survives_the_death_of_its_process")
class _BuffersRecords(_Plain):
    """Until the buffer is full, or somebody asks for it."""

    _pending = b""

    def emit(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) > 1 << 16:
            self._spill()

    def _spill(self) -> None:
        if self._fd >= 0:
            os.write(self._fd, self._pending)
            self._pending = b""

    def flush(self) -> None:
        self._spill()
        super().flush()


@breaks("test_journal_ts_is_now")
class _CountsFromTheStart(_Plain):
    """Seconds since the process began."""

    def record(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return {**super().record(kind, body), "ts": time.process_time()}


@breaks("test_journal_closed_is_the_last_record")
class _ClosesSilently(LocalJournalWriter):
    """Readers look at the file for ever."""

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._retired = -1, True
