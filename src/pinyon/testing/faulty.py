"""A store that fails at the n-th call."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, NamedTuple, cast

from pinyon.store.protocol import Blobs, Journals, Refs, Store

CALLS = (
    "blobs.put", "blobs.put_many", "blobs.condemn", "blobs.delete",
    "blobs.read", "blobs.copy_out", "blobs.flush", "refs.get", "refs.set", "journals.open_writer",
    "journals.append", "journals.flush", "journals.close", "journals.read",
)  # fmt: skip


class Fault(NamedTuple):
    """The ``nth`` call (from 1) of ``call``, one of `CALLS`, raises OSError(``errno``) and does nothing; ``always``: so
    does every later one."""

    call: str
    nth: int
    errno: int
    always: bool = False


class FaultyStore:
    """A store in front of another. ``calls`` counts, so that a test can first learn how many there are to fail."""

    def __init__(self, store: Store, *plan: Fault) -> None:
        unknown = [fault.call for fault in plan if fault.call not in CALLS]
        if unknown:
            raise ValueError(f"no such call: {unknown}; there are {', '.join(CALLS)}")
        self.calls: Counter[str] = Counter()
        self._store = store
        self._plan = plan

    @property
    def blobs(self) -> Blobs:
        """The other's, faulty."""
        return cast(Blobs, _Part("blobs", self._store.blobs, self))

    @property
    def refs(self) -> Refs:
        """The other's, faulty."""
        return cast(Refs, _Part("refs", self._store.refs, self))

    @property
    def journals(self) -> Journals:
        """The other's, faulty; so are its writers."""
        return cast(Journals, _Part("journals", self._store.journals, self))

    @property
    def url(self) -> str:
        """The other's."""
        return self._store.url

    def count(self, call: str) -> None:
        """Count one call, and raise if the plan says so."""
        self.calls[call] += 1
        for fault in self._plan:
            now = self.calls[call]
            if fault.call == call and (now == fault.nth or (fault.always and now > fault.nth)):
                raise OSError(fault.errno, os.strerror(fault.errno), self.url)


class _Part:
    """One primitive, or a journal's writer."""

    def __init__(self, prefix: str, inner: object, store: FaultyStore) -> None:
        self._prefix = prefix
        self._inner = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:
        call, found = f"{self._prefix}.{name}", getattr(self._inner, name)
        if call not in CALLS:
            return found

        def counted(*args: Any, **named: Any) -> Any:
            self._store.count(call)
            result = found(*args, **named)
            return _Part("journals", result, self._store) if name == "open_writer" else result

        return counted
