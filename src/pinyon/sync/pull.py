"""`pull`: copy what a store elsewhere has to a directory's (docs/FORMAT.md §15)."""

from __future__ import annotations

from collections.abc import Iterable

from pinyon.errors import StoreError
from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.blobs import receive
from pinyon.sync.carry import Moved, carry, same_home, same_project
from pinyon.sync.flow import Flow, Progress, silent
from pinyon.sync.views import Plan, look, plan, with_files


def pull_plan(source: RemoteStore, target: LocalStore, wanted: Iterable[str] | None = None) -> Plan:
    """What a pull would copy; it writes nothing.

    Args:
        wanted: names of blobs, of folders with their files (the manifest is read); all that are not condemned without.

    Raises:
        StoreError: there is no store there, it is another project's, or cannot be reached.
    """
    if not source.describe():
        raise StoreError(
            "no store is there yet", where=source.url, next="pinyon sync push where the project is"
        )
    same_project(source, target)
    chosen = None if wanted is None else with_files(source, wanted)
    return plan(look(source), look(target), chosen)


def pull(
    source: RemoteStore,
    target: LocalStore,
    planned: Plan,
    progress: Progress = silent,
    *,
    rate: float = 0,
    home: bool = False,
) -> Moved:
    """Copy what `pull_plan` has found; all that came is durable in the end. Cut off anywhere, the next one copies the rest.

    All journals, logs and refs come, also where only some blobs were asked for: the others are missing here, not
    lost.

    Args:
        progress: is told what has come, from any thread.
        rate: bytes a second at most; 0 for as many as come.
        home: a store that is made here is the project's home from now on, since the old one is lost; else its refs are
            copies, and setting one is refused.

    Raises:
        StoreError: the place cannot be reached, or has the refs of another home.
    """
    described = source.describe()
    target.prepare(str(described.get("name", "")), project=str(described.get("project", "")), mirror=not home)
    same_project(source, target)
    flow = Flow(source.objects.abilities.parallel, progress, rate)
    same_home(source, target, planned, flow)
    return carry(
        source,
        target,
        planned,
        flow,
        lambda sizes, spoiled: receive(source, target, sizes, flow, spoiled),
        strict=False,
    )
