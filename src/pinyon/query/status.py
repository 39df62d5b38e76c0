"""What runs now, and how the last execution went."""

from __future__ import annotations

from typing import Any

from pinyon.model.outcome import FINAL, LOST, SUBMITTED, SUCCEEDED
from pinyon.query.fold import Document
from pinyon.query.index import Index
from pinyon.query.runs import status


def describe(index: Index) -> dict[str, Any]:
    """``open``: attempts without an outcome, their status derived; ``last``: the newest execution or None."""
    own, values = index.seen_by(None)
    opened = [
        {
            "attempt": attempt.id,
            "stage": attempt.stage,
            "status": status(attempt),
            "execution": attempt.execution,
            "started": attempt.started,
            "host": attempt.supervisor.host if attempt.supervisor else "",
            "supervisor": attempt.supervisor.pid if attempt.supervisor else None,
        }
        for attempt in index.attempts(f"open and {own}", *values)
    ]
    known = index.executions(own, *values)
    newest = next(((name, found) for name, found in known if "execution" in found), None)
    return {"open": opened, "last": _execution(index, *newest, opened) if newest else None}


def _execution(index: Index, name: str, document: Document, opened: list[dict[str, Any]]) -> dict[str, Any]:
    _, _, started, body = document["execution"]
    finished = document["finished"][3] if "finished" in document else None
    mine = [row["status"] for row in opened if row["execution"] == name]
    return {
        "execution": name,
        "state": _state(index, name, document, mine),
        "started": started,
        "counts": finished["counts"] if finished else {},
        "goal": body["goal"],
        "actor": body["actor"],
    }


def state_of(index: Index, name: str, document: Document) -> str:
    """What became of an execution, from all that is known of it."""
    if "finished" in document and document["finished"][3].get("state") not in (None, SUBMITTED):
        return str(document["finished"][3]["state"])
    opened = index.attempts("open and execution = ?", name)
    return _state(index, name, document, [status(attempt) for attempt in opened])


def _state(index: Index, name: str, document: Document, opened: list[str]) -> str:
    driver = index.process(document["execution"][0])
    running = any(state != LOST for state in opened) or (driver is not None and driver.alive() is not False)
    finished = document["finished"][3] if "finished" in document else None
    state = finished["state"] if finished else "RUNNING" if running else LOST
    return _left(index, name) if state == SUBMITTED else str(state)


def _left(index: Index, name: str) -> str:
    """What became of an execution whose driver started attempts and left: RUNNING, or the worst of their states."""
    states = [status(attempt) for attempt in index.attempts("execution = ?", name)]
    if any(state not in FINAL for state in states):
        return "RUNNING"
    return next((state for state in states if state != SUCCEEDED), SUCCEEDED)
