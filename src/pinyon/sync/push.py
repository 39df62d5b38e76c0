"""`push`: copy what a directory's store has to a mirror (docs/FORMAT.md §15)."""

from __future__ import annotations

from collections.abc import Iterable

from pinyon.errors import StoreError
from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.blobs import send
from pinyon.sync.carry import Moved, carry, same_home, same_project
from pinyon.sync.flow import Flow, Progress, silent
from pinyon.sync.views import Plan, look, only_ended, plan, with_files


def push_plan(source: LocalStore, target: RemoteStore, wanted: Iterable[str] | None = None) -> Plan:
    """What a push would copy; it writes nothing.

    Args:
        wanted: names of blobs, of folders with their files; all that are not condemned without.

    Raises:
        StoreError: there is no store here, the other one is another project's or a home of its own, or cannot be reached.
    """
    if not source.describe():
        raise StoreError("no store is here yet", where=source.url, next="pinyon run")
    if (described := target.describe()) and not described.get("mirror"):
        raise StoreError(
            "this store is a home, not a mirror",
            where=target.url,
            why="its own refs count, so a push must not set them",
            next="push to another place",
        )
    same_project(source, target)
    chosen = None if wanted is None else with_files(source, wanted)
    return only_ended(source, plan(look(source), look(target), chosen))


def push(
    source: LocalStore, target: RemoteStore, planned: Plan, progress: Progress = silent, *, rate: float = 0
) -> Moved:
    """Copy what `push_plan` has found. Each thing appears whole; killed or cut off anywhere, the next push sends the rest.

    Args:
        progress: is told what was sent, from any thread.
        rate: bytes a second at most; 0 for as many as go.

    Raises:
        StoreError: the place cannot be reached or refuses, or mirrors another home.
    """
    described = source.describe()
    target.prepare(str(described.get("name", "")), project=str(described.get("project", "")), mirror=True)
    same_project(source, target)  # somebody else may have made it a moment ago
    flow = Flow(target.objects.abilities.parallel, progress, rate)
    same_home(source, target, planned, flow)
    return carry(
        source,
        target,
        planned,
        flow,
        lambda sizes, spoiled: send(source, target, sizes, flow, spoiled),
        strict=True,
    )
