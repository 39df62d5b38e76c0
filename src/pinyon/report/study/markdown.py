"""The report as Markdown: tables that code hosts draw, pictures in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Picture, Row, Table, Text
from pinyon.report.study.document import document
from pinyon.report.study.nouns import StudyView
from pinyon.report.text import markdown, markdown_line


def study_markdown(view: StudyView, *, brief: bool = False) -> str:
    """The whole report in CommonMark with tables; ``brief`` without the table of all runs, with which it ends. Everything
    that came from the project is escaped."""
    blocks = document(view).blocks
    return "\n".join(line for block in (blocks[:-1] if brief else blocks) for line in _lines(block))


def _lines(block: Block) -> Iterator[str]:
    """A block with the empty line after it."""
    if isinstance(block, Heading):
        yield f"{'#' * block.level} {markdown(block.text)}"
    elif isinstance(block, Text):
        lead = f"**{markdown(block.lead).strip()}** " if block.lead else ""
        yield lead + (markdown(block.text) if lead else markdown_line(block.text))
    elif isinstance(block, Bullets):
        yield from (f"- {markdown_line(item)}" for item in block.items)
    elif isinstance(block, Table):
        yield from _table(block)
    else:
        yield from _picture(block)
    yield ""


def _table(table: Table) -> Iterator[str]:
    columns = [markdown(column) for column in table.columns]
    numeric = [
        bool(table.rows) and any(row.fields[at].number for row in table.rows) for at in range(len(columns))
    ]
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---:' if right else '---' for right in numeric)} |"
    for row in table.rows:
        yield f"| {' | '.join(_field(field, row) for field in row.fields)} |"


def _field(field: Field, row: Row) -> str:
    if field.links:
        return " ".join(f"`{run}`" for run in field.runs)
    text = markdown(field.text)
    return f"**{text}**" if row.tone == "strong" and text.strip() else text


def _picture(picture: Picture) -> Iterator[str]:
    if picture.sketch:
        fence = "`" * max(3, 1 + max(len(run) for line in picture.sketch for run in re.findall("`*", line)))
        yield fence
        yield from picture.sketch
        yield fence
    else:
        titles = ", ".join(markdown(plot.title) for plot in picture.plots)
        yield f"Drawn in the HTML report: {titles}."
