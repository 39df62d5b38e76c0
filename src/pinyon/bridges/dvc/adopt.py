"""Adoption: a stage that DVC finished, and of which nothing has changed since, is finished for us.

What dvc.lock says of it becomes an attempt of mode ``adopted``: same command, same parameters, and every dep and out has
the digest that DVC wrote down. Outs that are absent may come from DVC's cache; then `decide` restores them. Where the
entry does not fit, DVC's run cache is asked for one that does. Whatever fits nowhere simply runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pinyon.bridges.dvc import runcache
from pinyon.bridges.dvc.cache import Found, Places, places
from pinyon.bridges.dvc.compose import items_by_path, run_cache_key, says_the_same
from pinyon.bridges.dvc.data import md5_name
from pinyon.bridges.dvc.hashes import Digest, Hashes, md5_of_listing
from pinyon.bridges.dvc.keep import Keeper, Kept
from pinyon.bridges.dvc.lock import Entry, Item, Lock, lock_file, name_in_lock, read_lock
from pinyon.bridges.dvc.records import KNOWS, VOUCHES, Records
from pinyon.execute.observe import observe
from pinyon.execute.statcache import StatCache
from pinyon.execute.virtual import VirtualTree
from pinyon.model.graph import Graph, Input, Out, Stage, Task
from pinyon.model.outcome import Output
from pinyon.plan.keys import key_of
from pinyon.plan.paths import touch
from pinyon.plan.state import ABSENT
from pinyon.query.state import ProjectState
from pinyon.store.local import LocalStore

Say = Callable[[str, str], None]


class Project(NamedTuple):
    """Where adoption looks: the goal's graph, what is known of the past, and the project's directory and store."""

    graph: Graph
    state: ProjectState
    root: Path
    store: LocalStore
    stats: StatCache


def adopt(project: Project, files: Mapping[str, str], say: Say, *, dry: bool = False) -> dict[str, str]:
    """Adopt every stage of the graph that DVC's records vouch for, and that we know no answer for.

    Args:
        files: names of sources and outs as they lie in the project now.
        say: told stage and reason of each adopted one.
        dry: write nothing; the state takes it in all the same.

    Returns:
        Dry, names of what lies in or around adopted outs: their manifests are in no store, so nobody else can tell.

    Raises:
        SpecError: a dvc.lock that is needed is damaged, or newer than what is read here.
        StoreError: pulling, from a remote that is not a directory.
    """
    hashes = Hashes(project.root, project.store.cache)
    keeper = Keeper(project.root, project.store, dry=dry)
    records = Records(project.root, project.store, project.graph, project.state, dry=dry)
    try:
        adoption = _Adoption(project, dict(files), hashes, keeper, records, say)
        adoption.run()
        records.close(keeper.blobs)
    finally:
        hashes.close()
    return adoption.beside() if dry else {}


class _Made(NamedTuple):
    """An adopted out that lies in DVC's cache alone: what dvc.lock says of it, and what it is for us."""

    item: Item
    output: Output
    found: list[Found]
    listed: list[tuple[str, str]]


