"""The three primitives and the fold, in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from bench import history, projects
from bench.measure import Row, cost_here
from bench.settings import Settings
from pinyon.query.index import Index
from pinyon.store.local import LocalStore

_BODY = {
    "attempt": "a-3f9a0c52d1e8-1-4b67c0de",
    "outs": [["model.bin", f"blake3:{'0' * 64}", 4096, False, True]],
}


def store(settings: Settings) -> Iterator[Row]:
    """Journal, blobs, and the index built anew"""
    folder = settings.folder("store")
    home = LocalStore(folder / ".pinyon")
    home.prepare("bench")
    size = settings.size
    writer = home.journals.open_writer()
    yield _micro(
        settings, "journal, append", size, lambda _: [writer.append("outputs", _BODY) for _ in range(size)]
    )
    writer.close()
    blobs = home.blobs
    fresh = count()

    def put(_: int) -> None:
        for _ in range(size):
            blobs.put(b"%d" % next(fresh) + bytes(1000))

    yield _micro(settings, "blob of 1 kB, put", size, put)
    again = [b"%d" % number + bytes(1000) for number in range(size)]
    yield _micro(settings, "blob of 1 kB, put again", size, lambda _: [blobs.put(data) for data in again])
    names = [blobs.put(data) for data in again]
    yield _micro(settings, "blob, has", size, lambda _: [blobs.has(name) for name in names])
    large = folder / "large"
    large.write_bytes(os.urandom(1 << 20) * 64)
    yield _micro(settings, "blob of 64 MiB, put again, per MiB", 64, lambda _: blobs.put(large))
    yield from _fold(settings)


def _micro(settings: Settings, what: str, each: int, work: Callable[[int], object]) -> Row:
    costs = [cost_here(partial(work, turn)) for turn in range(settings.rounds)]
    return Row(what, "µs", tuple(cost.cpu * 1e6 / each for cost in costs))


def _fold(settings: Settings) -> Iterator[Row]:
    project = settings.folder("fold")
    graph = projects.steps("chain", settings.size)
    segments = history.write(project, graph, settings.history)
    journals = LocalStore(project / ".pinyon").journals
    costs = []
    for turn in range(max(settings.rounds // 3, 2)):
        cache = settings.folder("index", str(turn))
        costs.append(cost_here(partial(_build, cache / "index.sqlite", project)))
        shutil.rmtree(cache)
    size = sum(journals.size(name) for name in journals.segments()) / 2**20
    note = f"{segments} segments, {size:.0f} MiB"
    yield Row(
        f"fold of {settings.history} attempts", "ms", tuple(cost.cpu * 1e3 for cost in costs), note=note
    )


def _build(path: Path, project: Path) -> None:
    index = Index(path, LocalStore(project / ".pinyon").journals)
    index.catch_up()
    index.close()
