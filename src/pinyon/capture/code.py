"""The exact code of a run: the git tree of what lies in the project, and the files themselves where a commit lacks some.

The files are kept as a tree of the store (docs/FORMAT.md §2), all of them, so that a run can be restored though its
commit was rebased away. Of a huge repository only what differs is kept.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.capture.facts import Status
from pinyon.capture.files import LARGE, SKIPPED, Kept, Stamp, holds_secret, refusal, stamp_of, walk
from pinyon.capture.remembered import keep, load
from pinyon.store.names import name_of
from pinyon.store.place import repository_around
from pinyon.store.protocol import Blobs
from pinyon.store.redacted import environment_values
from pinyon.store.tree import Row, encode

_SETTLED = (
    2_000_000_000  # ns between the last change of a file and its reading, below which a second could hide
)
_WHOLE_FILES, _WHOLE_BYTES = (
    10_000,
    200_000_000,
)  # of a larger project only what differs from the commit is kept
_LISTED = 200  # files that are left out and named
_PATIENCE = 60.0
# The user's large files stay where they are: a filter would copy what has changed into his repository.
_NO_FILTERS = ("-c", "filter.lfs.clean=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false")


class Project(NamedTuple):
    """Whose code it is.

    Attributes:
        root: its directory.
        blobs: where files go.
        cache: a directory for what was found out; disposable.
        made: paths that stages make, which are no code.
    """

    root: Path
    blobs: Blobs
    cache: Path
    made: Collection[str] = ()


def capture(project: Project, status: Status) -> dict[str, Any]:
    """What the record `captured` says of the code (docs/FORMAT.md §4); what the commit lacks is in the store by then.

    Raises:
        OSError: a file cannot be read, or the store refuses.
    """
    if status.commit and not status.changed and not status.untracked:
        return _clean(project, status.commit)
    return _Dirty(project, status).capture()


def _clean(project: Project, commit: str) -> dict[str, Any]:
    return {"commit": commit, "tree": _tree_of(project, commit), "dirty": False}


def _tree_of(project: Project, commit: str) -> str | None:
    """The tree of a commit, which never changes."""
    path = f"{project.cache}/trees"
    known = load(path)
    if commit not in known:
        answer = _git(project.root, "rev-parse", f"{commit}^{{tree}}")
        if answer is None:
            return None
        keep(path, {commit: answer.decode().strip()})
        return answer.decode().strip()
    return str(known[commit])


class _Dirty:
    """One look at a project of which some files are in no commit."""

    def __init__(self, project: Project, status: Status) -> None:
        self._project, self._status = project, status
        self._root, self._blobs = str(project.root), project.blobs
        self._values = environment_values()
        self._top = self._root
        self._made = {path.rstrip("/") for path in project.made}
        self._left: list[list[Any]] = []

    def capture(self) -> dict[str, Any]:
        """See `pinyon.capture.code.capture`."""
        if self._status.commit:
            top = repository_around(os.path.realpath(self._root))
            if top is None:
                return {"commit": self._status.commit, "tree": None, "dirty": True}
            self._top = top
            inside = os.path.relpath(os.path.realpath(self._root), top)
            prefix = "" if inside == "." else f"{inside}/"
            changed = [path[len(prefix) :] for path in self._status.changed if path.startswith(prefix)]
            fresh = [path[len(prefix) :] for path in self._status.untracked if path.startswith(prefix)]
        else:
            prefix, changed, fresh = "", [], list(walk(self._root, self._made))
        fresh = [path for path in fresh if not self._is_made(path)]
        if self._status.commit and not changed and not fresh:
            return _clean(self._project, self._status.commit)
        stamps = {path: stamp_of(f"{self._root}/{path}") for path in (*changed, *fresh)}
        question = (self._status.commit, sorted((path, stamp or ()) for path, stamp in stamps.items()))
        last = load(f"{self._project.cache}/code-last")
        if last.get("question") == question and not self._blobs.unkept([last["answer"]["pack"]]):
            answer: dict[str, Any] = last["answer"]
            return answer
        answer = self._look(prefix, changed, fresh, stamps)
        if "pack" in answer and _is_settled(stamp for stamp in stamps.values() if stamp):
            keep(f"{self._project.cache}/code-last", {"question": question, "answer": answer})
        return answer

    def _is_made(self, path: str) -> bool:
        parts = path.split("/")
        if not SKIPPED.isdisjoint(parts):
            return True
        return any("/".join(parts[:count]) in self._made for count in range(1, len(parts) + 1))

    def _look(
        self, prefix: str, changed: list[str], fresh: list[str], stamps: dict[str, Stamp | None]
    ) -> dict[str, Any]:
        git = bool(self._status.commit)
        tracked = set(self._tracked()) if git else set()
        gone = sorted(path for path in changed if not os.path.lexists(f"{self._root}/{path}"))
        files = {path: stamp for path, stamp in stamps.items() if stamp is not None}
        rest = {
            path: stamp for path in tracked - stamps.keys() if (stamp := stamp_of(f"{self._root}/{path}"))
        }
        large = {path for path, stamp in rest.items() if stamp[1] > LARGE}
        rest = {path: stamp for path, stamp in rest.items() if path not in large}
        every = {**files, **rest}
        size = sum(stamp[1] for stamp in every.values())
        whole = len(every) <= _WHOLE_FILES and size <= _WHOLE_BYTES
        rows = self._rows(every if whole else files, tracked)
        kept = {row.path for row in rows}
        answer: dict[str, Any] = {"commit": self._status.commit or None, "dirty": git or None}
        if git:
            wanted = [
                f"{prefix}{path}"
                for path in (*changed, *fresh)
                if path in kept or path in tracked | set(gone)
            ]
            answer["tree"] = _write_tree(self._top, wanted)
        answer["pack"] = self._blobs.put(encode(rows)) + "/"
        answer |= {"files": len(rows), "whole": whole}
        left = sorted(row for row in self._left if row[0] not in rest)
        held = sorted(large.union(row[0] for row in self._left if row[0] in rest)) if whole else []
        return answer | {
            name: value
            for name, value in (
                ("deleted", [] if whole else gone),
                ("in_commit", held),
                ("left_out", left[:_LISTED]),
            )
            if value
        }

    def _tracked(self) -> list[str]:
        """What git tracks below the project's directory, relative to it; no submodules."""
        answer = _git(self._project.root, "ls-files", "-z") or b""
        return answer.decode("utf-8", "surrogateescape").split("\0")[:-1]

    def _rows(self, files: dict[str, Stamp], tracked: Collection[str]) -> list[Row]:
        """Rows of what is kept; its bytes are in the store."""
        path = f"{self._project.cache}/code"
        # Which secrets a file was looked through for is part of what is known of it.
        known = load(path)
        known = known if known.get("") == hash_of(self._values) else {}
        found: dict[str, Kept] = {}
        new: list[str] = []
        for name, stamp in files.items():
            before = known.get(name)
            one = Kept(*before) if before and before[0] == stamp else self._read(name, stamp, name in tracked)
            if one is None:
                continue
            found[name] = one
            if one.why:
                self._left.append([name, one.why, stamp[1]])
            elif before is None or before[0] != stamp:
                new.append(name)
        held = {name: one for name, one in found.items() if not one.why}
        lacking = self._blobs.unkept({one.name for one in held.values()})
        again = [name for name, one in held.items() if one.name in lacking or name in set(new)]
        names = dict(zip(again, self._blobs.put_many(f"{self._root}/{name}" for name in again), strict=True))
        rows = [
            Row(name, names.get(name, one.name), one.stamp[1], bool(one.stamp[4] & 0o100))
            for name, one in held.items()
        ]
        if new:
            now = time.time_ns()
            settled = {
                name: tuple(one)
                for name, one in found.items()
                if max(one.stamp[0], one.stamp[3]) < now - _SETTLED
            }
            keep(path, {"": hash_of(self._values), **settled})
        return rows

    def _read(self, name: str, stamp: Stamp, tracked: bool) -> Kept | None:
        if why := refusal(name, stamp[1], tracked=tracked, values=self._values):
            return Kept(stamp, "", why)
        try:
            with open(f"{self._root}/{name}", "rb") as file:
                data = file.read()
        except OSError:
            return Kept(stamp, "", "cannot be read")
        return Kept(stamp, "", "secret") if holds_secret(data) else Kept(stamp, name_of(data), "")


