"""``pinyon logs``: what a run printed, and what it goes on to print."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import completes

if TYPE_CHECKING:
    from pinyon.model.outcome import Attempt
    from pinyon.query.alive import Verdict
    from pinyon.session.records import Records

_LOOK = 0.2  # seconds between two looks at the log file
_RECORDS = 1.0  # seconds between two looks at the records, while nothing is printed


@click.command("logs", epilog="Example: pinyon logs -f train")
@click.argument("run", shell_complete=completes("run_names"))
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended, over further attempts.")
@click.option("-n", "--lines", type=click.IntRange(1), metavar="N", help="Begin with the last N lines.")
@click.option("--since", metavar="AGE", help="All attempts that still ran so long ago, such as 2h.")
@click.pass_obj
def command(directory: str, run: str, follow: bool, lines: int | None, since: str | None) -> None:
    """Print what the newest attempt of a RUN printed.

    RUN is a run, an attempt, the beginning of either, or a stage. Bytes reach the terminal as they were printed.
    """
    from pinyon.query.alive import verdict
    from pinyon.session import open_records

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        attempts = _wanted(records, run, since)
        for attempt in attempts[:-1]:
            _say(f"{attempt.id} of {attempt.stage}")
            _Reading(attempt, 0).print(records)
        last = attempts[-1]
        if len(attempts) > 1:
            _say(f"{last.id} of {last.stage}")
        reading = _Reading(last, _first(records, last, lines))
        reading.print(records)
        seen = verdict(records.fold, last)
        if not reading.done and not (follow and _goes_on(seen)):
            none = (
                "printed nothing" if last.log else "left no log: what it printed, if anything, was not kept"
            )
            _say(f"{last.id} of {last.stage} {none}")
    if follow:
        seen = _follow(directory, reading)
    if seen.status == "LOST":
        _say(f"{reading.attempt.id} is lost: {seen.why}")


def _wanted(records: Records, run: str, since: str | None) -> list[Attempt]:
    """The newest attempt; or all that still ran at a moment, the oldest first."""
    from pinyon.errors import PlanError
    from pinyon.model.units import seconds
    from pinyon.query.runs import find

    found = sorted(find(records.fold, run), key=lambda one: one.started)
    if since is None:
        return found[-1:]
    try:
        begin = time.time() - seconds(since)
    except ValueError as error:
        raise PlanError(f"--since {since}: {error}", next="pinyon logs --since 2h RUN") from None
    return [one for one in found[:-1] if one.started + one.seconds > begin] + found[-1:]


def _first(records: Records, attempt: Attempt, lines: int | None) -> int:
    from pinyon.query import logs

    return 0 if lines is None else logs.behind(records.store.url, attempt, lines)


class _Reading:
    """How far the output of an attempt is printed, by bytes of its own; ``seen`` what it is, ``over``: no more comes."""

    def __init__(self, attempt: Attempt, done: int) -> None:
        self.attempt, self.done = attempt, done
        self.seen: Verdict | None = None
        self.over = False

    def print(self, records: Records, end: int | None = None) -> int:
        """Print what there is up to a byte, as it is; how far that is by now."""
        from pinyon.query import logs

        end = logs.size(records.store.url, self.attempt) if end is None else end
        while data := logs.read(records.store.url, self.attempt, self.done, end):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            self.done += len(data)
        return self.done

    def glance(self, records: Records) -> int:
        """`look` if it has printed something; costs next to nothing while it has not."""
        from pinyon.query import logs

        grown = logs.size(records.store.url, self.attempt) != self.done
        return self.look(records) if grown else self.done

    def look(self, records: Records) -> int:
        """Print what there is, and find out whether more can come; a further attempt of the run is gone on with."""
        from pinyon.model.outcome import FINAL
        from pinyon.query import logs
        from pinyon.query.alive import look
        from pinyon.query.status import state_of

        # Before it is asked whether it still runs: behind its end stands what others have printed.
        size = logs.size(records.store.url, self.attempt)
        records.fold.catch_up()
        known = records.fold.attempts("id = ?", self.attempt.id)
        ((self.attempt, self.seen),) = look(records.fold, known[:1] or [self.attempt])
        done = self.print(records, None if self.attempt.state in FINAL else size)
        if _goes_on(self.seen):
            return done
        tries = records.fold.attempts("key = ?", self.attempt.key)
        later = next((one for one in tries if one.order > self.attempt.order), None)
        if later is not None:
            _say(f"{self.attempt.id} ended: {self.seen.status}; {later.id} goes on")
            self.attempt, self.done = later, 0
            return 0
        name = self.attempt.execution
        document = dict(records.fold.executions("id = ?", name)).get(name, {})
        again = self.seen.status in ("FAILED", "LOST") and "execution" in document
        self.over = not again or state_of(records.fold, name, document) != "RUNNING"
        return done


def _goes_on(seen: Verdict) -> bool:
    from pinyon.model.outcome import FINAL

    return seen.status not in FINAL


def _say(text: str) -> None:
    sys.stdout.flush()
    click.echo(text, err=True)


def _follow(directory: str, reading: _Reading) -> Verdict:
    """Print what comes until the run has ended; a store that goes away is waited for."""
    from pinyon.session.reach import Away, Reach

    reach: Reach[Records] = Reach(Path(directory), lambda records: records)
    away, looked = False, float("-inf")
    with closing(reach):
        while True:
            due = time.monotonic() >= looked + _RECORDS
            looked = time.monotonic() if due else looked
            answer = reach.ask(reading.look if due else reading.glance)
            if isinstance(answer, Away) != away:
                away = not away
                _say(
                    f"not reachable: {answer.why}; waiting" if isinstance(answer, Away) else "reachable again"
                )
            if not away and reading.over and reading.seen is not None:
                return reading.seen
            time.sleep(_LOOK)
