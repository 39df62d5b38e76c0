"""System calls that fail on demand, for files below one directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def _target(argument: Any) -> str:
    return os.readlink(f"/proc/self/fd/{argument}") if isinstance(argument, int) else os.fspath(argument)


@contextmanager
def broken(call: str, below: Path, how: Callable[..., Any]) -> Iterator[list[str]]:
    """While inside, ``os.CALL`` on a path or descriptor below a directory is ``how(real, *arguments)``; gives the files
    that it was called on."""
    real = getattr(os, call)
    seen: list[str] = []

    def instead(*arguments: Any, **named: Any) -> Any:
        if not _target(arguments[0]).startswith(str(below)):
            return real(*arguments, **named)
        seen.append(_target(arguments[0]))
        return how(real, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, instead)
        yield seen


def failing(errno: int, *, nth: int = 1, always: bool = False) -> Callable[..., Any]:
    """Raises at the nth call, or from it on."""
    calls = 0

    def how(real: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth or (always and calls > nth):
            raise OSError(errno, os.strerror(errno), "injected")
        return real(*arguments, **named)

    return how


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[Path]:
    """A tmpfs of its own; skips where it cannot be mounted."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs root: to mount a tmpfs ({made.stderr.strip()})")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)
