"""What `build` must be given before it can go on: parameter files, imports, and what commands can be given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.plan.build import Need
from pinyon.spec.load import read_params
from pinyon.store.local import home_store

if TYPE_CHECKING:
    from pinyon.capture.imports import Imports
    from pinyon.model.flags import Heard
    from pinyon.model.project import Project
    from pinyon.session.speakers import Speakers


class Reading:
    """Answers `Need`, each thing once.

    Args:
        asks: whether a command may be run to find out what it can be given.

    Attributes:
        params: parameter files by path; None for one that does not exist.
        imported: files that a stage with ``strict_deps`` imports, by its name.
        heard: what a stage's command can be given, by the stage's name.
    """

    def __init__(self, project: Project, imports: Imports, *, asks: bool = True) -> None:
        self.params: dict[str, Any] = {}
        self.imported: dict[str, tuple[str, ...]] = {}
        self.heard: dict[str, Heard] = {}
        self._project, self._imports, self._asks = project, imports, asks
        self._speakers: Speakers | None = None

    @property
    def files(self) -> set[str]:
        """Files that told what commands can be given."""
        return self._speakers.files if self._speakers else set()

    def answer(self, need: Need) -> None:
        """Read all of it.

        Raises:
            SpecError, PlanError: something cannot be read, or a command does not tell.
        """
        root = Path(self._project.root)
        self.params.update({path: read_params(root, path) for path in need.paths})
        self.imported.update({stage.name: self._imports.of(stage).files for stage in need.importers})
        if need.speakers:
            speakers = self._speakers = self._speakers or self._find()
            self.heard.update({stage.name: speakers.of(stage) for stage in need.speakers})
            speakers.close()

    def _find(self) -> Speakers:
        from pinyon.session.speakers import Speakers  # most projects keep their parameters in files

        root = self._project.root
        return Speakers(root, str(home_store(Path(root)).cache / "flags"), self._imports, asks=self._asks)
