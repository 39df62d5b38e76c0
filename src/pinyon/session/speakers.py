"""What stages' commands can be given: asked of the command itself, or read from a Hydra configuration."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from pinyon.capture.commands import starts
from pinyon.capture.flags import Flags
from pinyon.capture.imports import Imports
from pinyon.errors import PinyonError, PlanError
from pinyon.model.flags import Heard, HydraConfig
from pinyon.model.graph import Stage
from pinyon.plan.placing import asking, words_of


class Speakers:
    """Finds it out, once for each stage.

    Args:
        root: absolute path of the project.
        cache: path of a file to remember in; disposable.
        imports: which files of the project decide what a command says.
        asks: whether a command may be run to find out. Who only looks at records takes what is known already; what is
            not, or not as it should be, then is nothing.

    Attributes:
        files: paths relative to the root of everything that was looked at.
    """

    def __init__(self, root: str, cache: str, imports: Imports, *, asks: bool = True) -> None:
        self._root, self._imports, self._asks = root, imports, asks
        self._flags = Flags(root, cache, asks=asks)
        self._configs: dict[tuple[str, tuple[str, ...]], HydraConfig] = {}
        self.files: set[str] = set()

    def of(self, stage: Stage) -> Heard:
        """What the stage's command can be given.

        Raises:
            PlanError: it cannot be found out; names the stage.
        """
        try:
            return self._hydra(stage) if stage.args == "hydra" else self._argparse(stage)
        except PinyonError as error:
            if not self._asks:
                return Heard()
            what = f"which parameters stage '{stage.name}' has is unknown: {error.what}"
            raise PlanError(
                what, where=error.where or str(stage.origin), why=error.why, next=error.next
            ) from None

    def close(self) -> None:
        """Write what was learnt."""
        self._flags.close()

    def _argparse(self, stage: Stage) -> Heard:
        files = self._imports.of(stage).files
        self.files.update(files)
        return Heard(self._flags.of(asking(stage), stage.wdir, files))

    def _hydra(self, stage: Stage) -> Heard:
        from pinyon.spec.hydra import read_hydra

        begins = [start for start in starts(stage.command) if start.kind in ("script", "module")]
        if len(begins) != 1:
            raise PlanError(
                f"its command starts {len(begins) or 'no'} scripts of Python",
                next="name its parameters: args: {hydra: [optimizer.lr]}",
            )
        script = self._script(stage, begins[0].kind, begins[0].what, begins[0].folder)
        question = (script, words_of(stage))
        if question not in self._configs:
            self._configs[question] = read_hydra(Path(self._root), *question)
        config = self._configs[question]
        self.files.update([script, *(file.path for file in config.files.values())])
        return Heard(config=config)

    def _script(self, stage: Stage, kind: str, what: str, folder: str) -> str:
        """The path of a script or a module, relative to the root."""
        here = posixpath.normpath(posixpath.join(stage.wdir, folder))
        if kind == "script":
            return posixpath.relpath(posixpath.join(self._root, here, what), self._root)
        name = what.replace(".", "/")
        candidates = [
            posixpath.normpath(posixpath.join(here, place, f"{name}{ending}"))
            for place in (".", "src")
            for ending in (".py", "/__main__.py")
        ]
        there = [path for path in candidates if os.path.isfile(os.path.join(self._root, path))]
        return (there or candidates)[0]
