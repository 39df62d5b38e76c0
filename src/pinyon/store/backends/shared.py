"""What every backend says and does in the same way."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pinyon.errors import MissingObjectError, SpecError, StoreError
from pinyon.store.protocol import Tell, quiet

_NEXT = {
    errno.ENOENT: "mount the disk, or make that directory",
    errno.ENOTDIR: "use another place: a file is in the way",
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "mount it writable, or push elsewhere",
    errno.EACCES: "ask for the right to write there, or set another place",
    errno.EPERM: "ask for the right to write there, or set another place",
    errno.ESTALE: "mount it again",
    errno.EIO: "look at the disk, or at the network to it",
}

PIECE = 1 << 20  # bytes that are read or written at a time where nothing else decides


def missing(url: str, key: str) -> MissingObjectError:
    """The error for an object that is not there."""
    return MissingObjectError(
        f"there is no object '{key}'", where=url, why="nobody has pushed it", next="pinyon sync status"
    )


def no_create(url: str, why: str) -> StoreError:
    """The error for `Objects.create` where it cannot be atomic."""
    return StoreError(
        "this place cannot compare-and-swap",
        where=url,
        why=f"{why}, so of two writers both could believe that they were first",
        next="keep the home of refs elsewhere; here they can be mirrored",
    )


def refused(url: str, code: int, file: str) -> StoreError:
    """The error for one of the operating system's, at whatever end it was."""
    return StoreError(
        f"{file}: {os.strerror(code)}" if file else os.strerror(code),
        where=url,
        why="the disk there refuses",
        next=_NEXT.get(code, "look at this file, then try again"),
    )


def check_options(scheme: str, options: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Refuse options that nobody would look at.

    Raises:
        SpecError: there is one.
    """
    for name in options:
        if name not in known:
            raise SpecError(
                f"a store at {scheme}:// has no option '{name}'",
                why=f"it has {', '.join(known)}" if known else "it has none",
                next=_closest(name, known),
            )


def _closest(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"did you mean '{near[0]}'?" if near else "remove it"


@contextlib.contextmanager
def receiving(target: Path) -> Iterator[BinaryIO]:
    """A new file to write to; none is left where that fails."""
    with open(target, "wb") as file:
        try:
            yield file
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise


def pieces(source: bytes | Path, size: int = PIECE, tell: Tell = quiet) -> Iterator[bytes]:
    """The bytes of an object to be, so many at a time; ``tell`` hears of those that were taken."""
    if isinstance(source, bytes):
        yield source
        tell(len(source))
        return
    with open(source, "rb") as file:
        while piece := file.read(size):
            yield piece
            tell(len(piece))


def size_of(source: bytes | Path) -> int:
    """How many bytes an object to be has."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def cut(start: int, end: int | None, size: int) -> tuple[int, int]:
    """Where a range of an object of ``size`` bytes begins and ends."""
    begin, until, _ = slice(start, end).indices(size)
    return begin, max(begin, until)
