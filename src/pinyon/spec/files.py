"""The user's files as text: never more of them than a limit, always UTF-8."""

from __future__ import annotations

import stat
from pathlib import Path

from pinyon.errors import SpecError
from pinyon.model.units import show_bytes

PROJECT_LIMIT = 1_000_000  # bytes of a pinyon.yaml, a dvc.yaml or a .toml
CODE_LIMIT = 250_000  # bytes of a .py, whose syntax tree takes six hundred times as much memory
PARAMS_LIMIT = 16_000_000  # bytes of a parameter file that is data
DEPTH = 50  # how deep lists and mappings may lie in each other
NODES = 250_000  # values and keys a file may hold, aliases written out: what can be read in a second
DIGITS = 1_000  # longer integers cannot be shown: Python refuses to print them


def read(path: Path, file: str, limit: int) -> bytes | None:
    """The bytes of a file that errors call ``file``; None when there is no such file.

    Raises:
        SpecError: not a plain file (a pipe would block for ever), unreadable, or longer than ``limit`` bytes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SpecError("this is not a plain file", where=file, next="name a file")
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"this file cannot be read: {reason}", where=ascii(file)[1:-1]) from error
    _refuse_long(raw, file, limit)
    return raw


def decode(raw: bytes, file: str, limit: int) -> str:
    """The text of a file without its byte order mark; line ends stay as they are.

    Raises:
        SpecError: not UTF-8, with the line of the first wrong byte; or longer than ``limit`` bytes.
    """
    _refuse_long(raw, file, limit)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(
            "this file is not UTF-8 text", where=f"{file}:{line}", next="save it as UTF-8 (iconv -t UTF-8)"
        ) from None


def _refuse_long(raw: bytes, file: str, limit: int) -> None:
    if len(raw) > limit:
        raise SpecError(
            f"this file is longer than {show_bytes(limit)}",
            where=file,
            next="move the data into a file of its own and name that in deps",
        )
