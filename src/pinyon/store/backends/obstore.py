"""Objects in a bucket: S3, R2 and what speaks like them, Google Cloud Storage, Azure Blob Storage."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pinyon.errors import MissingObjectError, StoreError
from pinyon.store.backends.clouds import Bucket, bucket_of
from pinyon.store.backends.retry import PATIENT, again
from pinyon.store.backends.shared import cut, missing, no_create, pieces, receiving, size_of
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

T = TypeVar("T")

_PART = 8 << 20  # bytes of one request of a large object's
_PARTS = 9_000  # S3 takes 10,000 of them
_STREAMS = 4  # requests at a time for one large object
_RETRIES = 4  # of the client's own
_MAKER = "pinyon"  # the attribute that tells who made an object, should the answer get lost
_PROBE = "probe-"  # how the key begins of an object that finds out what a place can do

_CODE = re.compile(r"<Code>([^<]+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_TRIED = re.compile(
    r" in [\d.]+(?:µ|m|n)?s(?:, after \d+ retries, max_retries: \d+, retry_timeout: \d+s)? +- "
)
_QUERY = re.compile(r"\?[^\s\"')>]*")  # a signed URL's query is a secret
_TIRED = f"after {_RETRIES} retries"  # the client has tried again as often as it may
_PASSING = re.compile(
    r"status code: (?:408|425|429|5\d\d)|error sending request|error decoding|body error|timed? ?out|connection"
)

_NEXT = {
    "InvalidBucketName": "correct the bucket's name",
    "NoSuchBucket": "make the bucket, or correct its name",
    "ContainerNotFound": "make the container, or correct its name",
    "InvalidAccessKeyId": "correct access_key_id (AWS_ACCESS_KEY_ID)",
    "SignatureDoesNotMatch": "correct secret_access_key (AWS_SECRET_ACCESS_KEY)",
    "ExpiredToken": "get new keys; session_token (AWS_SESSION_TOKEN) has expired",
    "RequestTimeTooSkewed": "set this machine's clock",
    "AccessDenied": "ask for the right to read and write there, or use other keys",
    "AuthenticationFailed": "correct key or sas (AZURE_STORAGE_ACCOUNT_KEY)",
    "SlowDown": "wait, or use fewer connections at a time",
}

_user: dict[str, int] = {}  # the process whose threads serve the client's calls: of the first call


def open_bucket(url: str, options: Mapping[str, str]) -> BucketObjects:
    """``s3://``, ``gs://`` or ``az://``, a bucket and a prefix in it.

    Raises:
        SpecError: the URL names no bucket, or an option is wrong.
        StoreError: a key, a region or the library is missing.
    """
    return BucketObjects(bucket_of(url, options))


class BucketObjects:
    """Objects under a prefix of a bucket. `create` is a put with ``If-None-Match: *``, once a probe has shown that the
    endpoint heeds it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._store, self._ob = _client(bucket)
        self._heeds: bool | None = None  # None: nobody has tried
        self._probing = threading.Lock()

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._bucket.url

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`. Of `create`, the first call of it may teach otherwise."""
        return Abilities(create=self._heeds is not False)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        folder, slash, start = prefix.rpartition("/")
        if not start:
            yield from self._all(folder + slash)
            return
        # The client's prefixes end at slashes: of those that lie here, only what begins so is looked into.
        found = self._told(lambda: self._ob.list_with_delimiter(self._store, folder + slash))
        yield from (_listed(one) for one in found["objects"] if one["path"].startswith(prefix))
        for below in found["common_prefixes"]:
            if below.startswith(prefix):
                yield from self._all(f"{below}/")

    def _all(self, folder: str) -> Iterator[Listed]:
        last: str | None = None

        def begin() -> Iterator[Any]:
            return iter(self._ob.list(self._store, folder, offset=last, chunk_size=1_000))

        pages = begin()

        def turn() -> Any:
            nonlocal pages
            try:
                return next(pages, None)
            except self._ob.exceptions.BaseError:
                pages = begin()  # one that broke would end now, as if there were no more
                raise

        while page := self._told(turn):
            yield from (_listed(one) for one in page if not one["path"].startswith(_PROBE))
            last = page[-1]["path"]

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        try:
            return int(self._told(lambda: self._ob.head(self._store, key), key)["size"])
        except MissingObjectError:
            return None

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        if start == 0 and end is None:
            return self._told(lambda: bytes(self._ob.get(self._store, key).bytes()), key)
        azure = self._bucket.scheme == "az"  # which knows no ranges from the end
        if (end is not None and not 0 <= start < end) or (start < 0 and azure):
            size = self._told(lambda: self._ob.head(self._store, key), key)["size"]
            start, end = cut(start, end, size)
            if start == end:
                return b""
        data = self._part(key, start, end)
        return b"" if data is None else bytes(data[0])

    def _part(
        self, key: str, start: int, end: int | None, tag: str = ""
    ) -> tuple[memoryview, int, str] | None:
        """Some bytes of an object, its size and its tag; None when there is nothing there."""
        span = {"suffix": -start} if start < 0 else {"offset": start} if end is None else (start, end)
        options = {"range": span, **({"if_match": tag} if tag else {})}

        def get() -> tuple[memoryview, int, str]:
            found = self._ob.get(self._store, key, options=options)
            return memoryview(found.bytes()), found.meta["size"], found.meta["e_tag"] or ""

        try:
            return self._told(get, key)
        except StoreError as error:
            if _status(error.__cause__) == 416:  # an empty object, or one that ends before
                return None
            raise

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`: in parts, several at a time, all of one version."""
        first = self._part(key, 0, _PART)
        with receiving(target) as file:
            if first is None:
                return
            data, size, tag = first
            file.write(data)
            tell(len(data))
            if size > len(data):
                self._rest(key, file, (len(data), size), tag, tell)

    def _rest(self, key: str, file: BinaryIO, span: tuple[int, int], tag: str, tell: Tell) -> None:
        file.flush()
        lock = threading.Lock()

        def part(start: int) -> None:
            got = self._part(key, start, min(start + _PART, span[1]), tag)
            data = got[0] if got else b""
            if len(data) != min(_PART, span[1] - start):
                raise StoreError(
                    f"'{key}' ended too early", where=self.url, why="the answer was cut", next="try again"
                )
            os.pwrite(file.fileno(), data, start)
            with lock:
                tell(len(data))

        with ThreadPoolExecutor(_STREAMS, "fetch") as threads:
            for _ in threads.map(part, range(*span, _PART)):
                pass

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`: what is large in parts, several at a time."""
        size = size_of(source)
        if size <= _PART:
            data = source if isinstance(source, bytes) else source.read_bytes()
            self._told(lambda: self._ob.put(self._store, key, data, use_multipart=False), key)
            tell(len(data))
            return
        part = max(_PART, -(-size // _PARTS))
        told = 0  # bytes; a second try tells only of what the first had not reached

        def put() -> None:
            self._ob.put(self._store, key, counted(), chunk_size=part, max_concurrency=_STREAMS)

        def counted() -> Iterator[bytes]:
            nonlocal told
            done = 0
            for piece in pieces(source, part):
                yield piece
                done += len(piece)
                tell(max(0, done - max(told, done - len(piece))))
                told = max(told, done)

        self._told(put, key)

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        if not self._heeds_conditions():
            raise no_create(self.url, "its endpoint does not heed If-None-Match")
        return self._make(key, data)

    def _heeds_conditions(self) -> bool:
        """Whether the endpoint refuses to make an object that is there: seen once, with an object of our own."""
        with self._probing:
            if self._heeds is None:
                key = f"{_PROBE}{os.urandom(8).hex()}"
                try:
                    self._heeds = self._make(key, b"1") and not self._make(key, b"2")
                except StoreError as error:
                    if _status(error.__cause__) != 501 and not isinstance(
                        error.__cause__, self._ob.exceptions.NotSupportedError
                    ):
                        raise
                    self._heeds = False
                finally:
                    with suppress(StoreError):  # it is nobody's, and what came before is what counts
                        self.delete([key])
            return self._heeds

    def _make(self, key: str, data: bytes) -> bool:
        maker = os.urandom(8).hex()

        def put() -> bool:
            try:
                self._ob.put(self._store, key, data, mode="create", attributes={_MAKER: maker})
            except self._ob.exceptions.AlreadyExistsError:
                # It may be ours: the client asks again when it hears no answer, and so do we.
                try:
                    return bool(self._ob.get(self._store, key).attributes.get(_MAKER) == maker)
                except FileNotFoundError:  # it was there
                    return False
            return True

        return self._told(put, key)

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        wanted = list(keys)
        for begin in range(0, len(wanted), 1_000):
            batch = wanted[begin : begin + 1_000]
            try:
                self._told(lambda batch=batch: self._ob.delete(self._store, batch))  # type: ignore[misc]
            except MissingObjectError:
                self._delete_singly(batch)

    def _delete_singly(self, keys: Iterable[str]) -> None:
        for key in keys:
            try:
                self._told(lambda key=key: self._ob.delete(self._store, key), key)  # type: ignore[misc]
            except MissingObjectError:
                continue

    def _told(self, call: Callable[[], T], key: str = "") -> T:
        """An error of the client's is one that says what to do; what may pass is tried again before."""
        if _user.setdefault("pid", os.getpid()) != os.getpid():
            raise StoreError(
                "a forked child cannot use a bucket that its parent has used",
                where=self.url,
                why="the client's threads are the parent's, and a call would wait for them for ever",
                next="begin the process with multiprocessing's 'spawn', or as a command",
            )
        try:
            return again(call, _is_passing, PATIENT)
        except FileNotFoundError as error:
            code = _code(error)
            if code in ("NoSuchBucket", "ContainerNotFound"):
                raise self._failed(error, code) from error
            raise missing(self.url, key) from error
        except self._ob.exceptions.BaseError as error:
            raise self._failed(error, _code(error)) from error
        except OSError as error:  # of the local file
            raise StoreError(
                f"{error.filename or key}: {error.strerror or error}",
                where=self.url,
                why="the local disk refuses",
                next="look at it, then try again",
            ) from error

    def _failed(self, error: Exception, code: str) -> StoreError:
        status = _status(error)
        why = code or (f"status {status}" if status else "")
        if not why:
            why = _QUERY.sub("", _TRIED.sub(": ", str(error).split("\n\n")[0]))[:200]
        near = "SlowDown" if status in (429, 503) else "AccessDenied" if status in (401, 403) else ""
        return StoreError(
            "this bucket refuses" if status else "this bucket cannot be reached",
            where=self.url,
            why=why,
            next=_NEXT.get(code)
            or _NEXT.get(near)
            or "check the network and the option endpoint, then try again",
        )


def _client(bucket: Bucket) -> tuple[Any, Any]:
    """A client, and the library that it belongs to."""
    try:
        import obstore
        import obstore.exceptions
        from obstore.store import AzureStore, GCSStore, S3Store
    except ModuleNotFoundError:
        raise StoreError(
            f"stores at {bucket.scheme}:// need the library obstore",
            where=bucket.url,
            why="it is not installed",
            next="pip install 'pinyon[cloud]'",
        ) from None
    classes: dict[str, Callable[..., Any]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    common = {
        "prefix": bucket.prefix or None,
        "client_options": {
            "allow_http": True,  # whoever writes http:// means it
            "connect_timeout": "10s",
            "timeout": "300s",
        },
        "retry_config": {
            "max_retries": _RETRIES,
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
            "retry_timeout": timedelta(seconds=60),
        },
    }
    try:
        return classes[bucket.scheme](bucket.name, **common, **bucket.settings), obstore
    except obstore.exceptions.BaseError as error:
        raise StoreError(
            "the settings for this bucket are wrong",
            where=bucket.url,
            why=str(error).split("\n\n")[0].rpartition("error: ")[2][:200],
            next="see docs/stores.md",
        ) from None


def _listed(one: Mapping[str, Any]) -> Listed:
    return Listed(one["path"], one["size"])


def _code(error: BaseException) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _status(error: BaseException | None) -> int:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _is_passing(error: Exception) -> bool:
    """Whether this may work a moment later. The client has tried most of it again itself, but not all: 429, a body that
    breaks off, the timeout of a write."""
    text = str(error).split("\n\n")[0]
    return not isinstance(error, OSError) and bool(_PASSING.search(text)) and _TIRED not in text
