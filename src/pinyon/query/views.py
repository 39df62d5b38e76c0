"""Saved views: a question under a name, kept as the ref ``views/NAME`` (docs/FORMAT.md §6). A view is only ever a question:
it is asked under the same locks as one that is typed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from pinyon.errors import PinyonError, PlanError
from pinyon.store.local import LocalStore

PREFIX = "views/"
Kind = Literal["runs", "query"]


class View(NamedTuple):
    """A saved question.

    Attributes:
        kind: what asks it, `pinyon runs` or `pinyon query`.
        asked: its options by name; of a query ``sql``.
        version, actor, ts: of the ref.
    """

    name: str
    kind: str
    asked: dict[str, Any]
    version: int
    actor: str
    ts: float


def save(store: LocalStore, name: str, kind: Kind, asked: dict[str, Any], actor: str) -> View:
    """Keep a question under a name; an older one of that name stays as a version of the ref.

    Raises:
        PlanError: it cannot be called so, or nothing is recorded here.
        RefConflictError: somebody else saved it at the same moment.
        FormatVersionError: a newer Pinyon wrote this store.
    """
    if (
        not name.strip()
        or not name.isprintable()
        or any(sign.isspace() for sign in name)
        or name.startswith("-")
    ):
        raise PlanError(
            f"{name!r} cannot name a view", why="it is a word without blanks, not beginning with -"
        )
    known = load(store, name, missing_ok=True)
    if known and known.kind != kind:
        raise PlanError(
            f"'{name}' is a view of pinyon {known.kind} already", next=f"pinyon {known.kind} --forget {name}"
        )
    return _write(store, name, {"kind": kind, "asked": asked}, actor)


def forget(store: LocalStore, name: str, actor: str) -> None:
    """A version that says that there is no such view any more.

    Raises:
        PlanError: there is none.
    """
    load(store, name)
    _write(store, name, {"kind": "removed"}, actor)


def _write(store: LocalStore, name: str, value: dict[str, Any], actor: str) -> View:
    if not store.describe():
        raise PlanError("nothing is recorded here yet", next="pinyon run")
    store.prepare("")
    ref = store.refs.get(PREFIX + name)
    made = store.refs.set(PREFIX + name, value, expect=ref.version if ref else 0, actor=actor)
    return View(name, value["kind"], value.get("asked", {}), made.version, made.actor, made.ts)


def load(store: LocalStore, name: str, kind: Kind | None = None, *, missing_ok: bool = False) -> View | None:
    """The view of a name; None where there is none, if that is allowed.

    Raises:
        PlanError: there is none; the nearest one is named. Or it is of another kind.
        CorruptError: it is not what was written.
    """
    ref = store.refs.get(PREFIX + name) if name.isprintable() and 0 < len(name) < 100 else None
    value = ref.value if ref else None
    if not ref or not isinstance(value, dict) or value.get("kind") == "removed":
        if missing_ok:
            return None
        there = [one.name for one in views(store)[0]]
        close = get_close_matches(name, there, 1)
        why = f"did you mean {close[0]}?" if close else f"there are: {', '.join(there) or 'none'}"
        raise PlanError(f"no view is called '{name}'", why=why, next="pinyon runs --views")
    asked = value.get("asked")
    view = View(
        name, str(value.get("kind")), asked if isinstance(asked, dict) else {}, ref.version, ref.actor, ref.ts
    )
    if kind and view.kind != kind:
        raise PlanError(f"'{name}' is no view of pinyon {kind}", next=f"pinyon {view.kind} {name}")
    return view


def views(store: LocalStore) -> tuple[list[View], list[str]]:
    """Every view by name, and what had to be left out."""
    found, notes = [], []
    for name in store.refs.names(PREFIX):
        try:
            view = load(store, name.removeprefix(PREFIX), missing_ok=True)
        except (PinyonError, OSError) as error:
            notes.append(f"a view is left out: {error}")
            continue
        if view:
            found.append(view)
    return found, notes
