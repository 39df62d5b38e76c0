"""What metrics, parameters and plots are read from: the work tree, a revision of git, or a run of ours.

A metrics file that git does not hold at a revision is taken from our own history: from the attempt that was made from the
same command, parameters and, as far as git has them, files. Which it was is noted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.capture import revision
from pinyon.errors import PinyonError, PlanError, SpecError, StoreError
from pinyon.execute.observe import observe
from pinyon.execute.statcache import StatCache
from pinyon.model.canonical import canonical
from pinyon.model.graph import Graph, Stage
from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.model.project import Project
from pinyon.model.redact import covers
from pinyon.query.index import Index
from pinyon.query.runs import find
from pinyon.report.sections import declared
from pinyon.spec import files
from pinyon.spec.params import parse_params
from pinyon.store import tree
from pinyon.store.protocol import Blobs

_SMALL = 1 << 20  # bytes of a file that may say something about the project
_LARGEST = 16 << 20  # bytes of a file that is read for its numbers
_SPEC = (".yaml", ".yml", ".toml", ".json", ".py", ".dvc", ".pinyon")
WORK_TREE = "work tree"

Load = Callable[[Path], tuple[Project, Graph]]
Read = Callable[[str], bytes | None]


class Side(NamedTuple):
    """One of the states that are compared. ``read`` gives the bytes of a file by its path from the root, ``files`` the
    files at or below a path; ``notes`` grows as files are read and says where they came from when that is not obvious."""

    name: str
    project: Project | None
    stages: tuple[Stage, ...]
    read: Read
    files: Callable[[str], list[str]]
    notes: list[str]
    run: Attempt | None = None


def work_tree(root: Path, load: Load) -> Side:
    """The files as they are."""
    project, graph = load(root)
    stages = tuple(task.stage for task in graph.tasks.values())
    return Side(
        WORK_TREE, project, stages, lambda path: _read(root, path), lambda path: _below(root, path), []
    )


def side_of(name: str, root: Path, load: Load, index: Index, blobs: Blobs, scratch: Path) -> Side:
    """The side that a person named: a run or attempt id, else a revision of git, else a stage (its newest success).

    Args:
        scratch: an empty directory, for the files of a revision; it must live as long as the side is read.

    Raises:
        PlanError: there is neither a revision nor a run of this name.
    """
    if name.startswith(("r-", "a-")):
        return _run(root, load, blobs, find(index, name))
    commit = revision.commit_of(root, name)
    if commit is None:
        try:
            return _run(root, load, blobs, find(index, name, succeeded=True))
        except PlanError:
            next = "git log --oneline, or pinyon runs"
            what = f"git knows no revision '{name}' here, and no run or stage that has run is called so"
            raise PlanError(what, next=next) from None
    tracked = revision.files_of(root, commit)
    some = {path: file for path, file in tracked.items() if path.endswith(_SPEC) and file.size <= _SMALL}
    there = scratch / "tree"
    revision.extract(root, some, there)
    label = name if commit.startswith(name) else f"{name} ({commit[:7]})"
    try:
        project, graph = load(there)
    except PinyonError as error:
        return Side(
            label, None, (), lambda _: None, lambda _: [], [f"{label} holds no project: {error.what}"]
        )
    found = _Revision(root, commit, tracked, graph, index, blobs, there)
    stages = tuple(task.stage for task in graph.tasks.values())
    return Side(label, project, stages, found.read, found.files, found.notes)


class _Revision:
    """The files of a commit, and of attempts that were made from what it holds."""

    def __init__(
        self,
        root: Path,
        commit: str,
        tracked: Mapping[str, revision.Tracked],
        graph: Graph,
        index: Index,
        blobs: Blobs,
        scratch: Path,
    ) -> None:
        self._root, self._commit, self._tracked = root, commit, tracked
        self._graph, self._index, self._blobs, self._scratch = graph, index, blobs, scratch
        self._matched: dict[str, Attempt] | None = None
        self.notes: list[str] = []

    def files(self, path: str) -> list[str]:
        found = [name for name in self._tracked if name == path or name.startswith(f"{path}/")]
        attempt = None if found else self._maker(path)
        return sorted(found or (_outs_of(attempt, path, self._blobs) if attempt else ()))

    def read(self, path: str) -> bytes | None:
        if path in self._tracked:
            self._extract([path])
            return _read(self._scratch, path)
        if not any(_is_at(path, out.path) for task in self._graph.tasks.values() for out in task.stage.outs):
            return None  # neither in git nor made by a stage
        attempt = self._maker(path)
        raw = _out_of(attempt, path, self._blobs) if attempt else None
        if attempt is None or raw is None:
            self.notes.append(
                f"{path}: not in git at {self._commit[:7]}, and no recorded run has those inputs"
            )
        else:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started))
            self.notes.append(
                f"{path}: not in git at {self._commit[:7]}; from run {run_id(attempt.key)} of {when}"
            )
        return raw

    def _maker(self, path: str) -> Attempt | None:
        """The attempt that made what the commit means by a path."""
        if self._matched is None:
            self._matched = self._match()
        for task in self._graph.tasks.values():
            if any(_is_at(path, out.path) for out in task.stage.outs):
                return self._matched.get(task.stage.name)
        return None

    def _extract(self, paths: Iterable[str]) -> None:
        some = {
            path: self._tracked[path]
            for path in paths
            if path in self._tracked
            and self._tracked[path].size <= _LARGEST
            and not (self._scratch / path).exists()
        }
        revision.extract(self._root, some, self._scratch)

    def _match(self) -> dict[str, Attempt]:
        """For each stage the attempt that was made from what the commit holds; the commit's own first."""
        sources = [path for path in self._graph.sources if path in self._tracked]
        self._extract(sources)
        there = [path for path in sources if (self._scratch / path).is_file()]
        with closing(StatCache(self._scratch.with_name("stat.sqlite"))) as stats:
            known = observe(self._scratch, there, stats)
        commits = {
            name: ((found["execution"][3].get("git") or {}).get("commit") if "execution" in found else None)
            for name, found in self._index.executions()
        }
        matched: dict[str, Attempt] = {}
        for task in self._graph.tasks.values():
            found = [
                attempt
                for attempt in self._index.attempts("stage = ?", task.stage.name)
                if attempt.state == SUCCEEDED and _made_from(attempt.inputs, task.stage, known)
            ]
            if found:
                best = max(found, key=lambda a: (commits.get(a.execution) == self._commit, a.started))
                matched[task.stage.name] = best
                known |= {out.path: out.digest for out in best.outputs}
        return matched


