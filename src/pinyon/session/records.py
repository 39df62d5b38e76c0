"""The records of a project: its store, and the fold of the journals."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import PinyonError, SpecError
from pinyon.execute.restore import present, sound
from pinyon.model.project import Project
from pinyon.query.index import FILE, Index
from pinyon.query.state import ProjectState
from pinyon.spec.load import find_root, load_project
from pinyon.store.local import LocalStore, home_store
from pinyon.store.place import share_with_group
from pinyon.store.rings import forgotten, found


class Records(NamedTuple):
    """The store of a project and the fold of its journals, up to date."""

    root: Path
    store: LocalStore
    fold: Index
    state: ProjectState


def open_records(start: Path, stack: ExitStack) -> Records:
    """What is known of the project around ``start``. Writes only caches.

    Raises:
        SpecError: there is no project.
        StoreError: its home store cannot be reached.
    """
    root = find_root(start)
    return records_of(root, home_store(root), stack)


def open_others(
    starts: Sequence[str], start: Path, stack: ExitStack
) -> tuple[list[tuple[str, Records]], list[str]]:
    """What is known of other projects, seen from ``start``, each with what it was called by; and why some are left out."""
    found: list[tuple[str, Records]] = []
    notes: list[str] = []
    for other in starts:
        try:
            if not (start / other).is_dir():
                raise SpecError("there is no such directory", where=other)
            found.append((other, open_records(start / other, stack)))
        except (PinyonError, OSError) as error:
            notes.append(f"{other} is left out: {error}")
    return found, notes


def records_of(root: Path, store: LocalStore, stack: ExitStack, project: Project | None = None) -> Records:
    """The records of the project at ``root`` in its store; ``project`` as it was read, by those who have read it."""
    share_with_group(str(root), str(store.root))
    name = _name(root, project) if store.shared else ""
    _take_in(store)
    fold = stack.enter_context(closing(Index(store.cache / FILE, store.journals, name)))
    fold.catch_up()
    state = ProjectState(
        fold,
        lambda attempt: sound(store.blobs, attempt.outputs),
        # One without a supervisor is only imagined by a plan; a run would put its outs into the store.
        lambda attempt: attempt.supervisor is None or present(store.blobs, attempt.outputs),
        lambda attempt: not store.shared or attempt.root == os.path.realpath(root),
    )
    return Records(root, store, fold, state)


def _take_in(store: LocalStore) -> None:
    """Make points of what was logged by processes of this host that were killed (docs/FORMAT.md §5)."""
    if next(found(str(store.root)), None) is None and next(forgotten(), None) is None:
        return
    from pinyon.store.recover import recover, sweep  # hardly ever needed

    sweep()
    for one in recover(str(store.root)):
        if one.damaged:
            text = f"a ring of {one.attempt or one.writer} is damaged ({one.why}): {one.points} points could be read"
            print(f"pinyon: {text}; it is set aside as {one.damaged}", file=sys.stderr)  # noqa: T201


def _name(root: Path, project: Project | None) -> str:
    """The project's name; its directory's when its files cannot be read."""
    try:
        return (project or load_project(root)).name
    except PinyonError:
        return root.name
