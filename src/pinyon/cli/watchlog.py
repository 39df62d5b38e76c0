"""What goes on, as lines of what changes: for a file or a pipe."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from pinyon.cli.output import number, plain, when, word
from pinyon.model.units import show_seconds
from pinyon.session.reach import Away

if TYPE_CHECKING:
    from pinyon.query.going import Over, Picture
    from pinyon.query.live import Now

_PAUSE = 10.0  # seconds between two lines about the numbers of one attempt


def away_text(away: Away) -> str:
    """Why there is no answer, for people."""
    if away.empty:
        return "nothing has run here yet; pinyon run starts it"
    return f"not reachable since {when(away.began)}: {plain(away.why)}"


class Lines:
    """A line for each attempt that begins, ends, or becomes something else, and its numbers now and then."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}  # status, and when a line about it was printed
        self._over: set[str] = set()
        self._first = True
        self._away = False

    def tell(self, answer: Picture | Away) -> None:
        """Print what is new."""
        if isinstance(answer, Away):
            if not self._away:
                self._say(away_text(answer))
            self._away = True
            return
        if self._away:
            self._say("reachable again" if not self._first else "something runs")
        self._away = False
        rows = [row for work in answer.works for row in work.attempts]
        for row in rows:
            self._attempt(row, answer.cells.get(row.attempt.id, ""))
        for one in answer.over:
            if one.attempt.id not in self._over and not self._first:
                self._ended(one)
        self._over = {one.attempt.id for one in answer.over}
        here = {row.attempt.id for row in rows}
        self._known = {name: told for name, told in self._known.items() if name in here}
        if self._first and not rows:
            self._say("nothing runs")
        self._first = False

    def _attempt(self, row: Now, cell: str) -> None:
        name, status, now = row.attempt.id, row.verdict.status, time.monotonic()
        old = self._known.get(name)
        if (
            old is not None
            and old[0] == status
            and (now < old[1] + _PAUSE or not (row.metrics or row.progress))
        ):
            return
        self._known[name] = (status, now)
        said = [
            word(status, 9),
            plain(row.attempt.stage),
            plain(cell),
            show_seconds(row.elapsed),
            plain(row.verdict.detail),
        ]
        if row.progress:
            step, total = row.progress.step, row.progress.total
            said.append(
                plain(f"{row.progress.label} {step}/{total}" if total else f"{row.progress.label} {step}")
            )
        said += [f"{plain(one)} {number(metric.value)}" for one, metric in list(row.metrics.items())[:6]]
        self._say("  ".join(part.strip() for part in said if part.strip()))

    def _ended(self, one: Over) -> None:
        status = one.verdict.status
        cause = "" if status == "SUCCEEDED" else one.attempt.message or one.verdict.detail
        metrics = [
            f"{plain(name)} {plain(number(value))}" for name, value in list(one.attempt.metrics.items())[:6]
        ]
        took = show_seconds(one.attempt.seconds)
        said = [word(status, 9), plain(one.attempt.stage), plain(one.cell), took, plain(cause), *metrics]
        self._say("  ".join(part.strip() for part in said if part.strip()))

    @staticmethod
    def _say(text: str) -> None:
        click.echo(f"{time.strftime('%H:%M:%S')}  {text}")
        sys.stdout.flush()
