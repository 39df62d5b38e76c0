"""What another tool's file says of a run, in Pinyon's words: the same for a file that is followed and for an import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

_DEEPEST = 32


class Numbers(NamedTuple):
    """Values at one step; ``wall`` in seconds since the epoch, None if unknown."""

    wall: float | None
    step: int
    values: dict[str, float | int]


class Fact(NamedTuple):
    """A record of a kind that Pinyon has, without its attempt."""

    kind: str
    body: dict[str, Any]


class LeftOut(NamedTuple):
    """Something that has no place here yet: its kind, such as ``image``."""

    kind: str


Said = Numbers | Fact | LeftOut


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
