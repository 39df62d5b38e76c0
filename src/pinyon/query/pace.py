"""How fast the loops of an attempt go, from its ``progress`` records."""

from __future__ import annotations

from typing import NamedTuple

from pinyon.model.event import Event


class Progress(NamedTuple):
    """How far a loop is. ``rate``: steps a second; ``left``: seconds until its end; None where nobody can tell."""

    step: int
    total: int | None
    label: str
    rate: float | None
    left: float | None


class _Loop(NamedTuple):
    """First and newest record of one loop: steps with the writer's clock, and when the newest was seen by ours."""

    first: tuple[int, float]
    newest: tuple[int, float]
    total: int | None
    label: str
    seen: float


class Pace:
    """The loops of one attempt. Of several that are nested the outer one counts: it says how long all will take."""

    def __init__(self) -> None:
        self._loops: dict[tuple[str, str], _Loop] = {}

    def add(self, event: Event, now: float) -> None:
        """One more ``progress`` record; ``now`` by our monotonic clock."""
        step, total = event.body.get("step"), event.body.get("total")
        if not isinstance(step, int) or not (total is None or isinstance(total, int)):
            return
        name = (event.writer, str(event.body.get("label") or ""))
        old, here = self._loops.get(name), (step, event.ts)
        if old is None or step < old.newest[0] or total != old.total or event.ts < old.newest[1]:
            old = _Loop(
                here, here, total, name[1], now
            )  # another loop of this name, or a clock that was set back
        self._loops[name] = old._replace(newest=here, seen=now)

    def now(self, now: float) -> Progress | None:
        """The loop that counts; None where there is none."""
        loops = list(self._loops.values())
        going = [one for one in loops if one.total is None or one.newest[0] < one.total]
        if not loops:
            return None
        loop = going[0] if going else loops[-1]
        (step, then), (first, began) = loop.newest, loop.first
        rate = (step - first) / (then - began) if step > first and then > began else None
        left = None
        if rate and loop.total is not None:
            left = max(0.0, (loop.total - step) / rate - (now - loop.seen))
        return Progress(step, loop.total, loop.label, rate, left)
