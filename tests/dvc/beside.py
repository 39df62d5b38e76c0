"""A DVC project that two tools take turns at; its commands note their stage in a file outside, `$RAN`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PIPELINE = """\
stages:
  prepare:
    cmd:
      echo prepare >> $RAN; mkdir -p data/clean/deep; tr a-z A-Z < raw.txt > data/clean/text;
      cp other.txt data/clean/deep/o
    deps: [raw.txt, other.txt]
    outs: [data/clean]
  shout:
    cmd:
      - echo shout >> $RAN
      - cat data/clean/text > loud.txt; printf '%s' "${suffix}" >> loud.txt
    deps: [data/clean/text]
    outs: [loud.txt]
  train:
    cmd: |
      echo train >> $RAN
      cat loud.txt data/clean/deep/o params.yaml > model.bin
      chmod +x model.bin
      echo '{"loss": 0.25}' > metrics.json
    deps: [data/clean, loud.txt]
    params:
      - train.lr
      - train.third
      - model
      - more.json: [z, a.b]
    outs: [model.bin]
    metrics: [{metrics.json: {cache: false}}]
  evaluate:
    wdir: eval
    cmd: echo evaluate >> $RAN; head -c 3 ../model.bin > score.txt
    deps: [../model.bin]
    params: [threshold]
    outs: [score.txt]
  count:
    cmd: echo count >> $RAN; grep -c '' raw.txt > count.txt
    deps: [raw.txt]
    outs: [count.txt]
  after:
    cmd: echo after >> $RAN; cp count.txt after.txt
    deps: [count.txt]
    outs: [after.txt]
"""
PARAMS = """\
suffix: 'é: x'
train: {lr: 1.0e-5, third: 0.3333333333333333}
model: {layers: [1, 2.5], name: 'on'}
unused: 1
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "raw.txt": "raw\n",
    "other.txt": "other\n",
    "params.yaml": PARAMS,
    "more.json": '{"z": 1e22, "a": {"b": 0.1}, "rest": 0}',
    "eval/params.yaml": "threshold: 0.5\n",
}
OUTS = ("data", "loud.txt", "model.bin", "metrics.json", "eval/score.txt", "count.txt", "after.txt")


class Beside:
    """A directory, DVC and Pinyon."""

    def __init__(self, root: Path, python: str, env: Mapping[str, str]) -> None:
        self.root = root
        self.python = python
        self.env = {**env, "RAN": str(root.with_name(f"{root.name}.ran"))}

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def copy(self, name: str) -> Beside:
        """A twin, time stamps and all."""
        other = Beside(self.root.with_name(name), self.python, self.env)
        shutil.copytree(self.root, other.root)
        return other

    def dvc(self, *arguments: str) -> str:
        return self._call([self.python, "-m", "dvc", *arguments])

    def dvc_in_each(self, projects: Iterable[Beside]) -> None:
        """``dvc repro`` in each of these, from one process: most of a call is DVC's own start."""
        script = (
            "import os, sys; from dvc.cli import main\n"
            "for root in sys.argv[1:]:\n"
            "    os.environ['RAN'] = root + '.ran'\n"
            "    os.chdir(root)\n"
            "    assert main(['repro', '-q']) == 0\n"
        )
        self._call([self.python, "-c", script, *(str(project.root) for project in projects)])

    def pinyon(self, *arguments: str, code: int = 0) -> str:
        return self._call([sys.executable, "-m", "pinyon.cli", *arguments], code)

    def _call(self, command: list[str], code: int = 0) -> str:
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True)
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def ran(self) -> list[str]:
        """Stages whose commands ran since the last time somebody asked, sorted."""
        note = Path(self.env["RAN"])
        lines = note.read_text().split() if note.exists() else []
        note.write_text("")
        return sorted(lines)

    def remove(self, *names: str) -> None:
        for name in names:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def files(self) -> dict[str, bytes]:
        """Everything that is the user's: no directories of tools."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [one for one in folders if one not in (".dvc", ".pinyon")]
            for name in names:
                path = Path(folder, name)
                if name not in (".gitignore", ".dvcignore"):
                    found[str(path.relative_to(self.root))] = path.read_bytes()
        return found
