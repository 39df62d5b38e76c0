"""Values between MLflow, for which everything is text and milliseconds, and Pinyon."""

from __future__ import annotations

import re
from typing import Any

_UNFIT = re.compile(r"[^\w.+-]+")
_MOST = 2**63  # beyond it a number stays text, as NaN and infinities do


def typed(text: str) -> Any:
    """What a parameter was before MLflow made text of it, where that is sure: the value must spell the very same text."""
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and abs(value) < _MOST:
            return value
    return text


def spelled(value: Any) -> str:
    """A parameter as MLflow spells it."""
    return str(value)


def millis(seconds: float) -> int:
    """Milliseconds since the epoch."""
    return round(seconds * 1000)


def stage_of(experiment: str) -> str:
    """What a run of an experiment is called in Pinyon's listings."""
    return "@" + (_UNFIT.sub("_", experiment).strip("_.")[:60] or "experiment")
