"""What comes from elsewhere before anything runs: data that pointers name, and what DVC has finished."""

from __future__ import annotations

from collections.abc import Mapping

from pinyon.execute import fetch as ours
from pinyon.model.project import Pointer
from pinyon.plan.check import to_fetch
from pinyon.report.told import Tell, Told
from pinyon.session.opened import Session

Pointers = tuple[Pointer, ...]


def expected(session: Session, files: Mapping[str, str]) -> tuple[Pointers, dict[str, str]]:
    """Absent data that will be fetched, and what the sources that it touches will then be, names by path.

    Raises:
        PlanError: our store lacks bytes of one.
        StoreError: pulling, and DVC's remote is of a kind that is not read.
    """
    graph, (root, store, _, _) = session.graph, session.records
    wanted = to_fetch(graph, files)
    names = ours.imagine_fetched(root, store.blobs, graph.sources, wanted, session.stats) if wanted else {}
    if theirs := _theirs(wanted):
        from pinyon.bridges.dvc import data  # nobody without .dvc files pays for it

        pull = graph.goal.pull
        names |= data.imagine_fetched(root, store, graph.sources, theirs, session.stats, pull=pull)
    return wanted, names


def fetch(session: Session, wanted: Pointers, tell: Tell) -> None:
    """Put absent data where it belongs, verified, whole or not at all.

    Raises:
        PlanError, MissingBlobError: bytes of one are nowhere.
    """
    root, store = session.records.root, session.records.store
    here = ours.fetch(store, root, wanted, session.stats) if wanted else []
    if theirs := _theirs(wanted):
        from pinyon.bridges.dvc import data

        here += data.fetch(root, theirs, pull=session.graph.goal.pull)
    for pointer in here:
        tell(Told("fetch", text=pointer.path))


def _theirs(pointers: Pointers) -> Pointers:
    return tuple(pointer for pointer in pointers if pointer.kind == "dvc")


def adopt(
    session: Session, files: Mapping[str, str], tell: Tell = lambda _: None, *, dry: bool = False
) -> dict[str, str]:
    """Take for finished what another tool finished and vouches for; see `pinyon.bridges.dvc.adopt.adopt`.

    Args:
        files: what lies in the project, names by path.
        dry: only in memory, for a plan.
    """
    root, store, _, state = session.records
    if session.graph.goal.force or not any(
        (root / file).with_suffix(".lock").exists()
        for file in session.project.files
        if file.rpartition("/")[2] == "dvc.yaml"
    ):
        return {}
    from pinyon.bridges.dvc.adopt import Project as Theirs
    from pinyon.bridges.dvc.adopt import adopt as take

    theirs = Theirs(session.graph, state, root, store, session.stats)
    return take(theirs, files, lambda stage, why: tell(Told("adopt", stage, why)), dry=dry)
