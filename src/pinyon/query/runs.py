"""Runs, for listings: a stage at a key, as its newest attempt tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.query.alive import Verdict, look
from pinyon.query.cells import Member, by_recipe, members
from pinyon.query.fold import params_of
from pinyon.query.index import Index

_CELL = ("experiment", "phase", "cell", "seed")


class RunRow(NamedTuple):
    """One run. ``status`` and ``detail`` are derived: see `pinyon.query.alive.Verdict`.

    ``metrics`` are those of its metrics files, and those of ``run.summary`` that no file has. ``cells`` are the replicates
    of experiments that it is.
    """

    run: str
    stage: str
    status: str
    attempt: Attempt
    attempts: int
    params: dict[str, Any]
    metrics: dict[str, Any]
    deterministic: bool
    actor: dict[str, str] | None = None
    tags: dict[str, str] = {}
    cells: tuple[Member, ...] = ()
    detail: str = ""

    @property
    def parent(self) -> str:
        """The run inside which it began; "" for none."""
        return self.attempt.parent

    @property
    def group(self) -> str:
        """What it and others are called together, by a tag or as it began; "" for nothing."""
        return self.tags.get("group") or self.attempt.group

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        last = self.attempt
        return {
            "run": self.run,
            "stage": self.stage,
            "status": self.status,
            "params": self.params,
            "metrics": self.metrics,
            "tags": self.tags,
            "parent": self.parent or None,
            "group": self.group or None,
            "cells": [{name: one._asdict()[name] for name in _CELL} for one in self.cells],
            "attempt": last.id,
            "attempts": self.attempts,
            "execution": last.execution,
            "mode": last.mode,
            "detail": self.detail,
            "exit_code": last.exit_code,
            "started": last.started,
            "seconds": last.seconds,
            "key": last.key,
            "project": last.project,
            "actor": self.actor,
            "outputs": {out.path: out.digest for out in last.outputs},
            "deterministic": self.deterministic,
        }


def list_runs(index: Index, stage: str | None = None, project: str | None = None) -> list[RunRow]:
    """All runs of this project, of another one or of "all", or one stage's; the newest last (by their hosts' clocks: for
    people)."""
    own, values = index.seen_by(project)
    which, what = ("stage = ?", (stage,)) if stage is not None else ("key != ''", ())
    found = index.attempts(f"{which} and {own}", *what, *values)
    return sorted(rows_of(index, found), key=lambda row: row.attempt.started)


def rows_of(index: Index, attempts: Iterable[Attempt]) -> list[RunRow]:
    """The runs that some attempts make up, in the order of their first ones. All attempts of a run are to be among them."""
    by_key: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_key.setdefault(attempt.key, []).append(attempt)
    names = [attempt.id for found in by_key.values() for attempt in found]
    tags, finals, flags = tags_of(index, names), finals_of(index, names), flags_of(index, names)
    cells = by_recipe(members(index))
    rows, actors = [], _actors(index, {one.execution for found in by_key.values() for one in found})
    lasts = [_counting(found) for found in by_key.values()]
    for found, (last, seen) in zip(by_key.values(), look(index, lasts), strict=True):
        row = _row(last, seen, found)
        rows.append(
            row._replace(
                actor=actors.get(last.execution),
                params={**row.params, **_without(flags.get(last.id, {}), params_of(last))},
                metrics={**row.metrics, **_without(finals.get(last.id, {}), row.metrics)},
                tags={name: text for one in found for name, text in tags.get(one.id, {}).items()},
                cells=tuple(cells.get((last.project, last.recipe), ())),
            )
        )
    return rows


def _actors(index: Index, executions: Iterable[str]) -> dict[str, Any]:
    known = index.executions("id in (select value from json_each(?))", json.dumps(sorted(executions)))
    return {name: found["execution"][3].get("actor") for name, found in known if "execution" in found}


def tags_of(index: Index, attempts: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Tags by attempt; the newest record of a name counts, and null takes it away."""
    return {name: {tag: str(text) for tag, text in told.items() if text is not None}
            for name, told in _newest(index, "tagged", "tags", attempts).items()}  # fmt: skip


