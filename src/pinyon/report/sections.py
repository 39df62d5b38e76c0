"""Top-level sections of every dvc.yaml and pinyon.yaml of a project, with paths as seen from its root."""

from __future__ import annotations

from typing import Any

from pinyon.model.project import Project
from pinyon.plan.paths import join


def declared(project: Project, section: str) -> list[Any]:
    """The entries of a top-level section in every file of the project, with paths as seen from the root."""
    found: list[Any] = []
    for file, sections in project.sections.items():
        base = file.rpartition("/")[0]
        found += [_from_root(base, entry) if base else entry for entry in sections.get(section) or ()]
    return found


def _from_root(base: str, entry: Any) -> Any:
    if isinstance(entry, str):
        return join(base, entry)
    if not isinstance(entry, dict):
        return entry
    return {
        # A plot whose `y` names files has a title for a key, and a path otherwise.
        name if _names_files(axes) else join(base, name): {
            key: {join(base, file): column for file, column in value.items()}
            if isinstance(value, dict)
            else value
            for key, value in (axes or {}).items()
        }
        for name, axes in entry.items()
    }


def _names_files(axes: Any) -> bool:
    return isinstance((axes or {}).get("y"), dict)
