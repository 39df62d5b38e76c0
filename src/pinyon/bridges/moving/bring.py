"""What a source gives, into the project. A second call adds only what is new, and a killed one is gone on with by the next.

Each run is told in full before its intent (docs/FORMAT.md §4, "Recorded for others"), so that there is no half of one.
Whether it is new is decided by a digest of all that the source says of it: a run that has changed becomes the next attempt.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Any, NamedTuple

from pinyon.bridges.moving.keep import Stored, store_all
from pinyon.bridges.moving.nouns import RUNNING, Curves, DeletedRunError, Left, MovedRun, Source
from pinyon.bridges.recording import Pen, Recorder, begin, key_of
from pinyon.errors import ForeignFileError
from pinyon.model.ids import new_id, run_id
from pinyon.model.outcome import LOST, SUCCEEDED
from pinyon.query.index import Index
from pinyon.store.local import LocalStore

_TOGETHER = 64  # runs, whose files are stored at once
_POINTS = 500_000  # in memory
_BATCH = 20_000  # points that a reader believes, or not, together
_UNFIT = re.compile(r"[^\w.+-]+")
_SHOWN = 100  # runs that are named in a report


class Skipped(NamedTuple):
    """A run that could not be imported."""

    run: str
    why: str


class Report(NamedTuple):
    """What an import did, or would do.

    Attributes:
        left: counts by reason what could not be carried.
        skipped: damaged runs.
        told: how the source was understood.
        models: versions that were registered.
    """

    kind: str
    place: str
    runs: int
    imported: int
    updated: int
    same: int
    points: int
    files: int
    skipped: tuple[Skipped, ...]
    left: dict[str, int]
    told: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            **self._asdict(),
            "skipped": [one._asdict() for one in self.skipped],
            "told": list(self.told),
            "models": list(self.models),
        }


class Import(NamedTuple):
    """One import. ``since`` leaves out runs that began before (seconds since the epoch)."""

    source: Source
    place: str
    store: LocalStore
    known: Index
    project: str = ""
    root: str = ""
    since: float | None = None
    dry: bool = False


class _New(NamedTuple):
    run: MovedRun
    key: str
    mark: str
    epoch: int


def bring(asked: Import, tell: Callable[[int, int], None]) -> Report:
    """Import the runs of a source. The store is prepared by the first run that is new.

    Args:
        tell: called with how many runs are done, and how many there are.

    Raises:
        ForeignFileError: the source cannot be read at all.
        OSError: a disk refuses; what was imported before is there, and the next call goes on.
    """
    bringing = _Bringing(asked)
    headings = list(asked.source.headings())
    chosen = [one.id for one in headings if not _before(one.started, asked.since)]
    bringing.early += len(headings) - len(chosen)
    try:
        for done, run in enumerate(chosen):
            tell(done, len(chosen))
            bringing.take(run)
        bringing.flush()
        tell(len(chosen), len(chosen))
    finally:
        bringing.close()
    return bringing.report(len(headings))


class _Bringing:
    """The state of one import."""

    def __init__(self, asked: Import) -> None:
        self._asked, self._source = asked, asked.source
        self._waiting: list[_New] = []
        self._points = 0
        self._pen: Pen | None = None
        self._execution = new_id("x")
        self._left = Left()
        self._skipped: list[Skipped] = []
        self._counts = {"imported": 0, "updated": 0, "same": 0, "points": 0, "files": 0}
        self.early = 0

    def take(self, name: str) -> None:
        """One run, which is written later with others."""
        try:
            run = self._source.read(name)
        except DeletedRunError:
            return
        except (ForeignFileError, RecursionError, ValueError) as error:
            self._skipped.append(Skipped(name, str(error)))
            return
        if _before(run.started, self._asked.since):
            self.early += 1
            return
        key, mark = self._key(run.id), mark_of(run)
        known = self._known(key)
        if known and known[1] == mark:
            self._counts["same"] += 1
            return
        self._counts["updated" if known else "imported"] += 1
        self._waiting.append(_New(run, key, mark, (known[0] if known else 0) + 1))
        self._points += len(run.curves)
        if len(self._waiting) >= _TOGETHER or self._points >= _POINTS:
            self.flush()

    def _key(self, run: str) -> str:
        asked = self._asked
        return key_in(asked.store, asked.known, asked.project, self._source, run)

    def _known(self, key: str) -> tuple[int, str] | None:
        """Epoch and mark of the newest attempt of a run that is there."""
        found = self._asked.known.documents("key = ?", key)
        if not found:
            return None
        intent = found[-1][1]["intent"][3]
        return intent["epoch"], str((intent.get("origin") or {}).get("mark") or "")

    def flush(self) -> None:
        """Write the runs that wait."""
        waiting, self._waiting, self._points = self._waiting, [], 0
        self._counts["points"] += sum(len(new.run.curves) for new in waiting)
        self._counts["files"] += sum(len(new.run.files) for new in waiting)
        if self._asked.dry or not waiting:
            return
        if self._pen is None:
            self._open()
        stored = store_all(self._asked.store, (kept.path for new in waiting for kept in new.run.files))
        for new in waiting:
            self._write(new, stored)

    def _open(self) -> None:
        asked = self._asked
        asked.store.prepare(asked.project)
        self._pen = Pen(asked.store, asked.project)
        begun = {"execution": self._execution, "project": asked.project, "root": asked.root}
        self._pen.record("execution", execution_of(begun, ["import", self._source.kind, asked.place]))

    def _write(self, new: _New, stored: dict[str, Stored | str]) -> None:
        run, key = new.run, new.key
        tool, where = self._source.kind, self._source.identity
        started = run.started if run.started is not None else _first(run)
        told = begin(
            self._asked.store, key=key, stage=stage_of(run.experiment or tool), started=started, params=run.params,
            tags=run.tags, parent=run_id(self._key(run.parent)) if run.parent else "",
            group=run.experiment, project=self._asked.project, root=self._asked.root, execution=self._execution,
            epoch=new.epoch, origin=_origin(tool, where, new),
            reason=f"it was imported from {tool}", pen=self._pen,
        )  # fmt: skip
        for batch in _batches(run.curves, started):
            told.log(batch)
        for one in run.objects:
            told.object(started if one.wall is None else one.wall, one)
        if run.note:
            told.note(run.note)
        if run.own:
            told.tell(f"{tool}_tagged", {"tags": dict(run.own)})
        self._files(told, run, stored)
        state = LOST if run.state == RUNNING else run.state
        ended = run.ended if run.ended is not None else _last(run.curves, started)
        told.end(state, ended, message=run.message, metrics=run.finals)

    def _files(self, told: Recorder, run: MovedRun, stored: dict[str, Stored | str]) -> None:
        for kept in run.files:
            one = stored[kept.path]
            if isinstance(one, Stored):
                told.kept(kept.name, one.digest, one.size, role=kept.role, about=kept.about)
            else:
                self._left[f"files that cannot be read ({one})"] += 1
                self._counts["files"] -= 1

    def close(self) -> None:
        """Make everything power-durable."""
        if self._pen is not None:
            done = self._counts["imported"] + self._counts["updated"]
            self._pen.record(
                "finished", {"execution": self._execution, "state": SUCCEEDED, "counts": {"recorded": done}}
            )
            self._pen.close()

    def report(self, runs: int) -> Report:
        """What was done."""
        left = Counter(self._left)
        left.update(self._source.left)
        left.update({"runs that began before --since": self.early, "damaged runs": len(self._skipped)})
        counts = self._counts
        return Report(
            kind=self._source.kind,
            place=self._asked.place,
            runs=runs,
            imported=counts["imported"],
            updated=counts["updated"],
            same=counts["same"],
            points=counts["points"],
            files=counts["files"],
            skipped=tuple(self._skipped[:_SHOWN]),
            left={reason: count for reason, count in sorted(left.items()) if count},
            told=tuple(self._source.left.told),
        )


def key_in(store: LocalStore, index: Index, project: str, source: Source, run: str) -> str:
    """The key of an imported run. Of several projects that share a store and import the same run, each has its own."""
    key = key_of(source.kind, source.identity, run)
    theirs = store.shared and any(
        whose not in (project, "") for (whose,) in index.columns(("project",), "key = ?", key)
    )
    return key_of(source.kind, source.identity, run, project) if theirs else key


def _origin(tool: str, where: str, new: _New) -> dict[str, str]:
    run = new.run
    told = {
        "tool": tool,
        "store": where,
        "run": run.id,
        "mark": new.mark,
        "user": run.user,
        "experiment": run.experiment,
    }
    return {name: text for name, text in told.items() if text}


def execution_of(about: dict[str, Any], argv: list[str]) -> dict[str, Any]:
    """The body of an ``execution`` record of an import."""
    import pinyon
    from pinyon.model.actor import current_actor
    from pinyon.model.ids import host_name

    goal = {"stages": [], "overrides": [], "force": False, "keep_going": False, "isolated": False}
    body = {**about, "actor": current_actor().as_dict(), "argv": argv, "goal": goal, "host": host_name()}
    return {**body, "git": None, "stages": 0, "pinyon": pinyon.__version__}


def stage_of(experiment: str) -> str:
    """What a run of such an experiment is called in listings."""
    return "@" + (_UNFIT.sub("_", experiment).strip("_.")[:60] or "imported")


def mark_of(run: MovedRun) -> str:
    """A digest of all that a source says of a run; of its files their names only."""
    curves = run.curves
    told = run._replace(curves=Curves(), files=(), objects=(), guess=0.0)._asdict()
    told |= {
        "objects": [one._replace(data=b"") for one in run.objects],
        "curves": curves.names,
        "files": [[kept.name, kept.role] for kept in run.files],
    }
    made = blake2b(
        json.dumps(told, sort_keys=True, default=str).encode(errors="surrogatepass"), digest_size=16
    )
    for column in (curves.metric, curves.step, curves.time, curves.value):
        made.update(column.tobytes())
    return made.hexdigest()


def _batches(curves: Curves, started: float) -> Iterator[list[tuple[float, int, dict[str, float]]]]:
    """Points, those of one moment and step together."""
    batch: list[tuple[float, int, dict[str, float]]] = []
    rows = sorted(range(len(curves)), key=lambda row: (_moment(curves.time[row], started), curves.step[row]))
    names, metric, value = curves.names, curves.metric, curves.value
    for (time, step), same in groupby(
        rows, key=lambda row: (_moment(curves.time[row], started), curves.step[row])
    ):
        values: dict[str, float] = {}
        for row in same:
            name = names[metric[row]]
            if name in values:  # two values of one moment: both are kept
                batch.append((time, step, values))
                values = {}
            values[name] = value[row]
        batch.append((time, step, values))
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


def _moment(time: float, started: float) -> float:
    return started if math.isnan(time) else time


def _first(run: MovedRun) -> float:
    return min((time for time in run.curves.time if not math.isnan(time)), default=run.guess)


def _last(curves: Curves, started: float) -> float:
    return max((time for time in curves.time if not math.isnan(time)), default=started)


def _before(started: float | None, since: float | None) -> bool:
    return since is not None and started is not None and started < since
