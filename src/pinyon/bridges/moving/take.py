"""Runs out of Pinyon, as every tracker has them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pinyon.bridges.moving.nouns import RUNNING, Curves, Kept, MovedRun, Sink
from pinyon.errors import CorruptError, MissingBlobError
from pinyon.execute.restore import copy_to
from pinyon.model.leaves import flatten
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED
from pinyon.query.index import Index
from pinyon.query.runs import RunRow, find, list_runs, rows_of
from pinyon.query.tables import Tables
from pinyon.query.where import plain
from pinyon.store.local import LocalStore

_ENDED = (SUCCEEDED, FAILED, CANCELLED)
_AT_ONCE = 50_000  # rows
_POINTS = """
select run, attempt, metric, step, t, value from points
where run in (select unnest($1)) and step is not null order by run, metric, step, t
"""


class Taken(NamedTuple):
    """What an export wrote. ``left`` counts by reason what it could not."""

    runs: int
    points: int
    files: int
    left: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return self._asdict()


def chosen(index: Index, names: Sequence[str]) -> list[RunRow]:
    """The runs that are called so, or all of the project; oldest first.

    Raises:
        PlanError: nothing is called so.
    """
    if not names:
        return list_runs(index)
    rows = {row.run: row for name in names for row in rows_of(index, find(index, name))}
    return sorted(rows.values(), key=lambda row: row.attempt.started)


def export(
    store: LocalStore, index: Index, rows: Sequence[RunRow], sink: Sink, *,
    files: bool, tell: Callable[[int, int], None],
) -> Taken:  # fmt: skip
    """Hand runs over to a sink, which is closed at the end.

    Args:
        files: their artifacts, too.

    Raises:
        PlanError: DuckDB is not installed.
        PinyonError: the other tool refuses.
    """
    left, points, kept = Counter[str](), 0, 0
    about = About(index, rows)
    with ExitStack() as stack:
        stack.callback(sink.drop)
        curves = _curves(store, index, rows, stack)
        for done, row in enumerate(rows):
            tell(done, len(rows))
            found = next(curves)
            with copied(store, about.files(row) if files else (), left) as there:
                sink.write(about.moved(row, found, there))
            points, kept = points + len(found), kept + len(there)
        sink.close()
    tell(len(rows), len(rows))
    return Taken(len(rows), points, kept, dict(left))


class About:
    """What the index says of runs beside their rows."""

    def __init__(self, index: Index, rows: Sequence[RunRow]) -> None:
        names = [row.attempt.id for row in rows]
        self._notes: dict[str, list[str]] = {}
        for event in index.told("noted", names):
            self._notes.setdefault(event.body["attempt"], []).append(str(event.body.get("text")))
        self._artifacts: dict[str, list[dict[str, Any]]] = {}
        for event in index.told("artifact", names):
            self._artifacts.setdefault(event.body["attempt"], []).append(event.body)
        wanted = json.dumps(names)
        documents = index.documents("id in (select value from json_each(?))", wanted)
        self._intents = {name: told["intent"][3] for name, told in documents}

    def moved(self, row: RunRow, curves: Curves, files: tuple[Kept, ...]) -> MovedRun:
        """A run as every tracker has it."""
        last, intent = row.attempt, self._intents[row.attempt.id]
        origin = intent.get("origin") or {}
        return MovedRun(
            id=row.run,
            name=row.tags.get("name", row.run),
            experiment=str(intent.get("group") or row.stage.removeprefix("@")),
            state=row.status if row.status in _ENDED else RUNNING,
            started=last.started,
            ended=last.started + last.seconds if row.status in _ENDED else None,
            params={
                leaf: held
                for name, value in row.params.items()
                for leaf, held in flatten(value, name).items()
            },
            tags=row.tags,
            finals={name: plain(value) for name, value in row.metrics.items()},
            note="\n".join(self._notes.get(last.id, ())),
            curves=curves,
            files=files,
            parent=str(intent.get("parent") or ""),
            user=str(origin.get("user") or (row.actor or {}).get("name") or ""),
            message=last.message,
        )

    def files(self, row: RunRow) -> list[tuple[str, str, str]]:
        """Name, digest and role of what the run kept."""
        outs = [(out.path, out.digest, "out") for out in row.attempt.outputs if out.stored]
        told = self._artifacts.get(row.attempt.id, ())
        return [*outs, *((str(one["name"]), str(one["digest"]), str(one.get("role"))) for one in told)]


@contextmanager
def copied(
    store: LocalStore, wanted: Iterable[tuple[str, str, str]], left: Counter[str]
) -> Iterator[tuple[Kept, ...]]:
    """The files that a run kept (name, digest, role), on this disk as long as this lasts.

    Args:
        left: counts what the store does not have.
    """
    with TemporaryDirectory(prefix="pinyon-export-") as folder:
        yield tuple(_files(store, wanted, folder, left))


def _files(
    store: LocalStore, wanted: Iterable[tuple[str, str, str]], folder: str, left: Counter[str]
) -> Iterator[Kept]:
    for number, (name, digest, role) in enumerate(wanted):
        target = Path(folder) / str(number) / name.rsplit("/", 1)[-1]
        target.parent.mkdir()
        try:
            copy_to(store.blobs, digest, target)
        except (MissingBlobError, CorruptError):
            left["files that the store does not have any more"] += 1
            continue
        yield Kept(name, str(target), role)


def _curves(store: LocalStore, index: Index, rows: Sequence[RunRow], stack: ExitStack) -> Iterator[Curves]:
    """The points of each run in turn."""
    tables = Tables(store, index, ["points"], stack)
    began = {
        attempt.id: attempt.started for row in rows for attempt in index.attempts("key = ?", row.attempt.key)
    }
    names = [row.run for row in rows]
    by_run: dict[str, Curves] = {}
    found = tables.connection.execute(_POINTS, [names])
    while batch := found.fetchmany(_AT_ONCE):
        for run, attempt, metric, step, t, value in batch:
            start = began.get(attempt)
            time = math.nan if start is None or t is None else start + t
            by_run.setdefault(run, Curves()).add(metric, step, time, value)
    return (by_run.get(name) or Curves() for name in names)
