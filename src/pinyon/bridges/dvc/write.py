"""dvc.lock from what is finished here, so that DVC agrees: written once, whole, and only where it says something new."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.bridges.dvc.cache import places
from pinyon.bridges.dvc.commit import commit
from pinyon.bridges.dvc.compose import entry_of, items_by_path, says_the_same
from pinyon.bridges.dvc.hashes import Digest, Hashes
from pinyon.bridges.dvc.lock import Entry, Item, Lock, lock_file, name_in_lock, read_lock
from pinyon.execute.observe import observe
from pinyon.execute.statcache import StatCache
from pinyon.model.graph import Graph, Stage, Task
from pinyon.model.ids import new_id
from pinyon.model.outcome import SUCCEEDED
from pinyon.plan.keys import key_of
from pinyon.plan.state import ABSENT
from pinyon.query.state import ProjectState
from pinyon.store.disk import fsync


class Written(NamedTuple):
    """One dvc.lock: stages with new entries, those whose entry stays as it is right, those not finished here, and the
    outs that are new in DVC's cache."""

    file: str
    updated: tuple[str, ...]
    same: tuple[str, ...]
    unfinished: tuple[str, ...]
    committed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()
        }


def write_locks(
    graph: Graph,
    state: ProjectState,
    root: Path,
    cache: Path,
    stats: StatCache,
    *,
    dry: bool = False,
    with_bytes: bool = True,
) -> list[Written]:
    """Bring every dvc.lock of a graph's stages up to date.

    A stage is finished when an attempt with its key succeeded and left what lies in the project now. Others keep the
    entry that they have.

    Args:
        cache: where stat caches of md5 lie.
        dry: only say what would be written.
        with_bytes: put outs into DVC's cache, too. Without them there DVC makes a stage again.

    Raises:
        ExecuteError: an out changed while it was copied; no dvc.lock has been written.
        SpecError: a dvc.lock is damaged or of a newer schema; none has been written.
    """
    stages: dict[str, list[Task]] = {}
    for task in graph.tasks.values():
        if (file := lock_file(task.stage)) is not None:
            stages.setdefault(file, []).append(task)
    locks = {file: read_lock(root, file) or Lock(file, {}, {}) for file in stages}
    tasks = [task for some in stages.values() for task in some]
    finished = _finished(tasks, state, root, stats)
    hashes = Hashes(root, cache)
    try:
        hashes.learn(path for stage in finished.values() for path in _paths(stage))
        # What changed while it was hashed is not what is finished.
        finished = {
            recipe: finished[recipe] for recipe in _finished(tasks, state, root, stats) if recipe in finished
        }
        results = [_update(lock, stages[file], finished, hashes) for file, lock in locks.items()]
        if with_bytes and not dry and (folders := places(root).folders):
            results = [
                (_committed(written, stages, folders[0], root, hashes), lock) for written, lock in results
            ]
    finally:
        hashes.close()
    for (written, lock), old in zip(results, locks.values(), strict=True):
        if written.updated and not dry and lock.text() != old.text():
            _replace(root / lock.file, lock.text())
    return [written for written, _ in results]


def _finished(tasks: Iterable[Task], state: ProjectState, root: Path, stats: StatCache) -> dict[str, Stage]:
    stages = {task.recipe: task.stage for task in tasks}
    paths = {path for stage in stages.values() for path in (*_paths(stage), *stage.env)}
    names = observe(root, sorted(paths), stats)
    return {recipe: stage for recipe, stage in stages.items() if _is_finished(stage, names, state)}


def _is_finished(stage: Stage, names: Mapping[str, str], state: ProjectState) -> bool:
    deps = [(path, names[path]) for path in stage.deps]
    if any(name == ABSENT for _, name in deps):
        return False
    key = key_of(stage, deps, [(path, names[path]) for path in stage.env])
    return any(
        attempt.state == SUCCEEDED
        and attempt.reusable
        and all(names.get(out.path) == out.digest for out in attempt.outputs)
        for attempt in state.at(key)
    )


def _paths(stage: Stage) -> list[str]:
    return [*stage.deps, *(out.path for out in stage.outs)]


def _update(
    lock: Lock, tasks: list[Task], finished: Mapping[str, Stage], hashes: Hashes
) -> tuple[Written, Lock]:
    updated, same, unfinished = [], [], []
    for task in tasks:
        stage, name = task.stage, name_in_lock(task.stage)
        if task.recipe not in finished:
            unfinished.append(stage.name)
            continue
        entry = lock.entries.get(name)
        if entry is not None and _is_right(stage, entry, hashes):
            same.append(stage.name)
            continue
        digests = {path: digest for path in _paths(stage) if (digest := hashes.of(path)) is not None}
        lock = lock.having(name, entry_of(stage, digests))
        updated.append(stage.name)
    return Written(lock.file, tuple(updated), tuple(same), tuple(unfinished)), lock


def _committed(
    written: Written, stages: Mapping[str, list[Task]], cache: Path, root: Path, hashes: Hashes
) -> Written:
    done = {*written.updated, *written.same}
    outs = [
        out.path
        for task in stages[written.file]
        if task.stage.name in done
        for out in task.stage.outs
        if out.cache
    ]
    new = [path for path in outs if (digest := hashes.of(path)) and commit(cache, root / path, digest)]
    return written._replace(committed=tuple(new))


def _is_right(stage: Stage, entry: Entry, hashes: Hashes) -> bool:
    """Whether an entry says what is so, perhaps in other words: then DVC would leave it alone, too."""
    deps, outs = items_by_path(stage, entry.deps), items_by_path(stage, entry.outs)
    return (
        says_the_same(stage, entry)
        and deps.keys() == set(stage.deps)
        and outs.keys() == {out.path for out in stage.outs}
        and all(_has(path, item, hashes) for path, item in (*deps.items(), *outs.items()))
    )


def _has(path: str, item: Item, hashes: Hashes) -> bool:
    digest: Digest | None = hashes.of(path, legacy=item.legacy)
    return digest is not None and digest.md5 == item.md5


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{new_id(path.name)}")
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            file.write(text)
        fsync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
