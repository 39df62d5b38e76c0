"""Places of objects against the raw client of the same server: one large file, and many small ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.measure import Cost, Row, cost_here, interleave, wall_row
from bench.settings import Settings
from pinyon.store.backends import open_objects
from pinyon.store.objects import Objects
from pinyon.testing.servers import KEY, SECRET, seaweed, sshd

_OVER = 1 / 0.9  # of the raw client's wall time
_SMALL = os.urandom(4096)

Works = Mapping[str, tuple[Callable[[], object], Callable[[], object]]]


def places(settings: Settings) -> Iterator[Row]:
    """Up and down, beside obstore, ssh and scp: a file of 256 KB for each of `size`, and `size` objects of 4 KB"""
    folder = settings.folder("places")
    large = folder / "large"
    with large.open("wb") as file:
        for _ in range(max(1, min(settings.size // 4, 256))):
            file.write(os.urandom(1 << 20))
    rounds = max(settings.rounds // 3, 2)
    with seaweed(settings.folder("places", "seaweed")) as port:
        yield from _rows("S3", "obstore", rounds, _bucket(f"http://127.0.0.1:{port}", large, settings.size))
    with sshd(settings.folder("places", "sshd")) as host:
        objects = open_objects(f"ssh://host{folder}/there", {"config": str(host.config)})
        yield from _rows("ssh", "ssh and scp", rounds, _host(objects, host.config, large, settings.size))
        del objects


def _rows(place: str, raw: str, rounds: int, works: Works) -> Iterator[Row]:
    for what, (ours, theirs) in works.items():
        contenders = {"ours": partial(cost_here, ours), raw: partial(cost_here, theirs)}
        costs = interleave(rounds, contenders)
        yield wall_row(f"{place}, {what}", costs["ours"])
        yield _ratio(f"{place}, {what}, ÷ {raw}", costs["ours"], costs[raw])


def _ratio(what: str, ours: list[Cost], theirs: list[Cost]) -> Row:
    pairs = zip(ours, theirs, strict=True)
    return Row(what, "× wall", tuple(a.wall / b.wall for a, b in pairs), _OVER)


def _many(call: Callable[[int], object], count: int, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(call, range(count)):
            pass


def _bucket(endpoint: str, large: Path, count: int) -> Works:
    import obstore
    from obstore.store import S3Store

    keys = {"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET}
    ours = open_objects("s3://bench/ours", keys)
    raw = S3Store("bench", prefix="raw", region="auto", client_options={"allow_http": True}, **keys)
    target = large.with_name("target")

    def get() -> None:
        with target.open("wb") as file:
            for piece in obstore.get(raw, "large").stream():
                file.write(piece)

    return {
        "large file up": (lambda: ours.write("large", large), lambda: obstore.put(raw, "large", large)),
        "large file down": (lambda: ours.fetch("large", target), get),
        f"{count} objects of 4 KB up": (
            lambda: _many(lambda number: ours.write(f"s/{number}", _SMALL), count, 16),
            lambda: _many(lambda number: obstore.put(raw, f"s/{number}", _SMALL), count, 16),
        ),
        f"{count} objects of 4 KB down": (
            lambda: _many(lambda number: ours.read(f"s/{number}"), count, 16),
            lambda: _many(lambda number: bytes(obstore.get(raw, f"s/{number}").bytes()), count, 16),
        ),
    }


def _host(ours: Objects, config: Path, large: Path, count: int) -> Works:
    small, target, folder = (large.with_name(name) for name in ("small", "target", "folder"))
    small.mkdir()
    for number in range(count):
        (small / str(number)).write_bytes(_SMALL)

    def scp(*words: object) -> None:
        subprocess.run(["scp", "-q", "-F", config, *map(str, words)], check=True)

    def many_down() -> None:
        scp("-r", f"host:{small}", folder)
        shutil.rmtree(folder)

    there = large.with_name("scp")

    def durable() -> None:  # as ours is when it returns
        with large.open("rb") as file:
            subprocess.run(
                ["ssh", "-F", config, "host", f"cat > {there} && sync {there}"], stdin=file, check=True
            )

    return {
        "large file up": (lambda: ours.write("large", large), durable),
        "large file down": (lambda: ours.fetch("large", target), lambda: scp(f"host:{large}", target)),
        f"{count} objects of 4 KB up": (
            lambda: _many(lambda number: ours.write(f"s/{number}", _SMALL), count, 8),
            lambda: scp("-r", small, f"host:{there}s"),
        ),
        f"{count} objects of 4 KB down": (
            lambda: _many(lambda number: ours.read(f"s/{number}"), count, 8),
            many_down,
        ),
    }
