"""How another process asks a supervisor to end an attempt: a word in ``tmp/``, and a signal to look for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any

SIGNAL = signal.SIGUSR1
_NAME = "tmp/stop-{}"


def leave_word(store: str, attempt: str, actor: dict[str, str]) -> None:
    """Say who wants an attempt to end; its supervisor takes the word when it gets `SIGNAL`.

    Raises:
        OSError: the store cannot be written to.
    """
    path = os.path.join(store, _NAME.format(attempt))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({"actor": actor}, file)
    os.replace(temporary, path)


def take_word(store: str, attempt: str) -> dict[str, Any] | None:
    """Who wants it to end, once; None where nobody does."""
    path = os.path.join(store, _NAME.format(attempt))
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError:
        return None
    except ValueError:
        data = {}
    with contextlib.suppress(OSError):
        os.unlink(path)
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