class _Adoption:
    def __init__(
        self,
        project: Project,
        files: dict[str, str],
        hashes: Hashes,
        keeper: Keeper,
        records: Records,
        say: Say,
    ) -> None:
        self._graph, self._state, self._root, self._store, self._stats = project
        self._files, self._hashes, self._keeper, self._records, self._say = (
            files,
            hashes,
            keeper,
            records,
            say,
        )
        self._locks: dict[str, Lock | None] = {}
        self._answers: dict[str, dict[str, str]] = {}  # recipe → out → name, of finished stages
        self._adopted: dict[str, dict[str, str]] = {}
        self._made: dict[str, _Made] = {}
        self._places: Places | None = None
        self._pulled = False
        # Data that a plan only imagines to have been fetched; its pointer tells the digest.
        self._imagined = {
            pointer.path: md5_name(pointer)
            for pointer in self._graph.pointers
            if pointer.kind == "dvc" and not os.path.lexists(self._root / pointer.path)
        }

    def run(self) -> None:
        """Adopt what can be, producers before users."""
        around = [item.path for task in self._graph.tasks.values() for item in task.inputs]
        self._look([path for path in around if path not in self._files])
        open_ = [task for task in self._graph.tasks.values() if self._is_open(task)]
        if not open_:
            return
        fitting = {task.recipe: entry for task in open_ if (entry := self._entry(task)) is not None}
        self._hash(open_, fitting)
        for task in open_:
            entry = fitting.get(task.recipe)
            if not (entry and self._take(task, entry, VOUCHES)):
                any(self._take(task, other, KNOWS) for other in self._ran_before(task))

    def beside(self) -> dict[str, str]:
        """Names of the graph's inputs that lie in or around adopted outs, without being one."""
        outs = [out for names in self._adopted.values() for out in names]
        inputs = {item.path for task in self._graph.tasks.values() for item in task.inputs if not item.exact}
        near = [path for path in inputs if any(touch(path, out) for out in outs)]
        laid = VirtualTree(self._keeper)
        for made in self._made.values():
            laid.lay(made.output)
        return {
            path: name
            for path in near
            if (name := self._files.get(path, ABSENT)) != ABSENT
            or (name := laid.names([path])[path]) != ABSENT
        }

    # -- what is known ----------------------------------------------------------------------------------------------

    def _look(self, paths: Iterable[str]) -> None:
        self._files.update(observe(self._root, paths, self._stats))

    def _is_open(self, task: Task) -> bool:
        """Whether a stage is one of DVC's, can be finished, and is not finished for us already."""
        stage = task.stage
        deps = [(item.path, self._name(item)) for item in task.inputs] + self._env(stage)
        if not stage.frozen and ABSENT not in dict(deps).values() and self._answered(task, deps):
            return False
        return lock_file(stage) is not None and not stage.frozen and not stage.unconditional

    def _answered(self, task: Task, deps: list[tuple[str, str]]) -> bool:
        answer = self._state.answer(self._state.at(_key(task.stage, deps)))
        if answer is not None:
            self._answers[task.recipe] = {out.path: out.digest for out in answer.outputs}
        return answer is not None

    def _env(self, stage: Stage) -> list[tuple[str, str]]:
        return [(path, self._files.get(path, ABSENT)) for path in stage.env]

    def _name(self, item: Input) -> str:
        """What a dep will be once everything before it is finished, as far as it is finished by now."""
        if item.exact and (outs := self._answers.get(item.producers[0])) is not None:
            return outs.get(item.path, ABSENT)
        return self._files.get(item.path, ABSENT)

    def _entry(self, task: Task) -> Entry | None:
        """What dvc.lock says of a stage, if it says the same as the stage, so far as can be told without hashing."""
        stage, file = task.stage, lock_file(task.stage)
        assert file is not None, "only stages of a dvc.yaml are asked about"
        if file not in self._locks:
            self._locks[file] = read_lock(self._root, file)
        lock = self._locks[file]
        entry = lock.entries.get(name_in_lock(stage)) if lock else None
        if entry is None or not says_the_same(stage, entry):
            return None
        deps = items_by_path(stage, entry.deps)
        return (
            entry if all(path in deps and self._could_be(path, deps[path]) for path in stage.deps) else None
        )

    def _could_be(self, path: str, item: Item) -> bool:
        """Whether a file's size speaks against the digest; line ends of DVC 2's may differ, and folders are not asked."""
        if not item.md5:
            return False
        if item.legacy or item.size is None or item.md5.endswith(".dir"):
            return True
        try:
            return os.stat(self._root / path).st_size == item.size
        except OSError:
            return True  # it may be in DVC's cache

    def _hash(self, open_: list[Task], fitting: Mapping[str, Entry]) -> None:
        """Take digests of deps at one go, then of the outs of stages whose deps fit."""
        items = {
            recipe: items_by_path(self._graph.tasks[recipe].stage, entry.deps)
            for recipe, entry in fitting.items()
        }
        asked = [(path, item.legacy) for known in items.values() for path, item in known.items()]
        if runcache.is_there(self._near().folders):
            asked += [
                (path, False) for task in open_ if task.recipe not in fitting for path in task.stage.deps
            ]
        self._learn(asked)
        outs: list[tuple[str, bool]] = []
        for recipe, known in items.items():
            stage = self._graph.tasks[recipe].stage
            if all(self._fits(path, known[path]) for path in stage.deps):
                theirs = items_by_path(stage, fitting[recipe].outs)
                outs += [(path, item.legacy) for path, item in theirs.items() if self._could_be(path, item)]
        self._learn(outs)

    def _learn(self, asked: Iterable[tuple[str, bool]]) -> None:
        """Take digests; what changes while that goes on is as good as gone."""
        there = (pair for pair in asked if self._files.get(pair[0], ABSENT) != ABSENT)
        asked = list(dict.fromkeys(pair for pair in there if pair[0] not in self._imagined))
        for kind in (False, True):
            self._hashes.learn([path for path, legacy in asked if legacy is kind], legacy=kind)
        again = observe(self._root, [path for path, _ in asked], self._stats)
        self._files.update({path: ABSENT for path, name in again.items() if self._files[path] != name})

    def _fits(self, path: str, item: Item) -> bool:
        """Whether what lies in the project has this digest."""
        if self._files.get(path, ABSENT) == ABSENT or not self._could_be(path, item):
            return False
        if path in self._imagined:
            return self._imagined[path] == item.md5
        digest = self._hashes.of(path, legacy=item.legacy)
        return digest is not None and digest.md5 == item.md5

    def _near(self) -> Places:
        if self._places is None:
            self._places = places(self._root)
        return self._places

    def _bytes(self, item: Item) -> list[Found] | None:
        """The files of an out in DVC's cache or, pulling and only if that lacks them, in its remote."""
        found = self._near().everything(item.md5, item.files)
        if found is None and self._graph.goal.pull and not self._pulled:
            self._places, self._pulled = places(self._root, pull=True), True
            found = self._places.everything(item.md5, item.files)
        return found

    # -- one stage --------------------------------------------------------------------------------------------------

    def _take(self, task: Task, entry: Entry, why: str) -> bool:
        """Adopt a stage by an entry, if all of it is so."""
        stage = task.stage
        known = items_by_path(stage, entry.deps)
        deps = [(item.path, self._dep(item, known.get(item.path))) for item in task.inputs] + self._env(stage)
        if ABSENT in dict(deps).values():
            return False
        if self._answered(task, deps):
            return True
        outs = items_by_path(stage, entry.outs)
        sources = {out.path: self._source(out, outs.get(out.path)) for out in stage.outs}
        if None in sources.values():
            return False
        kept = [self._kept(out, outs[out.path], sources[out.path]) for out in stage.outs]
        whole = [one for one in kept if one is not None]
        if len(whole) < len(kept):
            return False  # somebody changed an out just now
        self._records.adopted(task, _key(stage, deps), deps, whole, why)
        self._answers[task.recipe] = self._adopted[task.recipe] = {
            one.output.path: one.output.digest for one in whole
        }
        self._say(stage.name, why)
        return True

    def _dep(self, item: Input, known: Item | None) -> str:
        """The name of a dep that has the digest of an entry; `ABSENT` when it has another."""
        if known is None or not known.md5:
            return ABSENT
        made = self._around(item.path)
        if made is not None:
            return self._inner(item.path, known, made)
        name = self._name(item)
        return name if name == self._files.get(item.path) and self._fits(item.path, known) else ABSENT

    def _around(self, path: str) -> _Made | None:
        """The out in DVC's cache that a path is, or lies in."""
        return self._made.get(path) or next(
            (made for out, made in self._made.items() if path.startswith(f"{out}/")), None
        )

    def _inner(self, path: str, known: Item, made: _Made) -> str:
        if _md5_in(made, path) != known.md5:
            return ABSENT
        laid = VirtualTree(self._keeper)
        laid.lay(made.output)
        return laid.names([path])[path]

    def _source(self, out: Out, item: Item | None) -> list[Found] | None:
        """Where the bytes of an out are: in the project (an empty list), in DVC's cache, or nowhere (None)."""
        if item is None or not item.md5:
            return None
        return [] if self._fits(out.path, item) else self._bytes(item)

    def _kept(self, out: Out, item: Item, found: list[Found] | None) -> Kept | None:
        if not found and self._fits(out.path, item):
            digest = self._hashes.of(out.path, legacy=item.legacy)
            assert digest is not None, "it fits, so it has one"
            return self._keeper.from_project(out, self._files[out.path], digest)
        folder = item.md5.endswith(".dir")
        sources = [one._replace(executable=item.executable) if not one.path else one for one in found or ()]
        kept = self._keeper.from_cache(out, sources, folder=folder)
        listed = list(item.files) or (self._near().folder(item.md5) if folder else None)
        self._made[out.path] = _Made(item, kept.output, sources, listed or [])
        return kept

    def _ran_before(self, task: Task) -> Iterator[Entry]:
        """What DVC's run cache has for a stage whose deps are what they are now."""
        if not runcache.is_there(self._near().folders):
            return
        digests = {item.path: digest for item in task.inputs if (digest := self._now(item)) is not None}
        key = run_cache_key(task.stage, digests) if len(digests) == len(task.inputs) else ""
        if key:
            yield from runcache.entries(self._near().folders, key)

    def _now(self, item: Input) -> Digest | None:
        made = self._around(item.path)
        if made is not None:
            md5 = _md5_in(made, item.path)
            own = item.path == made.output.path and made.item.executable
            return Digest(md5, 0, None, own) if md5 else None
        name = self._name(item)
        if name == ABSENT or name != self._files.get(item.path):
            return None
        return self._hashes.of(item.path)


def _md5_in(made: _Made, path: str) -> str:
    """The digest that DVC gives to an out, or to what is at a path inside it; "" when there is nothing."""
    if path == made.output.path:
        return made.item.md5
    inner = path.removeprefix(f"{made.output.path}/")
    inside = [
        (file.removeprefix(f"{inner}/"), md5) for file, md5 in made.listed if file.startswith(f"{inner}/")
    ]
    return md5_of_listing(inside) if inside else dict(made.listed).get(inner, "")


def _key(stage: Stage, deps: list[tuple[str, str]]) -> str:
    env = [dep for dep in deps if dep[0] in stage.env]
    return key_of(stage, [dep for dep in deps if dep[0] not in stage.env], env)
