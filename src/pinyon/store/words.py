"""Words that processes leave for each other in ``tmp/`` of a store: written whole, taken once, no record of anything."""

from __future__ import annotations

import contextlib
import os

from pinyon.store.disk import rename


def leave(store: str, name: str, text: str) -> None:
    """Leave a word, in the place of an older one of that name.

    Raises:
        OSError: the store cannot be written to.
    """
    folder = os.path.join(store, "tmp")
    with contextlib.suppress(FileExistsError):  # a backup may come without it
        os.mkdir(folder)
    path = os.path.join(folder, name)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    rename(temporary, path)


def take(store: str, name: str) -> str | None:
    """The word of that name, once; None where there is none."""
    path = os.path.join(store, "tmp", name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.unlink(path)
    return text
