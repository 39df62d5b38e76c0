"""An isolated attempt: a workspace materialised from a bundle, in a slot that the next attempt reuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.execute import files
from pinyon.execute.protocol import AttemptSpec
from pinyon.store.local import LocalStore
from pinyon.store.tree import decode

LINKED = 64 << 20  # from this size on an input is a hard link to its blob
_BACKDATED = 2_000_000_000  # ns; see `Workspace._materialise`


class Wanted(NamedTuple):
    """What a file of the workspace has to be."""

    name: str
    executable: bool
    linked: bool


class Row(NamedTuple):
    """What was put there, and what it looked like right after."""

    name: str
    executable: bool
    linked: bool
    mtime: int
    size: int
    inode: int
    ctime: int  # of a link the mode

    def fits(self, wanted: Wanted, stat: os.stat_result) -> bool:
        """Whether the file is still what was put there, and that is what is wanted; a link may also be a copy."""
        wants = self[:2] == wanted[:2] and self.linked <= wanted.linked
        return wants and self.untouched(stat)

    def untouched(self, stat: os.stat_result) -> bool:
        """Whether the file is still what was put there."""
        return self[3:] == _numbers(stat, self.linked)


class Workspace:
    """``work/SLOT/PROJECT``, reset by comparing with ``work/SLOT/manifest.json``. See
    `pinyon.execute.node.attempt.Place`."""

    def __init__(self, spec: AttemptSpec, store: LocalStore, slot: str, lock: int) -> None:
        folder = f"{store.place}/work/{slot}"
        self.slot = slot
        self.lock = lock
        self.base = f"{folder}/{os.path.basename(os.path.normpath(spec.root))}"
        self.saved: list[str] = []
        self.light = True
        self._manifest = f"{folder}/manifest.json"
        self._spec = spec
        self._blobs = store.blobs
        self._rows: dict[str, Row] = {}

    def small(self) -> bool:
        """Never: a workspace may have thousands of files."""
        return False

    def prepare(self) -> None:
        """Make the workspace exactly the bundle with the inputs over it. Only what differs is touched."""
        wanted = self._wanted()
        known = self._load()
        os.makedirs(self.base, exist_ok=True)
        self._rows = {}
        self._sweep("", wanted, _folders(wanted), known)
        missing = [path for path in wanted if path not in self._rows]
        files.make_parents(f"{self.base}/{path}" for path in missing)
        for path in missing:
            self._rows[path] = self._materialise(path, wanted[path])
        if self._rows != known:
            Path(self._manifest).write_text(json.dumps(self._rows, separators=(",", ":")))
        files.make_parents([os.path.join(self.base, out.path) for out in self._spec.outs])
        os.makedirs(os.path.join(self.base, self._spec.wdir), exist_ok=True)

    def changed(self) -> str:
        """Why the outcome must not be reused: a large input was written to, and it is the store's own file."""
        paths = [path for path, row in self._rows.items() if row.linked and not self._is_intact(path, row)]
        return f"the command wrote to its inputs: {', '.join(paths)}" if paths else ""

    def undo(self, started: bool) -> None:
        """Nothing: whoever uses the slot next resets it."""

    def leave(self) -> None:
        """Give the slot back."""
        os.close(self.lock)

    def _wanted(self) -> dict[str, Wanted]:
        wanted: dict[str, Wanted] = {}
        if self._spec.bundle is not None:
            for row in decode(self._blobs.read(self._spec.bundle)):
                wanted[row.path] = Wanted(row.name, row.executable, False)
        for path, name, executable in self._spec.inputs:
            if name.endswith("/"):
                for gone in [other for other in wanted if other.startswith(f"{path}/")]:
                    del wanted[gone]
                for row in decode(self._blobs.read(name)):
                    wanted[f"{path}/{row.path}"] = self._input(row.name, row.executable)
            else:
                wanted[path] = self._input(name, executable)
        return wanted

    def _input(self, name: str, executable: bool) -> Wanted:
        large = not executable and self._blobs.size(name) >= LINKED
        return Wanted(name, executable, large)

    def _load(self) -> dict[str, Row]:
        # A killed writer leaves half a file; without rows everything is copied again.
        try:
            with open(self._manifest, encoding="utf-8") as file:
                data: dict[str, Any] = json.load(file)
            return {path: Row(*row) for path, row in data.items()}
        except (FileNotFoundError, ValueError, TypeError):
            return {}

    def _sweep(
        self, prefix: str, wanted: dict[str, Wanted], folders: set[str], known: dict[str, Row]
    ) -> None:
        """Note what may stay and remove everything else."""
        with os.scandir(f"{self.base}/{prefix}") as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path in folders:
                        self._sweep(f"{path}/", wanted, folders, known)
                    else:
                        files.remove(entry.path)
                    continue
                want, row = wanted.get(path), known.get(path)
                if want and row and row.fits(want, entry.stat(follow_symlinks=False)):
                    self._rows[path] = row
                    continue
                if row and row.linked:
                    self._is_intact(path, row)
                os.unlink(entry.path)

    def _materialise(self, path: str, wanted: Wanted) -> Row:
        full = f"{self.base}/{path}"
        linked = self._blobs.copy_out(
            wanted.name, Path(full), executable=wanted.executable, link=wanted.linked
        )
        if not linked:
            # Dated back, so that a write in the same tick of the clock as the copy still shows in the mtime.
            then = os.stat(full).st_mtime_ns - _BACKDATED
            os.utime(full, ns=(then, then))
        return Row(wanted.name, wanted.executable, linked, *_numbers(os.stat(full), linked))

    def _is_intact(self, path: str, row: Row) -> bool:
        """Whether nobody has touched a link. If somebody has, the stored bytes are hashed again, and set aside if they
        were changed: the next attempt gets them from another store, or makes them anew, and never these."""
        try:
            if row.untouched(os.stat(f"{self.base}/{path}", follow_symlinks=False)):
                return True
        except FileNotFoundError:
            return self._blobs.verify(row.name) is None
        self._blobs.set_aside(row.name)
        return False


def _numbers(stat: os.stat_result, linked: bool) -> tuple[int, int, int, int]:
    # The ctime of a linked blob changes with every other link to it; its mode tells that somebody meant to write to it.
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_mode if linked else stat.st_ctime_ns)


def _folders(wanted: dict[str, Wanted]) -> set[str]:
    """Every directory that some wanted file lies in."""
    folders: set[str] = set()
    for path in wanted:
        folder = os.path.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return folders
