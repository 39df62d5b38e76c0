"""News of an execution, while it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pinyon.model.outcome import Attempt


class Told(NamedTuple):
    """Something worth telling a person. ``kind``: run, running, ended, reuse, adopt, repair, wait or note."""

    kind: str
    stage: str = ""
    text: str = ""
    attempt: Attempt | None = None


Tell = Callable[[Told], None]
