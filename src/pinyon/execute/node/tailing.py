"""The process that follows files of an attempt: started, told what to follow, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

from pinyon.execute.node.companions import Around

_MODULE = "pinyon.bridges.tail"


class Tailing:
    """The process that follows.

    Attributes:
        writer: its id in the journals, once it has said so.
        heard: when it last said something, by the monotonic clock.
        done: it has ended in order.
    """

    def __init__(self, around: Around, before: list[str], files: list[str], held: set[str]) -> None:
        self.writer, self.heard, self.done = "", time.monotonic(), False
        self._buffer, self._first = b"", b""
        self._finishing = self._gone = False
        theirs_in, self._to = os.pipe2(os.O_CLOEXEC)
        self._from, theirs_out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        attempt, since, project = around.spec.attempt, repr(around.since), around.project
        # -P: as for the supervisor, no module of the project's may come first.
        argv = [
            sys.executable,
            "-P",
            "-m",
            _MODULE,
            str(around.store.root),
            attempt,
            since,
            around.base,
            project,
            *before,
        ]
        try:
            self._pid = _spawn(argv, theirs_in, theirs_out, f"{around.store.root}/logs/supervisor.log")
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.name(files, held)

    def name(self, files: list[str], held: set[str]) -> None:
        """Have these followed, too; of those in ``held`` it is known that the command itself wrote them."""
        self._buffer += b"".join(
            json.dumps({"file": path, "held": path in held}).encode() + b"\n" for path in files
        )
        self.talk()

    def talk(self) -> None:
        """Say what there is to say and listen, as far as that is possible at once."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._buffer:
                self._buffer = self._buffer[os.write(self._to, self._buffer) :]
        with contextlib.suppress(BlockingIOError):
            while heard := os.read(self._from, 4096):
                self.heard = time.monotonic()
                if not self.writer:
                    self._first += heard
                    self.writer = self._first.partition(b"\n")[0].decode() if b"\n" in self._first else ""
        if self._finishing and not self._buffer and self._to >= 0:
            os.close(self._to)
            self._to = -1

    def finish(self) -> None:
        """Tell it that nothing more will come."""
        if not self._finishing:
            self._finishing = True
            self._buffer += b'{"end":true}\n'
        if not self._gone:
            self.talk()

    def gone(self) -> bool:
        """Whether it has ended."""
        if not self._gone:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.talk()
                self._gone, self.done = True, status == 0 and self._to < 0
                self._close()
        return self._gone

    def leave(self, *, kill: bool) -> None:
        """Wait for it no longer."""
        if kill:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._close()

    def _close(self) -> None:
        for fd in (self._to, self._from):
            if fd >= 0:
                os.close(fd)
        self._to = self._from = -1


def _spawn(argv: list[str], stdin: int, stdout: int, log: str) -> int:
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
    return os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, flags, 0o664),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE,),
    )
