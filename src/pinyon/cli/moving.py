"""What imports and exports show on a terminal."""

from __future__ import annotations

from typing import Any


def counted(count: int, what: str) -> str:
    """Such as ``1 run`` and ``2 runs``."""
    return f"{count} {what}{'s' * (count != 1)}"


class Bar:
    """A bar over runs; nothing is drawn before the first second is over.

    Args:
        what: is being done.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        import time

        self._clock = time.monotonic
        self._began = self._clock()
        return self

    def tell(self, done: int, total: int) -> None:
        """So many runs of so many are done."""
        if self._bar is None and self._clock() - self._began > 1:
            from rich import progress as bars

            columns = (
                bars.TextColumn(self._what),
                bars.BarColumn(),
                bars.MofNCompleteColumn(),
                bars.TimeRemainingColumn(),
            )
            self._bar = bars.Progress(*columns, transient=True)
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
