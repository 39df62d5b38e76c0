"""Where files of TensorBoard and W&B are that a command writes: those it holds open, and those it left behind."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from hashlib import blake2b

from pinyon.execute.node.companions import Around

_USUAL = ("runs", "logs", "lightning_logs", "tb_logs", "wandb")
_OPTION = re.compile(
    r"--[\w-]*(?:log|tb|tensorboard|out|output|save|root|work|wandb)[\w-]*dir(?:=(.+))?$", re.IGNORECASE
)
# What `pinyon export` writes beside a command that runs: its numbers are ours already. No host is called so.
_MIRRORED = re.compile(r"(tfevents\.\d+\.|^run-)r-[0-9a-f]{16}\.(0|wandb)$")
_MOST_ENTRIES, _DEPTH = 5_000, 4
_PORTION = 500  # directory entries looked at before other attempts have their turn
_MOST_PROCESSES, _MOST_TASKS, _MOST_FDS = 64, 256, 4_096
_COARSE = 1.0  # seconds that the time of a file may be behind


def open_files(pid: int) -> list[str]:
    """Such files that a process or one of its descendants holds open to write."""
    return [path for one in _tree(pid) for path in _open_in(one)]


def open_anywhere() -> set[str]:
    """Such files that any process holds open to write that we may look into."""
    return {path for entry in os.listdir("/proc") if entry.isdigit() for path in _open_in(int(entry))}


def _open_in(pid: int) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd")[:_MOST_FDS]:
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/{pid}/fd/{fd}")
                if _is_one(os.path.basename(path)) and os.lstat(f"/proc/{pid}/fd/{fd}").st_mode & 0o200:
                    found.append(path)
    return found


def _tree(pid: int) -> list[int]:
    """A process and its descendants; those whose parent has died belong to nobody."""
    tree = [pid]
    for one in tree:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task")[:_MOST_TASKS]:
                with contextlib.suppress(OSError), open(f"/proc/{one}/task/{task}/children", "rb") as file:
                    tree += map(int, file.read().split())
        if len(tree) >= _MOST_PROCESSES:
            break
    return tree


def left_behind(around: Around) -> Iterator[list[str]]:
    """Such files in the usual places that were written since the attempt began, in portions."""
    found: list[str] = []
    count = 0
    for place in _places(around):
        for entry in _walk(place, _DEPTH):
            count += 1
            with contextlib.suppress(OSError):
                if _is_one(entry.name) and entry.stat().st_mtime >= around.since - _COARSE:
                    found.append(os.path.realpath(entry.path))
            if count % _PORTION == 0:
                yield found
                found = []
            if count == _MOST_ENTRIES:
                return
    yield found


def _places(around: Around) -> Iterator[str]:
    """Directories that are there and may hold such files."""
    spec, base = around.spec, around.base
    cwd = os.path.normpath(os.path.join(base, spec.wdir))
    words = [word for part in spec.command.parts for word in part.split()]
    named = [
        (option.group(1) or after).strip("'\"")
        for word, after in zip(words, [*words[1:], ""])
        if (option := _OPTION.match(word))
    ]
    folder = {**os.environ, **spec.env}.get("WANDB_DIR")
    named += [os.path.join(folder, "wandb")] if folder else []
    starts = [os.path.join(cwd, name) for name in (*_USUAL, *named) if name]
    starts += [os.path.join(base, out.path) for out in spec.outs]
    yield from (path for path in dict.fromkeys(starts) if os.path.isdir(path))


def _walk(folder: str, depth: int) -> Iterator[os.DirEntry[str]]:
    """What is no directory below one, not through links."""
    below = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                    continue
            yield entry
    for path in below if depth > 1 else ():
        yield from _walk(path, depth - 1)


def _is_one(name: str) -> bool:
    known = name.endswith(".wandb") or ("tfevents" in name and not name.endswith(" (deleted)"))
    return known and not _MIRRORED.search(name)


def order(path: str) -> tuple[bool, float, int, str]:
    """As files were begun: W&B's before TensorBoard's, then by their names, the uppermost folder first."""
    return not path.endswith(".wandb"), begun(path) or 0.0, path.count("/"), path


def begun(path: str) -> float | None:
    """The second in which a file was begun, as its name says; None where it does not."""
    if told := re.search(r"tfevents\.(\d{10})", path):
        return float(told.group(1))
    if told := re.search(r"run-(\d{8}_\d{6})-[^/]*/[^/]*\.wandb$", path):
        with contextlib.suppress(ValueError, OverflowError):
            return time.mktime(time.strptime(told.group(1), "%Y%m%d_%H%M%S"))
    return None


def spans(path: str, moments: list[float]) -> bool:
    """Whether a file was begun before one of these moments and written to after it."""
    first = begun(path)
    if first is None:
        return False
    try:
        last = os.stat(path).st_mtime
    except OSError:
        return False
    return any(first + _COARSE < moment < last for moment in moments)


def claim(place: str, path: str) -> bool:
    """Whether a file is nobody else's until now: attempts in place, of any supervisor, may write to one directory."""
    try:
        stamp = f"{path}\0{os.stat(path).st_ino}"
        name = f"{place}/tmp/followed-{blake2b(stamp.encode(errors='surrogateescape'), digest_size=8).hexdigest()}"
        os.makedirs(os.path.dirname(name), exist_ok=True)
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_WRONLY, 0o664))
    except FileExistsError:
        return False
    except OSError:
        return True  # nobody can claim anything here
    return True
