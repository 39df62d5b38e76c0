"""Blobs on their way between a directory and objects: hashed at both ends, small ones together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pinyon.errors import CorruptError, MissingBlobError
from pinyon.store.local import LocalStore
from pinyon.store.names import name_of, name_of_file
from pinyon.store.packs import FEW, SMALL
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.flow import Flow

_SHARD = (
    4 << 20
)  # bytes of a pack, so that a push that is killed has not far to go again, and several go at a time
_GAP = 64 << 10  # bytes of a pack that are read though nobody asked, because another call costs more

Spoiled = Callable[[str], None]  # told the name of a blob whose bytes are not what it says


def send(
    source: LocalStore, target: RemoteStore, sizes: Mapping[str, int], flow: Flow, spoiled: Spoiled
) -> None:
    """Copy blobs to objects. What a gc has deleted meanwhile is left out.

    Args:
        sizes: bytes by name.
    """
    target.blobs.save(sizes)
    small = sorted(name for name, size in sizes.items() if size <= SMALL)
    large = sorted(sizes.keys() - set(small))
    shards = _shards(small, sizes) if len(small) >= FEW else [[name] for name in small]
    tell = flow.tell("blobs")

    def shard(names: list[str]) -> None:
        found = {name: data for name in names if (data := _sound(source, name, spoiled)) is not None}
        if len(found) == 1:
            target.blobs.send(*found.popitem(), tell=tell)
        elif found:
            target.blobs.send_pack(found, tell=tell)

    def alone(name: str) -> None:
        path = source.blobs.path(name)
        try:
            if name_of_file(path) != name:
                spoiled(name)
                return
        except FileNotFoundError:
            return
        target.blobs.send(name, path, tell=tell)

    flow.each([*(partial(shard, names) for names in shards), *(partial(alone, name) for name in large)])


def _sound(source: LocalStore, name: str, spoiled: Spoiled) -> bytes | None:
    try:
        return source.blobs.read(name)
    except MissingBlobError:
        return None
    except CorruptError:
        spoiled(name)
        return None


def _shards(names: list[str], sizes: Mapping[str, int]) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    held = 0
    for name in names:
        if held + sizes[name] > _SHARD and shards[-1]:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += sizes[name]
    return shards


def receive(
    source: RemoteStore, target: LocalStore, sizes: Mapping[str, int], flow: Flow, spoiled: Spoiled
) -> None:
    """Copy blobs from objects; what came is hashed before it has its name, and durable in the end."""
    tell = flow.tell("blobs")
    packed = source.blobs.packed(sizes)
    alone = sizes.keys() - {name for rows in packed.values() for name, _, _ in rows}

    def shard(pack: str, rows: list[tuple[str, int, int]]) -> None:
        begin = rows[0][1]
        data = source.blobs.read_range(pack, begin, rows[-1][2])
        pieces = {name: data[start - begin : end - begin] for name, start, end in rows}
        sound = [piece for name, piece in pieces.items() if name_of(piece) == name]
        target.blobs.put_small(sound)
        tell(sum(map(len, sound)))
        for name, piece in pieces.items():
            if name_of(piece) != name:
                one(name)  # it may lie elsewhere, too

    def one(name: str) -> None:
        def fill(path: Path) -> None:
            source.blobs.fetch(name, path, tell=tell)

        try:
            target.blobs.receive(name, fill)
        except MissingBlobError:
            return  # a gc has deleted it meanwhile
        except CorruptError:
            spoiled(name)

    ranges = [(pack, rows) for pack, held in sorted(packed.items()) for rows in _ranges(held)]
    flow.each(
        [
            *(partial(shard, pack, rows) for pack, rows in ranges),
            *(partial(one, name) for name in sorted(alone)),
        ]
    )
    target.blobs.flush(sizes.keys() - target.blobs.missing(sizes))


def _ranges(rows: list[tuple[str, int, int]]) -> Iterator[list[tuple[str, int, int]]]:
    """Rows of a pack that are worth one call each."""
    held: list[tuple[str, int, int]] = []
    for row in rows:
        if held and (row[1] - held[-1][2] > _GAP or row[2] - held[0][1] > _SHARD):
            yield held
            held = []
        held.append(row)
    if held:
        yield held
