"""What `doctor` looks at in git: whether the code version can be recorded, and what should not be tracked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pinyon.capture import facts, revision
from pinyon.model.redact import names_secret_file
from pinyon.model.units import show_bytes
from pinyon.report.finding import Finding
from pinyon.store.place import STORE

_LARGE = 50 * 10**6  # bytes; code hosts refuse files of twice that size
_SHOWN = 5


def code(root: Path) -> Iterator[Finding]:
    """Findings about the repository around ``root``."""
    git = facts.git(root)
    if git is None:
        yield _no_git(root)
        return
    yield Finding("ok", f"git {git['commit'][:10]}" + (" with uncommitted changes" if git["dirty"] else ""))
    tracked = revision.files_of(root, git["commit"])
    yield from _store(root, tracked)
    large = {path: file.size for path, file in tracked.items() if file.size > _LARGE}
    for path, size in list(large.items())[:_SHOWN]:
        why = "every clone carries every version of it, for ever"
        yield Finding(
            "warn",
            f"git tracks {path}, {show_bytes(size)}",
            why,
            f"git rm --cached {path}; pinyon add {path}",
        )
    for path in [path for path in tracked if names_secret_file(path)][:_SHOWN]:
        why = "whoever can read the repository has what is in it"
        fix = f"git rm --cached {path}; echo {path} >> .gitignore; then change the secret"
        yield Finding("warn", f"git tracks {path}, which looks like a secret", why, fix)


def _no_git(root: Path) -> Finding:
    why = "which code a run used is not recorded"
    said = revision.complaint(root)
    if "dubious ownership" in said:
        what = "git does not trust this folder: it belongs to another user (dubious ownership)"
        return Finding("warn", what, why, f"git config --global --add safe.directory {root}")
    if said == "no git":
        return Finding("warn", "git is not installed", why, "install git")
    if not said:
        return Finding("warn", "this git repository has no commit yet", why, "git add -A && git commit")
    return Finding("warn", "not a git repository", why, "git init")


def _store(root: Path, tracked: dict[str, revision.Tracked]) -> Iterator[Finding]:
    why = "its journals change with every run, and its blobs are large"
    if any(path.startswith(f"{STORE}/") for path in tracked):
        fix = f"git rm -r -q --cached {STORE}; echo /{STORE} >> .gitignore"
        yield Finding("warn", f"git tracks files in {STORE}", why, fix)
    elif (root / STORE).is_dir() and not revision.is_ignored(root, f"{STORE}/journals"):
        yield Finding("warn", f"git does not ignore {STORE}", why, f"echo '*' > {STORE}/.gitignore")
