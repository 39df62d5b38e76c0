"""A project that looks as if DVC had finished it, written by hand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pinyon import pipeline
from pinyon.bridges.dvc.layout import lay_out
from pinyon.model.project import Goal

PIPELINE = """\
stages:
  one:
    cmd: echo one >> $RAN; mkdir -p d/in; cp a d/in/x; cp a d/y
    deps: [a]
    params: [p, flag]
    outs: [d]
  two:
    cmd: echo two >> $RAN; cat d/in/x > b
    deps: [d/in/x]
    outs: [{b: {cache: false}}]
  three:
    cmd: echo three >> $RAN; cat b d/in/x > c; echo '{}' > m.json
    deps: [b, d/in]
    outs: [c]
    metrics: [m.json]
"""


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def listed(files: dict[str, bytes]) -> bytes:
    return json.dumps([{"md5": md5(files[path]), "relpath": path} for path in sorted(files)]).encode()


def file(path: str, data: bytes, **more: Any) -> dict[str, Any]:
    return {"path": path, "hash": "md5", "md5": md5(data), "size": len(data), **more}


def folder(path: str, files: dict[str, bytes]) -> dict[str, Any]:
    return {"path": path, "hash": "md5", "md5": md5(listed(files)) + ".dir", "size": 0, "nfiles": len(files)}


class Made:
    """A project that looks as if DVC had finished it."""

    def __init__(self, root: Path) -> None:
        self.root, self.note = root, root.with_suffix(".ran")
        root.mkdir()
        self.inner = {"in/x": b"A\n", "y": b"A\n"}
        self.contents = {
            "a": b"A\n",
            "d/in/x": b"A\n",
            "d/y": b"A\n",
            "b": b"A\n",
            "c": b"A\nA\n",
            "m.json": b"{}\n",
        }
        self.write({"dvc.yaml": PIPELINE.encode(), "params.yaml": b"p: 0.1\nflag: true\n", **self.contents})
        names, texts = ("one", "two", "three"), PIPELINE.split("cmd: ")[1:]
        cmd = dict(zip(names, texts, strict=True))
        self.stages: dict[str, Any] = {
            "one": {
                "cmd": cmd["one"].splitlines()[0],
                "deps": [file("a", b"A\n")],
                "params": {"params.yaml": {"flag": True, "p": 0.1}},
                "outs": [folder("d", self.inner)],
            },
            "two": {
                "cmd": cmd["two"].splitlines()[0],
                "deps": [file("d/in/x", b"A\n")],
                "outs": [file("b", b"A\n")],
            },
            "three": {
                "cmd": cmd["three"].splitlines()[0],
                "deps": [file("b", b"A\n"), folder("d/in", {"x": b"A\n"})],
                "outs": [file("c", b"A\nA\n"), file("m.json", b"{}\n")],
            },
        }
        self.lock()

    def write(self, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            old = time.time_ns() - 10**10
            os.utime(path, ns=(old, old))

    def lock(self) -> None:
        self.write({"dvc.lock": lay_out({"schema": "2.0", "stages": self.stages}).encode()})

    def cached(self, top: str = ".dvc/cache") -> None:
        """Everything that stages made into DVC's cache."""
        (self.root / ".dvc").mkdir(exist_ok=True)
        for data, suffix in [*((data, "") for data in self.contents.values()), (listed(self.inner), ".dir")]:
            name = md5(data) + suffix
            self.write({f"{top}/files/md5/{name[:2]}/{name[2:]}": data})

    def remove(self, *names: str) -> None:
        for name in names:
            subprocess.run(["rm", "-rf", name], cwd=self.root, check=True)

    def run(self, *arguments: str) -> list[str]:
        """What really ran."""
        self.note.write_text("")
        command = [sys.executable, "-m", "pinyon.cli", "run", *arguments]
        done = subprocess.run(
            command, cwd=self.root, env={**os.environ, "RAN": str(self.note)}, capture_output=True, text=True
        )
        self.told = done.stdout + done.stderr
        assert done.returncode == 0, self.told
        return self.note.read_text().split()

    def plan(self, **goal: Any) -> dict[str, str]:
        plan = pipeline.plan(self.root, Goal(**goal))
        return {
            plan.graph.tasks[recipe].stage.name: verdict.kind for recipe, verdict in plan.verdicts.items()
        }
