"""One record of a journal (docs/FORMAT.md, "facts")."""

from __future__ import annotations

from typing import Any, NamedTuple


class Event(NamedTuple):
    """What happened: ``kind`` and its ``body``. (writer, seq) names and orders it; ``ts`` is for people."""

    writer: str
    seq: int
    kind: str
    ts: float
    body: dict[str, Any]


# Who writes which kind. The fold merges by these ranks: supervisor > scheduler > driver.
DRIVER_KINDS = ("execution", "claim", "intent", "submitted", "reused", "lost", "finished")
SUPERVISOR_KINDS = ("setup", "running", "heartbeat", "outputs", "ended", "durable")
