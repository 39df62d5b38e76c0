"""What a person sees while a goal is carried out: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import click

from pinyon.cli.output import is_watched, number, reuse_text, word
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED, Attempt
from pinyon.model.units import show_seconds

if TYPE_CHECKING:
    from pinyon.report.told import Standing, Told

_BAR = 30  # columns
_TAIL = 400  # bytes from the end of a log that are searched for its last line


class Progress(Protocol):
    """Takes what the pipeline tells."""

    def tell(self, told: Told) -> None:
        """Show one piece of news."""
        ...


def progress_for(store: str, as_json: bool) -> AbstractContextManager[Progress]:
    """Silence for programs, live lines for a person at a terminal, plain lines otherwise."""
    if as_json:
        return _Silent(store)
    return _Live(store) if is_watched() else _Plain(store)


class _Silent:
    """Args: store: where logs lie."""

    def __init__(self, store: str) -> None:
        self._store = store

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tell(self, told: Told) -> None:
        pass


class _Plain(_Silent):
    """One line when something begins or ends."""

    def __enter__(self) -> _Plain:
        return self

    def tell(self, told: Told) -> None:
        line = describe(self._store, told)
        if line:
            click.echo(line)


class _Live(_Silent):
    """Finished stages scroll by; below them what runs, for how long, and the last line it printed; last, how far it is."""

    def __enter__(self) -> _Live:
        from rich.console import Console
        from rich.live import Live

        self._running: dict[str, tuple[str, float, Attempt]] = {}
        self._standing: tuple[Standing, float] | None = None
        self._console = Console(highlight=False)
        self._live = Live(
            console=self._console, refresh_per_second=4, get_renderable=self._render, transient=True
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, told: Told) -> None:
        if told.standing is not None:
            self._standing = (told.standing, time.monotonic())
        if told.attempt is not None:
            name = told.attempt.id
            if told.kind in ("run", "running"):
                began = self._running[name][1] if name in self._running else time.monotonic()
                stage = (
                    _named(told)
                    if told.kind == "run" or name not in self._running
                    else self._running[name][0]
                )
                self._running[name] = (stage, began, told.attempt)
            elif told.kind in ("ended", "repair"):
                self._running.pop(name, None)
        line = describe(self._store, told)
        if line and told.kind != "run":
            from rich.text import Text

            self._console.print(Text.from_ansi(line))

    def _render(self) -> Any:
        from rich.console import Group

        if not self._running and self._standing is None:
            return ""
        # The display has to fit: rich cuts what is higher than the terminal from below, and there stands the bar.
        room = max(1, self._console.height - 4)
        rows = list(self._running.values())
        lines = [self._row(*row) for row in rows[:room]]
        if len(rows) > room:
            from rich.text import Text

            lines.append(Text(f"and {len(rows) - room} more", "dim"))
        return Group(*lines, *([self._bar(*self._standing)] if self._standing else []))

    def _row(self, stage: str, began: float, attempt: Attempt) -> Any:
        from rich.text import Text

        row = Text.assemble(
            ("run       ", "yellow"),
            (stage, "bold"),
            f"  {show_seconds(time.monotonic() - began)}  ",
            (last_line(self._store, attempt), "dim"),
        )
        row.no_wrap, row.overflow = True, "ellipsis"
        return row

    def _bar(self, standing: Standing, since: float) -> Any:
        from rich.text import Text

        full = round(_BAR * standing.done / max(standing.total, 1))
        parts = [f"{standing.done} of {standing.total}", f"{len(self._running)} running"]
        if standing.left is not None:
            left = standing.left - (time.monotonic() - since)
            parts.append(f"about {show_seconds(left)} left" if left > 1 else "any moment now")
        return Text.assemble(
            ("━" * full, "green"), ("─" * (_BAR - full), "dim"), "  ", (", ".join(parts), "dim")
        )


def describe(store: str, told: Told) -> str:
    """One line for one piece of news; empty when there is nothing to say."""
    if told.kind == "ended" and told.attempt is not None:
        return _ended(store, told.attempt, _named(told))
    if told.kind in ("run", "reuse", "repair", "adopt"):
        text = reuse_text(told.text, told.stage, told.attempt) if told.kind == "reuse" else told.text
        if told.kind == "run" and told.cell and not told.text.startswith("try "):
            return f"{word(told.kind, 9)} {_named(told)}"  # what the cell sets says why
        return f"{word(told.kind, 9)} {_named(told)}  {click.style(text, dim=True)}"
    if told.kind == "select":
        return f"{click.style('winner'.ljust(9), fg='green', bold=True)} {told.stage}  {told.text}"
    if told.kind == "promote":
        return f"{click.style('promoted'.ljust(9), fg='green', bold=True)} {told.stage} {told.text}"
    return f"{told.kind:9} {told.text}" if told.kind in ("wait", "note", "fetch") else ""


def _named(told: Told) -> str:
    return f"{told.stage}  {told.cell}" if told.cell else told.stage


def _ended(store: str, attempt: Attempt, name: str) -> str:
    state = {SUCCEEDED: "done", FAILED: "FAILED"}.get(attempt.state, attempt.state.lower())
    colour = "green" if attempt.state == SUCCEEDED else "red"
    line = f"{click.style(state.ljust(9), fg=colour)} {name}  {show_seconds(attempt.seconds)}"
    shown = [f"{name} {number(value)}" for name, value in list(attempt.metrics.items())[:6]]
    line += f"  {click.style(', '.join(shown), dim=True)}" if shown else ""
    if attempt.state == SUCCEEDED:
        unread = "".join(f"\n          {file} was not read: {why}" for file, why in attempt.unread[:3])
        return f"{line}  {attempt.message}".rstrip() + unread
    cause = "" if attempt.state == CANCELLED else attempt.message or attempt.detail
    tail = "".join(f"\n          │ {text}" for text in last_lines(store, attempt, 8))
    return f"{line}  {cause}".rstrip() + tail


def last_line(store: str, attempt: Attempt) -> str:
    """The newest line that an attempt has printed."""
    return next(iter(last_lines(store, attempt, 1)), "")[:100]


def last_lines(store: str, attempt: Attempt, count: int) -> list[str]:
    """The newest lines that an attempt has printed, as far as its log is known."""
    from pinyon.query.logs import tail

    return tail(store, attempt, count, _TAIL * count)
