"""A project's records for one who stays: a store that goes away is waited for, and nothing is made in its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from pinyon.errors import PinyonError
from pinyon.query.index import IndexFailed
from pinyon.session.records import Records, records_of
from pinyon.spec.load import find_root
from pinyon.store.local import home_store

_M = TypeVar("_M")
_A = TypeVar("_A")


class Away(NamedTuple):
    """Why there is no answer. ``since``: seconds for which there has been none; ``began`` by the wall clock, for people;
    ``empty``: nothing has ever been recorded there."""

    why: str
    since: float
    began: float
    empty: bool = False


class Reach(Generic[_M]):
    """Asks again and again, and begins anew after each time that nobody answered.

    Args:
        start: a directory of the project.
        make: what is asked, made of the records each time that they are opened.

    Raises:
        SpecError: there is no project.
    """

    def __init__(self, start: Path, make: Callable[[Records], _M]) -> None:
        self.root = find_root(start).absolute()
        self._make = make
        self._stack = ExitStack()
        self._made: _M | None = None
        self._folder, self._identity = "", (0, 0)
        self._ever = False
        self._away: tuple[float, float] | None = None

    def ask(self, question: Callable[[_M], _A]) -> _A | Away:
        """The answer; or why there is none now."""
        try:
            made = self._reached()
            answer = question(made) if made is not None else None
        except BrokenPipeError:  # of who reads what we print
            raise
        except (OSError, PinyonError, IndexFailed) as error:
            return self._gone(str(error))
        if answer is None:
            return self._gone("nothing is recorded here", empty=not self._ever)
        self._ever, self._away = True, None
        return answer

    def close(self) -> None:
        """Let go of everything."""
        self._stack.close()
        self._made = None

    def _reached(self) -> _M | None:
        """What is asked, of the store that lies there now; None where none does."""
        if self._made is not None and _identity(self._folder) == self._identity:
            return self._made
        self.close()
        store = home_store(self.root)
        if not os.path.exists(store.root / "format.json"):
            return None  # opening it would make a cache in what may be an empty mount point
        self._folder = str(store.root)
        self._identity = _identity(self._folder)
        self._made = self._make(records_of(self.root, store, self._stack))
        return self._made

    def _gone(self, why: str, *, empty: bool = False) -> Away:
        self.close()
        self._away = self._away or (time.monotonic(), time.time())
        return Away(why, time.monotonic() - self._away[0], self._away[1], empty)


def _identity(folder: str) -> tuple[int, int]:
    """Which directory this is.

    Raises:
        OSError: it is not there, or holds no store.
    """
    os.stat(os.path.join(folder, "format.json"))
    stat = os.stat(folder)
    return stat.st_dev, stat.st_ino
