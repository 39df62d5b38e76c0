"""What the supervisor says when something of its own went wrong: nobody sees its stderr."""

from __future__ import annotations

import os
import traceback


def leave_traceback(store: str) -> None:
    """Append the exception that is being handled to ``logs/supervisor.log`` of a store."""
    folder = f"{store}/logs"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/supervisor.log", "a", encoding="utf-8") as file:
        traceback.print_exc(file=file)
