"""Data that a pointer names, from the store into the project."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from pinyon.errors import PlanError
from pinyon.execute import data, tree
from pinyon.execute.observe import name_files
from pinyon.execute.protocol import StatNote
from pinyon.execute.restore import restore
from pinyon.execute.statcache import StatCache
from pinyon.execute.virtual import VirtualTree
from pinyon.model.outcome import Output
from pinyon.model.project import Pointer
from pinyon.spec.pointer import all_pointers, find_pointers, read_pointer
from pinyon.store import tree as manifests
from pinyon.store.place import POINTER
from pinyon.store.protocol import Blobs, Store

KIND = "pinyon"
_BACKDATED = 2_000_000_000  # ns


def fetch(store: Store, root: Path, pointers: Iterable[Pointer], stats: StatCache) -> list[Pointer]:
    """Put data where its pointer stands, verified, whole or not at all; gives those that were put.

    What lies there already goes into the store first, as somebody's edit.

    Raises:
        PlanError: the store lacks bytes of one; nothing has been written.
        CorruptError: stored bytes differ from their name; what was there is as it was.
    """
    ours = [pointer for pointer in pointers if pointer.kind == KIND]
    refuse_missing(store.blobs, ours)
    for pointer in ours:
        restore(store.blobs, root, Output(pointer.path, pointer.digest, pointer.size or 0))
        _learn(store.blobs, root, pointer, stats)
    return ours


def restore_data(
    store: Store, root: Path, paths: Iterable[str], stats: StatCache, *, dry_run: bool = False
) -> list[tuple[Pointer, str]]:
    """Put back the data of the pointers at, in and above these paths, or of all.

    Named ones are put back even if what lies there was changed, which goes into the store first; otherwise only absent
    ones are. Gives every pointer with what was there: ``same``, ``changed`` or ``absent``.

    Raises:
        PlanError: a path that no pointer names, or the store lacks the bytes; nothing has been written.
    """
    named = list(paths)
    for path in named:
        if not find_pointers(root, [path.removesuffix(POINTER)]):
            raise PlanError("no pointer names this", where=path, next=f"pinyon add {path}")
    found = (
        find_pointers(root, [path.removesuffix(POINTER) for path in named])
        if named
        else tuple(read_pointer(root, file) for file in all_pointers(root))
    )
    rows = [(one, data.state(root, one, stats, reading=True)) for one in found]
    todo = [one for one, was in rows if was == "absent" or (named and was == "changed")]
    if dry_run:
        refuse_missing(store.blobs, todo)
    else:
        fetch(store, root, todo, stats)
    return rows


def refuse_missing(blobs: Blobs, pointers: Iterable[Pointer]) -> None:
    """Raise `PlanError` for a pointer whose bytes this store cannot give."""
    for pointer in pointers:
        absent = blobs.missing([pointer.digest])
        if not absent and pointer.digest.endswith("/"):
            absent = blobs.missing(row.name for row in manifests.decode(blobs.read(pointer.digest)))
        if absent:
            raise PlanError(
                f"{pointer.path} is not here, and the store does not have its bytes",
                where=str(pointer.origin),
                why=f"no bytes for {min(absent)}"
                + (f" and {len(absent) - 1} more" if len(absent) > 1 else ""),
                next=f"put the data at {pointer.path}, or copy the store of somebody who added it",
            )


def _learn(blobs: Blobs, root: Path, pointer: Pointer, stats: StatCache) -> None:
    """What has just been verified need not be hashed again."""
    began, top = time.time_ns(), os.path.join(root, pointer.path)
    for file in tree.walk(top):
        # Dated back, so that a write in the same tick of the clock as the copy still shows in the mtime.
        then = file.mtime - _BACKDATED
        os.utime(file.full, ns=(then, then))
    names = {"": pointer.digest}
    if pointer.digest.endswith("/"):
        names = {row.path: row.name for row in manifests.decode(blobs.read(pointer.digest))}
    stats.learn(
        StatNote(data.key(root, file), names[file.path], file.fingerprint, began) for file in tree.walk(top)
    )


def imagine_fetched(
    root: Path, blobs: Blobs, sources: Iterable[str], pointers: Iterable[Pointer], stats: StatCache
) -> dict[str, str]:
    """What these sources would be once the data has been fetched: names by path, of those that it touches.

    Raises:
        PlanError: as `fetch`.
    """
    ours = [pointer for pointer in pointers if pointer.kind == KIND]
    refuse_missing(blobs, ours)
    found: dict[str, str] = {}
    for source in sources:
        touching = [one for one in ours if _touch(one.path, source)]
        if not touching:
            continue
        laid = VirtualTree(blobs)
        for output in _present(root, source, stats):
            laid.lay(output)
        for pointer in touching:
            laid.lay(Output(pointer.path, pointer.digest, pointer.size or 0))
        found |= laid.names([source])
    return found


def _touch(path: str, source: str) -> bool:
    return path == source or path.startswith(f"{source}/") or source.startswith(f"{path}/") or source == "."


def _present(root: Path, source: str, stats: StatCache) -> list[Output]:
    """Every file at or in a source as it lies there now."""
    top = os.path.join(root, source)
    files = list(tree.walk(top)) if os.path.exists(top) else []
    names = name_files(str(root), files, stats, tree.name_file)
    return [
        Output(
            f"{source}/{file.path}" if file.path else source,
            names[file.full],
            file.size,
            file.executable,
        )
        for file in files
    ]
