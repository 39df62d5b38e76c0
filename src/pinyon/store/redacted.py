"""Records without secrets: every record of a journal goes through here, and what decides anything stays as it is."""

from __future__ import annotations

import json
import os
from typing import Any

from pinyon.model import redact

# Kinds with texts of people's, each with the fields that may hold them. Of a search the values are what it goes on
# from, and ids, digests, paths of outs and the like are what other records and later calls find things by.
_FIELDS: dict[str, tuple[str, ...]] = {
    "execution": ("argv", "goal", "git", "captured"),
    "intent": ("inputs", "reason"),
    "outputs": ("metrics", "skipped_metrics"),
    "ended": ("message",),
    "lost": ("reason",),
    "captured": ("code",),
    "summary": ("values",),
    "tagged": ("tags",),
    "noted": ("text",),
    "artifact": ("about", "path"),
    "checkpoint": ("metrics",),
    "progress": ("label",),
    "params": ("params",),
    "refused": ("why",),
    "registered": ("about", "why"),
    "promoted": ("why",),
}
_KEPT = ("outs", "wdir", "stages", "digest", "tree", "commit")
_known: dict[int, tuple[str, ...]] = {}


def environment_values() -> tuple[str, ...]:
    """Secrets that this process was started with: values of variables whose names say so."""
    pid = os.getpid()
    if pid not in _known:
        _known.clear()
        _known[pid] = redact.secret_values(dict(os.environ))
    return _known[pid]


def body(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body of a record as it is written: the same object where nothing is secret."""
    fields = [name for name in _FIELDS.get(kind, ()) if given.get(name)]
    if not fields:
        return given
    values = environment_values()
    held = {name: given[name] for name in fields}
    try:
        spelled = json.dumps(held, ensure_ascii=False, default=str)
        # A quote or a backslash of a secret is spelled otherwise in JSON.
        known = (*values, *(json.dumps(one, ensure_ascii=False)[1:-1] for one in values))
        if not redact.suspicious(spelled, known):
            return given
        return {**given, **redact.value(held, values, keep=_KEPT)}
    except (
        RecursionError,
        TypeError,
        ValueError,
    ):  # what cannot be looked through is for the writer to refuse
        return given


def spans(data: bytes) -> list[tuple[int, int]]:
    """Where secrets stand in bytes of any encoding that ASCII is part of."""
    given = data.decode("latin-1")  # one letter a byte, so that the places are the same
    values = tuple(one.encode(errors="surrogateescape").decode("latin-1") for one in environment_values())
    return redact.spans(given, values) if redact.suspicious(given, values) else []
