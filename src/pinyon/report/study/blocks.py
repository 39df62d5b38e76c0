"""A document as data, so that Markdown and HTML say the same."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pinyon.report.plots import Plot
from pinyon.report.svgerrors import ErrorPlot

Tone = Literal["", "good", "bad", "muted", "strong"]


class Heading(NamedTuple):
    """``level`` from 1; ``anchor`` is what links go to."""

    level: int
    text: str
    anchor: str = ""


class Text(NamedTuple):
    """A paragraph; ``lead`` begins it in bold."""

    text: str
    lead: str = ""
    tone: Tone = ""


class Bullets(NamedTuple):
    """Items of equal rank."""

    items: tuple[str, ...]


class Field(NamedTuple):
    """One cell of a table. A number names the ``runs`` that it comes from. ``links``: the text is those runs' ids."""

    text: str
    runs: tuple[str, ...] = ()
    number: bool = False
    links: bool = False
    tone: Tone = ""


class Row(NamedTuple):
    """One line of a table."""

    fields: tuple[Field, ...]
    tone: Tone = ""
    anchor: str = ""


class Table(NamedTuple):
    """Rows under columns; ``code`` columns hold ids."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Picture(NamedTuple):
    """Plots beside each other, with what they show; ``sketch`` is the same in characters."""

    plots: tuple[ErrorPlot | Plot, ...]
    caption: str
    sketch: tuple[str, ...] = ()


Block = Heading | Text | Bullets | Table | Picture


class Document(NamedTuple):
    """All blocks, and for each run what a reader is told who asks where a number comes from."""

    title: str
    blocks: tuple[Block, ...]
    origins: dict[str, str]
