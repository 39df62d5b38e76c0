"""The project's own modules that a script imports, and those that they import."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.python import Script, read_script

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what Python says of a file that is none


class Module(NamedTuple):
    """A Python file of the project that a script imports, and what it says."""

    path: str
    script: Script


def modules_of(path: str, script: Script, look: Look, wdir: str) -> Iterator[Module]:
    """Files of the project that a script imports, and what those import, once each."""
    seen = {path}
    todo = [(path, script)]
    while todo:
        importer, said = todo.pop(0)
        for level, name in said.imports:
            for found in _candidates(importer, posixpath.dirname(path), level, name):
                text = (
                    look.text(posixpath.normpath(posixpath.join(wdir, found))) if found not in seen else None
                )
                if text is None:
                    continue
                seen.add(found)
                try:
                    module = Module(found, read_script(text, posixpath.dirname(found) or "."))
                except UNREADABLE:
                    continue
                yield module
                todo.append((found, module.script))


def _candidates(importer: str, folder: str, level: int, name: str) -> Iterator[str]:
    """Where a module of that name would lie: beside the script, or below the directory that it runs in."""
    inner = name.replace(".", "/")
    if level:
        above = posixpath.dirname(importer)
        for _ in range(level - 1):
            above = posixpath.dirname(above)
        bases = [above]
    else:
        bases = [folder, ""]
    for base in dict.fromkeys(bases):
        for ending in (".py", "/__init__.py"):
            if inner or ending != ".py":
                yield posixpath.normpath(posixpath.join(base, f"{inner}{ending}".lstrip("/")))