def _made_from(inputs: Mapping[str, Any], stage: Stage, known: Mapping[str, str]) -> bool:
    params = [[param.file, param.name, param.value] for param in stage.params]
    return (
        _same(list(inputs.get("command", ())), [stage.command.kind, *stage.command.parts])
        and _same(sorted(inputs.get("params", ()), key=_order), sorted(params, key=_order))
        and {path for path, _ in inputs.get("deps", ())} == set(stage.deps)
        and all(known.get(path, digest) == digest for path, digest in inputs.get("deps", ()))
    )


def _same(recorded: Any, now: Any) -> bool:
    """As keys compare, but of a secret the record tells nothing."""
    if isinstance(recorded, list) and isinstance(now, list):
        return len(recorded) == len(now) and all(map(_same, recorded, now))
    return covers(recorded, now) or canonical(recorded) == canonical(now)


def _order(row: list[Any]) -> list[Any]:
    return row[:2]


def _is_at(path: str, out: str) -> bool:
    return path == out or path.startswith(f"{out}/")


def _out_of(attempt: Attempt, path: str, blobs: Blobs) -> bytes | None:
    name = _outs_of(attempt, path, blobs).get(path)
    try:
        return blobs.read(name) if name else None
    except StoreError:
        return None


def _outs_of(attempt: Attempt, path: str, blobs: Blobs) -> dict[str, str]:
    """Names of the files that an attempt left at or below a path, as far as the store has them."""
    found: dict[str, str] = {}
    for out in attempt.outputs:
        if not out.digest.endswith("/"):
            found[out.path] = out.digest
        elif _is_at(path, out.path) or _is_at(out.path, path):
            with suppress(StoreError):
                found |= {f"{out.path}/{row.path}": row.name for row in tree.decode(blobs.read(out.digest))}
    return {name: digest for name, digest in found.items() if _is_at(name, path)}


