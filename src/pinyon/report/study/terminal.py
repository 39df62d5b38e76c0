"""The short report in plain text: who won, how sure, the best cells, and the targets."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.report.study import words
from pinyon.report.study.blocks import Table
from pinyon.report.study.cells import leaderboard
from pinyon.report.study.evidence import final_words
from pinyon.report.study.nouns import StudyView
from pinyon.report.study.promotion import promotion_words, target_table, target_words
from pinyon.report.text import clean


def study_text(view: StudyView, top: int) -> str:
    """What one looks at first, with the first ``top`` cells over all phases; columns are aligned, and control characters of
    the project's are left out."""
    return "\n".join(_lines(view, top))


def _lines(view: StudyView, top: int) -> Iterator[str]:
    lines = [("winner" if view.winner else "result", words.winner(view))]
    lines += [("how sure", words.sureness(view.deciding, view))] if view.deciding else []
    lines += [("afterwards", after)] if (after := final_words(view)) else []
    lines += [("targets", target_words(view))] if view.targets else []
    lines += [("promotion", promotion_words(view.promotion, view))] if view.promotion else []
    lines += [("counted", words.counts(view))]
    width = max(len(name) for name, _ in lines)
    yield from (f"{name.ljust(width)}  {clean(text)}" for name, text in lines)
    for table in (leaderboard(view, top), target_table(view)):
        if table.rows:
            yield ""
            yield from _aligned(table)


def _aligned(table: Table) -> Iterator[str]:
    """Numbers to the right, all else to the left."""
    rows = [table.columns, *(tuple(field.text for field in row.fields) for row in table.rows)]
    rows = [tuple(map(clean, row)) for row in rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    numeric = [any(row.fields[at].number for row in table.rows) for at in range(len(widths))]
    for row in rows:
        yield "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
