"""Places of named bytes, which is all that a store needs of a bucket, another host or a hub (docs/FORMAT.md §15).

`pinyon.testing.objects` holds the contract suite that every backend passes; backends stand in `pinyon.store.backends`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pinyon.store.protocol import Tell, quiet


class Abilities(NamedTuple):
    """What a place can do.

    Attributes:
        write: objects can be written and replaced.
        create: `Objects.create` is atomic: of callers that race for one key, on whatever hosts, exactly one makes it.
        delete: objects can be deleted.
        parallel: calls at a time that pay.
    """

    write: bool = True
    create: bool = True
    delete: bool = True
    parallel: int = 16


class Listed(NamedTuple):
    """An object of a listing, and its bytes."""

    key: str
    size: int


class Objects(Protocol):
    """Objects by key. A key has parts between slashes, none of them empty, ``.`` or ``..``; letters, digits and ``-_.%``
    stand in them. Any thread may call any method. What a call has written is there for every later call of anybody.

    Every method raises `pinyon.errors.StoreError` when the place cannot be reached or refuses: it says which place, why,
    and what to do (a key that is not set, an endpoint, a quota). What may work a moment later has been tried again before.
    """

    @property
    def url(self) -> str:
        """Where it is, for messages; without a secret."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What can be done here. What cannot raises StoreError and changes nothing."""
        ...

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """Every object whose key begins so, in any order. What is being written meanwhile may be in it or not."""
        ...

    def size(self, key: str) -> int | None:
        """Its bytes; None where there is no such object."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Its bytes, or those of a range, which is cut to what there is; negative ``start`` counts from the end.

        Raises:
            MissingObjectError: there is no such object.
        """
        ...

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """Write all of it to a new file, in pieces that fit into memory. A failure leaves no file.

        Args:
            tell: called with the bytes that came since the last call.

        Raises:
            MissingObjectError: there is no such object.
        """
        ...

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """Make or replace an object. Whoever reads sees the old bytes or the new ones, whole; they survive the loss of
        power when this returns, as far as the place promises that. A file is read in pieces that fit into memory."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Make an object that is not there; False, and nothing changes, where it is. Only with `Abilities.create`."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        ...
