"""What an attempt was, and what it left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from pinyon.model.ids import ProcessId

SUCCEEDED, FAILED, CANCELLED, LOST, RUNNING, SUBMITTED = (
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
    "LOST",
    "RUNNING",
    "SUBMITTED",
)
FINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, LOST})
UNKNOWN = "UNKNOWN"  # never recorded: what a reader says of an attempt of which it has proof neither of life nor of death

PRUNED = "pruned"  # detail of a CANCELLED attempt that a condition of its phase has ended

# Causes a retry can name. An exit code or a missing out is deterministic until somebody changes something.
CAUSES = ("exit", "signal", "timeout", "oom", "missing_out", "setup", "lost", "preempted")


class Output(NamedTuple):
    """One out as an attempt left it. ``digest`` is ``blake3:HEX`` for a file, ``blake3:HEX/`` for a directory (the blob
    is then its manifest). ``stored`` False when only the digest was kept (``cache: false`` in place)."""

    path: str
    digest: str
    size: int
    executable: bool = False
    stored: bool = True


class Attempt(NamedTuple):
    """One try of a run on one host, as the journals tell it. Times are seconds since the epoch, for people only.

    ``project`` names whose stage it was, and ``root`` its directory on the host that ran it: a store may serve several.
    ``mode`` ``adopted``: another tool had made the outs, and its records vouch for them; nothing ran. ``recorded``: another
    tool carries it and tells of it, or it was imported.
    ``resources`` holds what it asked for by name, and under ``devices`` the GPUs it got. ``estimate``: the seconds that it
    was expected to take. ``unread`` are metrics files that could not be read, each with the reason. ``parent`` is the id of
    the run inside which this one began, ``group`` a name that several runs share. ``scheduler``: the job that it was part
    of, see `pinyon.model.scheduler.job_of`.
    """

    id: str
    key: str
    recipe: str
    stage: str
    execution: str
    epoch: int
    mode: Literal["in place", "isolated", "adopted", "recorded"]
    state: str
    detail: str = ""
    exit_code: int | None = None
    outputs: tuple[Output, ...] = ()
    reusable: bool = True
    durable: bool = True
    boot: str = ""
    supervisor: ProcessId | None = None
    started: float = 0.0
    seconds: float = 0.0
    inputs: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    log: tuple[str, int, int] | None = None
    message: str = ""
    forced: bool = False
    project: str = ""
    root: str = ""
    resources: dict[str, Any] = {}
    estimate: float | None = None
    unread: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    group: str = ""
    signal: int | None = None
    scheduler: dict[str, Any] = {}

    @property
    def order(self) -> tuple[int, str]:
        """Attempts of a run are ordered by (epoch, id), never by time."""
        return (self.epoch, self.id)


def next_epoch(attempts: Iterable[Attempt]) -> int:
    """The epoch of one more attempt at the key of these; the first one has 1."""
    return max((attempt.epoch for attempt in attempts), default=0) + 1
