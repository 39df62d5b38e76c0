"""`gc`: which blobs nothing refers to, and their deletion in two steps a day apart (docs/FORMAT.md §8).

What refers to them besides the store's own records and refs, the caller says: this room knows no work tree and no git.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pinyon.errors import MissingBlobError
from pinyon.model.event import Event
from pinyon.model.ids import ProcessId
from pinyon.store import tree
from pinyon.store.protocol import Store

GRACE = 86_400.0  # seconds from a mark to the deletion
# Seconds by which the time stamp of a file may lie before the clock that was read earlier: the kernel sets it in steps.
_STEP = 0.1
_SILENT = (
    7 * 86_400.0
)  # seconds after which a process of another host, which cannot be asked, no longer counts as alive
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}/?")
# Of these kinds a digest is no reference: `resumed` tells of a checkpoint that another record may have given up.
_TELL_NOTHING = frozenset({"added", "condemned", "deleted", "resumed"})


class Scan(NamedTuple):
    """What the journals say that matters here.

    Attributes:
        outputs: names by attempt.
        intents: names that an attempt needs while it runs, by attempt; its bundle, which is kept with its outputs.
        bundles: the same for the bundle alone.
        ended: attempts with an outcome.
        reused: when an attempt's outputs were last used again, by attempt.
        added: names by the root of the project that they were added to.
        others: names in every other record, of kinds unknown here too.
        checkpoints: names by record, (writer, seq).
        dropped: those of these records that a later checkpoint has given up.
        condemned: when a blob was first condemned, by name.
        living: when the oldest process that may still write opened its journal; infinity if there is none.
    """

    outputs: dict[str, set[str]]
    intents: dict[str, set[str]]
    bundles: dict[str, set[str]]
    ended: set[str]
    reused: dict[str, float]
    added: dict[str, set[str]]
    others: set[str]
    checkpoints: dict[tuple[str, int], set[str]]
    dropped: set[tuple[str, int]]
    condemned: dict[str, float]
    living: float


class Swept(NamedTuple):
    """What was found and done: sizes in bytes by name. ``waiting`` are condemned and not due, or share a pack with what is
    needed; ``spared`` had a mark and are referred to again."""

    blobs: int
    referenced: int
    condemned: dict[str, int]
    waiting: dict[str, int]
    deleted: dict[str, int]
    spared: tuple[str, ...]


class Policy(NamedTuple):
    """What the caller decides.

    Attributes:
        roots: names that something outside the store refers to.
        dropped: given a scan, the attempts whose outputs are no longer wanted.
        mine: roots of projects whose added data ``roots`` tells of; what others have added is kept.
    """

    roots: Iterable[str]
    dropped: Callable[[Scan], set[str]]
    mine: frozenset[str]


def collect(
    store: Store, policy: Policy, *, now: float, user: str = "", grace: float = GRACE, dry_run: bool = False
) -> Swept:
    """Delete what was condemned long enough ago and is still not referred to; condemn what is not now.

    Raises:
        CorruptError: a manifest that something refers to is damaged, so that its files are not known. Nothing is done.
    """
    # Names first, records after: what is put and recorded in between is seen as referred to, or is no candidate.
    names = {name for name in store.blobs.names() if _DIGEST.fullmatch(name)}
    marks = store.blobs.condemned()
    scan = scan_journals(store, now)
    wanted = _referenced(store, scan, policy)
    idle = names - wanted
    spared = tuple(sorted(marks.keys() & wanted))
    stale = marks.keys() - names  # a gc was killed between a blob and its mark
    due = {name for name in idle & marks.keys() if scan.condemned.get(name, now) < now - grace}
    fresh = idle - marks.keys()
    sizes = {name: store.blobs.size(name) for name in idle}
    deleted: dict[str, int] = {}
    before = min(now - grace, scan.living - _STEP)
    if dry_run:
        deleted = {name: sizes[name] for name in due if marks[name] < before}
    elif due or fresh or spared or stale:
        deleted = _act(store, user, sorted(due), sorted(fresh), {*spared, *stale}, before, grace)
    waiting = {name: sizes[name] for name in (idle & marks.keys()) - deleted.keys()}
    return Swept(len(names), len(names & wanted), {n: sizes[n] for n in fresh}, waiting, deleted, spared)


def _act(
    store: Store,
    user: str,
    due: list[str],
    fresh: list[str],
    spared: Iterable[str],
    before: float,
    grace: float,
) -> dict[str, int]:
    """Records before effects: a deletion that nobody has heard of would look like a loss."""
    journal = store.journals.open_writer(user=user)
    actor = {"kind": "person", "name": user}
    try:
        store.blobs.spare(spared)
        deleted: dict[str, int] = {}
        if due:
            journal.append("deleted", {"blobs": due, "actor": actor})
            journal.flush()
            deleted = store.blobs.delete(due, before)
        if fresh:
            journal.append("condemned", {"blobs": fresh, "grace": grace, "actor": actor})
            journal.flush()
            store.blobs.condemn(fresh)
    finally:
        journal.close()
    return deleted


def scan_journals(store: Store, now: float) -> Scan:
    """Read every record."""
    scan = Scan({}, {}, {}, set(), {}, {}, set(), {}, set(), {}, float("inf"))
    living = float("inf")
    for segment in store.journals.segments():
        opened: Event | None = None
        last: Event | None = None
        for event, _ in store.journals.read(segment):
            opened = event if event.kind == "opened" else opened
            last = event
            _take(scan, event)
        if (
            opened is not None
            and last is not None
            and last.kind != "closed"
            and _may_write(opened, last, now)
        ):
            living = min(living, opened.ts)
    return scan._replace(living=living)


def _may_write(opened: Event, last: Event, now: float) -> bool:
    alive = ProcessId(*opened.body["process"]).alive()
    return alive is True or (alive is None and last.ts > now - _SILENT)


def _take(scan: Scan, event: Event) -> None:
    body, attempt = event.body, str(event.body.get("attempt", ""))
    if event.kind == "outputs":
        scan.outputs.setdefault(attempt, set()).update(digests(body))
    elif event.kind == "intent":
        scan.intents.setdefault(attempt, set()).update(digests(body))
        scan.bundles.setdefault(attempt, set()).update(digests(body.get("bundle")))
    elif event.kind == "added":
        scan.added.setdefault(str(body.get("root", "")), set()).update(digests(body))
    elif event.kind == "checkpoint":
        scan.checkpoints[event.writer, event.seq] = set(digests(body))
        scan.dropped.update((writer, seq) for writer, seq in body.get("drops", ()))
    elif event.kind == "condemned":
        for name in digests(body):
            scan.condemned[name] = min(event.ts, scan.condemned.get(name, event.ts))
    elif event.kind not in _TELL_NOTHING:
        scan.others.update(digests(body))
    if event.kind in ("ended", "lost"):
        scan.ended.add(attempt)
    if event.kind == "reused":
        scan.reused[attempt] = max(event.ts, scan.reused.get(attempt, 0.0))


def digests(value: Any) -> Iterator[str]:
    """Every name of a blob in some JSON, at any depth."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield from _DIGEST.findall(one)
        elif isinstance(one, dict):
            stack += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            stack += one


def _referenced(store: Store, scan: Scan, policy: Policy) -> set[str]:
    """Every name that something refers to, files of directories with them, without the slash."""
    dropped = policy.dropped(scan)
    found = set(policy.roots) | scan.others
    for record, names in scan.checkpoints.items():
        found |= set() if record in scan.dropped else names
    for root, names in scan.added.items():
        found |= set() if root in policy.mine else names
    for attempt, names in scan.outputs.items():
        found |= set() if attempt in dropped else names | scan.bundles.get(attempt, set())
    for attempt, names in scan.intents.items():
        found |= set() if attempt in scan.ended else names
    for ref in store.refs.names():
        versions = store.refs.history(ref)
        # Of Parquet files the newest version says all; what they were made of is in the journals.
        for version in versions[-1:] if ref == "tables" else versions:
            found.update(digests(version.value))
    for name in [name for name in found if name.endswith("/")]:
        try:
            found.update(row.name for row in tree.decode(store.blobs.read(name)))
        except MissingBlobError:
            continue  # only its name was recorded, or it was deleted on purpose
    return {name.removesuffix("/") for name in found}
