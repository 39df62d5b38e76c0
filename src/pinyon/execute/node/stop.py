"""How another process asks a supervisor to end an attempt: a word in ``tmp/``, and a signal to look for it."""

from __future__ import annotations

import json
import signal
from typing import Any

from pinyon.store import words

SIGNAL = signal.SIGUSR1
_NAME = "stop-{}"


def leave_word(store: str, attempt: str, actor: dict[str, str]) -> None:
    """Say who wants an attempt to end; its supervisor takes the word when it gets `SIGNAL`.

    Raises:
        OSError: the store cannot be written to.
    """
    words.leave(store, _NAME.format(attempt), json.dumps({"actor": actor}))


def take_word(store: str, attempt: str) -> dict[str, Any] | None:
    """Who wants it to end, once; None where nobody does."""
    said = words.take(store, _NAME.format(attempt))
    if said is None:
        return None
    try:
        data = json.loads(said)
    except ValueError:
        return {}
    actor = data.get("actor") if isinstance(data, dict) else None
    return actor if isinstance(actor, dict) else {}


def heeds(pid: int) -> bool:
    """Whether a process has a handler for `SIGNAL`: that of an older release would die of it."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            caught = next((line.split()[1] for line in file if line.startswith("SigCgt:")), "0")
    except OSError:
        return False
    return bool(int(caught, 16) >> (SIGNAL - 1) & 1)
