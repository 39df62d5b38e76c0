"""`metrics diff` and `params diff` beside DVC's own, in one repository of git and DVC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DVC_YAML = """\
vars:
  - paths: {metrics: eval}
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train, {other.json: [deep.rate]}, {conf.toml: }]
    outs: [model.txt]
    metrics:
      - metrics.json: {cache: false}
      - ${paths.metrics}/more.yaml: {cache: false}
metrics: [by_hand.json, eval/list.json]
params: [extra.yaml]
"""
TRAIN = """\
import json, os, re
text = open("params.yaml").read()
lr = float(re.search(r"lr: (.*)", text)[1])
os.makedirs("eval", exist_ok=True)
json.dump({"acc": 1 - lr, "deep": {"f1": lr / 2, "name": f"at {lr}"}, "skip": [1, 2], "none": None, "ok": lr < 1,
           "empty": {}}, open("metrics.json", "w"))
open("eval/more.yaml", "w").write(f"loss: {lr * 3}\\ncount: 7\\n")
open("model.txt", "w").write(str(lr))
"""
STEPS: tuple[dict[str, str], ...] = (
    {
        "params.yaml": "train:\n  lr: 0.5\n  layers: [8, 16]\n  group: {a: 1, b: {c: x}}\nunused: {z: 1}\n",
        "other.json": '{"deep": {"rate": 1, "not declared": 5}}',
        "conf.toml": 'name = "one"\n[table]\nvalue = 1\n',
        "extra.yaml": "hand: 1\nmade: null\n",
        "by_hand.json": '{"score": 1.5}',
        "eval/list.json": '{"a": 1}',
    },
    {
        "params.yaml": "train:\n  lr: 0.25\n  layers: [8, 32]\n  group: {a: 1, b: {c: y, d: null}}\nunused: {z: 2}\n"
    },
    {
        "other.json": '{"deep": {"rate": 2.5, "not declared": 6}}',
        "conf.toml": 'name = "two"\n[table]\nvalue = 2\nmore = true\n',
        "extra.yaml": "hand: text\n",
        "by_hand.json": '{"score": 1.5, "new": {"deep": 3}}',
    },
    {"params.yaml": "train:\n  lr: 0.125\n  layers: []\n  group: {}\n"},
)


def _spelt(row: dict[str, Any]) -> dict[str, Any]:
    """DVC writes a list as the text of a list."""
    return {key: str(value) if isinstance(value, list) else value for key, value in row.items()}


class Repository:
    """A repository of git and DVC, and both commands in it."""

    def __init__(self, root: Path, python: str, env: dict[str, str]) -> None:
        self.root, self._python, self._env = root, python, env

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self._env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def git(self, *words: str) -> str:
        return self.run(
            "git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *words
        )

    def dvc(self, *words: str) -> Any:
        return json.loads(self.run(self._python, "-m", "dvc", *words, "--json") or "{}")

    def ours(self, *words: str) -> Any:
        found = json.loads(self.run(sys.executable, "-m", "pinyon.cli", *words, "--json"))["diff"]
        return {file: {name: _spelt(row) for name, row in rows.items()} for file, rows in found.items()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, dvc_python: str) -> Repository:
    """One commit for each step, with what the stage made; the last step is not committed."""

    home = tmp_path_factory.mktemp("compare")
    root = home / "project"
    root.mkdir()
    own = {f"DVC_{name}_DIR": str(home / name) for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")}
    made = Repository(root, dvc_python, {**os.environ, "DVC_NO_ANALYTICS": "1", **own})
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "train.py").write_text(TRAIN)
    (root / ".gitignore").write_text("/.pinyon\n/model.txt\n")
    made.git("init", "-q", "-b", "main")
    made.run(dvc_python, "-m", "dvc", "init", "-q")
    for index, files in enumerate(STEPS):
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        made.run(sys.executable, "-m", "pinyon.cli", "run")
        if index < len(STEPS) - 1:
            made.git("add", "-A")
            made.git("commit", "-qm", f"step {index}")
    return made


@pytest.mark.parametrize("what", ["metrics", "params"])
@pytest.mark.parametrize(
    "states", [(), ("HEAD~1",), ("HEAD~2", "HEAD"), ("HEAD", "HEAD~2"), ("HEAD~1", "main"), ("HEAD", "HEAD")]
)
def test_what_differs_is_what_dvc_says(repository: Repository, what: str, states: tuple[str, ...]) -> None:
    theirs = repository.dvc(what, "diff", *states)
    assert repository.ours(what, "diff", *states) == theirs
    assert bool(theirs) == (states != ("HEAD", "HEAD"))


def test_what_is_shown_is_what_dvc_shows(repository: Repository) -> None:
    theirs = repository.dvc("metrics", "show")[""]["data"]
    shown = repository.run(sys.executable, "-m", "pinyon.cli", "metrics", "show", "--json")
    assert json.loads(shown)["metrics"]["work tree"] == {name: row["data"] for name, row in theirs.items()}
