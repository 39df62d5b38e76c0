"""The store in a directory on a local or shared disk."""

from __future__ import annotations

import contextlib
import json
import os
from functools import cached_property
from pathlib import Path

from pinyon.errors import CorruptError, FormatVersionError, StoreError
from pinyon.model.ids import new_id
from pinyon.store.blobs import LocalBlobs
from pinyon.store.disk import fsync
from pinyon.store.journal import LocalJournals
from pinyon.store.place import HOME, STORE, cache_of, home_of, share_with_group
from pinyon.store.refs import LocalRefs
from pinyon.store.streams import LocalStreams

FORMAT = 1


class LocalStore:
    """Journals, blobs and refs under ``root``. Making the object writes nothing.

    Attributes:
        root: the directory of the store.
        place: a project's ``.pinyon``, where locks, workspaces and caches lie; the same unless the home is shared.
    """

    def __init__(self, root: Path, place: Path | None = None) -> None:
        self.root = root
        self.place = place or root
        self.blobs = LocalBlobs(root)
        self.refs = LocalRefs(root)
        self.journals = LocalJournals(root)
        self.streams = LocalStreams(root)

    @property
    def url(self) -> str:
        """The directory."""
        return str(self.root)

    @property
    def shared(self) -> bool:
        """Whether other projects may write here."""
        return self.place != self.root

    @cached_property
    def cache(self) -> Path:
        """Where disposable files lie; always on a local disk (docs/FORMAT.md §1)."""
        return Path(cache_of(str(self.place)))

    def prepare(self, name: str, *, project: str = "", mirror: bool = False) -> None:
        """Make the store on disk if it is not there, and refuse one of a newer format. Call before writing.

        Args:
            name: of the project.
            project: its id; a new one without it.
            mirror: a store that is made has copies of another store's refs, and sets none.

        Raises:
            FormatVersionError: a newer Pinyon wrote it.
        """
        path = self.root / "format.json"
        if not path.exists():
            copied: dict[str, object] = {"mirror": True} if mirror else {}
            described = {"format": FORMAT, "project": project or new_id("p"), "name": name}
            self._make(path, {**described, **copied})
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


def home_store(root: Path) -> LocalStore:
    """The home store of the project in ``root``, which need not exist yet if it lies in the project itself.

    Raises:
        StoreError: it lies elsewhere and is not there. It is never replaced by a guess.
    """
    place = root / STORE
    home = Path(home_of(str(root)))
    if home == place:
        return LocalStore(place)
    if not (home / "format.json").exists():
        raise StoreError(
            "the home store of this project cannot be reached",
            where=str(home),
            why=f"{place / HOME} says that it lies there",
            next="mount or restore it",
        )
    return LocalStore(home, place)


def set_home(root: Path, path: str, name: str) -> LocalStore:
    """Let the project in ``root`` keep its history in the store at ``path``, which is made if nothing is there.

    Args:
        path: absolute, or relative to ``root``.
        name: of the project, for a store that is made.

    Raises:
        StoreError: the project has a history of its own already, or ``path`` holds something else; nothing has changed.
        FormatVersionError: a newer Pinyon wrote that store.
    """
    if not path.strip() or "\n" in path or "\0" in path:
        raise StoreError(f"{path!r} is not a directory's name", next="give the path of a directory")
    place = root / STORE
    home = Path(os.path.normpath(root.resolve() / path))
    if home in (place, root.resolve() / STORE):
        raise StoreError("a project's store lies there by itself", where=str(home), next="pinyon run")
    if (place / "format.json").exists():
        raise StoreError(
            "this project has a history of its own",
            where=str(place),
            why="a project has one home store",
            next=f"move {place} away, or keep using it",
        )
    if not (home / "format.json").exists() and home.is_dir() and any(home.iterdir()):
        raise StoreError("this directory holds something else than a store", where=str(home))
    share_with_group(str(root), str(home.parent))
    store = LocalStore(home, place)
    store.prepare(name)
    place.mkdir(exist_ok=True)
    (place / ".gitignore").write_text("*\n")
    temporary = place / new_id(HOME)
    temporary.write_text(f"{path}\n", encoding="utf-8")
    os.replace(temporary, place / HOME)
    return store
