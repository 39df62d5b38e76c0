"""Texts, and pages of HTML."""

from __future__ import annotations

from typing import NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.kept import TEXT_MOST, Kept, clean


class Text(NamedTuple):
    """A text, such as what a model wrote; Markdown where a viewer knows it."""

    text: str

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is too long.
        """
        return _kept("text", self.text, "txt")


class Html(NamedTuple):
    """A page, or part of one. A viewer shows it apart from everything else, since it may hold scripts."""

    text: str

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is too long.
        """
        return _kept("html", self.text, "html")


def _kept(type: str, given: object, format: str) -> Kept:
    if not isinstance(given, str):
        raise TrackError(f"a {_name(given)} is no text", next="str(…) makes one")
    text = clean(given)
    data = text.encode()
    if len(data) > TEXT_MOST:
        raise TrackError(
            f"a text of {len(data) / 1e6:.1f} MB is left out",
            why=f"{TEXT_MOST / 1e6:.0f} MB is the most",
            next="keep a file: run.artifact",
        )
    return Kept(type, {"text": text}, data, format)


def _name(given: object) -> str:
    return type(given).__name__
