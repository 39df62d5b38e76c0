"""How verbs print: JSON for programs, aligned columns for people."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinyon.model.actor import actor_of, current_actor
from pinyon.model.ids import run_id
from pinyon.model.units import show_seconds

if TYPE_CHECKING:
    from pinyon.model.outcome import Attempt

_COLOURS = {
    "unchanged": "bright_black", "reuse": "cyan", "run": "yellow", "wait": "blue", "stop": "red", "failed": "red",
    "SUCCEEDED": "green", "RUNNING": "yellow", "FAILED": "red", "CANCELLED": "magenta", "LOST": "magenta",
    "UNKNOWN": "cyan", "SUBMITTED": "blue",
    "ok": "green", "warn": "yellow", "bad": "red",
}  # fmt: skip


def print_json(value: Any) -> None:
    """One JSON value; NaN and infinities as text."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def word(text: str, width: int = 0) -> str:
    """A state or verdict in its colour, padded."""
    return click.style(text.ljust(width), fg=_COLOURS.get(text))


def colour_of(text: str) -> str | None:
    """The colour of a state or verdict; None for other text."""
    return _COLOURS.get(text)


def reuse_text(text: str, stage: str, about: Attempt | None) -> str:
    """Why something is reused, with the run that made it: by when, and by stage where that is another one."""
    if about is None or about.state != "SUCCEEDED":
        return text
    other = f" of {about.stage}" if about.stage != stage else ""
    return f"{text} by run {run_id(about.key)}{other} on {when(about.started)}"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns aligned to their widest cell; the last one is cut to the terminal."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    click.echo(
        click.style(
            "  ".join(name.ljust(width) for name, width in zip(header, widths, strict=True)).rstrip(),
            bold=True,
        )
    )
    for row in cells:
        padded = [word(row[i], widths[i]) for i in range(len(row) - 1)]
        click.echo("  ".join([*padded, row[-1]]).rstrip())


def when(ts: float) -> str:
    """A moment on the reader's clock."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts)) if ts else "-"


def actor(data: Any) -> str:
    """Who did it."""
    return actor_of(data).shown


def took(attempt: Attempt) -> str:
    """How long an attempt took; ``adopted`` for one that another tool made, which did not say."""
    return "adopted" if attempt.mode == "adopted" else show_seconds(attempt.seconds)


def by(data: Any) -> str:
    """``by NAME  `` where it was somebody else than who asks; empty for their own doing."""
    return "" if actor_of(data) == current_actor() else f"by {actor(data)}  "


def number(value: Any) -> str:
    """A metric or parameter for people: four significant digits, text as it is."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def plain(text: str) -> str:
    """Text that a user's file or script chose, without what a terminal would obey: control characters are spelled out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def is_watched() -> bool:
    """Whether a person looks at the output."""
    return sys.stdout.isatty()
