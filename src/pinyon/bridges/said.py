"""What another tool's file says of a run, in Pinyon's words: the same for a file that is followed and for an import."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

_DEEPEST = 32


class Numbers(NamedTuple):
    """Values at one step; ``wall`` in seconds since the epoch, None if unknown."""

    wall: float | None
    step: int
    values: dict[str, float | int]


class Object(NamedTuple):
    """Something at a step that is no number: as ``value``, which JSON can hold, or as bytes with their ``format``."""

    wall: float | None
    step: int
    name: str
    type: str
    value: dict[str, Any] = {}
    data: bytes = b""
    format: str = ""


_SMALL = 16 << 10  # bytes of JSON that stand in a line of points


def inline(one: Object) -> dict[str, Any] | None:
    """What stands in a line of points for it; None where it is too large for one."""
    value = {"type": one.type, **one.value}
    if one.data:
        value |= {"format": one.format, "data": base64.b64encode(one.data).decode()}
    return value if len(json.dumps(value)) <= _SMALL else None


def apart(one: Object) -> tuple[bytes, str]:
    """Bytes and format of it as a file."""
    data = one.data or str(one.value.get("text") or json.dumps(one.value)).encode("utf-8", "replace")
    return data, one.format or ("txt" if "text" in one.value else "json")


class Fact(NamedTuple):
    """A record of a kind that Pinyon has, without its attempt."""

    kind: str
    body: dict[str, Any]


class LeftOut(NamedTuple):
    """Something that has no place here yet: its kind, such as ``image``."""

    kind: str


Said = Numbers | Object | Fact | LeftOut


class Source(Protocol):
    """One file of one tool.

    Attributes:
        tool: ``tensorboard`` or ``wandb``.
        begun: when the file says it was begun, seconds since the epoch; None while it has not said so.
        label: what tells this run of the tool's from others of one script; "" while unknown, or if there is nothing.
    """

    tool: str

    @property
    def begun(self) -> float | None:
        """See above."""
        ...

    @property
    def label(self) -> str:
        """See above."""
        ...

    @property
    def passed(self) -> int:
        """How many records were too long to be read."""
        ...

    def read(self) -> Iterator[Said]:
        """What is new.

        Raises:
            ForeignFileError: damage; called again it goes on behind that, if it can.
        """
        ...

    def rest(self) -> Iterator[Said]:
        """What is told only at the end."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def flat(values: dict[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The leaves of nested maps by dotted name. A map that says its own type (W&B's media) and one that is too deep is a
    leaf."""
    for name, value in values.items():
        full = f"{path}.{name}" if path else name
        if isinstance(value, dict) and "_type" not in value and depth < _DEEPEST:
            yield from flat(value, full, depth + 1)
        else:
            yield full, value


def histogram(wall: float | None, step: int, name: str, edges: Sequence[Any], counts: Sequence[Any]) -> Said:
    """A histogram, if that is what these make."""
    numbers = all(isinstance(item, (int, float)) for item in (*edges, *counts))
    if not numbers or len(edges) != len(counts) + 1:
        return LeftOut("histogram")
    return Object(wall, step, name, "histogram", {"edges": finite(edges), "counts": finite(counts)})


def finite(values: Sequence[Any]) -> list[Any]:
    """Numbers as JSON has them (docs/FORMAT.md §3)."""
    return [value if math.isfinite(value) else str(float(value)).replace("inf", "Infinity").replace("nan", "NaN")
            for value in values]  # fmt: skip


def encoded(wall: float | None, step: int, name: str, kind: str, data: bytes) -> Said:
    """An image or a sound, if its bytes are of a format that we know."""
    known = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"RIFF": "wav"}
    format = next((word for start, word in known.items() if data.startswith(start)), "")
    return Object(wall, step, name, kind, {}, data, format) if format else LeftOut(kind)
