"""New records on their way into the index."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from pinyon.model.event import Event
from pinyon.model.outcome import FINAL, SUCCEEDED, Attempt
from pinyon.query.fold import Document, attempt_of, join, params_of, subject, told_of


class Batch:
    """New records on their way into the index, joined with what it has; one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._documents: dict[tuple[str, str], Document] = {}
        self._durable: dict[str, int] = {}
        self._restored: list[tuple[str, float, str]] = []
        self._told: list[tuple[Any, ...]] = []
        self.segments: dict[str, tuple[int, int, str, int]] = {}
        self.count = 0

    def add(self, event: Event) -> None:
        """Join one record."""
        self.count += 1
        if event.kind == "durable" and isinstance(through := event.body.get("through"), int):
            self._durable[event.writer] = max(self._durable.get(event.writer, -1), through)
        if event.kind == "reused":  # in place only: isolated, nothing is restored
            stage, attempt = event.body.get("stage"), event.body.get("attempt")
            if isinstance(stage, str) and isinstance(attempt, str):
                self._restored.append((stage, event.ts, attempt))
        if (name := told_of(event)) is not None:
            self._told.append((event.kind, name, event.ts, event.writer, event.seq, json.dumps(event.body)))
        about = subject(event)
        if about is not None:
            if about not in self._documents:
                row = self._db.execute(f"select doc from {about[0]}s where id = ?", (about[1],)).fetchone()
                self._documents[about] = json.loads(row[0]) if row else {}
            join(self._documents[about], event)

    def write(self) -> None:
        """Put everything into the index; the caller holds the write lock."""
        attempts = [
            _attempt_row(name, doc) for (kind, name), doc in self._documents.items() if kind == "attempt"
        ]
        self._db.executemany(
            "insert or replace into attempts values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", attempts
        )
        rows = [
            (n, _first_ts(d), _project_of(d), json.dumps(d))
            for (kind, n), d in self._documents.items()
            if kind == "execution"
        ]
        self._db.executemany("insert or replace into executions values (?,?,?,?)", rows)
        self._db.executemany(
            "insert into durable values (?,?) on conflict (writer) do update set through = max(through, excluded.through)",
            self._durable.items(),
        )
        self._db.executemany(
            "insert into restored values (?,?,?) on conflict do update set ts = max(ts, excluded.ts)",
            self._restored,
        )
        self._db.executemany("insert or replace into told values (?,?,?,?,?,?)", self._told)
        self._db.executemany(
            "insert into segments values (?,?,?,?,?) on conflict (name) do update set offset = excluded.offset,"
            " final = excluded.final, process = excluded.process, rotten = rotten + excluded.rotten",
            [(name, *row) for name, row in self.segments.items()],
        )


def _attempt_row(name: str, document: Document) -> tuple[Any, ...]:
    attempt = attempt_of(name, document)
    if attempt is None:
        return (
            name,
            "",
            "",
            "",
            "",
            0,
            _first_ts(document),
            0,
            "",
            None,
            "",
            0,
            0,
            "",
            "",
            json.dumps(document),
        )
    is_open = int(attempt.state not in FINAL)
    columns = (
        attempt.key,
        attempt.stage,
        attempt.execution,
        attempt.recipe,
        attempt.epoch,
        document["intent"][2],
        is_open,
        attempt.project,
        attempt.seconds if attempt.state == SUCCEEDED and attempt.mode != "adopted" else None,
        attempt.state,
        attempt.started,
        attempt.seconds,
        json.dumps(_params(attempt)),
        json.dumps(attempt.metrics),
    )
    return (name, *columns, json.dumps(document))


def _params(attempt: Attempt) -> dict[str, Any]:
    try:
        return params_of(attempt)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}  # not of a form we know, which shall hide nothing else


def _project_of(document: Document) -> str:
    return str(document["execution"][3].get("project") or "") if "execution" in document else ""


def _first_ts(document: Document) -> float:
    return min((record[2] for record in document.values()), default=0.0)
