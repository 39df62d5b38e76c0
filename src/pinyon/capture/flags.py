"""Which flags a command has, found by its own ``--help``: it is run once, and again only when it has changed."""

from __future__ import annotations

import hashlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pinyon.capture.helptext import flags_in
from pinyon.capture.remembered import keep, load
from pinyon.errors import PlanError
from pinyon.model.flags import Flag
from pinyon.model.graph import Command

SECONDS = 10.0  # that a command has to tell its flags
_BYTES = 1_000_000  # of output; no help is longer
_LOOK = 0.1  # seconds between two looks whether it has ended
_KEPT = 200  # commands that are remembered
_DECLARE = "name its parameters: args: {argparse: [lr, epochs]}"


class Flags:
    """Asks commands, each once for as long as its files look the same.

    Args:
        root: absolute path of the project.
        cache: path of a file to remember in; disposable.
        asks: False to run nothing and know only what is remembered.
    """

    def __init__(self, root: str, cache: str, *, asks: bool = True) -> None:
        self._root, self._cache, self._asks = root, cache, asks
        self._known: dict[str, Any] | None = None
        self._learnt = False

    def of(
        self, command: Command, wdir: str, files: Iterable[str], seconds: float = SECONDS
    ) -> tuple[Flag, ...]:
        """The flags that a command tells of.

        Args:
            command: as it is to be asked, with ``--help`` in it.
            wdir: where it runs, relative to the root.
            files: of the project that decide what it says: its script and what that imports, relative to the root.
            seconds: after which it is given up.

        Raises:
            PlanError: it fails, takes too long, or tells of no flags.
        """
        key = self._key(command, wdir, files)
        if self._known is None:
            self._known = load(self._cache)
        if key not in self._known and not self._asks:
            return ()
        if key not in self._known:
            flags = flags_in(_asked(command, os.path.join(self._root, wdir), seconds))
            if not flags:
                raise PlanError(f"{_shown(command)} tells of no flags", next=_DECLARE)
            self._known[key] = [tuple(flag) for flag in flags]
            self._learnt = True
        return tuple(Flag(*row) for row in self._known[key])

    def close(self) -> None:
        """Write what was learnt."""
        if not self._learnt or self._known is None:
            return
        self._learnt = not keep(self._cache, dict(list(self._known.items())[-_KEPT:]))

    def _key(self, command: Command, wdir: str, files: Iterable[str]) -> str:
        """A name for the question: the command, the program that answers, and the content of its files."""
        found = hashlib.blake2b(digest_size=16)
        program = command.parts[0] if command.kind == "exec" else "python"
        rows: list[object] = [command, wdir, _program(os.path.join(self._root, wdir), program)]
        for name in sorted(files):
            try:
                with open(os.path.join(self._root, name), "rb") as file:
                    rows.append((name, hashlib.blake2b(file.read()).hexdigest()))
            except OSError:
                rows.append((name, None))
        found.update(repr(rows).encode())
        return found.hexdigest()


def _program(here: str, name: str) -> tuple[object, ...]:
    """Which program a name means here, and what tells one version of it from another."""
    path = os.path.join(here, name) if "/" in name else shutil.which(name)
    if not path:
        return (name,)
    try:
        info = os.stat(path)
    except OSError:
        return (path,)
    return os.path.realpath(path), info.st_size, info.st_mtime_ns


def _asked(command: Command, here: str, seconds: float) -> str:
    """What a command prints, which must end well and in time. Everything that it has started ends with it."""
    argv = list(command.parts) if command.kind == "exec" else ["/bin/sh", "-c", command.parts[0]]
    env = {
        **os.environ,
        "COLUMNS": "1000",  # no line is broken
        "LINES": "50",
        "NO_COLOR": "1",
        "PYTHON_COLORS": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # a plan leaves nothing in the project
        "TERM": "dumb",
        "TYPER_USE_RICH": "0",
    }
    try:
        process = subprocess.Popen(
            argv, cwd=here, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise PlanError(f"{_shown(command)} cannot be started: {error}", next=_DECLARE) from None
    with process:
        try:
            output = _read(process, time.monotonic() + seconds)
            late = process.poll() is None
        finally:
            _end(process)
    text = output.decode(errors="replace")
    if process.returncode != 0:
        why = next((line for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")[:200]
        what = f"has not ended after {seconds:g} s" if late else f"failed with exit code {process.returncode}"
        raise PlanError(f"{_shown(command)} {what}", why=why, next=_DECLARE)
    return text


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Its output, as far as it comes before the deadline; no more than `_BYTES`."""
    assert process.stdout is not None, "a pipe was asked for"
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(output) < _BYTES and (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, _LOOK)):
                if process.poll() is not None:
                    break  # somebody that it has started holds the pipe
                continue
            data = os.read(process.stdout.fileno(), 65_536)
            if not data:
                break
            output += data
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()) if len(output) < _BYTES else 0.0)
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of it and of what it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _shown(command: Command) -> str:
    return f"'{' '.join(command.parts)[:120]}'"