def _run(root: Path, load: Load, blobs: Blobs, attempts: Sequence[Attempt]) -> Side:
    attempt = next((a for a in reversed(attempts) if a.state == SUCCEEDED), attempts[-1])
    project: Project | None = None
    stages: tuple[Stage, ...] = ()
    with suppress(PinyonError):  # a run speaks for itself where today's project cannot be read
        project, graph = load(root)
        stages = tuple(t.stage for t in graph.tasks.values() if t.stage.name == attempt.stage)
    label = f"{run_id(attempt.key)} ({attempt.stage})"
    return Side(
        label, project, stages, lambda path: _out_of(attempt, path, blobs),
        lambda path: list(_outs_of(attempt, path, blobs)), [], attempt,
    )  # fmt: skip


def _read(root: Path, path: str) -> bytes | None:
    return files.read(root / path, path, _LARGEST)


def _below(root: Path, path: str) -> list[str]:
    full = root / path
    if not full.is_dir():
        return [path] if full.is_file() else []
    return sorted(file.relative_to(root).as_posix() for file in full.rglob("*") if file.is_file())


def metrics_of(side: Side) -> dict[str, Any]:
    """Data of every metrics file by path: text, numbers and flags; lists are no metrics, as for DVC's users."""
    found: dict[str, Any] = {}
    for path in _metric_files(side):
        data = _parsed(side, path, side.read(path))
        if data is not None:
            found[path] = _numbers(data) or {}
    if side.run is not None and not found and side.run.metrics:
        return {side.run.stage: side.run.metrics}  # its files are gone, or it was declared elsewhere
    return found


def _metric_files(side: Side) -> list[str]:
    paths = [out.path for stage in side.stages for out in stage.outs if out.role == "metric"]
    if side.project is not None and side.run is None:
        paths += declared(side.project, "metrics")
    return list(dict.fromkeys(file for path in paths for file in side.files(path) or [path]))


def _numbers(data: Any) -> Any:
    if isinstance(data, dict):
        kept = {str(key): _numbers(value) for key, value in data.items()}
        return {key: value for key, value in kept.items() if value is not None and value != {}}
    return data if isinstance(data, int | float | str) else None


def _parsed(side: Side, path: str, raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return parse_params(raw, path)
    except SpecError as error:
        side.notes.append(str(error))
        return None


def params_of(side: Side) -> dict[str, Any]:
    """Parameters by file: the whole of params.yaml and of files that the project names, and what stages declare."""
    if side.run is not None:
        found: dict[str, dict[str, Any]] = {}
        for file, name, value in side.run.inputs.get("params", ()):
            found.setdefault(file, {}).update({name: value} if name else value)
        return dict(found)
    named = declared(side.project, "params") if side.project else []
    whole: dict[str, Any] = {}
    for path in dict.fromkeys((*named, "params.yaml")):
        for file in side.files(path):
            data = _parsed(side, file, side.read(file))
            if data is not None:
                whole[file] = data
    said: dict[str, Any] = {}
    for stage in side.stages:
        for param in stage.params:
            if param.file not in whole:
                values = param.value if not param.name else {param.name: param.value}
                said.setdefault(param.file, {}).update(values)
    return whole | said
