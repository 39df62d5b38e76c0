"""Stores elsewhere, by the name that `pinyon.yaml` gives them, and which blobs a call asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pinyon.errors import PlanError
from pinyon.spec.load import load_project
from pinyon.spec.stores import place_of
from pinyon.store.backends import open_objects
from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.gc import digests

if TYPE_CHECKING:
    from pinyon.model.event import Event
    from pinyon.session.records import Records


def open_store(root: Path, here: LocalStore, name: str) -> RemoteStore:
    """A store elsewhere. Nothing is asked of its place yet.

    Args:
        name: of ``stores:`` in ``pinyon.yaml``; or a URL, or a path with a slash in it, relative to ``root``.

    Raises:
        SpecError: there is no such store, its URL or an option is wrong, or a variable that it needs is not set.
        StoreError: a library that it needs is not installed.
    """
    if "/" in name:
        url, options = name, dict[str, str]()
    else:
        url, options = place_of(load_project(root), name, os.environ)
    if "://" not in url:
        url = str(root / os.path.expanduser(url))
    cache = here.cache / "remote" / blake2b(url.encode(), digest_size=8).hexdigest()
    return RemoteStore(open_objects(url, options), cache)


class Selection(NamedTuple):
    """What a call asks for; blobs that any of these names.

    Attributes:
        runs: as `pinyon.query.runs.find` takes them.
        artifacts: names or paths of artifacts and outs.
        experiments: by name.
        since: seconds since the epoch of the oldest record; None for no such rule.
    """

    runs: Sequence[str] = ()
    artifacts: Sequence[str] = ()
    experiments: Sequence[str] = ()
    since: float | None = None


def selected(records: Records, asked: Selection) -> set[str] | None:
    """Names of the blobs that are asked for: all that records of those attempts name, their inputs too; None for all.

    Raises:
        PlanError: nothing is called so.
    """
    if not any((asked.runs, asked.artifacts, asked.experiments, asked.since is not None)):
        return None
    from pinyon.query.runs import find

    attempts = {attempt.id for run in asked.runs for attempt in find(records.fold, run)}
    events = list(_events(records.store))
    for experiment in asked.experiments:
        recipes = set(_recipes(events, experiment))
        if not recipes:
            raise PlanError(f"no experiment '{experiment}' is known here", next="pinyon select --list")
        attempts |= {
            e.body["attempt"] for e in events if e.kind == "intent" and e.body.get("recipe") in recipes
        }
    found = {
        name
        for event in events
        if event.body.get("attempt") in attempts or (asked.since is not None and event.ts >= asked.since)
        for name in digests(event.body)
    }
    for artifact in asked.artifacts:
        named = {name for event in events for name in _named(event, artifact)}
        if not named:
            raise PlanError(f"no artifact or out '{artifact}' is known here", next="pinyon runs")
        found |= named
    return found


def _events(store: LocalStore) -> Iterator[Event]:
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            yield event


def _recipes(events: Sequence[Event], experiment: str) -> Iterator[str]:
    for event in events:
        if event.kind == "cells" and event.body.get("experiment") == experiment:
            for cell in event.body.get("cells", ()):
                yield from (one["recipe"] for one in cell["replicates"])


def _named(event: Event, artifact: str) -> Iterator[str]:
    if event.kind == "artifact" and artifact in (event.body.get("name"), event.body.get("path")):
        yield from digests(event.body.get("digest"))
    elif event.kind == "outputs":
        yield from (row[1] for row in event.body.get("outs", ()) if row[0] == artifact and row[4])
