"""An import into the project around a directory, models included."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from pinyon.bridges.moving.bring import Import, Report, bring
from pinyon.bridges.moving.nouns import Source
from pinyon.bridges.moving.versions import register_all
from pinyon.errors import PinyonError, WorkspaceLockedError
from pinyon.execute.locks import try_lock
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore, home_store
from pinyon.store.place import project_around, share_with_group


def import_into(
    directory: str, source: Source, place: str, *,
    since: float | None = None, dry: bool = False, trust: bool = False, tell: Callable[[int, int], None],
) -> Report:  # fmt: skip
    """Import a source into the project around ``directory``, or in it, whose store is made if there is none.

    Args:
        since: leave out what began before, seconds since the epoch.
        dry: only say what would be done; nothing is written.
        trust: register models that run code when somebody opens them, too.

    Raises:
        WorkspaceLockedError: another import writes into the same store.
        PinyonError, OSError: see `pinyon.bridges.moving.bring.bring`.
    """
    root = project_around(directory) or os.path.abspath(directory)
    store = home_store(Path(root))
    share_with_group(root, str(store.root))
    project = name_of(root)
    with ExitStack() as stack:
        if not dry:
            stack.callback(os.close, _alone(store))
        index = stack.enter_context(closing(_index(store, stack)))
        index.catch_up()
        asked = Import(
            source, os.path.abspath(place), store, index, project, os.path.realpath(root), since, dry
        )
        report = bring(asked, tell)
        if dry:
            return report
        index.catch_up()
        made, left = register_all(source, store, index, project, trust=trust)
    return report._replace(models=made, left={**report.left, **left})


def _alone(store: LocalStore) -> int:
    """The lock of imports: two at once would both find a run new.

    Raises:
        WorkspaceLockedError: another import holds it.
    """
    held = try_lock(f"{store.root}/locks/import")
    if held is None:
        raise WorkspaceLockedError(
            "another import writes into this store", where=str(store.root), next="wait until it has ended"
        )
    return held


def name_of(root: str) -> str:
    """The name of the project; of its directory where its files cannot be read, or there are none."""
    from pinyon.spec.load import load_project

    try:
        return load_project(Path(root)).name
    except PinyonError:
        return os.path.basename(os.path.realpath(root)) or "project"


def _index(store: LocalStore, stack: ExitStack) -> Index:
    """The index; where there is no store yet, one that leaves nothing behind."""
    if (store.root / "format.json").exists():
        return Index(store.cache / FILE, store.journals)
    return Index(Path(stack.enter_context(TemporaryDirectory())) / FILE, store.journals)
