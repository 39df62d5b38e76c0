"""Artifacts by name, wherever a URI of ours points: those of a run, of a registered version, and all others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pinyon.bridges.mlflow.place import ARTIFACTS, Place, open_artifact
from pinyon.bridges.mlflow.seen import Seen
from pinyon.errors import PinyonError
from pinyon.registry.registry import Registry
from pinyon.store import tree

_OF_RUN = re.compile(r"(?:.*/)?(?P<run>[0-9a-f]{32})/artifacts(?:/(?P<inside>.*))?")
_OF_VERSION = re.compile(rf"{ARTIFACTS}/registry/(?P<model>[^/]+)/(?P<number>[0-9]+)(?:/(?P<inside>.*))?")


class File(NamedTuple):
    """One file: its digest and its size in bytes."""

    digest: str
    size: int


class Files:
    """What lies below a URI.

    Attributes:
        place: the project.
        run: whose artifacts these are; None for others.
    """

    def __init__(self, uri: str) -> None:
        self.place, self._path = open_artifact(uri)
        self.run: Seen | None = None
        self._inside = ""
        self._version: tuple[str, int] | None = None
        if match := _OF_VERSION.fullmatch(self._path):
            self._version, self._inside = (match["model"], int(match["number"])), match["inside"] or ""
        elif match := _OF_RUN.fullmatch(self._path):
            self.place.view.refresh()
            self.run = self.place.view.run(match["run"])
            self._inside = match["inside"] or ""
        if self.run is None and self._version is None:
            self._inside = self._path

    @property
    def fixed(self) -> bool:
        """Whether nothing can be added: a registered version stays as it is."""
        return self._version is not None

    def all(self) -> dict[str, File]:
        """Every file below, by its path from here; folders that were kept as a whole are taken apart."""
        self.place.view.refresh()
        with self.place.view.lock:
            held = self._held()
        begin = f"{self._inside}/" if self._inside else ""
        found = {}
        for name, (digest, size) in held.items():
            if (
                not begin
                or name == self._inside
                or f"{name}/".startswith(begin)
                or begin.startswith(f"{name}/")
            ):
                found.update(self._apart(name, digest, size))
        if self._inside in found:  # the URI names a file
            return {"": found[self._inside]}
        return {name[len(begin) :]: file for name, file in found.items() if name.startswith(begin)}

    def _apart(self, name: str, digest: str, size: int) -> dict[str, File]:
        if not digest.endswith("/"):
            return {name: File(digest, size)}
        rows = tree.decode(self.place.store.blobs.read(digest))
        return {f"{name}/{row.path}" if name else row.path: File(row.name, row.size) for row in rows}

    def _held(self) -> dict[str, tuple[str, int]]:
        if self.run is not None:
            return self.run.artifacts()
        if self._version is not None:
            return _version(self.place, *self._version)
        found: dict[str, tuple[str, int]] = {}
        view = self.place.view
        for at in sorted(view.loose):
            body = view.loose[at].body
            path = str(body["path"])
            if view.loose[at].kind == "mlflow_artifact":
                found[path] = (str(body["digest"]), int(body["size"]))
            else:
                for name in [name for name in found if name == path or name.startswith(f"{path}/")]:
                    del found[name]
        return found

    def keep(self, sources: Iterable[tuple[str, Path]]) -> None:
        """Keep files: path from here and where each lies."""
        rows = list(sources)
        blobs = self.place.store.blobs
        digests = blobs.put_many([str(path) for _, path in rows])
        for (name, _), digest in zip(rows, digests, strict=True):
            size, full = blobs.size(digest), str(PurePosixPath(self._inside, name))
            if self.run is not None:
                last = self.run.newest
                self.place.writers.of(last.id, self.run.key, last.started).kept(full, digest, size)
            else:
                self.place.writers.tell("mlflow_artifact", {"path": full, "digest": digest, "size": size})

    def remove(self, path: str) -> None:
        """Let a file or a folder be none of these any more; the bytes stay until a gc."""
        full = str(PurePosixPath(self._inside, path)) if path or self._inside else ""
        if self.run is not None:
            last = self.run.newest
            recorder = self.place.writers.of(last.id, self.run.key, last.started)
            recorder.tell("mlflow_removed", {"path": full})
        else:
            self.place.writers.tell("mlflow_unlinked", {"path": full})


def _version(place: Place, model: str, number: int) -> dict[str, tuple[str, int]]:
    registry = Registry(place.store, place.project)
    try:
        one = registry.version(registry.model(model), number)
    except PinyonError:
        return {}
    return {"" if one.digest.endswith("/") else PurePosixPath(one.path).name: (one.digest, one.size)}
