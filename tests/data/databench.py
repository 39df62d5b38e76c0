"""A project in a git repository, with the parts that `pinyon add` works on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pinyon.execute.add import Added, Adding, add
from pinyon.execute.statcache import StatCache
from pinyon.store.local import LocalStore


class Bench:
    """A directory with a pinyon.yaml, its store and its stat cache."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "pinyon.yaml").write_text("stages: {}\n")
        self.store = LocalStore(root / ".pinyon")
        self.stages: dict[str, str] = {}
        self.stats = StatCache(self.store.cache / "stat.sqlite")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, data: bytes | str = b"some bytes\n") -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data.encode() if isinstance(data, str) else data)
        return full

    def add(self, *paths: str, dry_run: bool = False, **about: str) -> list[Added]:
        """Add them as another process would: with what is on disk of the cache."""
        self.stats.close()
        adding = Adding(self.root, self.store, self.stats, lambda: self.stages, about)
        return add(adding, paths, dry_run=dry_run)

    def events(self, kind: str) -> list[dict]:
        names = self.store.journals.segments()
        found = [event for name in names for event, _ in self.store.journals.read(name)]
        return [event.body for event in sorted(found, key=lambda one: one.ts) if event.kind == kind]

    def files(self) -> dict[str, bytes]:
        """Everything outside the store, by path."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        named = {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}
        return {path: data for path, data in named.items() if path.split("/")[0] not in (".pinyon", ".git")}