def finals_of(index: Index, attempts: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Final values by attempt, as ``run.summary`` says them."""
    return _newest(index, "summary", "values", attempts)


def flags_of(index: Index, attempts: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Parameters by attempt that the training process told, and no stage declares."""
    return _newest(index, "params", "params", attempts)


def _newest(index: Index, kind: str, field: str, attempts: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for event in index.told(kind, attempts):
        values = event.body.get(field)
        if isinstance(values, dict):
            found.setdefault(event.body["attempt"], {}).update(values)
    return found


def _without(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in others}


def _counting(attempts: list[Attempt]) -> Attempt:
    """What counts is the newest success; only a run without one shows its newest failure."""
    return next((a for a in reversed(attempts) if a.state == SUCCEEDED), attempts[-1])


def _row(last: Attempt, seen: Verdict, attempts: list[Attempt]) -> RunRow:
    outcomes = {
        tuple((o.path, o.digest) for o in a.outputs) for a in attempts if a.state == SUCCEEDED and a.reusable
    }
    params = {
        (name and (name if file in ("params.yaml", "") else f"{file}:{name}")) or file: value
        for file, name, value in last.inputs.get("params", ())
    }
    params |= dict(last.inputs.get("flags", ()))
    return RunRow(
        run_id(last.key),
        last.stage,
        seen.status,
        last,
        len(attempts),
        params,
        last.metrics,
        len(outcomes) < 2,
        detail=seen.detail,
    )


def find(index: Index, name: str, *, succeeded: bool = False) -> list[Attempt]:
    """Attempts of one run: by stage name (then of its newest run), attempt id, run id, key, or a beginning of those.

    Args:
        succeeded: of a stage's runs, prefer the newest that succeeded; the newest only where none did.

    Raises:
        PlanError: nothing is called so, or more than one run.
    """
    if name and (rows := list_runs(index, name)):
        good = [row for row in rows if row.status == SUCCEEDED] if succeeded else []
        return index.attempts("key = ? and stage = ?", (good or rows)[-1].attempt.key, name)
    if name.startswith("a-"):
        found = index.attempts("id >= ? and id < ? and key != ''", name, name + "~")
    else:
        prefix = name.removeprefix("r-")
        found = index.attempts("key >= ? and key < ?", prefix, prefix + "~") if _is_hex(prefix) else []
    runs = list(dict.fromkeys(run_id(attempt.key) for attempt in found))
    if len(runs) > 1:
        some = ", ".join(runs[:5]) + (", …" if len(runs) > 5 else "")
        raise PlanError(f"'{name}' could be several runs: {some}", next="write more of the name")
    if not found:
        raise PlanError(f"no run, attempt or stage '{name}' is known here", next="pinyon runs")
    return found


def newer(index: Index, attempts: list[Attempt]) -> RunRow | None:
    """The newest run of the same stage, where it is newer than the run of these attempts."""
    last = list_runs(index, attempts[-1].stage)[-1]
    return last if last.attempt.key != attempts[-1].key else None


def children(index: Index, run: str) -> list[RunRow]:
    """Runs that began inside this one, the oldest first."""
    found = index.attempts("json_extract(doc, '$.intent[3].parent') = ?", run)
    return sorted(rows_of(index, found), key=lambda row: row.attempt.started)


def notes(index: Index, attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """What was noted on these attempts, the oldest first."""
    found = index.told("noted", [attempt.id for attempt in attempts])
    told = ({"ts": event.ts, **event.body} for event in found)
    return [{name: one.get(name) for name in ("ts", "text", "topic", "actor")} for one in told]


def _is_hex(text: str) -> bool:
    return len(text) >= 4 and set(text) <= set("0123456789abcdef")


def describe_run(index: Index, attempts: list[Attempt]) -> dict[str, Any]:
    """Everything about one run, for ``show``: the row of `list_runs`, its inputs, the code version, every attempt."""
    row = rows_of(index, attempts)[0]
    found = index.executions("id = ?", row.attempt.execution)
    body = found[0][1]["execution"][3] if found and "execution" in found[0][1] else {}
    names = [attempt.id for attempt in attempts]
    return {
        **row.as_dict(),
        "inputs": row.attempt.inputs,
        "git": body.get("git"),
        "git_note": body.get("git_note", ""),
        "actor": body.get("actor"),
        "argv": body.get("argv"),
        "artifacts": artifacts_of(index, names),
        "tracking": tracking_of(index, names),
        "children": [
            {"run": one.run, "stage": one.stage, "status": one.status} for one in children(index, row.run)
        ],
        "notes": notes(index, attempts),
        "history": [
            {**attempt._asdict(), "state": seen.status, "detail": seen.detail}
            for attempt, seen in look(index, attempts)
        ],
    }


def artifacts_of(index: Index, attempts: Sequence[str]) -> list[dict[str, Any]]:
    """What these attempts kept besides their outs: name, digest, bytes and role, the newest of each name."""
    found = {str(event.body.get("name")): event.body for event in index.told("artifact", attempts)}
    return [{name: body.get(name) for name in ("name", "digest", "size", "role")} for body in found.values()]


def tracking_of(index: Index, attempts: Sequence[str]) -> dict[str, Any]:
    """How points were kept: ``dropped``, how many found no room; ``unsafe``, why a kill could lose some, where it could."""
    dropped: dict[str, int] = {}
    for event in index.told("dropped", attempts):
        writer, points = event.body.get("writer"), event.body.get("points")
        if isinstance(writer, str) and isinstance(points, int):
            dropped[writer] = max(dropped.get(writer, 0), points)
    unsafe = {
        str(event.body.get("why") or "")
        for event in index.told("tracked", attempts)
        if not event.body.get("ring")
    }
    return {"dropped": sum(dropped.values()), "unsafe": sorted(unsafe)}
