"""What `doctor` finds."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """``level`` is ok, warn or bad; ``why`` it matters and ``fix``, the next thing to do, are empty when all is well."""

    level: str
    what: str
    why: str = ""
    fix: str = ""
