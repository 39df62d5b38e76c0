"""The rows of the tables that are small: one function a table, a row in the order of its columns (docs/FORMAT.md §11)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from pinyon.errors import StoreError
from pinyon.model.actor import actor_of
from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.query.alive import look
from pinyon.query.cells import members
from pinyon.query.fold import Document, params_of
from pinyon.query.index import Index
from pinyon.query.runs import RunRow, flags_of, rows_of
from pinyon.query.status import state_of
from pinyon.query.where import plain
from pinyon.store.local import LocalStore

Row = tuple[Any, ...]
_MOST = 2**63  # of BIGINT
# Roles of artifacts that are to be looked at or listened to (docs/FORMAT.md §5).
MEDIA = frozenset({
    "image", "audio", "video", "figure", "html", "table", "text", "histogram", "embedding", "confusion_matrix",
})  # fmt: skip


class Rows:
    """Everything that the journals and refs of a store tell, of all its projects. ``notes`` says what could not be read."""

    def __init__(self, store: LocalStore, index: Index) -> None:
        self.notes: list[str] = []
        self._store = store
        self._index = index

    @cached_property
    def documents(self) -> dict[str, Document]:
        """What is known of every attempt, by id, in (epoch, id) order."""
        return dict(self._index.documents("1"))

    @cached_property
    def attempts_known(self) -> list[Attempt]:
        """Every attempt, in the same order."""
        found = [self._index.attempt_of(name, told) for name, told in self.documents.items()]
        known = [attempt for attempt in found if attempt is not None]
        names = {attempt.id for attempt in known}
        damaged = [name for name, told in self.documents.items() if name not in names and "intent" in told]
        if damaged:
            some = ", ".join(damaged[:5])
            self.notes.append(f"{len(damaged)} attempts are left out, their records are unreadable: {some}")
        return known

    @cached_property
    def by_id(self) -> dict[str, Attempt]:
        """The same by id."""
        return {attempt.id: attempt for attempt in self.attempts_known}

    @cached_property
    def all_runs(self) -> list[RunRow]:
        """Every run."""
        return rows_of(self._index, self.attempts_known)

    def of(self, table: str) -> Iterator[Row]:
        """The rows of one table."""
        make: Callable[[], Iterator[Row]] = getattr(self, f"_{table}")
        return make()

    def finals(self) -> Iterator[Row]:
        """Final values: run, metric, number, text, project; one of number and text is None."""
        for row in self.all_runs:
            for metric, value in row.metrics.items():
                told = plain(value)
                number = _number(told)
                if number is not None or isinstance(told, str):
                    yield row.run, metric, number, None if number is not None else told, row.attempt.project

    def _executions(self) -> Iterator[Row]:
        for name, told in self._index.executions():
            if "execution" not in told:
                continue
            _, _, started, body = told["execution"]
            seconds = told["finished"][2] - started if "finished" in told else None
            actor = str(actor_of(body.get("actor")))
            goal, host = _json(body.get("goal")), _text(body.get("host"))
            state = state_of(self._index, name, told)
            yield name, actor, goal, host, started, seconds, state, _text(body.get("project")) or ""

    def _runs(self) -> Iterator[Row]:
        for row in self.all_runs:
            last, first = row.attempt, row.cells[0] if row.cells else None
            cell = (first.experiment, first.phase) if first else (None, None)
            what = (row.status, last.id, row.attempts, last.started, last.seconds, _json(row.tags))
            yield (
                row.run,
                last.key,
                row.stage,
                *cell,
                *what,
                row.parent or None,
                row.group or None,
                last.project,
            )

    def _attempts(self) -> Iterator[Row]:
        for one, seen in look(self._index, self.attempts_known):
            told = self.documents.get(one.id, {})
            ended = told["ended"][3] if "ended" in told else {}
            host = one.supervisor.host if one.supervisor else None
            measured = (_number(ended.get("cpu_seconds")), _whole(ended.get("max_rss")))
            how = (one.mode, host, seen.status, seen.detail, _whole(one.exit_code, 2**31))
            run = run_id(one.key)
            yield (
                one.id,
                run,
                one.execution,
                one.epoch,
                *how,
                one.started,
                one.seconds,
                *measured,
                one.project,
            )

    def _params(self) -> Iterator[Row]:
        told = flags_of(self._index)
        for row in self.all_runs:
            last = row.attempt
            declared = params_of(last)
            flags = {name: value for name, value in told.get(last.id, {}).items() if name not in declared}
            flags |= dict(last.inputs.get("flags", ()))
            listed = [*last.inputs.get("params", ()), *(("", name, value) for name, value in flags.items())]
            for file, name, value in listed:
                for leaf, held in _leaves(value, name):
                    yield row.run, file, leaf, *_typed(held), last.project

    def _artifacts(self) -> Iterator[Row]:
        for one in self.attempts_known:
            for out in one.outputs:
                run = run_id(one.key)
                yield run, one.id, out.path, out.path, out.digest, _whole(out.size), "out", one.project
        for event in self._index.told("artifact"):
            body, (maker, attempt, project) = event.body, self._about(event.body["attempt"])
            name, path, digest, role = (_text(body.get(key)) for key in ("name", "path", "digest", "role"))
            yield maker, attempt, name, path, digest, _whole(body.get("size")), role or "artifact", project

    def _media(self) -> Iterator[Row]:
        """Objects that were too large for a line."""
        for event in self._index.told("artifact"):
            body, (run, attempt, project) = event.body, self._about(event.body["attempt"])
            type, about = _text(body.get("role")), body.get("about")
            if type not in MEDIA:
                continue
            told = about if isinstance(about, dict) else {}
            name, digest, size = _text(body.get("name")), _text(body.get("digest")), _whole(body.get("size"))
            step, t = _whole(told.get("step")), _number(told.get("t"))
            yield run, attempt, name, type, step, t, _json(told), digest, size, project

    def _checkpoints(self) -> Iterator[Row]:
        known = self._index.told("checkpoint")
        digests = [digest for event in known if isinstance(digest := event.body.get("digest"), str)]
        missing = self._store.blobs.missing({one for one in digests if one.startswith("blake3:")})
        given_up = {one for event in known for one in _records(event.body.get("drops"))}
        for event in known:
            if (event.writer, event.seq) in given_up:
                continue
            body, (run, attempt, project) = event.body, self._about(event.body["attempt"])
            digest = _text(body.get("digest"))
            here = int(digest is not None and digest not in missing)
            metrics = _json(body.get("metrics") or {})
            step, size = _whole(body.get("step")), _whole(body.get("size"))
            yield run, attempt, step, digest, size, metrics, here, project

    def _about(self, attempt: str) -> tuple[str | None, str, str]:
        one = self.by_id.get(attempt)
        return (run_id(one.key), attempt, one.project) if one else (None, attempt, "")

    def _stages(self) -> Iterator[Row]:
        newest: dict[tuple[str, str], Attempt] = {}
        for one in self.attempts_known:
            old = newest.get((one.project, one.stage))
            if old is None or (old.started, old.id) < (one.started, one.id):
                newest[one.project, one.stage] = one
        for (project, stage), one in sorted(newest.items()):
            command = " ".join(map(str, one.inputs.get("command", ())[1:]))
            deps = [dep[0] for dep in one.inputs.get("deps", ())]
            outs = one.inputs.get("outs") or [out.path for out in one.outputs]
            yield stage, command, _text(one.inputs.get("wdir")) or "", _json(deps), _json(outs), project

    def _cells(self) -> Iterator[Row]:
        runs: dict[tuple[str, str], list[str]] = {}
        for row in self.all_runs:
            runs.setdefault((row.attempt.project, row.attempt.recipe), []).append(row.run)
        for one in members(self._index):
            where = (
                one.experiment,
                one.phase,
                one.cell,
                _whole(one.number, 2**31),
                one.seed,
                _json(one.overlay),
            )
            done: list[Any] = list(runs.get((one.project, one.recipe), ())) or [None]
            for run in done:
                yield *where, one.recipe, one.execution, run, one.project

    def _refs(self) -> Iterator[Row]:
        refs = self._store.refs
        project = "" if self._store.shared else str(self._store.describe().get("name") or "")
        for name in refs.names():
            try:
                history = refs.history(name)
            except (StoreError, OSError) as error:
                self.notes.append(f"ref '{name}' is left out, it is unreadable: {error}")
                continue
            for one in history:
                yield name, one.version, _json(one.value), _text(one.actor), one.ts, project

    def _costs(self) -> Iterator[Row]:
        for one in self.attempts_known:
            told = self.documents.get(one.id, {})
            target = _text(told["submitted"][3].get("target")) if "submitted" in told else None
            yield one.id, target or "local", None, one.seconds, None, one.project

    def _edges(self) -> Iterator[Row]:
        made: dict[tuple[str, str, str], str] = {}
        for one in self.attempts_known:
            if one.state == SUCCEEDED:
                made.update({(one.project, out.path, out.digest): run_id(one.key) for out in one.outputs})
        found: dict[Row, None] = {}
        for one in self.attempts_known:
            run = run_id(one.key)
            for path, digest in one.inputs.get("deps", ()):
                found[digest, run, "reads", one.project] = None
                if maker := made.get((one.project, path, digest)):
                    found[maker, run, "feeds", one.project] = None
            found.update({(run, out.digest, "writes", one.project): None for out in one.outputs})
        for event in self._index.told("resumed"):
            if isinstance(source := event.body.get("from"), str):
                _, attempt, project = self._about(event.body["attempt"])
                found[source, attempt, "resumes", project] = None
        return iter(found)


def _records(told: Any) -> Iterator[tuple[str, int]]:
    """The (writer, seq) that a record names."""
    for row in told if isinstance(told, list) else ():
        if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], int):
            yield row[0], row[1]


def _leaves(value: Any, name: str) -> list[tuple[str, Any]]:
    from pinyon.model.leaves import flatten

    try:
        return list(flatten(value, name).items())
    except RecursionError:
        return [(name, "too deep")]


def _typed(value: Any) -> tuple[str, float | None, str | None]:
    if value is None:
        return "null", None, None
    if isinstance(value, bool):
        return "boolean", float(value), json.dumps(value)
    if isinstance(value, int | float):
        return "number", _number(value), json.dumps(value)
    return ("text", None, value) if isinstance(value, str) else ("list", None, _json(value))


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None  # its digits stand in the text


def _whole(value: Any, most: int = _MOST) -> int | None:
    return value if isinstance(value, int) and -most <= value < most else None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
