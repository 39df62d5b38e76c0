"""Runs as every tracker has them, and the two protocols of moving: what gives runs, and what takes them."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from pinyon.bridges.said import Object
from pinyon.errors import ForeignFileError

SUCCEEDED, FAILED, CANCELLED, RUNNING = "SUCCEEDED", "FAILED", "CANCELLED", "RUNNING"
"""States that a source tells. RUNNING: nobody knows how it will end."""


class Curves:
    """Points of a run, as columns of equal length.

    Attributes:
        metric: number of the name in ``names``.
        step: whole numbers of 64 bits.
        time: seconds since the epoch, NaN where nobody knows.
        value: NaN and infinities are kept.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.metric, self.step, self.time, self.value = array("l"), array("q"), array("d"), array("d")
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The number of a name, which it gets if it has none."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def add(self, name: str, step: int, time: float, value: float) -> None:
        """One more point."""
        self.metric.append(self.number(name))
        self.step.append(step)
        self.time.append(time)
        self.value.append(value)

    def extend(self, more: Curves) -> None:
        """All points of another one, behind these."""
        for point in more:
            self.add(*point)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[tuple[str, int, float, float]]:
        """(metric, step, time, value) of each point."""
        names = self.names
        for number, step, time, value in zip(self.metric, self.step, self.time, self.value, strict=True):
            yield names[number], step, time, value


class Kept(NamedTuple):
    """A file or folder of a run on this disk. ``name`` is what the run calls it; ``role`` as in an ``artifact`` record."""

    name: str
    path: str
    role: str = "artifact"
    about: Mapping[str, Any] = {}


class MovedRun(NamedTuple):
    """One run, as its tracker has it.

    Attributes:
        id: by which the tracker tells it from all others in its store.
        experiment: name of what it belongs to; "" for nothing.
        started, ended: seconds since the epoch, None if unknown.
        finals: numbers or texts at its end, where the tracker has such.
        parent: id of the run inside which it began; "" for none.
        message: why it ended as it did, where somebody said so.
        objects: histograms, images and the like.
        own: tags that the tool keeps for itself, as its own bridge keeps them, too.
        guess: when it may have begun, where nothing says so. It decides nothing.
    """

    id: str
    name: str = ""
    experiment: str = ""
    state: str = SUCCEEDED
    started: float | None = None
    ended: float | None = None
    params: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    finals: Mapping[str, Any] = {}
    note: str = ""
    curves: Curves = Curves()
    files: tuple[Kept, ...] = ()
    parent: str = ""
    user: str = ""
    message: str = ""
    own: Mapping[str, str] = {}
    objects: tuple[Object, ...] = ()
    guess: float = 0.0


class MovedVersion(NamedTuple):
    """One version of a model in the tracker's registry: ``path`` on this disk, "" where its bytes cannot be reached."""

    model: str
    number: int
    run: str
    path: str
    names: tuple[str, ...] = ()
    about: Mapping[str, Any] = {}


class Heading(NamedTuple):
    """A run before it is read. ``started`` is None where only reading it tells."""

    id: str
    started: float | None = None


class Left(Counter[str]):
    """What could not be carried: how often, by reason.

    Attributes:
        told: how the source was understood, for people.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []


class DeletedRunError(ForeignFileError):
    """Somebody has deleted this run in the other tool; it is no fault."""

    def __init__(self, run: str) -> None:
        super().__init__("it was deleted", where=run)


class Source(Protocol):
    """The runs of one store of another tool. Reading it writes nothing there.

    Attributes:
        kind: of the tool; with ``identity`` and a run's id it makes the key of the imported run.
        identity: what tells this store from others of the tool; "" where ids of runs are unique by themselves.
        left: what it could not carry until now.
    """

    kind: str
    identity: str
    left: Left

    def headings(self) -> Iterator[Heading]:
        """All runs, parents before their children where that is known.

        Raises:
            ForeignFileError: the store cannot be read at all.
        """
        ...

    def read(self, run: str) -> MovedRun:
        """One run.

        Raises:
            ForeignFileError: it is damaged, or has vanished, or was deleted in the tool.
        """
        ...

    def models(self) -> Iterator[MovedVersion]:
        """Versions of models, of each model in the order of their numbers."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Sink(Protocol):
    """What takes runs out of Pinyon."""

    def write(self, run: MovedRun) -> None:
        """One run.

        Raises:
            PinyonError: the other tool refuses.
        """
        ...

    def close(self) -> None:
        """Complete what was written: before that nothing stands at the place that was named, where a tool lets that be."""
        ...

    def drop(self) -> None:
        """Let go of what is not complete."""
        ...


class Live(Sink, Protocol):
    """A sink that takes runs while they go on, too: begin, add as often as there is more, finish."""

    def begin(self, run: MovedRun, held: str) -> bool:
        """Open a run, or open it again.

        Args:
            run: without its points.
            held: what `held` gave when all was noted, "" for a run of which nothing is known.

        Returns:
            Whether it holds what it held then. If not, it is empty now and wants all of its points.

        Raises:
            PinyonError: the other tool refuses.
        """
        ...

    def add(self, run: str, curves: Curves) -> None:
        """More points, in the order in which they were logged. A tool in which a point can be twice is never given one
        twice."""
        ...

    def held(self, run: str) -> str:
        """What `begin` has to know to go on behind everything that was added until now."""
        ...

    def finish(self, run: MovedRun) -> None:
        """It has ended: its final values, and what else was told of it since it began."""
        ...
