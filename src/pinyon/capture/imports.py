"""The project's own files that a command's Python imports, found by parsing; nothing is ever executed.

An approximation from above and below: imports inside functions count though they may never happen, and what is put
together at run time is not seen. Places to look in are the script's folder, the working directory, ``PYTHONPATH``, the
root, and ``src`` below the latter two.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pinyon.capture.commands import Start, starts
from pinyon.capture.remembered import keep, load
from pinyon.model.graph import Stage

_SETTLED = 2_000_000_000  # ns between the last change of a file and its parsing, below which a second change could hide

Row = tuple[int, str, tuple[str, ...]]  # level of dots, module, names after `import`
Stat = tuple[int, int, int, int]


class Imported(NamedTuple):
    """Files relative to the root, sorted: scripts of the project's and what they import; ``unparsed`` are those of them in
    which nothing could be looked for."""

    files: tuple[str, ...] = ()
    unparsed: tuple[str, ...] = ()


class Imports:
    """Finds imports, each file parsed once for as long as it looks the same.

    Args:
        root: absolute path of the project.
        cache: path of a file to remember in; disposable.
    """

    def __init__(self, root: str, cache: str) -> None:
        self._root, self._cache = os.path.normpath(root), cache
        self._known: dict[str, tuple[Stat, list[Row] | None]] | None = None
        self._learnt = False
        self._found: dict[tuple[str, ...], Imported] = {}
        self._rows: dict[str, list[Row] | None] = {}
        self._places: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def of(self, stage: Stage) -> Imported:
        """What a stage's command imports, as the files are now; remembered for as long as this object lives."""
        begins = starts(stage.command)
        if not begins:
            return Imported()
        key = (stage.wdir, *map(repr, begins))
        if key not in self._found:
            files: set[str] = set()
            unparsed: set[str] = set()
            for start in begins:
                self._follow(start, os.path.normpath(os.path.join(self._root, stage.wdir)), files, unparsed)
            self._found[key] = Imported(self._relative(files), self._relative(unparsed))
        return self._found[key]

    def close(self) -> None:
        """Write what was learnt."""
        if self._learnt and self._known is not None:
            self._learnt = not keep(self._cache, self._known)

    # -- following imports ----------------------------------------------------------------------------------------------

    def _follow(self, start: Start, wdir: str, files: set[str], unparsed: set[str]) -> None:
        """Add everything that is reached from one beginning."""
        cwd = os.path.normpath(os.path.join(wdir, start.folder))
        script = os.path.normpath(os.path.join(cwd, start.what)) if start.kind == "script" else ""
        first = os.path.dirname(script) if script else cwd
        asked = [*start.search, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        given = [os.path.normpath(os.path.join(cwd, part)) for part in asked if part]
        places = (first, cwd, *given, self._root, f"{cwd}/src", f"{self._root}/src")
        search = tuple(dict.fromkeys(place for place in places if self._inside(place)))
        todo: list[str] = []
        if script:
            todo = [script] if self._inside(script) and os.path.isfile(script) else []
        elif start.kind == "module":
            todo = [*self._module(start.what, search), *self._module(f"{start.what}.__main__", search)]
        else:
            todo = [
                found
                for row in _parse(start.what.encode()) or ()
                for found in self._resolve(row, cwd, search)
            ]
        while todo:
            path = todo.pop()
            if path in files:
                continue
            files.add(path)
            rows = self._imports(path)
            if rows is None:
                unparsed.add(path)
            folder = os.path.dirname(path)
            for row in rows or ():
                todo += self._resolve(row, folder, search)

    def _resolve(self, row: Row, folder: str, search: tuple[str, ...]) -> Iterator[str]:
        """Files that one import statement in a file of ``folder`` loads."""
        level, module, names = row
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            search = (folder,)
        elif module.partition(".")[0] in sys.stdlib_module_names:
            search = search[:1]  # only beside the script does a file of ours come before the standard library
        if module:
            yield from self._module(module, search)
        elif self._inside(folder):
            init = f"{folder}/__init__.py"
            yield from [init] if os.path.isfile(init) else ()
        for name in names:  # what follows `import` may be a module, too
            yield from self._module(f"{module}.{name}" if module else name, search)

    def _module(self, name: str, search: tuple[str, ...]) -> list[str]:
        """Files that importing a dotted name loads, its packages first, as far as they are the project's."""
        key = (name, search)
        if key not in self._places:
            self._places[key] = list(self._find(name.split("."), search))
        return self._places[key]

    def _find(self, parts: list[str], search: tuple[str, ...]) -> Iterator[str]:
        for part in parts:
            if not part.isidentifier():
                return
            below: list[str] = []  # a folder without __init__.py is a package only if nothing else is
            for place in search:
                package, module = f"{place}/{part}/__init__.py", f"{place}/{part}.py"
                if os.path.isfile(package):
                    yield package
                    below = [f"{place}/{part}"]
                    break
                if os.path.isfile(module):
                    yield module
                    return
                if os.path.isdir(f"{place}/{part}"):
                    below.append(f"{place}/{part}")
            search = tuple(below)

    def _inside(self, path: str) -> bool:
        return path == self._root or path.startswith(f"{self._root}/")

    def _relative(self, paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(os.path.relpath(path, self._root) for path in paths))

    # -- reading --------------------------------------------------------------------------------------------------------

    def _imports(self, path: str) -> list[Row] | None:
        if path not in self._rows:
            self._rows[path] = self._read(path)
        return self._rows[path]

    def _read(self, path: str) -> list[Row] | None:
        """The import statements of a file; None when they cannot be found."""
        if self._known is None:
            self._known = load(self._cache)
        now = time.time_ns()
        try:
            info = os.stat(path)
            stat = (info.st_mtime_ns, info.st_size, info.st_ino, info.st_ctime_ns)
            name = os.path.relpath(path, self._root)
            if name in self._known and self._known[name][0] == stat:
                return self._known[name][1]
            with open(path, "rb") as file:
                rows = _parse(file.read())
        except OSError:
            return None
        if max(stat[0], stat[3]) < now - _SETTLED:
            self._known[name] = (stat, rows)
            self._learnt = True
        return rows


def _parse(source: bytes) -> list[Row] | None:
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it thinks of somebody's backslashes is not ours to say
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    rows: list[Row] = []
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            rows += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            rows.append((node.level, node.module or "", names))
        elif isinstance(node, ast.Call):
            rows += _called(node)
        if isinstance(node, ast.If) and _for_checkers(node.test):
            todo += node.orelse
        else:
            todo += ast.iter_child_nodes(node)
    return list(dict.fromkeys(rows))


def _called(node: Any) -> list[Row]:
    """``import_module("a.b")`` and ``__import__("a.b")``."""
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    if name not in ("import_module", "__import__") or not node.args:
        return []
    value = getattr(node.args[0], "value", None)
    return [(0, value, ())] if isinstance(value, str) and not value.startswith(".") else []


def _for_checkers(test: Any) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))
