"""What `decide` may ask of the past (`State`) and of the present (`Seen`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

from pinyon.model.outcome import Attempt

ABSENT = "absent"


class State(Protocol):
    """A lazy view of the folded journals. Look-ups cost by key, never by history."""

    def at(self, key: str) -> tuple[Attempt, ...]:
        """Every attempt at a key, as one look found them.

        Others may write between two questions, so what is decided of a key is decided from one answer of this.
        """
        ...

    def answer(self, attempts: Iterable[Attempt], *, stored: bool = False) -> Attempt | None:
        """The one of these attempts whose outputs answer their key: succeeded, reusable, outputs believed; None if there
        is none.

        ``stored``: only one of which every out is in the store, for those who cannot find it in the project.
        """
        ...

    def latest(self, stage: str) -> Attempt | None:
        """The newest attempt of a stage of this name that left inputs to compare with, for reasons only."""
        ...

    def baseline(self, stage: str) -> Attempt | None:
        """What a reason compares with: the succeeded attempt of this stage whose outs were last put into the project, by
        running or by restoring them; where none was, its newest succeeded one; None when it has never succeeded."""
        ...

    def tried(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Of a key's attempts, this project's that failed or were lost, in order; none if one has succeeded."""
        ...

    def of_execution(self, execution: str, recipe: str) -> list[Attempt]:
        """Attempts of this execution at this recipe, in order."""
        ...

    def failures(self, execution: str) -> Iterable[Attempt]:
        """Attempts of this execution that ended without success."""
        ...

    def open(self) -> Collection[Attempt]:
        """Attempts without an outcome, whichever execution they belong to."""
        ...

    def durations(
        self, by: Literal["key", "stage", "group"], names: Iterable[str]
    ) -> Mapping[str, list[float]]:
        """Seconds that succeeded attempts took, newest first and at most five, by name; a name without any is left out.

        ``by`` says what the names are: keys, stages, or groups (the part of ``train@0`` before the @).
        """
        ...


class Gpu(NamedTuple):
    """One device, as ``CUDA_VISIBLE_DEVICES`` names it. ``share`` of it, from 1 down to 0, and ``vram`` in bytes."""

    id: str
    share: float = 1.0
    vram: int = 0


class Machine(NamedTuple):
    """What a machine has for attempts: processors (a part of one counts), memory in bytes, and GPUs."""

    cpus: float
    memory: int
    gpus: tuple[Gpu, ...] = ()


class Free(NamedTuple):
    """What attempts may still take: how many may start (``-j``), cpus, bytes of memory, and of each GPU its share and vram.

    Below zero when others have taken more than there is.
    """

    slots: int
    cpus: float = float("inf")
    memory: float = float("inf")
    gpus: tuple[Gpu, ...] = ()


class Seen(NamedTuple):
    """What the driver has looked at.

    Attributes:
        execution: id of the execution that asks ("" while only planning).
        files: path → name (``blake3:…``), or `ABSENT`. A path that is not here was not looked at.
        lost_blobs: names that a restore has found missing or damaged, so that reuse is out of the question.
        alive: open attempts whose process (or, before that, supervisor) lives. Others are dead.
        held: keys claimed by a live other driver → who.
        free: what attempts may still take; None means no limit (planning).
        whole: the same while nothing runs anywhere; None where nothing but ``free`` counts.
        lasting: this call is one of many that make up one attempt to reach the goal: what failed in an earlier one counts,
            and what would run every time runs once.
        foreign: open attempts of other projects in this store; what they left is theirs to look after.
    """

    execution: str = ""
    files: Mapping[str, str] = {}
    lost_blobs: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()
    held: Mapping[str, str] = {}
    free: Free | None = None
    whole: Free | None = None
    foreign: frozenset[str] = frozenset()
    lasting: bool = False
