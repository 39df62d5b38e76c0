"""News of an execution, while it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pinyon.model.outcome import Attempt
from pinyon.plan.estimate import Expected


class Told(NamedTuple):
    """Something worth telling a person. ``kind``: run, running, ended, reuse, adopt, repair, wait, fetch, note or expect.

    ``expect`` comes once, before the first ``run``; its ``expected``, called at once or not at all, looks ahead to what
    will run, for `pinyon.plan.estimate.remaining`.
    """

    kind: str
    stage: str = ""
    text: str = ""
    attempt: Attempt | None = None
    expected: Callable[[], Expected] | None = None


Tell = Callable[[Told], None]
