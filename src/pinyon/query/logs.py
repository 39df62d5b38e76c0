"""Reading the output of attempts (docs/FORMAT.md §1, ``logs``)."""

from __future__ import annotations

import os

from pinyon.model.outcome import FINAL, Attempt


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


def read(store: str, attempt: Attempt, first: int = 0) -> bytes:
    """The output from a byte of its own on."""
    found = span(store, attempt)
    if found is None:
        return b""
    path, begin, end = found
    with open(path, "rb") as file:
        file.seek(begin + first)
        return file.read(max(0, end - begin - first))


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
