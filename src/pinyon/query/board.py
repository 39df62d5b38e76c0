"""Leaderboards: of many runs those that a condition wants, sorted; most of them are never read in full.

What a run can be asked for, in conditions, sorts, columns and groups: ``params.NAME``, ``tag.NAME``, the fields below, and
anything else is the name of a metric, whose final value counts. ``METRIC.best``, ``.min``, ``.max``, ``.last``, ``.n`` and
``.nan`` are what its points sum up to. ``metric.NAME`` is a metric whatever else is called so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.ids import run_id
from pinyon.model.outcome import FINAL, SUCCEEDED
from pinyon.query import duck
from pinyon.query.alive import look
from pinyon.query.cells import Member, by_recipe, members
from pinyon.query.fold import params_of
from pinyon.query.index import Index, Slim
from pinyon.query.runs import RunRow, finals_of, flags_of, rows_of, tags_of
from pinyon.query.sums import ASKS, Sums
from pinyon.query.where import Condition, Values, not_comparable, parse, plain, wrong
from pinyon.store.local import LocalStore

FIELDS = (
    "run", "stage", "status", "experiment", "phase", "cell", "seed", "attempt", "attempts", "execution", "started",
    "seconds", "project", "parent", "group",
)  # fmt: skip
_COLUMNS = {"attempt": "id", "seconds": "took"}


class Asked(NamedTuple):
    """What to list. ``sort`` are names, the first counts most; with ``-`` before it the largest comes first. ``limit`` 0 is
    no limit. Without a sort the newest are last, and a limit leaves the newest. ``columns`` are names whose values are
    wanted beside the rows."""

    where: str = ""
    sort: Sequence[str] = ()
    limit: int = 0
    stage: str | None = None
    project: str | None = None
    columns: Sequence[str] = ()


class Candidate(NamedTuple):
    """A run, as far as it has been looked at."""

    last: Slim
    attempts: tuple[str, ...]
    status: str


class Listed(NamedTuple):
    """The runs that are wanted, and how many there are before the limit.

    Attributes:
        cells: for each row the values of each of the columns that were asked for.
        stores: for each row the name of its source.
        notes: what the condition could not compare, and what had to be left out.
    """

    rows: list[RunRow]
    total: int
    cells: list[list[Values]]
    stores: list[str]
    notes: list[str]


_Found = tuple["Fields", int]  # a run by its place among those of its source


def list_board(index: Index, asked: Asked, store: LocalStore | None = None) -> Listed:
    """The runs that ``asked`` is about; ``store`` is needed for what points sum up to.

    Raises:
        PlanError: its condition is none, or names what no run here has.
    """
    return list_boards([(index, store, "")], asked)


def list_boards(sources: Iterable[tuple[Index, LocalStore | None, str]], asked: Asked) -> Listed:
    """The runs of several stores in one list, each with a name, which conditions know as ``store``; as `list_board`."""
    condition = parse(asked.where) if asked.where.strip() else None
    fields = [
        Fields(index, candidates(index, asked.stage, asked.project), store, name)
        for index, store, name in sources
    ]
    notes: list[str] = []
    if condition is None:
        found: list[_Found] = [(one, at) for one in fields for at in range(len(one.runs))]
    else:
        for name, at in condition.names.items():
            if problem := _unknown(fields, name):
                raise wrong(condition.text, at, *problem)
        met = [(one, condition.test(one.column)) for one in fields]
        found = [(one, at) for one, rows in met for at, holds in enumerate(rows) if holds]
        notes += _not_compared(fields, condition)
    if len(fields) > 1:
        found.sort(key=lambda pair: pair[0].runs[pair[1]].last.started)
    found = _sorted(fields, found, asked.sort)
    total = len(found)
    if asked.limit:
        found = found[: asked.limit] if asked.sort else found[-asked.limit :]
    rows = {
        id(one): _full(one.index, [one.runs[at] for whose, at in found if whose is one]) for one in fields
    }
    listed = [rows[id(one)][one.runs[at].last.key] for one, at in found]
    cells = [[one.column(name)[at] for name in asked.columns] for one, at in found]
    notes += [note for one in fields for note in (*one.index.unreadable, *one.notes)]
    return Listed(listed, total, cells, [one.name for one, _ in found], notes)


def _not_compared(fields: Sequence[Fields], condition: Condition) -> list[str]:
    """What a condition passed over since it is of another kind: a number beside text meets nothing."""
    notes = []
    for name, wanted in dict.fromkeys(condition.typed):
        odd = [(one, at) for one in fields for at in not_comparable(one.column(name), wanted)]
        if odd:
            kind = {bool: "true or false", float: "a number"}.get(type(wanted), "text")
            one, at = odd[0]
            some = f"{json.dumps(one.column(name)[at][0])[:60]} in {run_id(one.runs[at].last.key)}"
            count = f"{len(odd)} of {sum(len(each.runs) for each in fields)} runs"
            notes.append(f"{name} is not {kind} in {count}, which were not compared: {some}")
    return notes


def _unknown(fields: Sequence[Fields], name: str) -> tuple[str, str] | None:
    problems = [one.unknown(name) for one in fields if one.runs]
    return problems[0] if problems and all(problems) else None


def _sorted(fields: Sequence[Fields], found: list[_Found], sort: Sequence[str]) -> list[_Found]:
    """By these names; what lacks one, or has NaN, comes last either way."""
    for name in reversed(sort):
        bare = name.removeprefix("-")
        if problem := _unknown(fields, bare):
            raise PlanError(problem[0], where=f"--sort {name}", why=problem[1])
        columns = {id(one): one.column(bare) for one in fields}
        keyed = [(_rank(columns[id(one)][at]), (one, at)) for one, at in found]
        there = [pair for pair in keyed if pair[0] is not None]
        there.sort(key=itemgetter(0), reverse=name.startswith("-"))
        found = [pair for _, pair in there] + [pair for rank, pair in keyed if rank is None]
    return found


def candidates(index: Index, stage: str | None = None, project: str | None = None) -> list[Candidate]:
    """Every run, the newest last. What counts of one is as for `pinyon.query.runs.list_runs`."""
    own, values = index.seen_by(project)
    which, what = ("stage = ?", (stage,)) if stage is not None else ("key != ''", ())
    by_key: dict[str, list[Slim]] = {}
    for slim in index.slim(f"{which} and {own}", *what, *values):
        by_key.setdefault(slim.key, []).append(slim)
    undecided: list[tuple[Slim, tuple[str, ...]]] = []
    for found in by_key.values():
        if len(found) == 1:
            undecided.append((found[0], (found[0].id,)))
            continue
        last = next((one for one in reversed(found) if one.state == SUCCEEDED), found[-1])
        undecided.append((last, tuple(one.id for one in found)))
    undecided.sort(key=lambda one: one[0].started)
    alive = _statuses(index, [last.id for last, _ in undecided if last.state not in FINAL])
    return [Candidate(last, names, alive.get(last.id, last.state)) for last, names in undecided]


def _statuses(index: Index, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    found = index.attempts("id in (select value from json_each(?))", json.dumps(names))
    return {attempt.id: seen.status for attempt, seen in look(index, found)}


def _full(index: Index, found: Iterable[Candidate]) -> dict[str, RunRow]:
    """By key."""
    keys = [one.last.key for one in found]
    attempts = index.attempts("key in (select value from json_each(?))", json.dumps(keys))
    return {row.attempt.key: row for row in rows_of(index, attempts)}


class Fields:
    """What runs can be asked for by name. Reads of the index only what is asked for."""

    def __init__(
        self, index: Index, runs: list[Candidate], store: LocalStore | None = None, name: str = ""
    ) -> None:
        self.runs, self.index, self.name = runs, index, name
        self._store = store
        self.notes: list[str] = []
        self._memo: dict[str, dict[Any, Any]] = {}
        self._columns: dict[str, list[Values]] = {}
        self._parsed: dict[str, dict[str, dict[str, Any]]] = {}

    def get(self, one: Candidate, name: str) -> Values:
        """The values that a run has under a name; none, one, or one for each cell that it belongs to."""
        if name in FIELDS:
            return self._field(one, name)
        if name == "store" and self.name:
            return (self.name,)
        kind, dot, rest = name.partition(".")
        if dot and kind == "params":
            declared = self._json("params")[one.last.id]
            return _single(declared if rest in declared else self._told("params").get(one.last.id, {}), rest)
        if dot and kind == "tag":
            tags = self._told("tags")
            return _single({k: v for a in one.attempts for k, v in tags.get(a, {}).items()}, rest)
        metric = rest if dot and kind == "metric" else name
        return self._final(one, metric) or self._drawn(one, metric)

    def _final(self, one: Candidate, metric: str) -> Values:
        found = self._json("metrics")[one.last.id]
        return _single(found if metric in found else self._told("finals").get(one.last.id, {}), metric)

    def _drawn(self, one: Candidate, name: str) -> Values:
        """What its points sum up to. The last of them is nobody's final value unless one asks for it."""
        metric, dot, what = name.rpartition(".")
        if not (dot and what in ASKS):
            return ()
        if what == "last" and (final := self._final(one, metric)):
            return final
        sums = self._sums()
        told = sums.of(metric).get((run_id(one.last.key), one.last.project)) if sums else None
        value = None if told is None else getattr(told, what)
        return () if value is None else (value,)

    def _sums(self) -> Sums | None:
        """What points sum up to; None where there are none."""
        if "sums" not in self._memo:
            store = self._store
            there = store is not None and store.journals.points()
            self._memo["sums"] = {"sums": Sums(store, self.index) if store and there else None}
            self.notes += self._memo["sums"]["sums"].notes if there else []
        found: Sums | None = self._memo["sums"]["sums"]
        return found

    def column(self, name: str) -> list[Values]:
        """The values of every run under a name, in the order of the runs."""
        if name not in self._columns:
            self._columns[name] = self._column(name)
        return self._columns[name]

    def _column(self, name: str) -> list[Values]:
        if name in ("stage", "started", "execution", "project"):
            return [(getattr(one.last, name),) for one in self.runs]
        if name in FIELDS or name.partition(".")[0] in ("params", "tag", "metric"):
            return [self.get(one, name) for one in self.runs]
        found = [(told[name],) if name in told else () for told in self._json("metrics").values()]
        return [values or self.get(one, name) for values, one in zip(found, self.runs, strict=True)]

    def _field(self, one: Candidate, name: str) -> Values:
        last = one.last
        if name in ("parent", "group"):
            told = self._told("kin").get(last.id, ("", ""))[name == "group"]
            tagged = self.get(one, "tag.group") if name == "group" else ()
            return tagged or ((told,) if told else ())
        if name in ("experiment", "phase", "cell", "seed"):
            return _of_cells(self._told("cells").get((last.project, last.recipe), ()), name)
        if name == "run":
            return (run_id(last.key),)
        if name == "attempts":
            return (len(one.attempts),)
        return (one.status if name == "status" else getattr(last, _COLUMNS.get(name, name)),)

    def _json(self, column: Literal["params", "metrics"]) -> dict[str, dict[str, Any]]:
        """By attempt, in the order of the runs."""
        if column not in self._parsed:  # all at once: calls cost more than the parsing
            texts = self.index.texts(column)
            found = json.loads(f"[{','.join([texts.get(run.last.id, '{}') for run in self.runs])}]")
            self._parsed[column] = dict(zip([run.last.id for run in self.runs], found, strict=True))
        return self._parsed[column]

    def _told(self, what: str) -> dict[Any, Any]:
        if what not in self._memo:
            ask: dict[str, Callable[[], Any]] = {
                "tags": lambda: tags_of(self.index),
                "finals": lambda: finals_of(self.index),
                "params": lambda: flags_of(self.index),
                "kin": self.index.kin,
                "cells": lambda: by_recipe(members(self.index)),
            }
            self._memo[what] = ask[what]()
        return self._memo[what]

    def names(self) -> list[str]:
        """Everything that some run here can be asked for."""
        found: dict[str, None] = dict.fromkeys(FIELDS)
        for one in self.runs:
            found.update(dict.fromkeys(self._json("metrics")[one.last.id]))
            found.update(dict.fromkeys(self._told("finals").get(one.last.id, ())))
            for name in (*self._json("params")[one.last.id], *self._told("params").get(one.last.id, ())):
                found[f"params.{name}"] = None
            for attempt in one.attempts:
                found.update({f"tag.{name}": None for name in self._told("tags").get(attempt, ())})
        sums = self._sums() if duck.installed() else None
        for metric in sums.metrics() if sums else ():
            found.update({f"{metric}.{what}": None for what in ASKS})
        return list(found)

    def unknown(self, name: str) -> tuple[str, str] | None:
        """What is wrong with a name, and the nearest one; None where some run has it, and where there are no runs."""
        if not self.runs or name in FIELDS or any(self.column(name)):
            return None
        known = self.names()
        bare = {one.rpartition(".")[2]: one for one in reversed(known)}
        close = (
            [f"{name}.last"]
            if f"{name}.last" in known
            else get_close_matches(name, known, 1)
            or [bare[one] for one in get_close_matches(name.rpartition(".")[2], bare, 1)]
        )
        there = f"did you mean {close[0]}?" if close else f"there are {', '.join(known[:20])}"
        return f"no run here has '{name}'", there


