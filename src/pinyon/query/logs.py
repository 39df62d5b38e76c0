"""Reading the output of attempts (docs/FORMAT.md §1, ``logs``)."""

from __future__ import annotations

import os

from pinyon.model.outcome import FINAL, Attempt

_CHUNK = 1 << 20
_BLOCK = 1 << 16


def span(store: str, attempt: Attempt) -> tuple[str, int, int] | None:
    """File, first byte and end of an attempt's output; the end is the file's while it runs. None: nothing was printed."""
    if attempt.log is None:
        return None
    name, first, end = attempt.log
    path = os.path.join(store, name)
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        return None
    return path, first, end if end >= 0 and attempt.state in FINAL else size


def size(store: str, attempt: Attempt) -> int:
    """How many bytes of output there are. What a running attempt is followed by in its file counts, until its end is known:
    who asks whether it still runs *after* this has the truth."""
    found = span(store, attempt)
    return 0 if found is None else found[2] - found[1]


def read(store: str, attempt: Attempt, first: int = 0, end: int | None = None) -> bytes:
    """The output between two bytes of its own, at most a megabyte of it."""
    end = size(store, attempt) if end is None else end
    if attempt.log is None or first >= end:
        return b""
    name, begin, _ = attempt.log
    with open(os.path.join(store, name), "rb") as file:
        file.seek(begin + first)
        return file.read(min(end - first, _CHUNK))


def behind(store: str, attempt: Attempt, lines: int) -> int:
    """The byte of its own at which the last so many lines of an attempt's output begin."""
    found = span(store, attempt)
    if found is None:
        return 0
    path, begin, end = found
    at = end
    with open(path, "rb") as file:
        while at > begin:
            size = min(_BLOCK, at - begin)
            file.seek(at - size)
            block = file.read(size)
            here = size - (at == end and block.endswith(b"\n"))  # the last line's own end is no beginning
            while (here := block.rfind(b"\n", 0, here)) >= 0:
                lines -= 1
                if lines <= 0:
                    return at - size + here + 1 - begin
            at -= size
    return 0


def tail(store: str, attempt: Attempt, count: int, most: int) -> list[str]:
    """The last ``count`` lines within the last ``most`` bytes, without blank ones."""
    found = span(store, attempt)
    if found is None:
        return []
    path, begin, end = found
    with open(path, "rb") as file:
        file.seek(max(begin, end - most))
        text = file.read(end - file.tell()).decode(errors="replace")
    # A progress bar rewrites its line with carriage returns; only what stands there last is of interest.
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [line for line in lines if line][-count:]
