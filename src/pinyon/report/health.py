"""What `doctor` looks at: the machine, the project, its git and its store; each finding with its reason and its fix."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pinyon
from pinyon.errors import PinyonError
from pinyon.execute.data import differing
from pinyon.execute.locks import held, holder
from pinyon.execute.statcache import StatCache
from pinyon.model.outcome import LOST
from pinyon.model.units import show_bytes, show_seconds
from pinyon.query.alive import look
from pinyon.query.index import Index
from pinyon.report.finding import Finding
from pinyon.report.githealth import code
from pinyon.store.local import LocalStore
from pinyon.store.place import STORE

_DISK_WARN, _DISK_BAD = 0.85, 0.95
_ROOMY = 50 * 10**9  # bytes; with so many free a disk is not full, whatever its share
_DAY = 86400.0
_SKEW = 120.0  # seconds that the clocks of two hosts may be apart
_SLOW = 0.25  # seconds of one fsync above which short stages wait for the disk
_DEEP = 3  # directories below the project that are searched for projects


def examine(root: Path, store: LocalStore, index: Index, load: Callable[[], int]) -> Iterator[Finding]:
    """Every finding, the good ones too. ``load`` reads the project and gives its number of stages."""
    yield Finding(
        "ok", f"pinyon {pinyon.__version__}, python {sys.version.split()[0]}, {os.cpu_count()} cpus"
    )
    yield from _python()
    project = _project(root, load)
    yield project
    yield from _nested(root)
    yield from code(root)
    yield _disk(root)
    yield _writable(store.root if store.root.exists() else root)
    yield from _place(store)
    yield from _lock(store)
    yield from _attempts(index)
    yield from _clock(index)
    yield from _journals(store)
    if project.level != "bad":  # else a broken pointer has been told of
        yield from _data(root, store)
    yield from _rubbish(store.root / "tmp")


def _python() -> Iterator[Finding]:
    if sys.dont_write_bytecode and not sys.pycache_prefix and not _is_compiled():
        yield Finding(
            "warn",
            "Python keeps no compiled files (PYTHONDONTWRITEBYTECODE)",
            "each call of pinyon compiles itself again",
            "unset PYTHONDONTWRITEBYTECODE",
        )


def _is_compiled() -> bool:
    from importlib.util import cache_from_source

    return os.path.exists(cache_from_source(__file__))


def _project(root: Path, load: Callable[[], int]) -> Finding:
    try:
        count = load()
    except PinyonError as error:
        return Finding(
            "bad", str(error), "nothing can run before it can be read", error.next or "correct the file"
        )
    except OSError as error:
        return Finding(
            "bad", f"{error.filename or root}: {error.strerror}", "it belongs to the project", "ls -ld"
        )
    return Finding("ok", f"project {root}: {count} stages")


def _nested(root: Path) -> Iterator[Finding]:
    outer = next((above for above in root.parents if (above / "pinyon.yaml").is_file()), None)
    if outer:
        yield Finding(
            "warn",
            f"this project lies inside another one, {outer}",
            "which of them a command means depends on where it is typed",
            f"name it: pinyon -C {outer}",
        )
    for folder, below, names in os.walk(root):
        here = os.path.relpath(folder, root)
        if here != "." and ("pinyon.yaml" in names or STORE in below):
            why = "its stages are not this project's, and what it makes may be an input here"
            yield Finding(
                "warn", f"another project lies inside this one, in {here}", why, f"pinyon -C {here} status"
            )
        deep = here != "." and here.count(os.sep) >= _DEEP - 1
        below[:] = [] if deep else [name for name in below if not name.startswith(".")]


def _disk(root: Path) -> Finding:
    total, used, free = shutil.disk_usage(root)
    share = used / total if total and free < _ROOMY else 0.0
    level = "bad" if share > _DISK_BAD else "warn" if share > _DISK_WARN else "ok"
    what = f"disk {used / max(total, 1):.0%} full, {show_bytes(free)} free"
    return (
        Finding(level, what)
        if level == "ok"
        else Finding(level, what, "a full disk stops every run", "df -h .")
    )


def _writable(path: Path) -> Finding:
    if os.access(path, os.W_OK):
        return Finding("ok", f"{path} is writable")
    return Finding(
        "bad",
        f"{path} is not writable",
        "no run can be recorded",
        f"check its owner and mount: ls -ld {path}",
    )


def _place(store: LocalStore) -> Iterator[Finding]:
    """Whether the store lies where sqlite and fsync do well. Measured with one small file, taken away again."""
    if store.cache.parent != store.root:
        yield Finding(
            "ok",
            f"{store.root} is on a network file system or FUSE; its cache, which cannot be there, is in {store.cache}",
        )
    probe = store.root / "tmp" / f"doctor-{os.getpid()}"
    if not probe.parent.is_dir() or not os.access(probe.parent, os.W_OK):
        return
    try:
        began = time.monotonic()
        with open(probe, "wb") as file:
            file.write(b"x")
            os.fsync(file.fileno())
        took = time.monotonic() - began
    except OSError as error:
        yield Finding(
            "bad", f"{probe.parent} cannot be written: {error.strerror}", "no run can be recorded", "df -h ."
        )
        return
    finally:
        probe.unlink(missing_ok=True)
    if took > _SLOW:
        why = "a recorded result is safe from power loss only after such a wait"
        yield Finding(
            "warn",
            f"writing one file safely takes {show_seconds(took)}",
            why,
            "move the project to a faster disk",
        )
    else:
        yield Finding("ok", f"writing one file safely takes {took * 1000:.1f} ms")


def _lock(store: LocalStore) -> Iterator[Finding]:
    path = f"{store.root}/locks/driver"
    if not held(path):
        return  # what an ended run wrote into it holds nobody up
    who = holder(path)
    host, _, pid, _ = who.get("process") or ("?", "", "?", 0)
    yield Finding("ok", f"a run is at work here: process {pid} on {host}, '{who.get('command', '?')}'")


def _attempts(index: Index) -> Iterator[Finding]:
    for attempt, seen in look(index, index.attempts("open")):
        if seen.status == LOST:
            what = f"attempt {attempt.id} of {attempt.stage} is lost: its supervisor is gone"
            yield Finding("warn", what, "its old outs have not been put back yet", "pinyon run")


def _clock(index: Index) -> Iterator[Finding]:
    newest = max(
        (found["execution"][2] for _, found in index.executions() if "execution" in found), default=0.0
    )
    ahead = newest - time.time()
    if ahead > _SKEW:
        yield Finding(
            "warn",
            f"the newest record is from the future, by {show_seconds(ahead)}",
            "the clock here is slow, or another host's is fast; only what is shown as newest suffers",
            "timedatectl status",
        )


def _journals(store: LocalStore) -> Iterator[Finding]:
    names = [*store.journals.segments(), *store.journals.points()]
    bad = [damage for name in names for damage in store.journals.verify(name)]
    damaged, torn = [d for d in bad if not d.torn], [d for d in bad if d.torn]
    if torn:
        yield Finding("ok", f"{len(torn)} journals end in a half-written record: their writers were killed")
    for damage in damaged:
        yield Finding(
            "bad", f"{damage.file}:{damage.offset}: {damage.what}", "that record is not read; all others are",
            "keep the file, and look for more: pinyon verify",
        )  # fmt: skip
    if not damaged:
        yield Finding("ok", "all journals read whole")


def _data(root: Path, store: LocalStore) -> Iterator[Finding]:
    stats = StatCache(store.cache / "stat.sqlite")
    try:
        for pointer, _ in differing(root, stats, reading=True):
            what, why = f"{pointer.path} differs from its pointer", "runs use it as it lies there"
            yield Finding("warn", what, why, f"pinyon add {pointer.path} (or --restore, to undo it)")
    except PinyonError as error:
        yield Finding("bad", str(error), "what it names cannot be known", error.next or "correct it")
    finally:
        stats.close()


def _rubbish(tmp: Path) -> Iterator[Finding]:
    old = [p for p in tmp.glob("*") if time.time() - p.stat().st_mtime > _DAY] if tmp.is_dir() else []
    if old:
        yield Finding(
            "warn", f"{len(old)} old files in {tmp}", "writers that were killed left them", "pinyon gc"
        )
