"""``pinyon watch``: all that runs, as it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import completes
from pinyon.cli.output import is_watched

if TYPE_CHECKING:
    from pinyon.query.going import Picture
    from pinyon.session.reach import Away, Reach

    Asked = Callable[[], Picture | Away]


@click.command("watch", epilog="Example: pinyon watch --once")
@click.argument(
    "names", nargs=-1, metavar="[RUN|STAGE|EXPERIMENT]...", shell_complete=completes("watched_names")
)
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line for each look.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--project", metavar="NAME|all", help="Of another project in this store, or of all.")
@click.pass_obj
def command(
    directory: str, names: tuple[str, ...], once: bool, as_json: bool, interval: float, project: str | None
) -> None:
    """Show all that runs, live: progress, metrics, last words.

    On a terminal, q ends it, and j and k scroll; elsewhere it writes lines of what changes. It only reads, and waits for a
    store that goes away.
    """
    from pinyon.query.going import Going
    from pinyon.session.reach import Reach

    reach: Reach[Going] = Reach(
        Path(directory), lambda records: Going(records.store, records.fold, names, project)
    )

    def ask() -> Picture | Away:
        return reach.ask(Going.look)

    try:
        _show(reach, ask, once=once, as_json=as_json, interval=interval)
    except KeyboardInterrupt:
        pass  # the usual way to end it
    finally:
        reach.close()


def _show(reach: Reach[Any], ask: Asked, *, once: bool, as_json: bool, interval: float) -> None:
    if as_json or not (once or is_watched()):
        from pinyon.cli.watchlog import Lines

        tell: Callable[[Picture | Away], None] = _json if as_json else Lines().tell
        while True:
            tell(ask())
            if once:
                return
            time.sleep(interval)
    from pinyon.cli import watching  # rich is for terminals only

    if once:
        watching.show_once(ask())
    else:
        watching.live(str(reach.root), ask, interval)


def _json(answer: Picture | Away) -> None:
    from pinyon.session.reach import Away

    here = not isinstance(answer, Away)
    told = {} if isinstance(answer, Away) else answer.as_dict()
    away = {"why": answer.why, "seconds": round(answer.since, 3)} if isinstance(answer, Away) else None
    line = {"ts": time.time(), "reachable": here, **({"away": away} if away else {}), **told}
    click.echo(json.dumps(_finite(line), ensure_ascii=False, default=str))


def _finite(value: Any) -> Any:
    """NaN and infinities as text, as everywhere in JSON of ours."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, float) and value - value != 0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value
