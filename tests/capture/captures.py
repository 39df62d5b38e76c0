"""A project with a repository, and what its runs have captured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pinyon.store.local import LocalStore

SPEC = "stages:\n  make:\n    cmd: python make.py\n    deps: [make.py]\n    outs: [made.txt]\n"
MAKE = "open('made.txt', 'w').write('1')\n"


class Place:
    """A directory with a stage; ``env`` is what its commands find."""

    def __init__(self, root: Path, *, git: bool = True) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith(("PINYON_", "GIT_"))
        }
        self.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root.parent)}
        for who in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{who}_NAME": "ann", f"GIT_{who}_EMAIL": "ann@example.org"}
        self.env["GIT_CEILING_DIRECTORIES"] = str(root.parent)
        self.write(
            {
                "pinyon.yaml": SPEC,
                "make.py": MAKE,
                ".gitignore": "made.txt\nignored\n",
            }
        )
        if git:
            self.git("init", "-q")
            self.commit()

    def write(self, texts: dict[str, str | bytes]) -> None:
        for name, text in texts.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def git(self, *words: str, **env: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "state")
        return self.git("rev-parse", "HEAD")

    def call(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pinyon.cli", *words], cwd=self.root, env={**self.env, **env},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def run(self, *words: str, **env: str) -> dict[str, Any]:
        """`pinyon run`; what it captured."""
        done = self.call("run", *words, **env)
        assert done.returncode == 0, done.stderr
        return self.captured()[-1]

    def json(self, *words: str, **env: str) -> Any:
        done = self.call(*words, "--json", **env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.root / ".pinyon")

    def captured(self) -> list[dict[str, Any]]:
        """Bodies of all records `captured`, the newest last."""
        journals = self.store.journals
        found = [
            event
            for name in journals.segments()
            for event, _ in journals.read(name)
            if event.kind == "captured"
        ]
        return [event.body for event in sorted(found, key=lambda event: event.ts)]

    def files(self, folder: Path | None = None) -> dict[str, bytes]:
        """Code of the project, or of a bundle, by path."""
        top = folder or self.root
        skipped = {".git", ".pinyon", ".pinyon-environment", "made.txt", "ignored"}
        return {
            str(path.relative_to(top)): path.read_bytes()
            for path in top.rglob("*")
            if path.is_file() and not skipped.intersection(path.relative_to(top).parts)
        }
