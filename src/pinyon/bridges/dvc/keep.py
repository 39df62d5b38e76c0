"""Outs of an adopted stage become outs of ours: named, and put into the store unless the user says ``cache: false``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.bridges.dvc.cache import Found
from pinyon.bridges.dvc.hashes import Digest
from pinyon.execute import tree
from pinyon.execute.node import metrics
from pinyon.execute.node.outs import collect, is_stored
from pinyon.execute.protocol import SpecOut
from pinyon.model.graph import Out
from pinyon.model.outcome import Output
from pinyon.store import tree as manifests
from pinyon.store.names import name_of
from pinyon.store.protocol import Store


class Kept(NamedTuple):
    """One out, and the numbers of a metrics file."""

    output: Output
    metrics: Mapping[str, Any] = {}


class Keeper:
    """Takes outs over.

    Args:
        root: the project's directory.
        store: theirs from now on.
        dry: only name them; the store stays as it is.
    """

    def __init__(self, root: Path, store: Store, *, dry: bool) -> None:
        self._root, self._store, self._dry = root, store, dry
        self._manifests: dict[str, bytes] = {}
        self.blobs: list[str] = []

    def from_project(self, out: Out, name: str, digest: Digest) -> Kept | None:
        """An out that lies in the project under this name; None when it has changed meanwhile."""
        if self._dry:
            stored = is_stored(SpecOut(out.path, out.role, out.cache, out.persist), "in place")
            return Kept(Output(out.path, name, digest.size, digest.executable, stored))
        spec = SpecOut(out.path, out.role, out.cache, out.persist)
        collected = collect(str(self._root), [spec], "in place", self._store.blobs)
        (output,) = collected.outs
        if output.digest != name:
            return None
        self.blobs += collected.blobs
        return Kept(output, collected.metrics)

    def from_cache(self, out: Out, found: Iterable[Found], *, folder: bool) -> Kept:
        """An out that lies in DVC's cache; its bytes are in our store afterwards, whatever ``cache`` says."""
        rows = [self._row(one) for one in found if tree.CACHE not in one.path.split("/")]
        if not folder:
            (row,) = rows
            return Kept(Output(out.path, row.name, row.size, row.executable), self._numbers(out, row))
        manifest = manifests.encode(rows)
        name = name_of(manifest) + "/"
        self._manifests[name] = manifest
        if not self._dry:
            self.blobs.append(self._store.blobs.put(manifest))
        return Kept(Output(out.path, name, sum(row.size for row in rows)))

    def _row(self, found: Found) -> manifests.Row:
        (file,) = tree.walk(str(found.source))
        if self._dry:
            name = tree.name_file(file)
        else:
            name = self._store.blobs.put(found.source)
            self.blobs.append(name)
        return manifests.Row(found.path, name, file.size, found.executable)

    def _numbers(self, out: Out, row: manifests.Row) -> dict[str, Any]:
        if self._dry or out.role != "metric" or not metrics.readable(out.path):
            return {}
        try:
            return metrics.numbers(self._store.blobs.read(row.name).decode(), out.path)
        except ValueError:  # a metrics file may say anything; its bytes are what is kept
            return {}

    def read(self, name: str) -> bytes:
        """A manifest, also one that is only imagined. What `imagine` asks of a store."""
        return self._manifests.get(name) or self._store.blobs.read(name)
