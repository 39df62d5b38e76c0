"""`verify --repair`: blobs that are damaged or missing here come from a replica; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore


class Repaired(NamedTuple):
    """Names of blobs that are whole again (or would be), and of those that the replica cannot help with."""

    healed: tuple[str, ...]
    left: tuple[str, ...]


def repair(
    store: LocalStore, replica: RemoteStore, names: Iterable[str], *, dry_run: bool = False
) -> Repaired:
    """Bring back blobs. What lay here instead goes to ``damaged/``, and only once the replica's bytes have been read and
    found sound.

    Args:
        names: as `pinyon.sync.verify.Report.broken` has them.

    Raises:
        StoreError: the replica cannot be reached.
    """
    healed, left = list[str](), list[str]()
    for name in sorted(set(names)):
        if replica.blobs.verify(name) is not None:
            left.append(name)
            continue
        if not dry_run:
            store.blobs.set_aside(name)
            store.blobs.receive(name, partial(replica.blobs.fetch, name))
        healed.append(name)
    if not dry_run:
        store.blobs.flush(healed)
    return Repaired(tuple(healed), tuple(left))
