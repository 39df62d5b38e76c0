"""Event files: what each event says, as nouns (event.proto, summary.proto, and the plugins' own data)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pinyon.bridges.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    WireError,
    double,
    fields,
    packed,
    repeated,
    signed,
    single,
    text,
)
from pinyon.bridges.tensorboard.records import Records
from pinyon.bridges.tensorboard.tensors import Tensor, tensor
from pinyon.errors import ForeignFileError

_MEDIA = {4: "image", 6: "audio"}  # by field of a value
_PLUGINS = {"histograms": "histogram", "images": "image", "audio": "audio", "text": "text"}
_TAGS = 100_000  # whose plugin is remembered


class Histogram(NamedTuple):
    """``counts[i]`` values lie between ``edges[i]`` and ``edges[i + 1]``."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]


class Value(NamedTuple):
    """One value of an event. ``data`` is by ``kind``: scalar a number, histogram a `Histogram`, text a list of texts,
    hparams a map; of image and audio the encoded bytes, None for what is not read: any other kind is a plugin's name."""

    tag: str
    kind: str
    data: Any = None


class Event(NamedTuple):
    """One record: when it was written (seconds since the epoch), at which step, what it says. ``version`` stands in the
    first event of a file only."""

    wall: float
    step: int
    values: tuple[Value, ...] = ()
    version: str = ""


class EventFile:
    """The events of one file, which may still be written.

    Raises:
        ForeignFileError: it is no file, or cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._records, self._path = Records(path), path
        self._plugins: dict[str, str] = {}  # of each tag: only its first value says so

    @property
    def passed(self) -> int:
        """How many records were too long to be read."""
        return self._records.passed

    def read(self) -> Iterator[Event]:
        """What is new. An event that is not whole yet comes with a later call.

        Raises:
            ForeignFileError: damage. Called again it goes on behind that, if the next event can be found.
        """
        for at, data in self._records.read():
            try:
                yield self._event(data)
            except WireError as error:
                raise ForeignFileError(f"byte {at}: this is no event: {error}", where=self._path) from None

    def close(self) -> None:
        """Let go of the file."""
        self._records.close()

    def _event(self, data: bytes) -> Event:
        wall, step, version = 0.0, 0, ""
        values: list[Value] = []
        for number, wire, value in fields(data):
            if number == 1 and wire == FIXED64:
                wall = double(value)
            elif number == 2 and wire == VARINT:
                step = signed(value)
            elif number == 3 and wire == BYTES:
                version = text(value)
            elif number == 5 and wire == BYTES:
                values.extend(map(self._value, repeated(value, 1)))
        return Event(wall, step, tuple(values), version)

    def _value(self, data: bytes) -> Value:
        tag = plugin = ""
        field, told, content = 0, None, b""
        for number, wire, value in fields(data):
            if number == 1 and wire == BYTES:
                tag = text(value)
            elif number == 9 and wire == BYTES:
                plugin, content = _plugin(value)
            elif (number == 2 and wire == FIXED32) or (number in (4, 5, 6, 8) and wire == BYTES):
                field, told = number, value
        if plugin and len(self._plugins) < _TAGS:
            self._plugins[tag] = plugin
        plugin = plugin or self._plugins.get(tag, "")
        if plugin == "hparams":
            return Value(tag, "hparams", _hparams(content))
        if field == 2:
            return Value(tag, "scalar", single(told or b""))
        if field == 5:
            return Value(tag, "histogram", _histogram(told or b""))
        if field in _MEDIA:
            encoded = (value for number, wire, value in fields(told or b"") if (number, wire) == (4, BYTES))
            return Value(tag, _MEDIA[field], next(encoded, b""))
        return (
            _tensor(tag, plugin, tensor(told))
            if field == 8 and told is not None
            else Value(tag, plugin or "empty")
        )


def _tensor(tag: str, plugin: str, found: Tensor) -> Value:
    """A value in its newer form, in which everything is a tensor and a plugin says what it means."""
    items, kind = found.items, _PLUGINS.get(plugin, plugin or "tensor")
    if items is None:
        return Value(tag, kind)
    numeric = all(isinstance(item, (int, float)) for item in items)
    if plugin in ("", "scalars") and len(items) == 1 and numeric:
        return Value(tag, "scalar", items[0])
    if kind == "text" and not numeric:
        return Value(tag, kind, [text(item) for item in items])
    if kind == "histogram" and numeric and found.shape[1:] == (3,):
        edges = (*items[0::3], *items[1::3][-1:])
        return Value(tag, kind, Histogram(edges, tuple(items[2::3])))
    if plugin == "images" and not numeric:
        return Value(tag, kind, b"".join(items[2:3]))  # width and height stand before the bytes
    return Value(tag, kind, items[0] if kind == "audio" and items and not numeric else None)


def _plugin(data: bytes) -> tuple[str, bytes]:
    """Name and data of the plugin that a value is meant for."""
    name, content = "", b""
    for number, wire, value in fields(data):
        if number == 1 and wire == BYTES:
            for inner, kind, item in fields(value):
                if inner == 1 and kind == BYTES:
                    name = text(item)
                elif inner == 2 and kind == BYTES:
                    content = item
    return name, content


def _histogram(data: bytes) -> Histogram:
    least, limits, counts = 0.0, list[float](), list[float]()
    for number, wire, value in fields(data):
        if number == 1 and wire == FIXED64:
            least = double(value)
        elif number == 6:
            limits += packed(wire, value, "d")
        elif number == 7:
            counts += packed(wire, value, "d")
    if len(limits) != len(counts):
        raise WireError(f"a histogram has {len(limits)} limits and {len(counts)} counts")
    first = min(least, limits[0]) if limits else least
    return Histogram((first, *limits), tuple(counts))


def _hparams(data: bytes) -> dict[str, Any]:
    """The parameters that a session began with; empty where this says something else about it."""
    found: dict[str, Any] = {}
    for number, wire, value in fields(data):
        if number == 3 and wire == BYTES:
            for entry in repeated(value, 1):
                name, setting = "", None
                for inner, kind, item in fields(entry):
                    if inner == 1 and kind == BYTES:
                        name = text(item)
                    elif inner == 2 and kind == BYTES:
                        setting = _setting(item)
                found[name] = setting
    return found


def _setting(data: bytes) -> Any:
    """A google.protobuf.Value; lists and maps, which nobody sets, are None."""
    for number, wire, value in fields(data):
        if number == 2 and wire == FIXED64:
            plain = double(value)
            return int(plain) if plain.is_integer() and abs(plain) < 2**53 else plain
        if number == 3 and wire == BYTES:
            return text(value)
        if number == 4 and wire == VARINT:
            return bool(value)
    return None
