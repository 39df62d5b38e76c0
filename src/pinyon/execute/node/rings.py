"""What the command's processes logged and nobody wrote, since they were killed: taken out of their rings."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from pinyon.execute.node.companions import NEVER, Around
from pinyon.execute.node.crash import leave_traceback
from pinyon.store import rings

_LOOK = 0.005  # seconds between two looks whether it is done


class Rings:
    """See `pinyon.execute.node.companions.Companion`."""

    def __init__(self, around: Around) -> None:
        self._store, self._attempt = str(around.store.root), around.spec.attempt

    def begin(self, pid: int) -> None:
        """Rings need nobody while their processes live."""

    def look(self) -> float:
        """The same."""
        return NEVER

    def end(self) -> Iterator[float]:
        """Make points of what is left, in a thread, since the disk may take its time."""
        if next(rings.found(self._store), None) is None:
            return
        thread = threading.Thread(target=self._recover, name="rings", daemon=True)
        thread.start()
        while thread.is_alive():
            yield time.monotonic() + _LOOK

    def _recover(self) -> None:
        try:
            from pinyon.store.recover import recover

            recover(self._store, self._attempt, sync=True)
        except Exception:  # noqa: BLE001 - the command's outcome does not hang on it
            leave_traceback(self._store)


def collect(around: Around) -> Rings:
    """For every attempt: any command may have logged."""
    return Rings(around)
