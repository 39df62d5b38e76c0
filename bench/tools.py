"""The commands that are compared: where they are, how they are called, how a finished project is made for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bench import projects
from bench.measure import Cost, cost_of
from bench.projects import Step

_ARGUMENTS = {
    "pinyon": ("run", "-j", "{jobs}"),
    "make": ("-rR", "-s", "-j", "{jobs}"),  # without built-in rules: make at its best
    "doit": ("run", "-n", "{jobs}", "-v", "0"),
    "snakemake": ("--cores", "{jobs}", "--quiet", "all", "--nocolor"),
    "dvc": ("repro", "-q"),
}
NAMES = tuple(_ARGUMENTS)


class Tool(NamedTuple):
    """One command line tool; ``path`` is None where it is not installed."""

    name: str
    path: Path | None

    def command(self, jobs: int = 1) -> list[str | Path]:
        """What brings a project up to date."""
        assert self.path is not None, self.name
        return [self.path, *(part.format(jobs=jobs) for part in _ARGUMENTS[self.name])]

    def run(self, folder: Path, jobs: int = 1, *more: str) -> Cost:
        """Bring a project up to date; ``more`` are further arguments."""
        return cost_of([*self.command(jobs), *more], folder)

    def version(self) -> str:
        """The first number it says of itself; ``not installed`` otherwise."""
        if self.path is None:
            return "not installed"
        said = subprocess.run([self.path, "--version"], capture_output=True, text=True, check=True).stdout
        return next((word for word in said.split() if word[0].isdigit()), "?")

    def prepare(self, folder: Path) -> None:
        """What has to be there before the first run."""
        if self.name == "dvc" and self.path:
            cost_of([self.path, "init", "--no-scm", "-q"], folder)

    def finish(self, folder: Path, graph: list[Step]) -> None:
        """Bring a new project to its end, by hand where the tool itself would need minutes."""
        if self.name == "dvc":
            _finish_dvc(self, folder, graph)
        else:
            self.run(folder)


def find(name: str) -> Tool:
    """Pinyon from beside this python, a peer from its environment or from PATH."""
    beside = Path(sys.executable).parent
    peers = os.environ.get("PINYON_BENCH_PEERS")
    places = [str(beside)] if name == "pinyon" else [f"{peers}/{name}/bin"] if peers else []
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", os.defpath)]))
    return Tool(name, Path(found) if found else None)


def quiet_peers() -> None:
    """No news, no statistics, no configuration of the user's: what is measured is the tool."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # peers are installed compiled, so Pinyon may be, too
    os.environ.update(DVC_NO_ANALYTICS="1", DVC_STUDIO_OFFLINE="1", CI="1", DO_NOT_TRACK="1")


def _finish_dvc(tool: Tool, folder: Path, graph: list[Step]) -> None:
    """DVC itself would need minutes, so its lock and the one file that all outs are in its cache are written by hand."""
    tool.prepare(folder)
    projects.lay_out(folder, graph)
    (folder / "dvc.lock").write_text(projects.dvc_lock(graph))
    cached = folder / ".dvc/cache/files/md5" / projects.MD5[:2] / projects.MD5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_text(projects.CONTENT)
    cached.chmod(0o444)
