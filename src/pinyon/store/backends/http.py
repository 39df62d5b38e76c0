"""Objects at a web server, to read: any that serves files will do. What there is says an index that a push writes."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, TypeVar, cast
from urllib.parse import quote, urlsplit
from urllib.request import Request

from pinyon.errors import CorruptError, SpecError, StoreError
from pinyon.store.backends.retry import PASSING, again
from pinyon.store.backends.shared import check_options, cut, missing, receiving
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

T = TypeVar("T")

INDEX = "index.json"  # docs/FORMAT.md §15
_PATIENCE = 60  # seconds without a byte
_RANGE = re.compile(r"bytes (\d+)-(\d+)/")


def index_of(listed: Iterable[Listed]) -> bytes:
    """The bytes of the index of these objects."""
    objects = {one.key: one.size for one in listed if one.key != INDEX}
    return json.dumps({"v": 1, "objects": objects}, sort_keys=True, indent=0).encode()


def open_http(url: str, options: Mapping[str, str]) -> HttpObjects:
    """``https://host/path``; the option ``token`` is sent as a bearer token.

    Raises:
        SpecError: it is no such URL, or an option is wrong.
    """
    parts = urlsplit(url)
    check_options(parts.scheme, options, ("token",))
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise SpecError(
            "this URL names no directory of a web server",
            where=url.split("?")[0].split("@")[-1],
            why="it must read https://HOST/PATH",
            next="correct it; a token is an option",
        )
    if (
        options.get("token")
        and parts.scheme == "http"
        and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    ):
        raise SpecError(
            "a token is not sent over http://", where=url, why="everybody could read it", next="use https://"
        )
    return HttpObjects(url.rstrip("/"), options.get("token", ""))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Who sends us elsewhere does not send our token there."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request to follow with."""
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            made.remove_header("Authorization")
        return made


class HttpObjects:
    """Objects below a URL."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = urllib.request.build_opener(_Redirects)

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._url

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return Abilities(write=False, create=False, delete=False)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`: what the index says. Without one there is nothing."""
        try:
            data = self.read(INDEX)
        except FileNotFoundError:
            return
        try:
            objects = dict(json.loads(data)["objects"])
            found = [Listed(str(key), int(size)) for key, size in objects.items()]
        except (ValueError, KeyError, TypeError):
            raise CorruptError(
                "this is no index of objects", where=f"{self.url}/{INDEX}", next="push there again"
            ) from None
        yield from (one for one in found if one.key.startswith(prefix))

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        try:
            with self._told(lambda: self._open("HEAD", key), key) as answer:
                length = answer.headers.get("Content-Length")
        except FileNotFoundError:
            return None
        return int(length) if length else len(self.read(key))

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`. A server that knows no ranges sends all of it."""
        if end is not None and not 0 <= start < end:
            size = self.size(key)
            if size is None:
                raise missing(self.url, key)
            start, end = cut(start, end, size)
            if start == end:
                return b""
        whole = start == 0 and end is None
        span = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if end is None else end - 1}"

        def get() -> bytes:
            try:
                with self._open("GET", key, {} if whole else {"Range": span}) as answer:
                    data = answer.read()
                    return data if whole or answer.status == 206 else data[start:end]
            except urllib.error.HTTPError as error:
                if error.code != 416:
                    raise
                error.close()
                return b""

        data = self._told(get, key)
        if data or start >= 0:
            return data
        return self.read(key)[start:]  # a suffix longer than the object, which some servers refuse

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`. What breaks off goes on where it was, if the server can tell that it is
        the same."""
        done = told = 0
        tag = ""
        with receiving(target) as file:

            def get() -> None:
                nonlocal done, told, tag
                ask = {"Range": f"bytes={done}-", "If-Range": tag} if done and tag else {}
                with self._open("GET", key, ask) as answer:
                    begin = _RANGE.match(answer.headers.get("Content-Range", ""))
                    done = done if begin and int(begin[1]) == done else 0
                    file.seek(done)
                    file.truncate()
                    tag = answer.headers.get("ETag", "")
                    while piece := answer.read(1 << 20):
                        file.write(piece)
                        done += len(piece)
                        if done > told:
                            tell(done - told)
                            told = done
                    if answer.length:
                        raise http.client.IncompleteRead(b"", answer.length)

            self._told(get, key)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:  # noqa: ARG002 - whatever it is
        """See `pinyon.store.objects.Objects.write`: always refused."""
        raise self._read_only()

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - whatever it is
        """See `pinyon.store.objects.Objects.create`: always refused."""
        raise self._read_only()

    def delete(self, keys: Iterable[str]) -> None:  # noqa: ARG002 - whatever it is
        """See `pinyon.store.objects.Objects.delete`: always refused."""
        raise self._read_only()

    def _read_only(self) -> StoreError:
        return StoreError(
            "this place can only be read",
            where=self.url,
            why="a web server takes no objects, and cannot compare-and-swap",
            next="push to where its files lie, by ssh:// or as a directory",
        )

    def _open(self, method: str, key: str, headers: Mapping[str, str] = {}) -> HTTPResponse:
        request = Request(f"{self.url}/{quote(key)}", method=method, headers={**self._headers, **headers})
        return cast(HTTPResponse, self._opener.open(request, timeout=_PATIENCE))

    def _told(self, call: Callable[[], T], key: str) -> T:
        try:
            return again(call, _is_passing)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                raise missing(self.url, key) from None
            helps = "set the option token" if error.code in (401, 403) else "try again later"
            raise StoreError(
                "this server refuses", where=self.url, why=f"status {error.code}", next=helps
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise StoreError(
                "this server cannot be reached",
                where=self.url,
                why=str(reason),
                next="check the network and the URL",
            ) from error


def _is_passing(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in PASSING
    return isinstance(error, OSError | http.client.HTTPException)
