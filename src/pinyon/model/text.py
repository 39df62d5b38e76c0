"""Text that somebody else chose, before it is shown."""

from __future__ import annotations


def printable(text: str, longest: int = 100) -> str:
    """A text out of a file or a call, short, and without what would move a terminal."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cut)
