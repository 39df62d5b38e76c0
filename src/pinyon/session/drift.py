"""How the environment differs from that of the newest execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinyon.capture.environment import environment
from pinyon.capture.hardware import hardware
from pinyon.report.captured import Captured, between, newest

if TYPE_CHECKING:
    from pinyon.session.opened import Session


def drift(session: Session) -> tuple[str, ...]:
    """What differs, in words; nothing where nothing was captured yet."""
    root, store, fold, _ = session.records
    last = newest(fold, store.blobs)
    if last is None:
        return ()
    cache = str(store.cache)
    commands = [task.stage.command for task in session.graph.tasks.values()]
    now = Captured({}, environment(root, commands, cache), hardware(cache))
    return tuple(between(last[1], now))
