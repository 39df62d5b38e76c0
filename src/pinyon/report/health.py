"""What `doctor` looks at: the machine, the project and its store; each finding with its fix."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pinyon
from pinyon.capture import facts
from pinyon.errors import PinyonError
from pinyon.execute.data import differing
from pinyon.execute.statcache import StatCache
from pinyon.model.outcome import LOST
from pinyon.model.units import show_bytes
from pinyon.query.index import Index
from pinyon.query.runs import status
from pinyon.store.local import LocalStore

_DISK_WARN, _DISK_BAD = 0.85, 0.95
_DAY = 86400.0


class Finding(NamedTuple):
    """``level`` is ok, warn or bad; ``fix`` is the next thing to do, empty when all is well."""

    level: str
    what: str
    fix: str = ""


def examine(root: Path, store: LocalStore, index: Index, load: Callable[[], int]) -> Iterator[Finding]:
    """Every finding, the good ones too. ``load`` reads the project and gives its number of stages."""
    yield Finding(
        "ok", f"pinyon {pinyon.__version__}, python {sys.version.split()[0]}, {os.cpu_count()} cpus"
    )
    try:
        yield Finding("ok", f"project {root}: {load()} stages")
    except PinyonError as error:
        yield Finding("bad", str(error), error.next or "correct the file")
    yield _code(root)
    yield _disk(root)
    yield _writable(store.root if store.root.exists() else root)
    yield from _attempts(index)
    yield from _journals(store)
    yield from _data(root, store)
    yield from _rubbish(store.root / "tmp")


def _code(root: Path) -> Finding:
    git = facts.git(root)
    if git is None:
        return Finding("warn", "not a git repository: the code version is not recorded", "git init")
    return Finding("ok", f"git {git['commit'][:10]}" + (" with uncommitted changes" if git["dirty"] else ""))


def _disk(root: Path) -> Finding:
    total, used, free = shutil.disk_usage(root)
    level = "bad" if used > _DISK_BAD * total else "warn" if used > _DISK_WARN * total else "ok"
    fix = "" if level == "ok" else "free some space: a full disk stops every run"
    return Finding(level, f"disk {used / total:.0%} full, {show_bytes(free)} free", fix)


def _writable(path: Path) -> Finding:
    if os.access(path, os.W_OK):
        return Finding("ok", f"{path} is writable")
    return Finding("bad", f"{path} is not writable", f"check its owner and mount: ls -ld {path}")


def _attempts(index: Index) -> Iterator[Finding]:
    for attempt in index.attempts("open"):
        if status(attempt) == LOST:
            yield Finding(
                "warn",
                f"attempt {attempt.id} of {attempt.stage} is lost: its supervisor is gone",
                "pinyon run",
            )


def _journals(store: LocalStore) -> Iterator[Finding]:
    bad = [damage for name in store.journals.segments() for damage in store.journals.verify(name)]
    damaged, torn = [d for d in bad if not d.torn], [d for d in bad if d.torn]
    if torn:
        yield Finding("ok", f"{len(torn)} journals end in a half-written record: their writers were killed")
    for damage in damaged:
        yield Finding("bad", f"{damage.file}:{damage.offset}: {damage.what}", "pinyon verify")
    if not damaged:
        yield Finding("ok", "all journals read whole")


def _data(root: Path, store: LocalStore) -> Iterator[Finding]:
    stats = StatCache(store.cache / "stat.sqlite")
    try:
        for pointer, _ in differing(root, stats, reading=True):
            what = f"{pointer.path} differs from its pointer; runs use it as it lies there"
            yield Finding("warn", what, f"pinyon add {pointer.path} (or --restore, to undo it)")
    except PinyonError as error:
        yield Finding("bad", str(error), error.next or "correct it")
    finally:
        stats.close()


def _rubbish(tmp: Path) -> Iterator[Finding]:
    old = [p for p in tmp.glob("*") if time.time() - p.stat().st_mtime > _DAY] if tmp.is_dir() else []
    if old:
        yield Finding("warn", f"{len(old)} old files in {tmp}", "pinyon gc")
