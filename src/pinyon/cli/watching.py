"""Showing what goes on: on a terminal the picture, drawn anew, with a few keys."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pinyon.cli.output import plain
from pinyon.cli.pictures import draw
from pinyon.cli.watchlog import away_text
from pinyon.session.reach import Away

if TYPE_CHECKING:
    from pinyon.query.going import Picture

_DOWN, _UP = (b"j", b"\x1b[B", b"\x1bOB"), (b"k", b"\x1b[A", b"\x1bOA")


def show_once(answer: Picture | Away) -> None:
    """The picture as it is now, at its whole height."""
    console = Console(highlight=False, soft_wrap=True)
    if isinstance(answer, Away):
        console.print(away_text(answer), markup=False)
        return
    for line in draw(answer, console.width):
        line.rstrip()
        console.print(line)


def live(title: str, ask: Callable[[], Picture | Away], interval: float) -> None:
    """The picture, again and again, until somebody presses q."""
    screen = Screen(title)
    console = Console(highlight=False)
    with (
        _keys() as press,
        Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as shown,
    ):
        while True:
            screen.take(ask())
            due = time.monotonic() + interval
            while True:
                shown.update(Group(*screen.lines(console.width, console.height)), refresh=True)
                key = press(
                    min(due - time.monotonic(), 0.25)
                )  # a resized terminal is drawn anew without waiting
                if key in (b"q", b"Q"):
                    return
                if key:
                    screen.scroll(key)
                elif time.monotonic() >= due:
                    break


class Screen:
    """What stands on the screen; the newest picture stays while there is no newer one."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._picture: Picture | None = None
        self._away: Away | None = None
        self._top = 0

    def take(self, answer: Picture | Away) -> None:
        """An answer of the store."""
        self._away = answer if isinstance(answer, Away) else None
        self._picture = self._picture if isinstance(answer, Away) else answer

    def scroll(self, key: bytes) -> None:
        """A key was pressed."""
        self._top = max(0, self._top + (1 if key in _DOWN else -1 if key in _UP else 0))

    def lines(self, width: int, height: int) -> list[Text]:
        """The screen, not higher and not wider than this."""
        head = [self._head(width)]
        if self._away:
            head.append(Text(away_text(self._away), "cyan" if self._away.empty else "red"))
        body = draw(self._picture, width, height - len(head) - 1) if self._picture else []
        room = max(1, height - len(head) - 1)
        self._top = min(self._top, max(0, len(body) - room))
        part = body[self._top : self._top + room]
        below = len(body) - self._top - len(part)
        if below > 0 and part:
            part[-1] = Text(f"  and {below + 1} more lines: j and k scroll", "bright_black")
        for line in [*head, *part[-1:]]:
            line.truncate(width, overflow="ellipsis")
        return [*head, Text(), *part][:height]

    def _head(self, width: int) -> Text:
        works = self._picture.works if self._picture else []
        running = sum(len(work.attempts) for work in works)
        right = f"{running} running   {time.strftime('%H:%M:%S')}   q ends"
        right = right if width >= 60 else "q ends"
        title = Text.assemble(("pinyon watch", "bold"), f"  {plain(self._title)}")
        title.truncate(max(13, width - len(right) - 2), overflow="ellipsis")
        title.append(" " * max(1, width - title.cell_len - len(right)))
        return title.append(right, "bright_black")


def _wait(patience: float) -> bytes:
    time.sleep(max(patience, 0.0))
    return b""


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bytes]]:
    """A function that waits for a key; the terminal is afterwards as it was."""
    if not sys.stdin.isatty():
        yield _wait
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def press(patience: float) -> bytes:
        ready = select.select([fd], [], [], max(patience, 0.0))[0]
        return os.read(fd, 8) if ready else b""

    tty.setcbreak(fd)
    try:
        yield press
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
