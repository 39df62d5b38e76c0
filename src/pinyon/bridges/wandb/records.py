"""W&B's records as nouns, from its wandb_internal.proto: numbers over steps, settings, summary, what the run is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pinyon.bridges.protobuf import BYTES, VARINT, WireError, fields, repeated, signed, text
from pinyon.bridges.wandb.log import Log
from pinyon.errors import ForeignFileError

_LARGEST = 1 << 20  # bytes of JSON that are read: a list in memory is ten times as long
_DEEPEST = 32


class TooLarge(NamedTuple):
    """Stands for a value that is not read."""


class Begun(NamedTuple):
    """What the run is; a later one of the same file changes it. ``start`` is in seconds since the epoch, 0 if unknown."""

    id: str
    project: str
    name: str
    notes: str
    tags: tuple[str, ...]
    group: str
    job: str
    config: dict[str, Any]
    start: float


class History(NamedTuple):
    """One step of it; ``values`` is nested as it was logged."""

    step: int
    values: dict[str, Any]


class Summary(NamedTuple):
    """Final values that were set, nested, and the paths of those that were taken away."""

    values: dict[str, Any]
    removed: tuple[tuple[str, ...], ...]


class Config(NamedTuple):
    """Settings, as `Summary`."""

    values: dict[str, Any]
    removed: tuple[tuple[str, ...], ...]


class Exit(NamedTuple):
    """The script came to an end of its own."""

    code: int


Record = Begun | History | Summary | Config | Exit


class RunFile:
    """The records of one ``.wandb`` file, which may still be written.

    Raises:
        ForeignFileError: it is no file, or cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._log, self._path = Log(path), path

    @property
    def passed(self) -> int:
        """How many records were too long to be read."""
        return self._log.passed

    def read(self) -> Iterator[Record]:
        """What is new; statistics, console output and the like are left out. A record that is not whole yet comes with a
        later call.

        Raises:
            ForeignFileError: damage. Called again it goes on behind that.
        """
        for at, data in self._log.read():
            try:
                record = _record(data)
            except WireError as error:
                raise ForeignFileError(f"byte {at}: this is no record: {error}", where=self._path) from None
            if record is not None:
                yield record

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()


def _record(data: bytes) -> Record | None:
    for number, wire, value in fields(data):
        if wire == BYTES and number in _KINDS:
            return _KINDS[number](value)  # a record is one thing
    return None


def _history(data: bytes) -> History:
    values, step = _items(data, 1), -1
    for number, wire, value in fields(data):
        if number == 2 and wire == BYTES:
            step = next(
                (signed(item) for inner, kind, item in fields(value) if (inner, kind) == (1, VARINT)), 0
            )
    told = values.get("_step", step)
    return History(told if type(told) is int else step, values)


def _summary(data: bytes) -> Summary:
    return Summary(_items(data, 1), _paths(data, 2))


def _config(data: bytes) -> Config:
    return Config(_items(data, 1), _paths(data, 2))


def _exit(data: bytes) -> Exit:
    return Exit(
        next((signed(value) for number, wire, value in fields(data) if (number, wire) == (1, VARINT)), 0)
    )


def _run(data: bytes) -> Begun:
    texts: dict[int, str] = {}
    tags: list[str] = []
    config: dict[str, Any] = {}
    start = 0.0
    for number, wire, value in fields(data):
        if wire != BYTES:
            continue
        if number == 10 and len(tags) < 1_000:
            tags.append(text(value))
        elif number == 4:
            config = _items(value, 1)
        elif number == 17:
            start = _time(value)
        elif number in (1, 3, 6, 7, 8, 9):
            texts[number] = text(value)
    run, project, group, job, name, notes = (texts.get(number, "") for number in (1, 3, 6, 7, 8, 9))
    return Begun(run, project, name, notes, tuple(tags), group, job, config, start)


_KINDS: dict[int, Callable[[bytes], Record]] = {2: _history, 3: _summary, 5: _config, 17: _run, 18: _exit}


def _time(data: bytes) -> float:
    seconds = 0.0
    for number, wire, value in fields(data):
        if wire == VARINT and number in (1, 2):
            seconds += signed(value) * (1.0 if number == 1 else 1e-9)
    return seconds


def _items(data: bytes, field: int) -> dict[str, Any]:
    """What the items of a message set, nested."""
    found: dict[str, Any] = {}
    for item in repeated(data, field):
        path, spelled = _item(item)
        if path:
            _set(found, path, _plain(spelled))
    return found


def _paths(data: bytes, field: int) -> tuple[tuple[str, ...], ...]:
    return tuple(path for path, _ in map(_item, repeated(data, field)) if path)


def _item(data: bytes) -> tuple[tuple[str, ...], bytes]:
    """Where it belongs, and its JSON."""
    path, nested, spelled = tuple[str, ...](), list[str](), b""
    for number, wire, value in fields(data):
        if wire != BYTES:
            continue
        if number == 1:
            path = (text(value),)
        elif number == 2 and len(nested) < _DEEPEST:
            nested.append(text(value))
        elif number == 16:
            spelled = value
    return tuple(nested) or path, spelled


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        if not isinstance(inner, dict):
            inner = values[part] = {}
        values = inner
    values[path[-1]] = value


def _plain(spelled: bytes) -> Any:
    """The value of some JSON, in which NaN and the infinities may stand; `TooLarge` for what nobody can plot."""
    if len(spelled) > _LARGEST:
        return TooLarge()
    try:
        return json.loads(spelled.decode("utf-8", "surrogatepass") or "null")
    except (ValueError, RecursionError) as error:
        raise WireError(f"a value is no JSON: {error}") from None
