"""What MLflow says of a registered model beyond our registry, in the ref ``mlflow/models/HEX``, HEX being of its name.

The versions of the model are those of `models/NAME` of the registry, number for number. The registry's name is MLflow's
where it can be one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from pinyon.errors import RefConflictError
from pinyon.model.registry import bad_name
from pinyon.registry import values
from pinyon.store.protocol import Refs

_STATES = "mlflow/models/"


class ModelState(NamedTuple):
    """One registered model. Times in milliseconds.

    Attributes:
        registry: its name in our registry.
        versions: by number as text: what MLflow says of them.
        aliases: those that cannot stand in our registry.
        deleted: in MLflow; the registry forgets nothing.
        version: of the ref; 0 for a model that MLflow has never told anything of.
    """

    name: str
    registry: str
    description: str | None
    tags: Mapping[str, str]
    created: int
    updated: int
    versions: Mapping[str, Mapping[str, Any]] = {}
    aliases: Mapping[str, int] = {}
    deleted: bool = False
    version: int = 0


class ModelStates:
    """All of them."""

    def __init__(self, refs: Refs) -> None:
        self._refs = refs

    def get(self, name: str) -> ModelState | None:
        """A model by MLflow's name; None where there is none, or it was deleted."""
        found = self._read(name)
        if found is not None and not found.deleted:
            return found
        return self._implied(name) if found is None else None

    def all(self) -> Iterator[ModelState]:
        """Every model that is not deleted, by name."""
        told = [one for ref in self._refs.names(_STATES) if (one := self._at(ref)) is not None]
        held = {one.registry for one in told}
        implied = (
            self._implied(ref.removeprefix(values.VERSIONS)) for ref in self._refs.names(values.VERSIONS)
        )
        free = [one for one in implied if one is not None and one.registry not in held]
        yield from sorted((one for one in (*told, *free) if not one.deleted), key=lambda one: one.name)

    def create(self, name: str, tags: Mapping[str, str], description: str | None) -> ModelState | None:
        """A new one; None where there is one already."""
        old = self._read(name)
        if (old is not None and not old.deleted) or (old is None and self._implied(name) is not None):
            return None
        now = round(time.time() * 1000)
        made = ModelState(
            name, self._free(name), description, dict(tags), now, now, version=old.version if old else 0
        )
        try:
            return self._write(made)
        except RefConflictError:
            return None

    def change(self, name: str, apply: Callable[[ModelState], ModelState]) -> ModelState | None:
        """Make a change in a new version of the ref; None where there is no such model."""
        while True:
            old = self.get(name)
            if old is None:
                return None
            try:
                return self._write(apply(old))
            except RefConflictError:
                continue  # somebody has changed something else

    def rename(self, name: str, new: str) -> ModelState | None:
        """Under another name; None where something is called so already."""
        old, other = self.get(name), self._read(new)
        if (
            old is None
            or (other is not None and not other.deleted)
            or (other is None and self._implied(new) is not None)
        ):
            return None
        now = round(time.time() * 1000)
        versions = {number: {**told, "updated": now} for number, told in old.versions.items()}
        try:
            made = self._write(
                old._replace(name=new, updated=now, versions=versions, version=other.version if other else 0)
            )
        except RefConflictError:
            return None
        # Last: a model that has two names for a moment is better than one that has none.
        self.change(name, lambda state: state._replace(deleted=True))
        return made

    def _free(self, name: str) -> str:
        """A name for the registry that no model has."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:40] or "model"
        first = name if not bad_name(name) else f"{plain}-{_hex(name)[:6]}"
        taken = {ref.removeprefix(values.VERSIONS) for ref in self._refs.names(values.VERSIONS)}
        taken |= {one.registry for ref in self._refs.names(_STATES) if (one := self._at(ref)) is not None}
        number, found = 1, first
        while found in taken or bad_name(found):
            number += 1
            found = f"{plain}-{number}"
        return found

    def _implied(self, name: str) -> ModelState | None:
        """A model that only our registry knows."""
        history = self._refs.history(values.VERSIONS + name) if not bad_name(name) else []
        if not history:
            return None
        created, updated = round(history[0].ts * 1000), round(history[-1].ts * 1000)
        return ModelState(name, name, None, {}, created, updated)

    def _read(self, name: str) -> ModelState | None:
        return self._at(_STATES + _hex(name))

    def _at(self, ref: str) -> ModelState | None:
        found = self._refs.get(ref)
        return ModelState(**{**found.value, "version": found.version}) if found else None

    def _write(self, state: ModelState) -> ModelState:
        value = state._asdict()
        del value["version"]
        made = self._refs.set(_STATES + _hex(state.name), value, expect=state.version)
        return state._replace(version=made.version)


def _hex(name: str) -> str:
    return blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()
