"""`pinyon add`: data goes into the store, and a small pointer file beside it says which (docs/FORMAT.md §2).

The order is what makes it safe to interrupt: blobs, made durable; the record; ``.gitignore``; last the pointer, by rename.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.capture import facts
from pinyon.errors import ExecuteError, PlanError
from pinyon.execute import data, tree
from pinyon.execute.beside import ignore, repository, write_whole
from pinyon.execute.protocol import StatNote
from pinyon.execute.statcache import StatCache
from pinyon.execute.unchanged import Added, Look, is_pointed_at, refuse, unchanged
from pinyon.model.actor import current_actor
from pinyon.spec import pointer as pointers
from pinyon.store.local import LocalStore
from pinyon.store.place import POINTER
from pinyon.store.protocol import Tell, quiet


class Adding(NamedTuple):
    """Where to, and what to say of it.

    Attributes:
        stages: gives, by path, the stage that makes it; asked only if something is to be written.
        about: source, licence and note of the data, for the pointer; None or absent keeps what the pointer says.
    """

    root: Path
    store: LocalStore
    stats: StatCache
    stages: Callable[[], Mapping[str, str]]
    about: Mapping[str, str]


def add(adding: Adding, paths: Iterable[str], *, dry_run: bool = False, tell: Tell = quiet) -> list[Added]:
    """Put files and folders into the store and point at them.

    Args:
        paths: posix, relative to the project.
        tell: called with bytes as they are read.

    Raises:
        PlanError: a path that must not be added; nothing has been written.
        ExecuteError: one that cannot be read, or that changed meanwhile; its pointer has not been written.
    """
    paths = list(dict.fromkeys(paths))
    for path in paths:
        refuse(adding.root, path, paths)
    looks = {path: data.look(adding.root, path, adding.stats) for path in paths}
    todo = [path for path in paths if not _is_known(adding, looks[path])]
    for path in todo:
        _refuse_pointed(looks[path])
        _refuse_tracked(adding.root, path)
    if todo:
        _refuse_made(adding.stages(), todo)
    if todo and not dry_run:
        adding.store.prepare(adding.root.name)
    return [
        _add(adding, path, looks[path], dry_run, tell) if path in todo else unchanged(looks[path])
        for path in paths
    ]


def _is_known(adding: Adding, look: Look) -> bool:
    """Whether nothing is to be done for this path."""
    return not adding.about and is_pointed_at(adding.root, look, adding.store.blobs.has)


def _add(adding: Adding, path: str, look: Look, dry_run: bool, tell: Tell) -> Added:
    content = _content(adding, look, dry_run, tell)
    count = len(look.files) if look.folder else None
    file = f"{path}{POINTER}"
    if not dry_run:
        body = {
            "root": str(adding.root),
            "path": path,
            "digest": content.name,
            "size": content.size,
            "files": count,
        }
        _record(adding.store, {**body, "actor": current_actor().as_dict()})
        ignore(adding.root, path)
        about = {**pointers.about_of(adding.root, file), **adding.about}
        written = pointers.write_pointer(os.path.basename(path), content.name, content.size, count, about)
        write_whole(str(adding.root / file), written)
    return Added(path, file, content.name, content.size, count, changed=True)


def _content(adding: Adding, look: Look, dry_run: bool, tell: Tell) -> tree.Content:
    """Store what is not in the store yet, durably, and name it all."""
    blobs, known = adding.store.blobs, dict(look.known)
    absent = blobs.unkept(known.values())
    fresh = [file for file in look.files if known.get(file.full, "") in absent or file.full not in known]
    began = time.time_ns()
    try:
        if dry_run:
            names = [tree.name_file(file) for file in fresh]
        else:
            names = blobs.put_many((file.full for file in fresh), tell=tell)
    except FileNotFoundError as error:
        raise _moved(str(error.filename)) from None
    for file in fresh:
        if not _is_as_before(file):
            raise _moved(file.full)
    known.update((file.full, name) for file, name in zip(fresh, names, strict=True))
    content = data.content(look, known)
    if not dry_run:
        written = [*names, *([blobs.put(content.manifest)] if content.manifest is not None else [])]
        blobs.flush(written)
    notes = [
        StatNote(data.key(adding.root, file), known[file.full], file.fingerprint, began) for file in fresh
    ]
    adding.stats.learn([*notes, *data.folder_note(look._replace(name=content.name), began)])
    return content


def _is_as_before(file: tree.File) -> bool:
    try:
        return tree.fingerprint(os.stat(file.full)) == file.fingerprint
    except OSError:
        return False


def _moved(path: str) -> ExecuteError:
    return ExecuteError(
        "this changed while it was read", where=path, why="the pointer was not written", next="repeat it"
    )


def _record(store: LocalStore, body: dict[str, Any]) -> None:
    journal = store.journals.open_writer(user=facts.user())
    try:
        journal.append("added", body)
    finally:
        journal.close()


def _refuse_pointed(look: Look) -> None:
    """What lies inside has pointers of its own."""
    for file in look.files:
        if file.path.endswith((POINTER, ".dvc")):
            inside = f"{look.path}/{file.path.rpartition('.')[0]}"
            raise PlanError(f"{inside} has a pointer of its own", where=look.path, next=f"rm {file.full}")


def _refuse_made(stages: Mapping[str, str], paths: Iterable[str]) -> None:
    for path in paths:
        for out, stage in stages.items():
            if path == out or path.startswith(f"{out}/") or out.startswith(f"{path}/"):
                where = "this" if path == out else out
                raise PlanError(
                    f"stage '{stage}' makes {where}", where=path, why="its outs are kept anyway",
                    next="add what no stage makes",
                )  # fmt: skip


def _refuse_tracked(root: Path, path: str) -> None:
    """What git tracks already would be kept twice, and a .gitignore would not stop it."""
    if os.path.exists(root / f"{path}{POINTER}") or repository(root) is None:
        return
    import subprocess

    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--", path], cwd=root, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.stdout:
        raise PlanError("git tracks this already", where=path, next=f"git rm -r -q --cached {path}")
