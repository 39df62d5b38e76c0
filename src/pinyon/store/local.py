"""The store in a directory on a local or shared disk."""

from __future__ import annotations

import contextlib
import json
import os
from functools import cached_property
from pathlib import Path

from pinyon.errors import CorruptError, FormatVersionError
from pinyon.model.ids import new_id
from pinyon.store.blobs import LocalBlobs
from pinyon.store.disk import fsync
from pinyon.store.journal import LocalJournals
from pinyon.store.place import cache_of
from pinyon.store.refs import LocalRefs

FORMAT = 1


class LocalStore:
    """Journals, blobs and refs under ``root`` (a project's ``.pinyon``). Making the object writes nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = LocalBlobs(root)
        self.refs = LocalRefs(root)
        self.journals = LocalJournals(root)

    @property
    def url(self) -> str:
        """The directory."""
        return str(self.root)

    @cached_property
    def cache(self) -> Path:
        """Where disposable files lie; always on a local disk (docs/FORMAT.md §1)."""
        return Path(cache_of(str(self.root)))

    def prepare(self, name: str) -> None:
        """Make the store on disk if it is not there, and refuse one of a newer format. Call before writing.

        Raises:
            FormatVersionError: a newer Pinyon wrote it.
        """
        path = self.root / "format.json"
        if not path.exists():
            self._make(path, {"format": FORMAT, "project": new_id("p"), "name": name})
        found = self.describe()["format"]
        if not isinstance(found, int) or found > FORMAT:
            raise FormatVersionError(
                f"this store has format {found}, this Pinyon writes {FORMAT}",
                where=str(path),
                next="pip install -U pinyon",
            )

    def _make(self, path: Path, description: dict[str, object]) -> None:
        """Make the directories and, last, ``format.json``, all power-durable: refs and records will rely on them."""
        for part in ("tmp", "journals", "blobs", "refs"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        (self.root / ".gitignore").write_text("*\n")  # it is no part of anybody's source
        temporary = self.root / "tmp" / new_id("format")
        temporary.write_text(json.dumps(description))
        fsync(temporary)
        # If somebody else makes the same store at the same time, theirs counts.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        fsync(self.root)
        fsync(self.root.parent)

    def describe(self) -> dict[str, object]:
        """What ``format.json`` says; empty when there is no store yet."""
        path = self.root / "format.json"
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            data = None
        if not isinstance(data, dict) or "format" not in data:
            raise CorruptError(
                "this file is unreadable",
                where=str(path),
                next='write {"format": 1, "project": "p-1"} into it',
            )
        return data
