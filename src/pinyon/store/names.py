"""Names of blobs, and where one with a file of its own lies (docs/FORMAT.md §2). Imported at every `pinyon add`: nothing
heavy may come in here."""

from __future__ import annotations

import os
import re

from blake3 import blake3

from pinyon.errors import CorruptError

PREFIX = "blake3:"
_ANY = re.compile(r"blake3:[0-9a-f]{64}/?")
_NAME = re.compile(r"blake3:([0-9a-f]{64})/?")

_threads = blake3.AUTO


def _hash_alone() -> None:
    # A forked child has blake3's pool but not its threads, and would wait for them for ever.
    global _threads
    _threads = 1


os.register_at_fork(after_in_child=_hash_alone)


def hasher() -> blake3:
    """Of a large file's bytes: with every core that this process may use."""
    return blake3(max_threads=_threads)


def name_of(data: bytes) -> str:
    """``blake3:HEX`` of some bytes."""
    return PREFIX + blake3(data).hexdigest()


def name_of_file(path: str | os.PathLike[str]) -> str:
    """``blake3:HEX`` of a file's bytes."""
    reader = hasher()
    reader.update_mmap(path)
    return PREFIX + reader.hexdigest()


def digest_in(name: str) -> str:
    """The 64 hex digits of a name; a trailing ``/`` (a directory's manifest) makes no difference.

    Raises:
        CorruptError: it is no name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise CorruptError(f"'{name}' is not the name of a blob", why="names are blake3: and 64 hex digits")
    return match[1]


def is_name(text: str) -> bool:
    """Whether this is the name of a blob."""
    return _NAME.fullmatch(text) is not None


def names_in(text: bytes) -> set[str]:
    """Every name of a blob that stands in a file such as a pointer, whatever else may be wrong with it."""
    return set(_ANY.findall(text.decode(errors="replace")))


def file_of(store: str | os.PathLike[str], digest: str) -> str:
    """Where the blob of a digest lies in the directory of a store, or would, if it has a file of its own."""
    return f"{os.fspath(store)}/blobs/{digest[:2]}/{digest[2:]}"
