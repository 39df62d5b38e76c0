"""MLflow's experiments in refs: ``mlflow/experiments/ID`` says what one is, ``mlflow/names/HEX`` whose a name is.

The experiments of Pinyon, and for what belongs to none the project, are experiments for MLflow, too. They have no ref until
somebody changes them there; their ids follow from their names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from mlflow.entities import Experiment, ExperimentTag, LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST
from mlflow.utils.uri import append_to_uri_path

from pinyon.bridges.mlflow.place import Place
from pinyon.errors import RefConflictError

DEFAULT = "0"
_STATES, _NAMES = "mlflow/experiments/", "mlflow/names/"


class State(NamedTuple):
    """One experiment. ``version`` counts its changes, 0 before there was any; times in milliseconds."""

    id: str
    name: str
    lifecycle: str
    location: str
    tags: Mapping[str, str]
    created: int
    updated: int
    version: int = 0

    def entity(self) -> Experiment:
        """As MLflow's class."""
        tags = [ExperimentTag(name, text) for name, text in self.tags.items()]
        return Experiment(self.id, self.name, self.location, self.lifecycle, tags, self.created, self.updated)


class Experiments:
    """All experiments of a place.

    Args:
        artifact_root: the URI below which those that are made here keep their artifacts.
    """

    def __init__(self, place: Place, artifact_root: str) -> None:
        self._place, self._refs, self.artifact_root = place, place.store.refs, artifact_root
        self._ids: dict[str, str] = {}
        self._locations: dict[str, str] = {}

    # Reading

    def get(self, experiment: str) -> State:
        """One by its id.

        Raises:
            MlflowException: there is none.
        """
        found = self._recorded(experiment)
        if found is None:
            found = self._implied().get(experiment)
        if found is None:
            raise MlflowException(f"No Experiment with id={experiment} exists", RESOURCE_DOES_NOT_EXIST)
        return found

    def by_name(self, name: str) -> State | None:
        """One by its name."""
        owner = self._owner(name)
        found = self._recorded(owner) if owner is not None else None
        if found is not None:
            return found if found.name == name else None
        return next((one for one in self._implied().values() if one.name == name), None)

    def all(self) -> list[State]:
        """Every one, deleted ones, too."""
        found = self._implied()
        for ref in self._refs.names(_STATES):
            one = self._recorded(ref.removeprefix(_STATES))
            if one is not None and self._owner(one.name) == one.id:
                found[one.id] = one
        return list(found.values())

    def id_of(self, name: str) -> str:
        """The id of the experiment of Pinyon's that is called so."""
        if name not in self._ids:
            self._ids[name] = self._owner(name) or _derived(name)
        return self._ids[name]

    def artifacts_of(self, experiment: str, run: str) -> str:
        """Where a run of an experiment keeps its artifacts."""
        if experiment not in self._locations:
            found = self._recorded(experiment)
            self._locations[experiment] = found.location if found else self._location(experiment)
        return str(append_to_uri_path(self._locations[experiment], run, "artifacts"))

    def _location(self, experiment: str) -> str:
        return str(append_to_uri_path(self.artifact_root, experiment))

    def _recorded(self, experiment: str) -> State | None:
        found = (
            self._refs.get(_STATES + experiment) if experiment.isascii() and len(experiment) < 100 else None
        )
        if found is None:
            return None
        value = found.value
        return State(
            experiment, str(value["name"]), str(value["lifecycle"]), str(value["location"]), dict(value["tags"]),
            int(value["created"]), int(value["updated"]), found.version,
        )  # fmt: skip

    def _owner(self, name: str) -> str | None:
        found = self._refs.get(_name_ref(name))
        owner = found.value.get("experiment") if found else None
        return str(owner) if owner else None

    def _implied(self) -> dict[str, State]:
        """Those that nobody has made or changed: MLflow's default one, and Pinyon's."""
        born = millis_of(self._place)
        began: dict[str, int] = {"Default": born}
        with self._place.view.lock:
            for name, started in self.pinyons():
                began[name] = min(began.get(name, started), started)
        found = {}
        for name, created in began.items():
            one = DEFAULT if name == "Default" else _derived(name)
            if self._owner(name) in (None, one) and self._recorded(one) is None:
                found[one] = State(
                    one, name, LifecycleStage.ACTIVE, self._location(one), {}, created, created
                )
        return found

    def pinyons(self) -> list[tuple[str, int]]:
        """Names of Pinyon's experiments, and when a run of each began; set by the tracking store, which knows the runs."""
        return []

    # Changing

    def create(self, name: str, location: str | None, tags: Mapping[str, str]) -> str:
        """A new one; its id.

        Raises:
            MlflowException: one is called so.
        """
        if self.by_name(name) is not None:
            raise _taken(name)
        one, now = str(int.from_bytes(os.urandom(7), "big") % 10**17 + 10**17), round(time.time() * 1000)
        self._write(State(one, name, LifecycleStage.ACTIVE, location or self._location(one), tags, now, now))
        self._claim(name, one)
        return one

    def change(self, experiment: str, **fields: Any) -> State:
        """Set fields of one, in a new version of its ref; one that was implied gets its ref now.

        Raises:
            MlflowException: there is none.
        """
        while True:
            old = self.get(experiment)
            if not old.version:
                self._claim(old.name, experiment)
            new = old._replace(**{"updated": round(time.time() * 1000), **fields})
            try:
                self._write(new)
            except RefConflictError:
                continue  # somebody has changed another field
            self._locations.pop(experiment, None)
            return new

    def rename(self, experiment: str, name: str) -> None:
        """Another name.

        Raises:
            MlflowException: another one is called so.
        """
        old = self.get(experiment).name
        other = self.by_name(name)
        if other is not None and other.id != experiment:
            raise _taken(name)
        if name == old:
            return
        self.change(experiment)  # so that the old name is its own, which is given back below
        self._claim(name, experiment)
        self.change(experiment, name=name)
        found = self._refs.get(_name_ref(old))
        if found is not None and found.value.get("experiment") == experiment:
            self._refs.set(_name_ref(old), {"name": old, "experiment": None}, expect=found.version)

    def _claim(self, name: str, experiment: str) -> None:
        """Let a name be this experiment's: by compare-and-swap, so that it is never two's."""
        found = self._refs.get(_name_ref(name))
        owner = found.value.get("experiment") if found else None
        if owner == experiment:
            return
        if owner:
            raise _taken(name)
        try:
            self._refs.set(
                _name_ref(name),
                {"name": name, "experiment": experiment},
                expect=found.version if found else 0,
            )
        except RefConflictError:
            raise _taken(name) from None
        self._ids.pop(name, None)

    def _write(self, state: State) -> None:
        value = {name: field for name, field in state._asdict().items() if name not in ("id", "version")}
        self._refs.set(_STATES + state.id, {**value, "tags": dict(state.tags)}, expect=state.version)


def millis_of(place: Place) -> int:
    """When a store was made."""
    return round(os.stat(place.store.root / "format.json").st_mtime * 1000)


def _taken(name: str) -> MlflowException:
    return MlflowException(f"Experiment(name={name}) already exists.", RESOURCE_ALREADY_EXISTS)


def _derived(name: str) -> str:
    return str(
        int.from_bytes(blake2b(name.encode(errors="surrogatepass"), digest_size=7).digest(), "big") % 10**17
        + 10**17
    )


def _name_ref(name: str) -> str:
    return _NAMES + blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()