def value_of(row: RunRow, name: str) -> Values:
    """The values of a run that is known in full under a name; as `Fields.get`."""
    kind, dot, rest = name.partition(".")
    if name in ("experiment", "phase", "cell", "seed"):
        return _of_cells(row.cells, name)
    if name in ("parent", "group"):
        return tuple(filter(None, (getattr(row, name),)))
    if name in FIELDS:
        return (getattr(row, name) if name in RunRow._fields and name != "attempt" else row.as_dict()[name],)
    if dot and kind == "params":
        return _single({**row.params, **params_of(row.attempt)}, rest)
    if dot and kind == "tag":
        return _single(row.tags, rest)
    return _single(row.metrics, rest if dot and kind == "metric" else name)


def _of_cells(cells: Iterable[Member], name: str) -> Values:
    return tuple(dict.fromkeys(_seed(cell.seed) if name == "seed" else getattr(cell, name) for cell in cells))


def _seed(text: str) -> Any:
    """A seed as it compares: most are numbers."""
    return int(text) if text.isdecimal() and len(text) < 20 else text


def _single(values: dict[str, Any], name: str) -> Values:
    return (values[name],) if name in values else ()


def _rank(values: Values) -> tuple[Any, ...] | None:
    """Numbers before text; None for what has no place."""
    if len(values) == 1 and type(value := values[0]) is float:
        return None if math.isnan(value) else (0, value, "")
    value = plain(values[0]) if values else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return (0, float(value) if isinstance(value, float) else value, "")
    return (1, 0, str(value))
