"""What ends a process before its time: an exception that nobody catches, and `sys.exit`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

Tell = Callable[[BaseException], None]


class Watch:
    """Tells of it whoever asked, and is not there while nobody asks. Any thread may call it."""

    def __init__(self) -> None:
        self._asked: list[Tell] = []
        self._hooks: tuple[Any, Any, Any, Any] | None = None
        self._lock = threading.Lock()

    def add(self, tell: Tell) -> None:
        """Have this told from now on."""
        with self._lock:
            self._asked.append(tell)
            if self._hooks is None:
                self._begin()

    def remove(self, tell: Tell) -> None:
        """No more."""
        with self._lock:
            if tell in self._asked:
                self._asked.remove(tell)
            if not self._asked and self._hooks is not None:
                self._end(*self._hooks)
                self._hooks = None

    def _begin(self) -> None:
        hook, leave = sys.excepthook, sys.exit

        def excepted(kind: Any, error: BaseException, trace: Any) -> None:
            self._tell(error)
            hook(kind, error, trace)

        def left(status: Any = None, /) -> Any:
            self._tell(SystemExit(status))
            leave(status)

        sys.excepthook, sys.exit = excepted, left
        self._hooks = (hook, excepted, leave, left)

    def _tell(self, error: BaseException) -> None:
        for tell in tuple(self._asked):
            tell(error)

    def _end(self, hook: Any, excepted: Any, leave: Any, left: Any) -> None:
        if sys.excepthook is excepted:  # else somebody has put another one over it, which still calls it
            sys.excepthook = hook
        if sys.exit is left:
            sys.exit = leave


WATCH = Watch()
