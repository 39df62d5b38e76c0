"""What is pushed to a folder that a web server shows keeps the contract of objects for who reads there."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import CorruptError, MissingObjectError, SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.backends.directory import DirectoryObjects
from pinyon.store.backends.http import INDEX, index_of
from pinyon.store.objects import Abilities, Listed, Objects
from pinyon.store.protocol import Tell, quiet
from pinyon.testing.objects import ObjectsContract
from pinyon.testing.proxy import FaultyProxy, Harm


class Shown:
    """Writes to a folder as a push does, its index last; reads from the web."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._web = DirectoryObjects(folder), open_objects(url, {})

    @property
    def url(self) -> str:
        return self._web.url

    @property
    def abilities(self) -> Abilities:
        return self._web.abilities

    def list(self, prefix: str = "") -> Iterator[Listed]:
        self._folder.write(INDEX, index_of(self._folder.list()))
        return self._web.list(prefix)

    def size(self, key: str) -> int | None:
        return self._web.size(key)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return self._web.read(key, start, end)

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        self._web.fetch(key, target, tell=tell)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        self._folder.write(key, source, tell=tell)

    def create(self, key: str, data: bytes) -> bool:
        return self._web.create(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        self._folder.delete(keys)


class TestHttpObjects(ObjectsContract):
    """Every rule, behind a web server that knows ranges."""

    @pytest.fixture(autouse=True)
    def _web(self, web: tuple[int, Path]) -> None:
        self.port, self.folder = web

    def make_objects(self, path: Path) -> Objects:
        name = f"{path.parent.name}-{path.name}"
        return Shown(self.folder / name, f"http://127.0.0.1:{self.port}/{name}")


def test_who_reads_cannot_write(web: tuple[int, Path]):
    objects = open_objects(f"http://127.0.0.1:{web[0]}/x", {})
    assert objects.abilities[:3] == (False, False, False)
    for call in (
        lambda: objects.write("x", b""),
        lambda: objects.create("x", b""),
        lambda: objects.delete(["x"]),
    ):
        with pytest.raises(StoreError, match="can only be read"):
            call()


@pytest.mark.parametrize(
    "harm",
    [Harm(status=503), Harm(status=429), Harm(reset=True), Harm(cut=True)],
    ids=lambda harm: str(harm[:4]),
)
def test_what_passes_is_tried_again(web: tuple[int, Path], tmp_path: Path, harm: Harm):
    data, left, told = os.urandom(3 << 20), [harm] * 2, list[int]()
    (web[1] / "object").write_bytes(data)
    with FaultyProxy("127.0.0.1", web[0], lambda *_: left.pop() if left else None) as proxy:
        objects = open_objects(proxy.url, {})
        objects.fetch("object", tmp_path / "target", tell=told.append)
        assert (tmp_path / "target").read_bytes() == data
        assert sum(told) == len(data)
        assert len(proxy.seen) == 3
        left[:] = [harm] * 2
        assert objects.read("object", 5, 10) == data[5:10]
        proxy.choose = lambda *_: harm
        with pytest.raises(StoreError, match=r"this server (refuses|cannot be reached)"):
            objects.read("object")


@contextmanager
def serving(answer: Any) -> Iterator[tuple[str, list[Any]]]:
    """A server whose every GET and HEAD is ``answer(handler)``; gives its URL and the headers that it saw."""
    seen: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _whole(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(b"0123456789")


def test_a_server_without_ranges_will_do():
    with serving(_whole) as (url, _):
        objects = open_objects(url, {})
        assert [objects.read("x", *span) for span in ((2, 4), (8, 20), (-3, None), (4, None))] == [
            b"23", b"89", b"789", b"456789",
        ]  # fmt: skip


def test_a_token_is_sent_there_and_nowhere_else():
    def away(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", elsewhere + handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(_whole) as (elsewhere, there), serving(away) as (url, here):
        assert open_objects(url, {"token": "s3cr3t"}).read("x") == b"0123456789"
    assert here[0]["Authorization"] == "Bearer s3cr3t"
    assert "Authorization" not in there[0]


def test_a_token_is_not_sent_in_the_clear():
    with pytest.raises(SpecError, match="https://") as caught:
        open_objects("http://example.org/x", {"token": "s3cr3t"})
    assert "s3cr3t" not in repr(caught.value.as_dict())


def test_an_index_that_is_none_is_told(web: tuple[int, Path]):
    for number, text in enumerate(("", "{", "[]", '{"objects": 3}', '{"objects": {"a": "x"}}')):
        folder = web[1] / f"bad{number}"
        folder.mkdir()
        (folder / INDEX).write_text(text)
        with pytest.raises(CorruptError, match="push there again"):
            list(open_objects(f"http://127.0.0.1:{web[0]}/{folder.name}", {}).list())


def test_without_an_index_nothing_is_listed_and_all_is_read(web: tuple[int, Path]):
    (web[1] / "bare").mkdir()
    (web[1] / "bare/x").write_bytes(b"1")
    objects = open_objects(f"http://127.0.0.1:{web[0]}/bare", {})
    assert list(objects.list()) == []
    assert objects.read("x") == b"1"
    with pytest.raises(MissingObjectError):
        objects.read("y")


@pytest.mark.parametrize("url", ["http://", "https:///x", "https://me@host/x", "https://host/x?key=1"])
def test_urls_that_are_wrong_are_told(url: str):
    with pytest.raises(SpecError, match="names no directory"):
        open_objects(url, {})
