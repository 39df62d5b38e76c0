"""The exact code of a run back into a directory of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.capture import revision
from pinyon.errors import ExecuteError
from pinyon.execute.restore import copy_to
from pinyon.store import tree
from pinyon.store.protocol import Blobs

ENVIRONMENT = ".pinyon-environment"  # what the environment was, beside the code


class Bundled(NamedTuple):
    """What was written: how many files of code, and which are not among them, each with the reason."""

    files: int
    left_out: tuple[tuple[str, str], ...]


def unbundle(
    root: Path, blobs: Blobs, code: Mapping[str, Any], environment: Mapping[str, Any], into: Path
) -> Bundled:
    """Write the code of a run, and what its environment was, into an empty directory.

    Args:
        root: the project, whose repository is asked for what stands in a commit.
        code: as the record `captured` has it; of an isolated attempt its bundle is ``pack``.
        environment: what was captured of it; {} where nothing was.

    Raises:
        ExecuteError: something lies there, or the commit is not in the repository; nothing was written.
        CorruptError, MissingBlobError: the store cannot give the bytes.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ExecuteError(
            "this is not an empty directory", where=str(into), next="pinyon bundle RUN -o ANOTHER"
        )
    left = {str(row[0]): str(row[1]) for row in code.get("left_out", ())}
    commit, pack = code.get("commit"), code.get("pack")
    # Whole or not, what a commit has unchanged need not be kept twice: large files, and what looks like a secret.
    whole, held = bool(pack) and code.get("whole", True), set(code.get("in_commit", ()))
    tracked = _tracked(root, str(commit), needed=not whole) if commit and (held or not whole) else {}
    rows = tree.decode(blobs.read(str(pack))) if pack else []
    kept, gone = {row.path for row in rows}, set(code.get("deleted", ()))
    into.mkdir(parents=True, exist_ok=True)
    without = kept | gone | left.keys()
    wanted = {
        path: file for path, file in tracked.items() if (path in held if whole else path not in without)
    }
    revision.extract(root, wanted, into)
    for row in rows:
        target = into / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        blobs.copy_out(row.name, target, executable=row.executable)
    _write_environment(blobs, environment, into)
    there = {path for path in wanted if (into / path).exists()}
    lost = (held if whole else wanted.keys()) - there
    left |= dict.fromkeys(lost, "not in the repository any more")
    return Bundled(len(rows) + len(there), tuple(sorted(left.items())))


def _tracked(root: Path, commit: str, *, needed: bool) -> dict[str, revision.Tracked]:
    if revision.commit_of(root, commit) is None:
        if not needed:
            return {}
        raise ExecuteError(
            f"the repository does not have commit {commit[:10]} any more",
            where=str(root),
            why="the run's files were all committed then, so no copy was kept",
            next=f"git fetch origin {commit}",
        )
    return revision.files_of(root, commit)


def _write_environment(blobs: Blobs, environment: Mapping[str, Any], into: Path) -> None:
    if not environment:
        return
    folder = into / ENVIRONMENT
    folder.mkdir()
    (folder / "environment.json").write_text(json.dumps(environment, indent=1, sort_keys=True) + "\n")
    for number, python in enumerate(environment.get("pythons", ())):
        name = "packages.txt" if number == 0 else f"packages-{number}.txt"
        pins = [f"{package}=={version}" for package, version in python["packages"].items()]
        (folder / name).write_text("".join(f"{line}\n" for line in (f"# Python {python['version']}", *pins)))
    for name, digest in environment.get("locks", {}).items():
        copy_to(blobs, digest, folder / os.path.basename(name))