def hash_of(values: Collection[str]) -> str:
    """Stands for some secrets without telling them."""
    from hashlib import blake2b

    return blake2b("\0".join(sorted(values)).encode(errors="replace"), digest_size=8).hexdigest()


def _is_settled(stamps: Iterable[Stamp]) -> bool:
    return max((max(stamp[0], stamp[3]) for stamp in stamps), default=0) < time.time_ns() - _SETTLED


def _write_tree(top: str, paths: list[str]) -> str | None:
    """The tree that git would commit with these paths as they are now; None where it cannot tell.

    Index and objects go into a temporary directory: those of the user are only read.
    """
    told = _git(Path(top), "rev-parse", "--git-path", "index", "--git-path", "objects")
    if told is None:
        return None
    import shutil
    import tempfile  # both are slow to import, and needed for what is in no commit only

    index, objects = (
        os.path.join(top, line) for line in told.decode("utf-8", "surrogateescape").split("\n")[:2]
    )
    with tempfile.TemporaryDirectory(prefix="pinyon-") as folder:
        os.mkdir(f"{folder}/objects")
        if os.path.exists(index):
            shutil.copyfile(index, f"{folder}/index")
        others = os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")
        env = {
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(
                filter(None, (os.path.abspath(objects), others))
            ),
        }
        stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
        update = (*_NO_FILTERS, "update-index", "--add", "--remove", "-z", "--stdin")
        if _git(Path(top), *update, stdin=stdin, env=env) is None:
            return None
        tree = _git(Path(top), "write-tree", env=env)
    return tree.decode().strip() if tree is not None else None


def _git(root: Path, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, input=stdin, capture_output=True, timeout=_PATIENCE, check=False,
            env={**os.environ, **(env or {}), "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
