"""Text from outside, as pages can hold it."""

from __future__ import annotations

import re
from html import escape

# What Markdown would take for markup; an underscore within a word is none.
_MARKUP = re.compile(r"[\\`*{}\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")
_AT_THE_START = re.compile(r"^(\s*\d*)([-+=#.)])")


def clean(text: str) -> str:
    """One line without characters that no page can hold or that would hide or turn round others."""
    kept = (c if c.isprintable() or c == "\u200d" else " " if c.isspace() else "\ufffd" for c in text)
    return "".join(kept)


def markup(text: str) -> str:
    """The same, escaped for HTML and SVG, attributes included."""
    return escape(clean(text))


def markdown(text: str) -> str:
    """The same, escaped for Markdown: no markup, no HTML, nothing that ends a field of a table."""
    return _MARKUP.sub(lambda found: "&amp;" if found[0] == "&" else f"\\{found[0]}", clean(text))


def markdown_line(text: str) -> str:
    """The same at the beginning of a line: no heading, list or rule."""
    return _AT_THE_START.sub(r"\1\\\2", markdown(text))
