"""Interpreters that commands start, and the packages in reach of each: by looking at files, not by importing them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pinyon.model.graph import Command

_PYTHON = re.compile(r"(?:^|[\s;&|(])((?:[\w.~/+-]*/)?(?:python|pypy)[0-9.]*)(?=\s|$)")
_ASKED = """import json,site,sys,sysconfig
p=sysconfig.get_paths()
d=[p["purelib"],p["platlib"],*getattr(site,"getsitepackages",list)()]
if sys.prefix==sys.base_prefix:d.append(site.getusersitepackages())
print(json.dumps(["%d.%d.%d"%sys.version_info[:3],sys.implementation.name,sys.prefix,list(dict.fromkeys(d))]))
"""


def interpreters(root: Path, commands: Iterable[Command]) -> list[str]:
    """Executables of Python that the commands name, found as their shell would; what PATH has where they name none."""
    words: dict[str, None] = {}
    for command in commands:
        for part in command.parts[:1] if command.kind == "exec" else command.parts:
            words.update(dict.fromkeys(_words(root, part)))
    found: dict[str, None] = {}
    for word in words or ("python", "python3"):
        path = os.path.join(root, os.path.expanduser(word)) if "/" in word else _which(word)
        if path and os.path.isfile(path):
            found[os.path.abspath(path)] = None
            if not words:
                break
    return list(found)


def _which(name: str) -> str | None:
    """As a shell would find it; `shutil` costs more to import than all that is looked at here."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder or '.'}/{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _words(root: Path, line: str) -> list[str]:
    found = [match[1] for match in _PYTHON.finditer(line)]
    if re.match(r"\s*(?:uv|poetry|pdm|hatch|pipenv)\s+run\b", line):
        local = root / ".venv/bin/python"
        return [str(local)] if local.exists() else found
    if re.match(r"\s*pixi\s+run\b", line):
        local = root / ".pixi/envs/default/bin/python"
        return [str(local)] if local.exists() else found
    return found


def python(executable: str, known: dict[str, Any]) -> dict[str, Any] | None:
    """What an interpreter says of itself, remembered for as long as it looks the same; None if it does not run."""
    stamp = tuple(_stamp(path) for path in (executable, _beside(executable)))
    asked = known.get(executable)
    if asked is None or tuple(asked[0]) != stamp:
        import subprocess

        try:
            done = subprocess.run(
                [executable, "-I", "-c", _ASKED], cwd="/", capture_output=True, timeout=30, check=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            asked = known[executable] = (stamp, json.loads(done.stdout))
        except (OSError, subprocess.SubprocessError, ValueError):
            return None
    version, implementation, prefix, folders = asked[1]
    packages: dict[str, str] = {}
    for folder in reversed(folders):  # what comes first is what an import finds
        packages |= listed(folder, known, _distribution)
    told = {"executable": executable, "version": version, "implementation": implementation, "prefix": prefix}
    return {**told, "packages": dict(sorted(packages.items()))}


def _beside(executable: str) -> str:
    """What says which Python an environment is made from."""
    return os.path.join(os.path.dirname(os.path.dirname(executable)), "pyvenv.cfg")


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        info = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (info.st_mtime_ns, info.st_size, info.st_ino)


def listed(
    folder: str, known: dict[str, Any], what: Callable[[str], tuple[str, str] | None]
) -> dict[str, str]:
    """Packages by the names of what lies in a folder; it need not be listed again before it changes."""
    stamp = _stamp(folder)
    before = known.get(folder)
    if before is not None and tuple(before[0]) == stamp:
        return dict(before[1])
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    found = dict(sorted(told for name in names if (told := what(name)) is not None))
    known[folder] = (stamp, found)
    return found


def _distribution(name: str) -> tuple[str, str] | None:
    """(name, version) of a package as pip has installed it."""
    stem, _, kind = name.rpartition(".")
    package, dash, version = stem.partition("-")
    if kind not in ("dist-info", "egg-info") or not dash:
        return None
    return package.replace("_", "-").lower(), version.split("-py")[0]


def conda(name: str) -> tuple[str, str] | None:
    """(name, version) of a package as conda has recorded it."""
    package, _, rest = name.removesuffix(".json").rpartition("-")[0].rpartition("-")
    return (package, rest) if name.endswith(".json") and package else None
