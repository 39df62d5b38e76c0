"""SIGKILL before every system call of `add`, of fetching and of `gc`: nothing referred to is lost, nothing is half done."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import PinyonError
from pinyon.execute.add import Adding, add
from pinyon.execute.fetch import restore_data
from pinyon.execute.statcache import StatCache
from pinyon.execute.tree import has_tree, hash_tree
from pinyon.spec.pointer import all_pointers, read_pointer
from pinyon.store import blobs, packs
from pinyon.store.local import LocalStore
from pinyon.sync.gc import Policy, collect
from pinyon.sync.verify import verify
from pinyon.testing.processes import Child

CALLS = (
    "open", "write", "rename", "replace", "unlink", "rmdir", "mkdir", "link", "fsync", "fdatasync", "close", "read",
    "preadv", "pwrite", "utime", "ftruncate", "copy_file_range",
)  # fmt: skip
PINYON = [sys.executable, "-m", "pinyon.cli"]


SWEEPER = """
import sys
from test_data_kill import *
root = Path(sys.argv[1])
while True:
    roots = {read_pointer(root, file).digest for file in all_pointers(root)}
    def dropped(scan):
        return set(scan.outputs) if time.time() % 2 < 1 else set()
    policy = Policy(roots, dropped, frozenset({str(root)}))
    swept = collect(LocalStore(root / ".pinyon"), policy, now=time.time(), grace=6)
    print(len(swept.deleted), flush=True)
