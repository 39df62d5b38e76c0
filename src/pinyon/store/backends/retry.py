"""Trying again what may work a moment later: a server that is busy, a connection that broke."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

T = TypeVar("T")
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # HTTP statuses that say nothing about the request


class Patience(NamedTuple):
    """How often, and how long between two tries (seconds)."""

    tries: int = 6
    first: float = 0.1
    longest: float = 5.0

    def waits(self) -> Iterator[float]:
        """The pauses between the tries: up to double each time, and random, so that many clients do not come back at
        once."""
        for turn in range(self.tries - 1):
            yield random.uniform(0.5, 1) * min(self.longest, self.first * 2**turn)


PATIENT = Patience()


def again(call: Callable[[], T], passing: Callable[[Exception], bool], patience: Patience = PATIENT) -> T:
    """What ``call`` gives, tried again while it raises what ``passing`` calls passing; then the last error.

    ``call`` must do no harm when it is done twice.
    """
    for wait in patience.waits():
        try:
            return call()
        except Exception as error:
            if not passing(error):
                raise
        time.sleep(wait)
    return call()
