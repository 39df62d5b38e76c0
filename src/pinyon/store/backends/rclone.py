"""Objects at any remote that rclone knows: Google Drive, Dropbox, WebDAV, SFTP and many more."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pinyon.errors import MissingObjectError, SpecError, StoreError
from pinyon.store.backends.daemon import AskError, Rclone
from pinyon.store.backends.retry import again
from pinyon.store.backends.shared import check_options, cut, missing, no_create, receiving, refused, size_of
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

T = TypeVar("T")

_URL = re.compile(r"rclone://([\w.+@ -]+)(?:/(.*))?", re.DOTALL)
_SPAN = re.compile(r"bytes (\d+)-\d+/(\d+)")
_PARTIAL = re.compile(r"\.[0-9a-z]{8}\.partial$")  # what rclone calls a file that it has not finished
_MISSING = re.compile(r"(?:object|directory) not found$|is a directory|not a directory")
_PASSING = re.compile(
    r"rate ?limit|too many requests|quota exceeded for|backend ?error|timed? ?out|timeout|reset by peer|connection refused"
    r"|broken pipe|unexpected EOF|\b(?:429|500|502|503|504)\b"
    r"|mkParentDir failed: .*SSH_FX_FAILURE",  # two made one folder at once
    re.IGNORECASE,
)
_PARALLEL = 8


def open_rclone(url: str, options: Mapping[str, str]) -> RcloneObjects:
    """``rclone://REMOTE/PATH``, a remote of rclone's configuration; two slashes before a path that begins at the root.

    Raises:
        SpecError: it is no such URL, or an option is wrong.
        StoreError: there is no rclone.
    """
    check_options("rclone", options, ("config",))
    found = _URL.fullmatch(url)
    if found is None or "]" in url:
        raise SpecError(
            f"'{url}' names no remote",
            why="it must read rclone://REMOTE/PATH",
            next="rclone listremotes shows the remotes",
        )
    return RcloneObjects(url, f"{found[1]}:{(found[2] or '').rstrip('/')}", options.get("config", ""))


class RcloneObjects:
    """Objects below a path of a remote. rclone cannot make an object only if there is none, so `create` is refused."""

    def __init__(self, url: str, remote: str, config: str) -> None:
        self._url, self._fs = url.rstrip("/"), remote
        self._rclone = Rclone(self._url, config)

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._url

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return Abilities(create=False, parallel=_PARALLEL)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        folder, _, start = prefix.rpartition("/")
        if not start:
            yield from self._below(folder, recurse=True)
            return
        for one in self._below(folder, recurse=False):
            if not one.key.startswith(prefix):
                continue
            if one.size < 0:
                yield from self._below(one.key, recurse=True)
            else:
                yield one

    def _below(self, folder: str, *, recurse: bool) -> Iterator[Listed]:
        """Objects in a folder, and with ``recurse`` below it; without it its folders, too, as of -1 bytes."""
        opt = {"recurse": recurse, "filesOnly": recurse, "noModTime": True, "noMimeType": True}
        try:
            found = self._told(
                lambda: self._rclone.call("operations/list", fs=self._fs, remote=folder, opt=opt), folder
            )
        except FileNotFoundError:
            return
        for one in found["list"] or ():
            if not _PARTIAL.search(one["Path"]):
                yield Listed(one["Path"], -1 if one["IsDir"] else one["Size"])

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        try:
            item = self._told(lambda: self._rclone.call("operations/stat", fs=self._fs, remote=key), key)[
                "item"
            ]
        except FileNotFoundError:
            return None
        return None if item is None or item["IsDir"] else int(item["Size"])

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        if end is not None and not 0 <= start < end:
            size = self.size(key)
            if size is None:
                raise missing(self.url, key)
            start, end = cut(start, end, size)
            if start == end:
                return b""
        whole = start == 0 and end is None
        span = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if end is None else end - 1}"
        try:
            return self._told(lambda: b"".join(self._pieces(key, {} if whole else {"Range": span})), key)
        except MissingObjectError:
            if whole or self.size(key) is None:
                raise
            return b""  # some remotes say so of a range that begins behind the end

    def _pieces(self, key: str, headers: dict[str, str]) -> Iterator[bytes]:
        try:
            connection, answer = self._rclone.open(
                "GET", f"/{quote(f'[{self._fs}]', safe='')}/{quote(key)}", headers
            )
        except AskError as error:
            if error.status == 416:
                return
            raise
        try:
            span = _SPAN.match(answer.headers.get("Content-Range", ""))
            if span and int(span[1]) >= int(span[2]):
                return  # rclone sends the headers of an answer that cannot be
            while piece := answer.read(1 << 20):
                yield piece
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
        finally:
            connection.close()

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`."""
        told = 0

        def get() -> None:
            nonlocal told
            done = 0
            file.seek(0)
            file.truncate()
            for piece in self._pieces(key, {}):
                file.write(piece)
                done += len(piece)
                if done > told:
                    tell(done - told)
                    told = done

        with receiving(target) as file:
            self._told(get, key)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`: rclone takes files, so bytes become one first."""
        size = size_of(source)
        if isinstance(source, Path):
            self._copy(source.absolute(), key)
        else:
            file = self._rclone.folder / os.urandom(8).hex()
            try:
                file.write_bytes(source)
                self._copy(file, key)
            finally:
                file.unlink(missing_ok=True)
        tell(size)

    def _copy(self, file: Path, key: str) -> None:
        # Without IgnoreTimes rclone would leave an object as it is that has the file's size and time.
        copy = {"srcFs": str(file.parent), "srcRemote": file.name, "dstFs": self._fs, "dstRemote": key}
        if not file.is_file():
            raise refused(self.url, 2, str(file))
        self._told(
            lambda: self._rclone.call("operations/copyfile", **copy, _config={"IgnoreTimes": True}), key
        )

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - whatever it is
        """See `pinyon.store.objects.Objects.create`: always refused."""
        raise no_create(self.url, "rclone cannot make an object only if there is none")

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""

        def one(key: str) -> None:
            try:
                self._told(lambda: self._rclone.call("operations/deletefile", fs=self._fs, remote=key), key)
            except FileNotFoundError:
                return

        with ThreadPoolExecutor(_PARALLEL, "delete") as threads:
            for _ in threads.map(one, keys):
                pass

    def _told(self, call: Callable[[], T], key: str | None = None) -> T:
        """An error of rclone's is one that says what to do; what may pass is tried again before. ``key`` is what is looked
        for, if anything is."""
        try:
            return again(call, _is_passing)
        except AskError as error:
            if key is not None and (error.status == 404 or _MISSING.search(error.said)):
                raise missing(self.url, key) from error
            raise self._failed(error.said) from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, StoreError):
                raise
            raise self._failed(f"rclone ended: {error}") from error

    def _failed(self, said: str) -> StoreError:
        helps = "rclone lsf shows whether the remote can be reached"
        if "find section in config" in said:
            helps = "rclone config makes a remote, or set the option config to the file that has it"
        elif re.search("storageQuotaExceeded|do not have storage quota", said):
            helps = "a service account has no space of its own: use a shared drive, or a user's login"
        elif re.search(r"oauth|token|invalid_grant|unauthori[sz]ed|\b401\b", said, re.IGNORECASE):
            helps = "rclone config reconnect REMOTE:"
        return StoreError("this remote refuses", where=self.url, why=said[:300], next=helps)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, AskError):
        return error.status != 404 and bool(_PASSING.search(error.said))
    return isinstance(error, ConnectionError | http.client.HTTPException)
