"""Text from outside, as pages can hold it."""

from __future__ import annotations

from html import escape


def clean(text: str) -> str:
    """One line without characters that no page can hold or that would hide or turn round others."""
    kept = (c if c.isprintable() or c == "\u200d" else " " if c.isspace() else "\ufffd" for c in text)
    return "".join(kept)


def markup(text: str) -> str:
    """The same, escaped for HTML and SVG, attributes included."""
    return escape(clean(text))
