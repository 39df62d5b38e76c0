"""``pinyon run`` and ``pinyon add`` with nothing to do: a look at time stamps. Imported at every such call, so nothing
heavy comes in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pinyon.execute import fingerprint
from pinyon.store.place import STORE, cache_of, home_of, place_in, project_around

if TYPE_CHECKING:
    from pinyon.execute.unchanged import Added


def question(goals: tuple[str, ...], *, isolated: bool = False, directory: str = "") -> str:
    """What was asked, as text; calls with the same text have the same answer while nothing changes.

    ``directory`` is where it was asked, relative to the root: goals are looked up there first.
    """
    return repr(("run", goals, isolated, directory))


def nothing_to_do(directory: str, goals: tuple[str, ...], *, isolated: bool = False) -> dict[str, Any] | None:
    """The summary of the last call, if it found nothing to do and nothing has changed since."""
    root = project_around(directory)
    if root is None:
        return None
    asked = question(goals, isolated=isolated, directory=place_in(root, directory))
    return fingerprint.check(cache_of(os.path.join(root, STORE)), asked, root)


def print_summary(summary: dict[str, Any], seconds: float) -> None:
    """One line: how many stages did what."""
    counts = {name: count for name, count in summary["counts"].items() if count}
    total = len(summary["tasks"])
    stages = f"{total} stage{'s' * (total != 1)}"
    if "experiment" in summary:
        stages = f"{summary['cells']} cells, {summary['distinct']} distinct runs, {stages}"
    if counts:
        parts = [f"{count} {name}" for name, count in counts.items()]
        rest = total - sum(counts.get(name, 0) for name in ("succeeded", "reused"))
        parts += [f"{rest} unchanged"] if rest > 0 else []
        line = f"{stages}: {', '.join(parts)} ({seconds:.1f} s)"
    else:
        line = f"nothing to do: {stages} unchanged ({seconds:.2f} s)"
    sys.stdout.write(line + "\n")


def nothing_to_add(directory: str, paths: Sequence[str]) -> list[Added] | None:
    """What `add` would say of these paths, if all of them are as their pointers say."""
    from pinyon.errors import StoreError
    from pinyon.execute.unchanged import all_unchanged

    root = project_around(directory)
    if root is None:
        return None
    try:
        home = home_of(root)
    except StoreError:
        return None  # `add` itself says what is wrong
    cache = cache_of(os.path.join(root, STORE))
    return all_unchanged(root, home, cache, places_in(root, directory, paths))


def places_in(root: str, directory: str, paths: Iterable[str]) -> list[str]:
    """Paths seen from the root of the project that are given as seen from a directory in it."""
    here = os.path.abspath(directory)
    return [os.path.relpath(os.path.join(here, path), root) for path in paths]


def print_added(rows: Iterable[Added], *, dry_run: bool = False) -> None:
    """A line for each path: what became of it, how many files and bytes."""
    from pinyon.model.units import show_bytes

    for row in rows:
        count = "" if row.files is None else f"{row.files} files, "
        verb = "unchanged" if not row.changed else "would add" if dry_run else "added"
        sys.stdout.write(f"{verb:9} {row.path}  {count}{show_bytes(row.size)}\n")
