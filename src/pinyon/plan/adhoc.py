"""A stage for a command that stands in no file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.graph import Adhoc, Command, Out, Stage
from pinyon.plan.paths import join, outside

NOTICED = "metrics.json"  # read without being asked for, as most scripts call it so
_STORE = ".pinyon"


def adhoc_stage(
    name: str,
    command: Command,
    wdir: str,
    *,
    deps: Sequence[str] = (),
    outs: Sequence[str] = (),
    metrics: Sequence[str] = (),
    flags: Sequence[tuple[str, Any]] = (),
    nonce: str = "",
) -> Stage:
    """The stage ``@NAME``. With deps or outs it is like any other; with neither it runs every time, as a new run.

    Args:
        wdir: where the user stands, relative to the root; deps, outs and metrics are relative to it.
        metrics: with deps or outs, files that the command must write; else files that count if it does.
        nonce: a random word, used when there are neither deps nor outs.

    Raises:
        PlanError: an out that no stage may have.
    """
    places = [Out(_place(wdir, path), "out") for path in outs]
    numbers = [_place(wdir, path) for path in metrics]
    reusable = bool(deps or outs)
    noticed = dict.fromkeys((join(wdir, NOTICED), *numbers))
    return Stage(
        name=f"@{name.removeprefix('@')}",
        command=command,
        wdir=wdir or ".",
        deps=tuple(dict.fromkeys(join(wdir, dep) for dep in deps)),
        params=(),
        outs=(*places, *(Out(path, "metric") for path in numbers)) if reusable else (),
        adhoc=Adhoc("" if reusable else nonce, tuple(flags), () if reusable else tuple(noticed)),
    )


def _place(wdir: str, path: str) -> str:
    full = join(wdir, path)
    if outside(full) or full == ".":
        raise PlanError(f"the command writes {full}", why="outs lie inside the project")
    if f"{full}/".startswith(f"{_STORE}/"):
        raise PlanError(f"the command writes {full}", why="that is where the store lies")
    return full
