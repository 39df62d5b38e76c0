"""What the supervisor says when something of its own went wrong: nobody sees its stderr."""

from __future__ import annotations

import contextlib
import os
import traceback


def leave_traceback(store: str) -> None:
    """Append the exception that is being handled to ``logs/supervisor.log`` of a store; nothing is made where no store
    lies now, and what the disk refuses is not said."""
    folder = f"{store}/logs"
    with contextlib.suppress(OSError):
        os.stat(f"{store}/format.json")  # else this may be the bare mount point of one that is away
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/supervisor.log", "a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
