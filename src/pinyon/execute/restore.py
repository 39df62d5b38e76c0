"""Outs back from the store into the project."""

from __future__ import annotations

import os
from pathlib import Path

from pinyon.errors import CorruptError, MissingBlobError
from pinyon.execute.files import remove
from pinyon.execute.tree import has_tree, put_tree
from pinyon.model.outcome import Output
from pinyon.store import tree
from pinyon.store.disk import rename
from pinyon.store.protocol import Blobs


def restore(blobs: Blobs, root: Path, output: Output) -> None:
    """Put one out where the stage would have written it, verified, old or new but never half.

    What lies there goes into the store first: it may be somebody's edit.

    Raises:
        CorruptError, MissingBlobError: the store cannot give the bytes; the project is as it was.
    """
    target = root / output.path
    fresh = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.pinyon~")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy_to(blobs, output.digest, fresh, executable=output.executable)
        _replace(blobs, fresh, target)
    finally:
        remove(str(fresh))


def copy_to(blobs: Blobs, name: str, target: Path, *, executable: bool = False, link: bool = False) -> None:
    """A file or a folder out of the store, verified, where nothing is yet. ``link``: see `Blobs.copy_out`.

    Raises:
        CorruptError, MissingBlobError: the store cannot give the bytes; of a folder some files may be there.
    """
    if not name.endswith("/"):
        blobs.copy_out(name, target, executable=executable, link=link)
        return
    target.mkdir()
    for row in tree.decode(blobs.read(name)):
        path = target / row.path
        path.parent.mkdir(parents=True, exist_ok=True)
        blobs.copy_out(row.name, path, executable=row.executable, link=link)


def _replace(blobs: Blobs, fresh: Path, target: Path) -> None:
    if os.path.lexists(target):
        if target.exists():
            put_tree(blobs, str(target))
        if target.is_dir() or fresh.is_dir():
            # rename(2) replaces a file by a file only; a directory has to step aside first.
            old = target.with_name(f"{fresh.name}.old")
            rename(target, old)
            rename(fresh, target)
            remove(str(old))
            return
    rename(fresh, target)


def sound(blobs: Blobs, outputs: tuple[Output, ...]) -> bool:
    """Whether every stored byte of these outs still has its name; reads all of it."""
    try:
        for output in outputs:
            if not output.stored:
                continue
            names = [output.digest]
            if output.digest.endswith("/"):
                names += [row.name for row in tree.decode(blobs.read(output.digest))]
            if any(blobs.verify(name) for name in names):
                return False
    except (CorruptError, MissingBlobError):
        return False
    return True


def present(blobs: Blobs, outputs: tuple[Output, ...]) -> bool:
    """Whether the bytes of these outs are in the store; reads nothing but manifests."""
    try:
        return all(has_tree(blobs, output.digest) for output in outputs)
    except (CorruptError, MissingBlobError):
        return False
