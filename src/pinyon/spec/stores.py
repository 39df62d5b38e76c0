"""``stores:`` of ``pinyon.yaml``: where copies of a project lie. Here alone ``${env:NAME}`` is a variable of the
environment, so that no secret need stand in a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.model.project import Project
from pinyon.spec.checks import Path, SchemaError, mapping, named, nearest, text

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


class Place(NamedTuple):
    """A store's URL, or path, and what its scheme wants beside it."""

    url: str
    options: dict[str, str]


def store_shape(value: Any, path: Path) -> None:
    """A URL, or a mapping with one and other texts: which of them there may be, the scheme says when it is opened."""
    if isinstance(value, str):
        _url(value, path)
        return
    mapping(value, path)
    if "url" not in value:
        raise SchemaError(path, f"{named(path)} has no url", next="add a line url: s3://bucket/folder")
    _url(value["url"], (*path, "url"))
    for option, given in value.items():
        text(option, (*path, str(option)))
        text(given, (*path, option))


def _url(value: Any, path: Path) -> None:
    text(value, path)
    if not value.strip():
        raise SchemaError(path, f"{named(path)} is empty", next="write for example s3://bucket/folder")


def place_of(project: Project, name: str, environment: Mapping[str, str]) -> Place:
    """The place of a store that ``pinyon.yaml`` names.

    Raises:
        SpecError: it names no such store, or a variable that is needed is not set.
    """
    known = project.settings.get("stores", {})
    if name not in known:
        raise SpecError(
            f"there is no store '{name}'",
            where="pinyon.yaml",
            why=f"stores: has {', '.join(known)}" if known else "it has no stores:",
            next=nearest(name, known) or f"write below stores:  {name}: s3://bucket/folder",
        )
    given = known[name]
    fields = {"url": given} if isinstance(given, str) else given
    filled = {field: _filled(value, f"stores.{name}.{field}", environment) for field, value in fields.items()}
    return Place(filled.pop("url"), filled)


def _filled(value: str, where: str, environment: Mapping[str, str]) -> str:
    for variable in _VARIABLE.findall(value):
        if not environment.get(variable):
            raise SpecError(
                f"the variable {variable} is not set",
                where="pinyon.yaml",
                why=f"{where} needs it",
                next=f"export {variable}=…",
            )
    return _VARIABLE.sub(lambda found: environment[found[1]], value)
