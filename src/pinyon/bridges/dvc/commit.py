"""Outs into DVC's cache: without its bytes there DVC does not take a stage for finished."""

from __future__ import annotations

import os
from pathlib import Path

from pinyon.bridges.dvc.cache import place_of
from pinyon.bridges.dvc.hashes import Digest, listing, md5_of
from pinyon.errors import ExecuteError
from pinyon.execute import files
from pinyon.store.copying import copy_bytes


def commit(cache: Path, source: Path, digest: Digest) -> bool:
    """Put a file or folder with this digest into a cache of DVC 3; False when it is there already.

    Raises:
        ExecuteError: it has changed since its digest was taken.
    """
    rows = digest.files if digest.nfiles is not None else (("", digest.md5),)
    new = [_copy(cache, source / path if path else source, md5) for path, md5 in rows]
    if digest.nfiles is not None:
        new.append(_publish(cache, listing(digest.files), digest.md5))
    return any(new)


def _copy(cache: Path, source: Path, md5: str) -> bool:
    target = place_of(cache, md5)
    if target.exists():
        return False
    temporary = _temporary(target)
    try:
        with open(source, "rb", buffering=0) as reader, open(temporary, "xb", buffering=0) as writer:
            copy_bytes(reader.fileno(), writer.fileno())
        if md5_of(temporary) != md5:
            raise ExecuteError("this changed while it was copied to DVC's cache", where=str(source))
        _show(temporary, target)
    finally:
        files.remove(str(temporary))
    return True


def _publish(cache: Path, data: bytes, md5: str) -> bool:
    target = place_of(cache, md5)
    if target.exists():
        return False
    temporary = _temporary(target)
    temporary.write_bytes(data)
    _show(temporary, target)
    return True


def _temporary(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{os.urandom(8).hex()}.tmp")


def _show(temporary: Path, target: Path) -> None:
    os.chmod(temporary, 0o444)  # as DVC's own
    os.rename(temporary, target)
