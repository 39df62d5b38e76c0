"""Data of DVC's pointers, the .dvc files, from DVC's cache into the project."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pinyon.bridges.dvc.cache import Found, Places, places
from pinyon.bridges.dvc.keep import Keeper
from pinyon.errors import MissingBlobError
from pinyon.execute import files, tree
from pinyon.execute.observe import name_files
from pinyon.execute.statcache import StatCache
from pinyon.execute.virtual import VirtualTree
from pinyon.model.graph import Out
from pinyon.model.outcome import Output
from pinyon.model.project import Pointer
from pinyon.plan.paths import touch
from pinyon.store.copying import copy_bytes
from pinyon.store.protocol import Store


def fetch(root: Path, pointers: Iterable[Pointer], *, pull: bool = False) -> list[Pointer]:
    """Put absent data of DVC's pointers where they belong, from DVC's cache; gives those that are there now.

    What lies there already is left alone, whatever it is. Each file is hashed, and each pointer appears whole or not at
    all. One whose bytes are nowhere is passed over; when pulling, that is an error.

    Args:
        pull: look in the default remote, too.

    Raises:
        MissingBlobError: pulling, and neither cache nor remote has the bytes.
        StoreError, SpecError: of `places`.
    """
    wanted = _wanted(root, pointers)
    found, near = [], places(root) if wanted else Places([])
    for pointer in wanted:
        sources = near.everything(md5_name(pointer))
        if sources is None and pull:
            near = places(root, pull=True)
            sources = near.everything(md5_name(pointer))
        if sources is not None:
            _lay_out(root / pointer.path, sources)
            found.append(pointer)
        elif pull:
            raise MissingBlobError(
                f"no bytes for {pointer.path} ({pointer.digest})",
                where=str(pointer.origin),
                why="neither DVC's cache nor its remote has them whole",
                next="dvc push, where they are",
            )
    return found


def imagine_fetched(
    root: Path,
    store: Store,
    sources: Iterable[str],
    pointers: Iterable[Pointer],
    stats: StatCache,
    *,
    pull: bool = False,
) -> dict[str, str]:
    """What `fetch` would make of these sources, for a plan: names by path, of those that it touches.

    Raises:
        StoreError, SpecError: of `places`; what `fetch` says of missing bytes is left to it.
    """
    keeper, laid = Keeper(root, store, dry=True), []
    for pointer in _wanted(root, pointers):
        found = places(root, pull=pull).everything(md5_name(pointer))
        if found is not None:
            kept = keeper.from_cache(Out(pointer.path), found, folder=pointer.digest.endswith("/"))
            laid.append(kept.output)
    names: dict[str, str] = {}
    for source in sources:
        touching = [out for out in laid if source == out.path or touch(source, out.path)]
        if touching:
            world = VirtualTree(keeper)
            for output in (*_present(root, source, stats), *touching):
                world.lay(output)
            names |= world.names([source])
    return names


def _present(root: Path, source: str, stats: StatCache) -> list[Output]:
    top = os.path.join(root, source)
    found = list(tree.walk(top)) if os.path.exists(top) else []
    names = name_files(str(root), found, stats, tree.name_file)
    prefix = "" if source == "." else f"{source}/"
    return [
        Output(prefix + one.path if one.path else source, names[one.full], one.size, one.executable)
        for one in found
    ]


def _wanted(root: Path, pointers: Iterable[Pointer]) -> list[Pointer]:
    return [
        one for one in pointers if one.kind == "dvc" and one.digest and not os.path.lexists(root / one.path)
    ]


def md5_name(pointer: Pointer) -> str:
    """What DVC calls a pointer's digest: hex, with ``.dir`` at the end for a folder."""
    hexadecimal = pointer.digest.partition(":")[2]  # md5, or md5-dos2unix of DVC 2
    return f"{hexadecimal[:-1]}.dir" if hexadecimal.endswith("/") else hexadecimal


def _lay_out(target: Path, found: list[Found]) -> None:
    fresh = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.pinyon")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        for one in found:
            path = fresh / one.path if one.path else fresh
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(one.source, "rb", buffering=0) as source, open(path, "xb", buffering=0) as copy:
                copy_bytes(source.fileno(), copy.fileno())
        if not found:
            fresh.mkdir()
        os.rename(fresh, target)
    finally:
        files.remove(str(fresh))