"""


def killed_at(nth: int, work: Callable[[], object]) -> bool:
    """Do some work in a child that dies right before its nth system call of those above; whether it died."""

    def child(_: object) -> str:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal count
                count += 1
                if count == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, counted(getattr(os, name)))
            work()
        return "done"

    return Child(child).lines() == []


def every_call(
    tmp_path: Path,
    prepare: Callable[[Path], None],
    work: Callable[[Path], object],
    check: Callable[[Path], None],
) -> int:
    """Kill at every call in turn, each time in a fresh copy of what was prepared."""
    template = tmp_path / "template"
    template.mkdir()
    prepare(template)
    for nth in range(1, 2000):
        root = tmp_path / "project"
        shutil.copytree(template, root)
        died = killed_at(nth, lambda: work(root))  # noqa: B023 - it is called at once
        check(root)
        shutil.rmtree(root)
        if not died:
            return nth - 1
    raise AssertionError("it never came to its end")


def do_add(root: Path, *paths: str) -> None:
    stats = StatCache(root / ".pinyon/cache/stat.sqlite")
    add(Adding(root, LocalStore(root / ".pinyon"), stats, dict, {}), paths)
    stats.close()


def do_collect(root: Path) -> None:
    store = LocalStore(root / ".pinyon")
    roots = {read_pointer(root, file).digest for file in all_pointers(root)}
    mine = frozenset({str(root), str(root.with_name("template"))})  # whose copy it is
    collect(store, Policy(roots, lambda _: set(), mine), now=time.time(), grace=0)


def assert_sound(root: Path) -> None:
    """Every pointer that is there is whole and names what the store has; verify finds nothing."""
    store = LocalStore(root / ".pinyon")
    for file in all_pointers(root):
        pointer = read_pointer(root, file)
        assert has_tree(store.blobs, pointer.digest)
    assert verify(store).damage == ()


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "FEW", 4)
    monkeypatch.setattr(packs, "BATCH", 30)
    monkeypatch.setattr(blobs, "_DIRECT", 1 << 20)  # one.bin goes around the page cache


def fill(root: Path, version: int) -> None:
    (root / "data").mkdir(exist_ok=True)
    for number in range(6):
        (root / "data" / str(number)).write_text(f"file {number}, version {version if number > 1 else 0}")
    (root / "one.bin").write_bytes(bytes([version]) * ((1 << 20) + 3))


@pytest.mark.slow
def test_add_killed_anywhere(tmp_path: Path) -> None:
    def prepare(root: Path) -> None:
        (root / ".git").mkdir()
        fill(root, 1)
        do_add(root, "data")
        fill(root, 2)

    def check(root: Path) -> None:
        assert_sound(root)
        do_add(root, "data", "one.bin")
        assert_sound(root)
        assert read_pointer(root, "data.pinyon").digest == hash_tree(str(root / "data")).name
        assert (root / ".gitignore").read_text() == "/data\n/one.bin\n"

    calls = every_call(tmp_path, prepare, lambda root: do_add(root, "data", "one.bin"), check)
    print(f"{calls} kills")
    assert calls >= 40


@pytest.mark.slow
def test_restoring_killed_anywhere(tmp_path: Path) -> None:
    def prepare(root: Path) -> None:
        fill(root, 1)
        do_add(root, "data", "one.bin")
        (root / "data/3").write_text("an edit")
        (root / "one.bin").unlink()

    def do_restore(root: Path) -> None:
        stats = StatCache(root / ".pinyon/cache/stat.sqlite")
        restore_data(LocalStore(root / ".pinyon"), root, ["data", "one.bin"], stats)
        stats.close()

    def check(root: Path) -> None:
        assert_sound(root)
        do_restore(root)
        for file in all_pointers(root):
            pointer = read_pointer(root, file)
            assert hash_tree(str(root / pointer.path)).name == pointer.digest

    calls = every_call(tmp_path, prepare, do_restore, check)
    print(f"{calls} kills")
    assert calls >= 40


@pytest.mark.slow
def test_gc_killed_anywhere(tmp_path: Path) -> None:
    def prepare(root: Path) -> None:
        for version in (1, 2, 3):
            fill(root, version)
            do_add(root, "data", "one.bin")
        store = LocalStore(root / ".pinyon")
        writer = store.journals.open_writer()
        kept = store.blobs.put(b"an output")
        writer.append("outputs", {"attempt": "a-1", "outs": [["o", kept, 9, False, True]]})
        writer.close()
        do_collect(root)  # condemns versions 1 and 2; the next one deletes them
        fill(root, 2)
        do_add(root, "data")  # and this one takes some of that back

    def check(root: Path) -> None:
        assert_sound(root)
        do_collect(root)
        do_collect(root)
        assert_sound(root)
        store = LocalStore(root / ".pinyon")
        left = {name for name in store.blobs.condemned() if not store.blobs.has(name)}
        assert left == set(), "a mark without its blob"

    calls = every_call(tmp_path, prepare, do_collect, check)
    print(f"{calls} kills")
    assert calls >= 20


@pytest.mark.slow
def test_gc_beside_runs_and_adds_loses_nothing(tmp_path: Path) -> None:
    """One process runs and adds, isolated and in place; another does gc as fast as it can, with a grace of seconds."""
    root = tmp_path / "project"
    root.mkdir()
    stage = {"cmd": "cat data/* > out", "deps": ["data"], "params": ["n"], "outs": ["out"]}
    (root / "pinyon.yaml").write_text(json.dumps({"stages": {"s": stage}}))
    (root / "params.yaml").write_text("n: 0\n")
    fill(root, 0)
    do_add(root, "data")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    sweeper = subprocess.Popen(
        [sys.executable, "-c", SWEEPER, str(root)], stdout=subprocess.PIPE, text=True, env=env
    )
    dice = random.Random(7)
    deadline = time.monotonic() + 90
    deleted: list[int] = []
    reader = threading.Thread(target=lambda: deleted.extend(int(line) for line in sweeper.stdout or ()))
    reader.start()
    number = 0
    try:
        # On a quick machine 24 rounds can be over before the first grace is.
        while number < 24 or (not sum(deleted) and time.monotonic() < deadline):
            number += 1
            fill(root, dice.randrange(4))
            (root / "params.yaml").write_text(f"n: {dice.randrange(3)}\n")
            for arguments in (["add", "data"], ["run", *(["--isolated"] if number % 2 else [])]):
                done = subprocess.run(
                    [*PINYON, *arguments], cwd=root, capture_output=True, text=True, timeout=60
                )
                assert done.returncode == 0, done.stdout + done.stderr
            pointer = read_pointer(root, "data.pinyon")
            assert has_tree(LocalStore(root / ".pinyon").blobs, pointer.digest)
    finally:
        sweeper.terminate()
        sweeper.wait(60)
        reader.join(60)
        assert sweeper.stdout is not None
        sweeper.stdout.close()
    print(f"{len(deleted)} gcs deleted {sum(deleted)} blobs beside {number} adds and runs")
    assert sum(deleted) > 0
    try:
        assert verify(LocalStore(root / ".pinyon")).damage == ()
    except PinyonError as error:  # pragma: no cover - shown instead of a traceback
        pytest.fail(str(error))
