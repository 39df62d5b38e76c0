"""What the figures were measured on: enough to compare them, nothing that names the machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import pinyon
from bench import tools

_FLAGS = ("avx2", "avx512f", "sha_ni")  # blake3 and sha256 are several times faster with them


def facts(scratch: Path) -> dict[str, str]:
    """Machine, file system and versions, by name."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": f"{os.cpu_count()} × {_cpu('model name')}, {', '.join(_flags()) or 'none'} of {', '.join(_FLAGS)}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "file system": _file_system(scratch),
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "source": _source(),
        "python": platform.python_version(),
        "libraries": ", ".join(_library(name) for name in ("blake3", "click", "PyYAML", "rich")),
        **{name: tools.find(name).version() for name in tools.NAMES},
    }


def _source() -> str:
    """The commit that was measured, and whether its source had been edited."""
    folder = Path(pinyon.__file__).parent
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, check=True)
        edited = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return commit.stdout.decode().strip() + (", edited" if edited.stdout else "")


def _library(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} not installed"


def _cpu(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith(field)), platform.machine()
    )


def _flags() -> list[str]:
    found = set(_cpu("flags").split())
    return [flag for flag in _FLAGS if flag in found]


def _file_system(path: Path) -> str:
    """Type of the file system that a path lies on."""
    if sys.platform != "linux":
        return "?"
    mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    where = str(path.resolve())
    covering = [(len(at), kind) for at, kind in mounts if f"{where}/".startswith(at.rstrip("/") + "/")]
    return max(covering)[1]
