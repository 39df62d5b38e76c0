"""Leaderboards: of many runs those that a condition wants, sorted; most of them are never read in full.

What a run can be asked for, in conditions, sorts, columns and groups: ``params.NAME``, ``tag.NAME``, the fields below, and
anything else is the name of a metric, whose final value counts. ``METRIC.best``, ``.min``, ``.max``, ``.last``, ``.n`` and
``.nan`` are what its points sum up to. ``metric.NAME`` is a metric whatever else is called so.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.ids import run_id
from pinyon.model.outcome import FINAL, SUCCEEDED
from pinyon.query import duck
from pinyon.query.alive import look
from pinyon.query.cells import Member, by_recipe, members
from pinyon.query.fold import params_of
from pinyon.query.index import Index
from pinyon.query.leaves import Column, documents, leaves
from pinyon.query.runs import RunRow, finals_of, flags_of, rows_of, tags_of
from pinyon.query.sums import ASKS, Sums
from pinyon.query.where import Condition, Values, not_comparable, parse, plain, wrong
from pinyon.store.local import LocalStore

FIELDS = (
    "run", "stage", "status", "experiment", "phase", "cell", "seed", "attempt", "attempts", "execution", "started",
    "seconds", "project", "parent", "group",
)  # fmt: skip
_COLUMNS = {"seconds": "took"}
_KNOWN = {
    "attempt": "id",
    **{name: name for name in ("status", "started", "stage", "project")},
}  # of `Candidate`


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
    """A run, as far as it has been looked at: by the attempt ``id`` that counts of it. ``several`` are all of them, where
    there are more."""

    id: str
    key: str
    started: float
    status: str
    stage: str
    project: str
    several: tuple[str, ...] | None

    @property
    def attempts(self) -> tuple[str, ...]:
        """Of all its attempts the ids."""
        return self.several or (self.id,)


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
    collects = gc.isenabled()
    gc.disable()  # tens of thousands of small things, none of them garbage: looking would be an eighth of the time
    try:
        return _list_boards(sources, asked)
    finally:
        if collects:
            gc.enable()


def _list_boards(sources: Iterable[tuple[Index, LocalStore | None, str]], asked: Asked) -> Listed:
    condition = parse(asked.where) if asked.where.strip() else None
    names = [*(condition.names if condition else ()), *(one.removeprefix("-") for one in asked.sort)]
    fields = [
        Fields(index, candidates(index, asked.stage, asked.project), store, name, (*names, *asked.columns))
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
        found.sort(key=lambda pair: pair[0].runs[pair[1]].started)
    found = _sorted(fields, found, asked.sort)
    total = len(found)
    if asked.limit:
        found = found[: asked.limit] if asked.sort else found[-asked.limit :]
    rows = {
        id(one): _full(one.index, [one.runs[at] for whose, at in found if whose is one]) for one in fields
    }
    listed = [rows[id(one)][one.runs[at].key] for one, at in found]
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
            some = f"{json.dumps(one.column(name)[at][0])[:60]} in {run_id(one.runs[at].key)}"
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
    asked = ("id", "key", "started", "state", "stage", "project", "null")
    found = list(map(Candidate._make, index.columns(asked, f"{which} and {own}", *what, *values)))
    if len({one.key for one in found}) < len(found):
        found = _counting(found)
    found.sort(key=attrgetter("started"))
    alive = _statuses(index, [one.id for one in found if one.status not in FINAL])
    return [one._replace(status=alive.get(one.id, one.status)) for one in found] if alive else found


def _counting(attempts: list[Candidate]) -> list[Candidate]:
    """One of each run."""
    by_key: dict[str, list[Candidate]] = {}
    for one in attempts:
        by_key.setdefault(one.key, []).append(one)
    return [
        next((one for one in reversed(found) if one.status == SUCCEEDED), found[-1])._replace(
            several=tuple(one.id for one in found) if len(found) > 1 else None
        )
        for found in by_key.values()
    ]


def _statuses(index: Index, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    found = index.attempts("id in (select value from json_each(?))", json.dumps(names))
    return {attempt.id: seen.status for attempt, seen in look(index, found)}


def _full(index: Index, found: Iterable[Candidate]) -> dict[str, RunRow]:
    """By key."""
    keys = [one.key for one in found]
    attempts = index.attempts("key in (select value from json_each(?))", json.dumps(keys))
    return {row.attempt.key: row for row in rows_of(index, attempts)}


class Fields:
    """What runs can be asked for by name. Reads of the index only what is asked for.

    Args:
        name: of the store, where there are several.
        wanted: names that will be asked for; those are read together.
    """

    def __init__(
        self,
        index: Index,
        runs: list[Candidate],
        store: LocalStore | None = None,
        name: str = "",
        wanted: Iterable[str] = (),
    ) -> None:
        self.runs, self.index, self.name = runs, index, name
        self._store = store
        self.notes: list[str] = []
        self._memo: dict[str, dict[Any, Any]] = {}
        self._columns: dict[str, list[Values]] = {}
        self._wanted = tuple(wanted)
        self._taken: dict[Column, dict[str, dict[str, Values]]] = {"params": {}, "metrics": {}}

    def column(self, name: str) -> list[Values]:
        """The values of every run under a name, in the order of the runs: none, one, or one for each cell that it belongs
        to."""
        if name not in self._columns:
            self._columns[name] = self._column(name)
        return self._columns[name]

    def _column(self, name: str) -> list[Values]:
        if name in FIELDS:
            return self._field(name)
        if name == "store" and self.name:
            return [(self.name,)] * len(self.runs)
        column, leaf = _place(name)
        if column == "params":
            return self._either(leaf, "params", "params")
        if column == "tag":
            tags = self._told("tags")
            merged = ({k: v for a in one.attempts for k, v in tags.get(a, {}).items()} for one in self.runs)
            return [_single(told, leaf) for told in merged]
        found = self._either(leaf, "metrics", "finals")
        return found if all(found) else self._or_drawn(found, leaf)

    def _either(self, leaf: str, column: Column, told: str) -> list[Values]:
        """What is declared, else what the training process told."""
        declared = self._leaf(column, leaf)
        found = [declared.get(one.id, ()) for one in self.runs]
        if all(found):
            return found
        others = self._told(told)
        return [
            values or _single(others.get(one.id, {}), leaf)
            for values, one in zip(found, self.runs, strict=True)
        ]

    def _leaf(self, column: Column, name: str) -> dict[str, Values]:
        """By attempt; the first time of all names that are wanted of the column."""
        taken = self._taken[column]
        if name not in taken:
            places = [] if taken else [_place(one) for one in self._wanted if one not in FIELDS]
            taken |= leaves(self.index, column, [name, *(leaf for where, leaf in places if where == column)])
        return taken[name]

    def _or_drawn(self, found: list[Values], name: str) -> list[Values]:
        """What points sum up to. The last of them is nobody's final value unless one asks for it."""
        metric, dot, what = name.rpartition(".")
        if not (dot and what in ASKS):
            return found
        if what == "last":
            finals = self._either(metric, "metrics", "finals")
            found = [known or final for known, final in zip(found, finals, strict=True)]
        if (sums := self._sums()) is None:
            return found
        drawn = sums.of(metric)
        keys = ((run_id(one.key), one.project) for one in self.runs)
        values = ((getattr(drawn[key], what) if key in drawn else None) for key in keys)
        return [
            known or (() if value is None else (value,)) for known, value in zip(found, values, strict=True)
        ]

    def _sums(self) -> Sums | None:
        """What points sum up to; None where there are none."""
        if "sums" not in self._memo:
            store = self._store
            there = store is not None and store.journals.points()
            self._memo["sums"] = {"sums": Sums(store, self.index) if store and there else None}
            self.notes += self._memo["sums"]["sums"].notes if there else []
        found: Sums | None = self._memo["sums"]["sums"]
        return found

    def _field(self, name: str) -> list[Values]:
        if name in ("parent", "group"):
            kin, at = self._told("kin"), name == "group"
            told = [_text(kin.get(one.id, ("", ""))[at]) for one in self.runs]
            tagged = self.column("tag.group") if at else told
            return [first or second for first, second in zip(tagged, told, strict=True)]
        if name in ("experiment", "phase", "cell", "seed"):
            return self._of_cells(name)
        if name == "run":
            return [(run_id(one.key),) for one in self.runs]
        if name == "attempts":
            return [(len(one.attempts),) for one in self.runs]
        if name in _KNOWN:
            known = attrgetter(_KNOWN[name])
            return [(known(one),) for one in self.runs]
        values = self._plain(_COLUMNS.get(name, name))
        return [(values[one.id],) for one in self.runs]

    def _of_cells(self, name: str) -> list[Values]:
        cells = self._told("cells")
        if not cells:
            return [()] * len(self.runs)
        recipes = self._plain("recipe")
        return [_of_cells(cells.get((one.project, recipes[one.id]), ()), name) for one in self.runs]

    def _plain(self, column: str) -> dict[str, Any]:
        """By attempt."""
        return dict(self.index.columns(("id", column), "key != ''"))

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
        metrics, params = documents(self.index, "metrics"), documents(self.index, "params")
        for one in self.runs:
            found.update(dict.fromkeys(metrics.get(one.id, ())))
            found.update(dict.fromkeys(self._told("finals").get(one.id, ())))
            for name in (*params.get(one.id, ()), *self._told("params").get(one.id, ())):
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


def _place(name: str) -> tuple[str, str]:
    """Where to look for what is no field: in params, metrics or tag, and for what."""
    kind, dot, rest = name.partition(".")
    if dot and kind in ("params", "tag"):
        return kind, rest
    return "metrics", rest if dot and kind == "metric" else name


def _text(text: str) -> Values:
    return (text,) if text else ()


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
