"""`status`: what two stores have, and what each lacks of the other."""

from __future__ import annotations

from typing import NamedTuple

from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.carry import same_project
from pinyon.sync.views import Plan, View, look, only_ended, plan


class Side(NamedTuple):
    """Counts, and bytes of blobs and streams."""

    blobs: int
    streams: int
    refs: int
    size: int


class Status(NamedTuple):
    """Both sides, and what a push and a pull of everything would copy. Nothing is read but listings and names."""

    here: Side
    there: Side
    push: Plan
    pull: Plan

    def as_dict(self) -> dict[str, dict[str, int]]:
        """For ``--json``."""
        return {
            "here": self.here._asdict(),
            "there": self.there._asdict(),
            "push": self.push.as_dict(),
            "pull": self.pull.as_dict(),
        }


def status(here: LocalStore, there: RemoteStore) -> Status:
    """Compare two stores.

    Raises:
        StoreError: the other one is another project's, or cannot be reached.
    """
    same_project(here, there)
    ours, theirs = look(here), look(there)
    to_push = only_ended(here, plan(ours, theirs))
    return Status(_side(ours), _side(theirs), to_push, plan(theirs, ours))


def _side(view: View) -> Side:
    kept = view.kept
    size = sum(kept.values()) + sum(view.streams.values())
    return Side(len(kept), len(view.streams), sum(map(len, view.refs.values())), size)
