"""A process at the other end of an ssh connection, and how it is asked (`pinyon.store.backends.serving`)."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from pinyon.store.backends import serving

_STORE = Path(__file__).parents[1]
_PROGRAM = ("disk.py", "backends/folder.py", "backends/serving.py")
_PIPE = 1 << 20  # bytes between us and ssh: the fewer times we wake each other, the faster
_NOISE = 1 << 16  # bytes that a login may print before our program speaks


class BrokenError(Exception):
    """The connection ended; ``said`` is the last that ssh said about it."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class RefusedError(OSError):
    """The other end's operating system refused; the connection goes on."""


class Channel:
    """One remote process, for one caller at a time.

    Raises:
        BrokenError: it cannot be started; so does every method when it has gone.
    """

    def __init__(self, command: list[str], root: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._to, self._from = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        for pipe in (self._to, self._from):
            with suppress(OSError):  # a system with a limit of its own
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        self.is_clean = True
        try:
            self._send([_program(root)])
            self._greeted()
        except BaseException:
            self.close()
            raise

    def _greeted(self) -> None:
        heard = b""
        while not heard.endswith(serving.HELLO):
            line = self._from.readline(_NOISE)
            heard = heard[-1_000:] + line
            if not line:
                raise self._broken()

    def ask(self, request: dict[str, Any], body: Iterable[bytes] = ()) -> dict[str, Any]:
        """Send a request, and give the answer's line.

        Raises:
            RefusedError: there; it has done nothing.
        """
        self.is_clean = False
        self._send([json.dumps(request).encode() + b"\n"])
        self._send(body)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line that comes."""
        line = self._from.readline()
        if not line.endswith(b"\n"):
            raise self._broken()
        answer = cast(dict[str, Any], json.loads(line))
        self.is_clean = not answer.get("size") and not answer.get("listed")
        if "errno" in answer:
            raise RefusedError(answer["errno"], "", answer["file"])
        return answer

    def body(self, size: int) -> Iterator[bytes]:
        """The bytes that come after an answer."""
        while size:
            piece = self._from.read(min(size, 1 << 20))
            if not piece:
                raise self._broken()
            size -= len(piece)
            self.is_clean = not size
            yield piece

    def _send(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            try:
                self._to.write(part)
                self._to.flush()
            except BrokenPipeError:
                raise self._broken() from None

    def _broken(self) -> BrokenError:
        """What ssh said when it ended."""
        self.close()
        return BrokenError(self._said)

    def hang_up(self) -> None:
        """Tell the process to end."""
        self.is_clean = False
        for pipe in (self._to, self._from):
            try:
                pipe.close()
            except BrokenPipeError:
                continue

    def close(self) -> None:
        """End the process, and keep what it said."""
        if self._errors.closed:
            return
        self.hang_up()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        self._said = lines[-1][:300] if lines else ""
        self._errors.close()


@cache
def _source() -> str:
    """What runs there: modules of ours one after the other."""
    texts = [(_STORE / name).read_text(encoding="utf-8") for name in _PROGRAM]
    lines = "\n".join(texts).splitlines()
    ours = [line for line in lines if not line.startswith(("from pinyon.", "from __future__"))]
    return "\n".join(["from __future__ import annotations", *ours])


def _program(root: str) -> bytes:
    text = f"{_source()}\nserve({root!r}, sys.stdin.buffer, sys.stdout.buffer)\n".encode()
    return b"%d\n%s" % (len(text), text)
