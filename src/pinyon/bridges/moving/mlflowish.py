"""What MLflow's database and its folder of runs have in common: states, tags, places of artifacts, spelling of values."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pinyon.bridges.moving.nouns import CANCELLED, FAILED, RUNNING, SUCCEEDED, Left

KIND = "mlflow"
STATES = {
    "FINISHED": SUCCEEDED,
    "FAILED": FAILED,
    "KILLED": CANCELLED,
}  # the others still run, or never began
NUMBERED = {1: RUNNING, 2: RUNNING, 3: SUCCEEDED, 4: FAILED, 5: CANCELLED}  # as a meta.yaml has them
NAME, NOTE, PARENT, USER = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId", "mlflow.user"
_OWN = "mlflow."  # how its own tags begin
_DECIMAL = re.compile(r"-?\d+\.\d+")
_WORDS = {"True": True, "False": False, "None": None}


def plain(text: str) -> Any:
    """A parameter as it was before MLflow spelled it: a number or a word of Python's, if it looks exactly like one."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        if str(int(text)) == text:
            return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if repr(number) == text or _DECIMAL.fullmatch(text) else text


def number(value: float) -> float:
    """A value of the database: MLflow writes the infinities as the largest numbers there are."""
    largest = sys.float_info.max
    return float("inf") if value >= largest else float("-inf") if value <= -largest else value


def tags_of(tags: Mapping[str, str], name: str) -> dict[str, str]:
    """The tags to keep; the name of the run is one of them."""
    found = {key: text for key, text in tags.items() if not key.startswith(_OWN)}
    name = name or tags.get(NAME, "")
    return {**({"name": name} if name else {}), **found}


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that MLflow keeps for itself, but for the parent: that stands in the intent, under our id."""
    return {key: text for key, text in tags.items() if key.startswith(_OWN) and key != PARENT}


def state_message(state: str) -> str:
    """What to say of a run that had not ended."""
    return "it had not ended when it was imported" if state == RUNNING else ""


class Places:
    """Where artifacts lie on this disk.

    Args:
        base: the folder of the database, or of the runs: relative places are seen from there.
    """

    def __init__(self, base: str, left: Left) -> None:
        self._base, self._left = base, left

    def path(self, uri: str) -> str:
        """The path of an address; "" for none, and for one that is not on this disk, which is counted."""
        if not uri:  # seen from the base that would be the base itself, with all that lies in it
            return ""
        parts = urlsplit(uri)
        if parts.scheme in ("", "file"):
            places = [os.path.join(self._base, unquote(parts.path))]
        elif parts.scheme == "mlflow-artifacts":  # of a server, by default in a folder beside its database
            places = [os.path.join(self._base, "mlartifacts", unquote(parts.path).lstrip("/"))]
        else:
            self._left[f"artifacts in {parts.scheme}:, which only MLflow's own client can get"] += 1
            return ""
        places += self._moved(places[0])
        return next(filter(os.path.isdir, places), "")

    def _moved(self, place: str) -> Iterator[str]:
        """Where it may lie now, if the whole store was moved: the end of the same path, seen from the base."""
        parts = place.split(os.sep)
        for top in ("mlruns", "mlartifacts", os.path.basename(self._base)):
            if top in parts:
                rest = parts[len(parts) - parts[::-1].index(top) :]
                yield os.path.join(self._base, top, *rest)
                yield os.path.join(self._base, *rest)
