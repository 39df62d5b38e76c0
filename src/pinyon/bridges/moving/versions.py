"""Versions of models of another tool's registry, into ours. Their own numbers stand in ``about``: ours have no gaps."""

from __future__ import annotations

import re
from collections import Counter

from pinyon.bridges.moving.bring import key_in
from pinyon.bridges.moving.keep import Stored, store_all
from pinyon.bridges.moving.nouns import MovedVersion, Source
from pinyon.bridges.recording import key_of
from pinyon.errors import CorruptError, GateError, UnknownModelError
from pinyon.model.outcome import Output
from pinyon.model.registry import bad_name, spelled
from pinyon.query.index import Index
from pinyon.registry.artifacts import artifact_of
from pinyon.registry.names import ARCHIVED
from pinyon.registry.registry import Registry
from pinyon.store.local import LocalStore

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def register_all(
    source: Source, store: LocalStore, index: Index, project: str, *, trust: bool
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Register what is new; the versions that were made, such as ``lstm@3``, and what could not be carried by reason.

    Names that somebody has given or moved here before are left as they are.
    """
    registry, left = Registry(store, project), Counter[str]()
    made, named = list[str](), dict[tuple[str, str], list[int]]()
    for version in source.models():
        model = _UNFIT.sub("-", version.model).strip("-._")[:60]
        number = _register(version, model, source, store, index, project, registry, made, left, trust=trust)
        for name in version.names if number else ():
            named.setdefault((model, spelled(name)), []).append(number)
    for (model, alias), numbers in named.items():
        _point(registry, model, alias, numbers, left)
    return tuple(made), dict(left)


def _register(
    version: MovedVersion, model: str, source: Source, store: LocalStore, index: Index, project: str, registry: Registry,
    made: list[str], left: Counter[str], *, trust: bool,
) -> int:  # fmt: skip
    """The number of a version here; 0 if it could not be registered."""
    attempts = (
        index.attempts("key = ?", key_in(store, index, project, source, version.run)) if version.run else []
    )
    why = (
        "versions of models under a name that Pinyon cannot use" if bad_name(model)
        else "versions of models whose bytes are not on this disk" if not version.path
        else "versions of models whose run is not here" if not attempts else ""
    )  # fmt: skip
    stored = store_all(store, [version.path])[version.path] if not why else ""
    if not isinstance(stored, Stored):
        left[why or f"versions of models that cannot be read ({stored})"] += 1
        return 0
    # A model belongs to all projects of a store: one that another of them has imported is here.
    theirs = index.attempts("key = ?", key_of(source.kind, source.identity, version.run))
    for one in (*attempts[:1], *theirs[:1]):
        known = registry.known(model, stored.digest, one.id)
        if known is not None:
            return known.number
    try:
        about = {"tool": source.kind, **version.about, "model": version.model}
        out = Output(model, stored.digest, stored.size)
        artifact = artifact_of(store, attempts[0], out, trust=trust, about=about)
        found = registry.register(model, artifact, why=f"it was imported from {source.kind}")
    except GateError:
        left["versions of models that run code when somebody opens them (--trust takes them in)"] += 1
        return 0
    except CorruptError as error:
        left[f"versions of models that are damaged ({error.what})"] += 1
        return 0
    made.append(found.name)
    return found.number


def _point(registry: Registry, name: str, alias: str, numbers: list[int], left: Counter[str]) -> None:
    """Give a name to the highest of these versions, or archive all of them."""
    if bad_name(alias):
        left["names of versions that Pinyon cannot use"] += 1
        return
    for number in sorted(numbers) if alias == ARCHIVED else [max(numbers)]:
        try:
            model = registry.model(name)
        except UnknownModelError:
            return
        before = {one.version for one in model.changes if one.alias == alias}
        if number not in before if alias == ARCHIVED else not before:
            registry.promote(model, alias, number, why="it was imported")
