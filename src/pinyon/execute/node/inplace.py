"""An attempt in place: old outs made safe and set aside, deps watched, everything put back after a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pinyon.execute import files, tree
from pinyon.execute.aside import Aside
from pinyon.execute.node.outs import is_small, is_stored
from pinyon.execute.protocol import INPLACE, AttemptSpec
from pinyon.store.protocol import Blobs


class InPlace:
    """The user's own directory as a workspace. See `pinyon.execute.node.attempt.Place`."""

    slot = "inplace"

    def __init__(self, spec: AttemptSpec, place: str, blobs: Blobs, lock: int) -> None:
        self.base = spec.root
        self.lock = lock
        self.saved: list[str] = []
        self.light = True
        self._spec = spec
        self._blobs = blobs
        self._aside = Aside(place, spec.attempt, spec.root)
        self._deps: list[tuple[str, dict[str, tuple[int, int, int, int]] | None]] = []

    def small(self) -> bool:
        """Whether preparing, and undoing, is a matter of a few file operations."""
        watched = [self._full(path) for path, _ in self._spec.deps if os.path.isdir(self._full(path))]
        return not watched and is_small(self._full(out.path) for out in self._spec.outs)

    def prepare(self) -> None:
        """Look at the deps, make the old outs safe, set them aside, make room for new ones."""
        self._deps = [(path, _look(self._full(path))) for path, _ in self._spec.deps]
        there = [out for out in self._spec.outs if os.path.lexists(self._full(out.path))]
        for out in there:
            known = out.seen is not None and tree.has_tree(self._blobs, out.seen)
            if not known and is_stored(out, "in place"):
                self.saved.append(tree.put_tree(self._blobs, self._full(out.path)).name)
        self.light = not there
        for out in there:
            self._aside.take(out.path, copied=out.persist)
        files.make_parents(self._full(out.path) for out in self._spec.outs)

    def changed(self) -> str:
        """Why the outcome must not be reused: the deps that changed while the command ran; "" if none did."""
        paths = [path for path, look in self._deps if _look(self._full(path)) != look]
        return f"changed while the command ran: {', '.join(paths)}" if paths else ""

    def undo(self, started: bool) -> None:
        """Put everything back as it was. ``started``: the command ran."""
        self._aside.put_back([out.path for out in self._spec.outs], started=started)

    def leave(self) -> None:
        """The outcome is recorded: forget the old outs."""
        if not self.light:
            self._aside.drop()
        if self._spec.lock != INPLACE:
            os.close(self.lock)

    def _full(self, path: str) -> str:
        return os.path.join(self.base, path)


def _look(path: str) -> dict[str, tuple[int, int, int, int]] | None:
    """The fingerprint of each file there; None if nothing is."""
    try:
        return dict(_files(path))
    except FileNotFoundError:
        return None


def _files(path: str) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    for file in tree.walk(path):
        yield file.path, file.fingerprint
