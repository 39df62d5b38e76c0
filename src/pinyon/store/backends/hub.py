"""Objects in a repository of the Hugging Face Hub. Every write is a commit there, and the Hub takes about a hundred of them
an hour: `HubObjects.write_many` makes one of many."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pinyon.errors import MissingObjectError, SpecError, StoreError
from pinyon.store.backends.http import HttpObjects
from pinyon.store.backends.retry import PASSING, again
from pinyon.store.backends.shared import check_options, missing, no_create, refused, size_of
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

T = TypeVar("T")

_URL = re.compile(r"hf://(?:(datasets|models)/)?((?!datasets/|models/|spaces/)[\w.-]+/[\w.-]+)(?:/([^?#]*))?")
_PER_COMMIT = 1_000  # files


class _Repo(NamedTuple):
    kind: str  # model or dataset
    name: str
    prefix: str
    revision: str
    endpoint: str


def open_hub(url: str, options: Mapping[str, str]) -> HubObjects:
    """``hf://datasets/USER/NAME`` or ``hf://USER/NAME`` (a model), and a folder in it.

    Raises:
        SpecError: it is no such URL, or an option is wrong.
        StoreError: the library is missing.
    """
    check_options("hf", options, ("token", "endpoint", "revision"))
    found = _URL.fullmatch(url)
    if found is None:
        raise SpecError(
            f"'{url}' names no repository of the Hub",
            why="it must read hf://datasets/USER/NAME, or hf://USER/NAME for a model",
            next="correct it; a token is an option, or HF_TOKEN",
        )
    prefix = (found[3] or "").strip("/")
    endpoint = options.get("endpoint") or os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    kind = "dataset" if found[1] == "datasets" else "model"
    repo = _Repo(
        kind, found[2], f"{prefix}/" if prefix else "", options.get("revision", "main"), endpoint.rstrip("/")
    )
    return HubObjects(url.rstrip("/"), repo, options.get("token", ""))


class HubObjects:
    """Objects below a folder of a repository. The Hub knows no atomic create of a file, so `create` is refused."""

    def __init__(self, url: str, repo: _Repo, token: str) -> None:
        self._url, self._repo = url, repo
        self._hub = _library(url)
        self._api = self._hub.HfApi(endpoint=repo.endpoint, token=token or None)
        place = f"{repo.endpoint}/{'datasets/' if repo.kind == 'dataset' else ''}{repo.name}"
        known = token or self._hub.get_token() or ""
        self._web = HttpObjects(f"{place}/resolve/{repo.revision}", known)

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._url

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`. Commits exclude each other, so one at a time is best."""
        return Abilities(create=False, parallel=4)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        whole = self._repo.prefix + prefix
        folder = whole.rpartition("/")[0]

        def ask() -> list[Listed]:
            found = self._api.list_repo_tree(path_in_repo=folder or None, recursive=True, **self._where())
            return [Listed(one.path, one.size) for one in found if hasattr(one, "size")]

        try:
            found = self._told(ask)
        except MissingObjectError:
            return
        cut = len(self._repo.prefix)
        yield from (Listed(one.key[cut:], one.size) for one in found if one.key.startswith(whole))

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        found = self._told(lambda: self._api.get_paths_info(paths=[self._repo.prefix + key], **self._where()))
        return next((one.size for one in found if hasattr(one, "size")), None)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        with _as_ours(self.url, key):
            return self._web.read(self._repo.prefix + key, start, end)

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`."""
        with _as_ours(self.url, key):
            self._web.fetch(self._repo.prefix + key, target, tell=tell)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`."""
        self.write_many([(key, source)], tell=tell)

    def write_many(self, sources: Iterable[tuple[str, bytes | Path]], *, tell: Tell = quiet) -> None:
        """Make or replace many objects, up to a thousand with one commit: those appear together."""
        wanted = list(sources)
        for begin in range(0, len(wanted), _PER_COMMIT):
            batch = wanted[begin : begin + _PER_COMMIT]
            sizes = [self._checked(source) for _, source in batch]
            self._commit(
                lambda batch=batch: [  # type: ignore[misc]
                    self._hub.CommitOperationAdd(self._repo.prefix + key, _plain(source))
                    for key, source in batch
                ],
                f"{len(batch)} objects",
            )
            tell(sum(sizes))

    def _checked(self, source: bytes | Path) -> int:
        try:
            return size_of(source)
        except OSError as error:
            raise refused(self.url, error.errno or 0, str(source)) from error

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - whatever it is
        """See `pinyon.store.objects.Objects.create`: always refused."""
        raise no_create(self.url, "the Hub replaces what is there")

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        wanted = {self._repo.prefix + key for key in keys}
        for _ in range(2 if wanted else 0):  # twice, if somebody else deletes one meanwhile
            found = self._told(lambda: self._api.get_paths_info(paths=sorted(wanted), **self._where()))
            there = [one.path for one in found if hasattr(one, "size")]
            if not there:
                return
            try:
                self._commit(
                    lambda there=there: [self._hub.CommitOperationDelete(path) for path in there],  # type: ignore[misc]
                    f"{len(there)} objects deleted",
                )
            except MissingObjectError:
                continue
            return

    def _commit(self, operations: Callable[[], Any], message: str) -> None:
        # The operations are made anew for each try, since the library notes in them what it has done.
        self._told(
            lambda: self._api.create_commit(operations=operations(), commit_message=message, **self._where())
        )

    def _where(self) -> dict[str, str]:
        return {"repo_id": self._repo.name, "repo_type": self._repo.kind, "revision": self._repo.revision}

    def _told(self, call: Callable[[], T]) -> T:
        """An error of the library's is one that says what to do; what may pass is tried again before."""

        def once() -> T:
            try:
                return call()
            except RuntimeError as error:  # around what happened to one of many files
                raise error.__cause__ or error from None

        try:
            return again(once, _is_passing)
        except self._hub.errors.EntryNotFoundError as error:
            raise missing(self.url, "") from error
        except self._hub.errors.RepositoryNotFoundError as error:
            raise self._failed(
                "there is no such repository, or not for you", "make it, or set HF_TOKEN"
            ) from error
        except self._hub.errors.HfHubHTTPError as error:
            status = error.response.status_code
            helps = {401: "set HF_TOKEN", 403: "use a token that may write", 429: "wait an hour"}
            raise self._failed(f"status {status}", helps.get(status, "try again later")) from error
        except Exception as error:
            if isinstance(error, StoreError) or not _is_passing(error):
                raise
            raise self._failed(
                f"it cannot be reached ({type(error).__name__})", "check the network"
            ) from error

    def _failed(self, why: str, helps: str) -> StoreError:
        return StoreError("the Hub refuses", where=self.url, why=why, next=helps)


class _as_ours:  # noqa: N801 - used like a function
    """Errors of the web's are of the Hub's URL and key."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MissingObjectError):
            raise missing(self._url, self._key) from error


def _is_passing(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in PASSING or response.status_code in (
            409,
            412,
        )  # another commit was first
    return type(error).__module__.startswith("httpx") or isinstance(error, ConnectionError)


def _plain(source: bytes | Path) -> bytes | str:
    return source if isinstance(source, bytes) else str(source)


def _library(url: str) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ModuleNotFoundError:
        raise StoreError(
            "stores at hf:// need the library huggingface_hub",
            where=url,
            why="it is not installed",
            next="pip install 'pinyon[hub]'",
        ) from None
    return huggingface_hub
