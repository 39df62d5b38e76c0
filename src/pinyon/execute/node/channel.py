"""The two pipes to the driver: messages as JSON lines, neither end ever waited for."""

from __future__ import annotations

import json
import os
from typing import Any

_ROOM = 16 << 20  # bytes that wait for a driver that does not read; what comes after is not told
_NOTE_ROOM = 1 << 20  # the same for notes, which only save the driver some hashing


class Channel:
    """Messages from and to the driver.

    Attributes:
        open: False once the driver has closed its end or is dead.
    """

    def __init__(self, source: int, sink: int) -> None:
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        self._source, self._sink = source, sink
        self._in, self._out = bytearray(), bytearray()
        self._deaf = False
        self.open = True

    @property
    def pending(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._out)

    def receive(self) -> list[dict[str, Any]]:
        """What the driver said since the last call; ``open`` turns False at its end."""
        while self.open:
            try:
                chunk = os.read(self._source, 1 << 16)
            except BlockingIOError:
                break
            self._in += chunk
            self.open = bool(chunk)
        *lines, rest = self._in.split(b"\n")
        self._in = bytearray(rest)
        return [message for message in map(_parse, lines) if message is not None]

    def send(self, message: dict[str, Any], *, note: bool = False) -> None:
        """Tell the driver, or not if it has stopped listening: the journal is what counts, this only wakes it up."""
        if self._deaf or len(self._out) > (_NOTE_ROOM if note else _ROOM):
            return
        self._out += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def flush(self) -> None:
        """Write as much as the pipe takes now."""
        while self._out and not self._deaf:
            try:
                del self._out[: os.write(self._sink, self._out)]
            except BlockingIOError:
                return
            except OSError:
                self._deaf = True
        self._out.clear()


def _parse(line: bytearray) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
