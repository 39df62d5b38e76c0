"""What an attempt left: its outs in the store, its metrics read, and what the driver need not hash again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.errors import ExecuteError
from pinyon.execute import tree
from pinyon.execute.node import metrics
from pinyon.execute.protocol import SpecOut, StatNote
from pinyon.model.outcome import Output
from pinyon.store.protocol import Blobs

Stamp = tuple[int, int, int, int] | None  # of a file, see `tree.fingerprint`; None: it is not there

INLINE = 4 << 20  # bytes that may be hashed between two events of the loop


class MissingOutError(ExecuteError):
    """The command succeeded and left no such out."""


class Collected(NamedTuple):
    """Outs as recorded, numbers of metrics files, [file, reason] of those that were not read, notes for the driver,
    and the blobs that are new."""

    outs: tuple[Output, ...]
    metrics: dict[str, Any]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[StatNote, ...]
    blobs: tuple[str, ...]


def is_small(paths: Iterable[str]) -> bool:
    """Whether these are only files, and so few bytes that the loop may handle them itself."""
    total = 0
    for path in paths:
        if os.path.isdir(path):
            return False
        try:
            total += os.stat(path).st_size
        except OSError:
            continue
    return total <= INLINE


def is_stored(out: SpecOut, mode: str) -> bool:
    """Whether the bytes of an out are kept: metrics and plots always, ``cache: false`` outs only when isolated, where
    nothing else would keep them."""
    return out.cache or out.role != "out" or mode != "in place"


def collect(base: str, outs: Iterable[SpecOut], mode: str, blobs: Blobs) -> Collected:
    """Store the outs under ``base``.

    Raises:
        MissingOutError: one is not there.
        ExecuteError, OSError: one cannot be kept.
    """
    collector = _Collector(blobs, relative=mode == "in place")
    rows: list[Output] = []
    numbers: dict[str, Any] = {}
    skipped: list[tuple[str, str]] = []
    for out in outs:
        full = os.path.join(base, out.path)
        if not os.path.exists(full):
            raise MissingOutError(
                f"the command succeeded but left no '{out.path}'", next="write it, or take it out of outs"
            )
        rows.append(collector.take(out, full, is_stored(out, mode)))
        if out.role == "metric" and metrics.readable(out.path):
            try:
                numbers.update(metrics.read(full))
            except ValueError as error:
                skipped.append((out.path, str(error)))
    return Collected(tuple(rows), numbers, tuple(skipped), tuple(collector.notes), tuple(collector.blobs))


def stamps(base: str, paths: Iterable[str]) -> dict[str, Stamp]:
    """What files look like now, by path relative to ``base``; None for one that is not there."""
    return {path: _stamp(os.path.join(base, path)) for path in paths}


def noticed(base: str, before: Mapping[str, Stamp]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Numbers of those files that were written since ``before``, and (file, reason) of those that cannot be read."""
    numbers: dict[str, Any] = {}
    skipped: list[tuple[str, str]] = []
    for path, stamp in before.items():
        full = os.path.join(base, path)
        if _stamp(full) not in (None, stamp):
            try:
                numbers.update(metrics.read(full))
            except ValueError as error:
                skipped.append((path, str(error)))
    return numbers, skipped


def _stamp(path: str) -> Stamp:
    try:
        return tree.fingerprint(os.stat(path))
    except OSError:
        return None


class _Collector:
    """Names files, stores them when asked to, and remembers which of them nobody touched meanwhile."""

    def __init__(self, blobs: Blobs, relative: bool) -> None:
        self._blobs = blobs
        self._noting = relative  # a workspace's files are nobody's to look up later
        self.notes: list[StatNote] = []
        self.blobs: list[str] = []

    def take(self, out: SpecOut, full: str, stored: bool) -> Output:
        content = tree.describe(full, self._namer(out.path, self._store if stored else tree.name_file))
        if stored and content.manifest is not None:
            self.blobs.append(self._blobs.put(content.manifest))
        return Output(out.path, content.name, content.size, content.executable, stored)

    def _store(self, file: tree.File) -> str:
        name = self._blobs.put(Path(file.full))
        self.blobs.append(name)
        return name

    def _namer(self, top: str, name: Callable[[tree.File], str]) -> Callable[[tree.File], str]:
        def named(file: tree.File) -> str:
            began = time.time_ns()
            found = name(file)
            if self._noting and tree.fingerprint(os.stat(file.full)) == file.fingerprint:
                path = f"{top}/{file.path}" if file.path else top
                self.notes.append(StatNote(path, found, file.fingerprint, began))
            return found

        return named
