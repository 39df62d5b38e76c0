"""A proxy between an HTTP client and its server that breaks requests on purpose."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Harm(NamedTuple):
    """What happens to one request.

    Attributes:
        status: it is answered with this HTTP status, and the server never hears of it.
        reset: the connection breaks, and the server never hears of it.
        lost: the server does it, and the connection breaks instead of an answer.
        cut: the answer's body breaks off in the middle.
        without: this header is taken out before the server sees it.
        answer: these headers stand in the answer instead of the server's.
    """

    status: int = 0
    reset: bool = False
    lost: bool = False
    cut: bool = False
    without: str = ""
    answer: dict[str, str] = {}


Choose = Callable[[str, str], "Harm | None"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone, which is what harm leads to."""


class FaultyProxy:
    """Listens on ``url`` and passes everything on, except for what ``choose(method, path)`` says of a request; ``seen``
    holds method and path of each. Use it as a context manager."""

    def __init__(self, host: str, port: int, choose: Choose = lambda *_: None) -> None:
        self.choose = choose
        self.seen: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self, host, port))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(proxy: FaultyProxy, host: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            proxy.seen.append((self.command, self.path))
            harm = proxy.choose(self.command, self.path) or Harm()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if harm.status:
                self.send_response(harm.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif harm.reset:
                self._break()
            else:
                self._pass_on(harm, body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - the names that http.server calls

        def _pass_on(self, harm: Harm, body: bytes) -> None:
            headers = {
                name: text for name, text in self.headers.items() if name.lower() != harm.without.lower()
            }
            upstream = http.client.HTTPConnection(host, port)
            try:
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, text in headers.items():
                    upstream.putheader(name, text)
                upstream.endheaders(body)
                answer = upstream.getresponse()
                data = answer.read()
            finally:
                upstream.close()
            if harm.lost:
                self._break()
                return
            self._answer(answer, data, harm)

        def _answer(self, answer: http.client.HTTPResponse, data: bytes, harm: Harm) -> None:
            self.send_response_only(answer.status, answer.reason)
            headers = {
                name: text for name, text in answer.getheaders() if name.lower() != "transfer-encoding"
            }
            if self.command != "HEAD":
                headers["Content-Length"] = str(len(data))
            instead = {name.lower() for name in harm.answer}
            kept = {name: text for name, text in headers.items() if name.lower() not in instead}
            for name, text in {**kept, **harm.answer}.items():
                self.send_header(name, text)
            self.end_headers()
            if harm.cut and data:
                self.wfile.write(data[: len(data) // 2])
                self._break()
                return
            self.wfile.write(data)

        def _break(self) -> None:
            self.wfile.flush()
            # A close that sends RST, as a server does that dies.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                return

        def log_message(self, format: str, *_: Any) -> None:
            """Nobody reads it."""

    return Handler
