"""What an isolated attempt would find: the frozen code tree with the outs of finished tasks laid over it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pinyon.execute.observe import observe
from pinyon.execute.statcache import StatCache
from pinyon.model.outcome import Output
from pinyon.plan.state import ABSENT
from pinyon.store import tree
from pinyon.store.names import name_of


class Manifests(Protocol):
    """Where manifests are read: a store's blobs, or what stands for them."""

    def read(self, name: str) -> bytes:
        """A manifest's bytes, verified."""
        ...


class VirtualTree:
    """Names of files and directories that lie nowhere yet.

    Args:
        blobs: where manifests are read.
        bundle: name of the code tree; empty for outs alone.
    """

    def __init__(self, blobs: Manifests, bundle: str = "") -> None:
        self._blobs = blobs
        self._rows = {row.path: row for row in tree.decode(blobs.read(bundle))} if bundle else {}

    def lay(self, output: Output) -> None:
        """Put an out there, in place of whatever was."""
        prefix = f"{output.path}/"
        for path in [path for path in self._rows if path.startswith(prefix)]:
            del self._rows[path]
        if not output.digest.endswith("/"):
            self._rows[output.path] = tree.Row(output.path, output.digest, output.size, output.executable)
            return
        for row in tree.decode(self._blobs.read(output.digest)):
            self._rows[prefix + row.path] = row._replace(path=prefix + row.path)

    def names(self, paths: Iterable[str]) -> dict[str, str]:
        """path → ``blake3:…``, or `ABSENT`."""
        return {path: self._name(path) for path in paths}

    def _name(self, path: str) -> str:
        row = self._rows.get(path)
        if row is not None:
            return row.name
        prefix = "" if path == "." else f"{path}/"
        inside = [
            row._replace(path=row.path[len(prefix) :])
            for row in self._rows.values()
            if row.path.startswith(prefix)
        ]
        return name_of(tree.encode(inside)) + "/" if inside else ABSENT


def imagine(
    root: Path, blobs: Manifests, paths: Iterable[str], made: Iterable[Output], stats: StatCache
) -> dict[str, str]:
    """What attempts would find: inside these outs what they hold, elsewhere what lies in the project now."""
    laid = VirtualTree(blobs)
    outs = list(made)
    for output in outs:
        laid.lay(output)
    inside = {path for path in paths for out in outs if path == out.path or path.startswith(f"{out.path}/")}
    return laid.names(inside) | observe(root, [path for path in paths if path not in inside], stats)
