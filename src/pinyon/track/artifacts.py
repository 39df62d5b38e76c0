"""Bytes that a run keeps: files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.errors import TrackError

if TYPE_CHECKING:
    from pinyon.store.blobs import LocalBlobs
    from pinyon.track.sink import Sink


def blobs_of(sink: Sink) -> LocalBlobs:
    """The bytes of the store.

    Raises:
        TrackError: there is no blake3, which a run that only logs can do without.
    """
    try:
        from pinyon.store.blobs import LocalBlobs
    except ModuleNotFoundError as error:
        raise TrackError("nothing can be kept", why=str(error), next="pip install blake3") from error
    return LocalBlobs(Path(sink.store))


def keep(
    sink: Sink, source: str | os.PathLike[str] | bytes, name: str, role: str, about: dict[str, Any]
) -> str:
    """Store and record; the digest, "" if the disk refused.

    Raises:
        TrackError: there is nothing to keep, or no name for it.
    """
    path = "" if isinstance(source, (bytes, bytearray)) else os.fspath(source)
    name = name or os.path.basename(os.path.normpath(path)) if path else name
    if not name:
        raise TrackError("bytes need a name", next='run.artifact(data, name="notes.txt")')
    if path and not os.path.exists(path):
        raise TrackError("there is no such file to keep", where=path, next="write it first")
    try:
        digest, size = _put(
            blobs_of(sink), path, bytes(source) if isinstance(source, (bytes, bytearray)) else b""
        )
        body = {
            "name": name,
            "path": path or name,
            "digest": digest,
            "size": size,
            "role": role,
            "about": about,
        }
        sink.commit("artifact", body)
    except OSError as error:
        sink.once(f"artifact {name}", f"artifact '{name}' could not be kept: {error}")
        return ""
    return digest


def _put(blobs: LocalBlobs, path: str, data: bytes) -> tuple[str, int]:
    if not path:
        return blobs.put(data), len(data)
    if not os.path.isdir(path):
        digest = blobs.put(Path(path))
        return digest, blobs.size(digest)
    from pinyon.store.tree import Row, encode

    rows = []
    for relative, full in _files(path):
        digest = blobs.put(Path(full))
        rows.append(Row(relative, digest, blobs.size(digest), os.access(full, os.X_OK)))
    return blobs.put(encode(rows)) + "/", sum(row.size for row in rows)


def _files(path: str) -> Iterator[tuple[str, str]]:
    """Files of a folder as manifests count them (docs/FORMAT.md §2): relative posix path, and where it lies."""
    for folder, inner, files in os.walk(path, followlinks=True):
        inner[:] = [one for one in inner if one != "__pycache__"]
        for file in files:
            full = os.path.join(folder, file)
            yield os.path.relpath(full, path).replace(os.sep, "/"), full
