"""How fast bytes go, by how many hands, and who is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from pinyon.store.protocol import Tell

Progress = Callable[
    [str, int], None
]  # what (blobs, journals, logs, refs), and bytes, of refs versions, since the last


def silent(_what: str, _count: int) -> None:
    """Tells nobody."""


class Flow:
    """One push or pull on its way.

    Args:
        parallel: calls at a time.
        progress: is told from any thread.
        rate: bytes a second at most; 0 for as many as come.
    """

    def __init__(self, parallel: int, progress: Progress = silent, rate: float = 0) -> None:
        self.parallel = parallel
        self._progress = progress
        self._rate = rate
        self._lock = threading.Lock()
        self._free = 0.0  # when all bytes so far have had their time

    def tell(self, what: str) -> Tell:
        """What is called with the bytes that went; it waits where they went too fast."""

        def told(count: int) -> None:
            self._progress(what, count)
            if self._rate:
                with self._lock:
                    now = time.monotonic()
                    self._free = max(self._free, now) + count / self._rate
                    wait = self._free - now
                time.sleep(wait)

        return told

    def each(self, tasks: Iterable[Callable[[], object]]) -> None:
        """Do all, several at a time. After a failure no other one is begun, and those that were are waited for.

        Raises:
            BaseException: the first that one of them raised.
        """
        with ThreadPoolExecutor(self.parallel) as pool:
            doing = [pool.submit(task) for task in tasks]
            try:
                for done in as_completed(doing):
                    done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
