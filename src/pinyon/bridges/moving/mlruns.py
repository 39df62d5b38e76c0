"""MLflow's folder of runs, ``mlruns``: the file store that MLflow has dropped. What is broken is named, and passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pinyon.bridges.moving import mlflowish
from pinyon.bridges.moving.keep import files_below
from pinyon.bridges.moving.mlflowish import KIND, NAME, NOTE, PARENT, USER, Places
from pinyon.bridges.moving.nouns import (
    RUNNING,
    Curves,
    DeletedRunError,
    Heading,
    Kept,
    Left,
    MovedRun,
    MovedVersion,
)
from pinyon.errors import ForeignFileError, SpecError
from pinyon.spec.yaml import load_yaml

_META = "meta.yaml"


class MlflowFolder:
    """See `pinyon.bridges.moving.nouns.Source`.

    Raises:
        ForeignFileError: there is no experiment in the folder.
    """

    kind, identity = KIND, ""

    def __init__(self, path: str) -> None:
        self.left = Left()
        self._path = os.path.abspath(path)
        self._places = Places(os.path.dirname(self._path), self.left)
        self._experiments = [name for name in _folders(self._path) if name not in ("models", ".trash")]
        self._experiments = [name for name in self._experiments if self._is_experiment(name)]
        self._at: dict[str, str] = {}  # run → its experiment's folder
        self._names: dict[str, str] = {}
        if not self._experiments:
            raise ForeignFileError(
                "this is no folder of MLflow's runs",
                where=self._path,
                why="no folder in it has a meta.yaml of an experiment",
            )

    def _is_experiment(self, name: str) -> bool:
        return os.path.exists(f"{self._path}/{name}/{_META}") or any(
            os.path.exists(f"{self._path}/{name}/{run}/{_META}") for run in _folders(f"{self._path}/{name}")
        )

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`. Deleted runs are left out, and counted."""
        for experiment in self._experiments:
            for run in _folders(f"{self._path}/{experiment}"):
                if run not in ("datasets", "models", "tags", "traces"):
                    self._at[run] = experiment
                    yield Heading(run)
        trash = f"{self._path}/.trash"
        self.left["deleted experiments"] += len(_folders(trash))

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`."""
        top = f"{self._path}/{self._at[run]}/{run}"
        about = _meta(top)
        if about.get("lifecycle_stage") == "deleted":
            self.left["deleted runs"] += 1
            raise DeletedRunError(run)
        tags = _texts(f"{top}/tags")
        state = about.get("status")
        known = (
            mlflowish.NUMBERED.get(state, RUNNING)
            if isinstance(state, int)
            else mlflowish.STATES.get(str(state), RUNNING)
        )
        name = str(about.get("run_name") or about.get("name") or tags.get(NAME, ""))
        place = f"{top}/artifacts"
        if not os.path.isdir(place):
            place = self._places.path(str(about.get("artifact_uri") or ""))
        curves = _curves(f"{top}/metrics")
        return MovedRun(
            id=run,
            name=name,
            experiment=self._experiment(self._at[run]),
            state=known,
            started=_seconds(about.get("start_time")),
            ended=_seconds(about.get("end_time")),
            params={key: mlflowish.plain(text) for key, text in _texts(f"{top}/params").items()},
            tags={**mlflowish.tags_of(tags, name), **self._datasets(top)},
            finals=_finals(curves),
            note=tags.get(NOTE, ""),
            own=mlflowish.own_tags(tags),
            curves=curves,
            files=(*(files_below(place) if place else ()), *self._logged_models(top)),
            parent=tags.get(PARENT, ""),
            user=str(about.get("user_id") or tags.get(USER, "")),
            message=mlflowish.state_message(known),
        )

    def models(self) -> Iterator[MovedVersion]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        for model in _folders(f"{self._path}/models"):
            top = f"{self._path}/models/{model}"
            aliases: dict[int, list[str]] = {}
            for alias, text in _texts(f"{top}/aliases").items():
                aliases.setdefault(int(text) if text.isdecimal() else 0, []).append(alias)
            versions = [
                name.removeprefix("version-") for name in _folders(top) if name.startswith("version-")
            ]
            for number in sorted(int(text) for text in versions if text.isdecimal()):
                try:
                    yield self._version(model, number, f"{top}/version-{number}", aliases.get(number, []))
                except ForeignFileError:
                    self.left["broken versions of models"] += 1

    def close(self) -> None:
        """Nothing is held."""

    def _version(self, model: str, number: int, top: str, names: list[str]) -> MovedVersion:
        about = _meta(top)
        source, stage = str(about.get("source") or ""), str(about.get("current_stage") or "None")
        place = str(about.get("storage_location") or source)
        told = {
            "version": number,
            "source": source,
            "description": about.get("description"),
            "tags": _texts(f"{top}/tags"),
        }
        return MovedVersion(
            str(about.get("name") or model), number, str(about.get("run_id") or ""),
            self._places.path(place), (*names, *([stage] if stage != "None" else [])),
            {key: value for key, value in told.items() if value},
        )  # fmt: skip

    def _experiment(self, folder: str) -> str:
        if folder not in self._names:
            try:
                self._names[folder] = str(_meta(f"{self._path}/{folder}").get("name") or folder)
            except ForeignFileError:  # its runs are there all the same
                self._names[folder] = folder
        return self._names[folder]

    def _datasets(self, top: str) -> dict[str, str]:
        """What it read, as tags: the name, and by which digest and in which role."""
        found = {}
        for name in _folders(f"{top}/inputs"):
            told = _meta(f"{top}/inputs/{name}")
            if told.get("source_type") != "DATASET":
                continue
            one = _meta(f"{os.path.dirname(top)}/datasets/{told.get('source_id')}")
            roles = told.get("tags") if isinstance(told.get("tags"), dict) else {}
            found[f"dataset.{one.get('name')}"] = " ".join(
                map(str, [one.get("digest"), *(roles or {}).values()])
            )
        return found

    def _logged_models(self, top: str) -> Iterator[Kept]:
        for name in _folders(f"{top}/outputs"):
            place = f"{os.path.dirname(top)}/models/{name}"
            if os.path.isdir(f"{place}/artifacts"):
                about = _meta(place)
                told: dict[str, Any] = {"format": "mlflow", "model_id": name}
                told |= {kind: texts for kind in ("params", "tags") if (texts := _texts(f"{place}/{kind}"))}
                yield Kept(f"models/{about.get('name')}-{name}", f"{place}/artifacts", "model", told)


def _folders(top: str) -> list[str]:
    try:
        with os.scandir(top) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def _meta(folder: str) -> dict[str, Any]:
    """What a meta.yaml says.

    Raises:
        ForeignFileError: it is not there, or no map.
    """
    path = f"{folder}/{_META}"
    try:
        with open(path, "rb") as file:
            found = load_yaml(file.read(), path).data
    except OSError as error:
        raise ForeignFileError(f"{_META} cannot be read: {error.strerror}", where=folder) from None
    except SpecError as error:
        raise ForeignFileError(f"{_META} is no YAML: {error.what}", where=folder) from None
    if not isinstance(found, dict):
        raise ForeignFileError(f"{_META} says nothing", where=folder)
    return found


def _files(top: str) -> Iterator[tuple[str, str]]:
    """Names, which may have slashes in them, and paths of all files below."""
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            yield os.path.relpath(path, top).replace(os.sep, "/"), path


def _texts(top: str) -> dict[str, str]:
    return {name: _read(path) for name, path in _files(top)}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError as error:
        raise ForeignFileError(f"it cannot be read: {error.strerror}", where=path) from None


def _curves(top: str) -> Curves:
    curves = Curves()
    for name, path in _files(top):
        for number, line in enumerate(_read(path).splitlines(), 1):
            words = line.split()
            try:
                # Before MLflow 1.0 a line had no step; since 3.0 it may end with the dataset.
                step = int(words[2]) if len(words) > 2 else 0
                curves.add(name, step, int(words[0]) / 1000, float(words[1]))
            except (ValueError, IndexError, OverflowError):
                raise ForeignFileError(f"line {number} is no point: {line[:60]!r}", where=path) from None
    return curves


def _finals(curves: Curves) -> dict[str, float]:
    """The newest value of each metric, as MLflow counts: the highest step, then the latest time, then the largest."""
    best: dict[str, tuple[int, float, float]] = {}
    for metric, step, time, value in curves:
        if metric not in best or (step, time) >= best[metric][:2]:
            best[metric] = (step, time, value)
    return {metric: value for metric, (_, _, value) in best.items()}


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds > 0 else None
