"""What runs now, and how the last execution went."""

from __future__ import annotations

from typing import Any

from pinyon.model.outcome import FINAL, LOST, SUBMITTED, SUCCEEDED, UNKNOWN
from pinyon.query.alive import look
from pinyon.query.fold import Document
from pinyon.query.index import Index


def describe(index: Index) -> dict[str, Any]:
    """``open``: attempts without an outcome, their status derived; ``last``: the newest execution or None."""
    own, values = index.seen_by(None)
    seen = look(index, index.attempts(f"open and {own}", *values))
    opened = [
        {
            "attempt": attempt.id,
            "stage": attempt.stage,
            "status": verdict.status,
            "detail": verdict.detail,
            "why": verdict.why,
            "execution": attempt.execution,
            "started": attempt.started,
            "host": attempt.supervisor.host if attempt.supervisor else "",
            "supervisor": attempt.supervisor.pid if attempt.supervisor else None,
        }
        for attempt, verdict in seen
        if attempt.state not in FINAL
    ]
    known = index.executions(own, *values)
    newest = next(((name, found) for name, found in known if "execution" in found), None)
    return {"open": opened, "last": _execution(index, *newest) if newest else None}


def _execution(index: Index, name: str, document: Document) -> dict[str, Any]:
    _, _, started, body = document["execution"]
    finished = document["finished"][3] if "finished" in document else None
    return {
        "execution": name,
        "state": state_of(index, name, document),
        "started": started,
        "counts": finished["counts"] if finished else {},
        "goal": body["goal"],
        "actor": body["actor"],
    }


def state_of(index: Index, name: str, document: Document) -> str:
    """What became of an execution, from all that is known of it: as it is recorded, else as `pinyon.query.alive` has it of
    its attempts and its driver."""
    if (state := _recorded(document)) not in ("", SUBMITTED):
        return state
    if state:  # its driver started attempts and left
        return _left(index, name)
    driver = index.process(document["execution"][0])
    lives = driver.alive() if driver else False
    opened = [seen.status for _, seen in look(index, index.attempts("open and execution = ?", name))]
    if lives or any(one not in (*FINAL, UNKNOWN) for one in opened):
        return "RUNNING"
    if lives is None or UNKNOWN in opened:
        return UNKNOWN
    # It is dead; its last record may have been written after the journals were read.
    index.catch_up()
    again = dict(index.executions("id = ?", name)).get(name, document)
    state = _recorded(again)
    return _left(index, name) if state == SUBMITTED else state or LOST


def _recorded(document: Document) -> str:
    return str(document["finished"][3].get("state") or "") if "finished" in document else ""


def _left(index: Index, name: str) -> str:
    """What became of attempts whose driver has left: RUNNING, UNKNOWN, or the worst of their states."""
    states = [seen.status for _, seen in look(index, index.attempts("execution = ?", name))]
    if any(state not in (*FINAL, UNKNOWN) for state in states):
        return "RUNNING"
    if UNKNOWN in states:
        return UNKNOWN
    return next((state for state in states if state != SUCCEEDED), SUCCEEDED)
