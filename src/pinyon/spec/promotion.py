"""What becomes of an experiment's winner: its ``promote``."""

from __future__ import annotations

from typing import Any

from pinyon.model.experiment import Promotion
from pinyon.model.project import Origin
from pinyon.model.registry import STAGES, bad_name, spelled
from pinyon.spec.checks import Path, SchemaError, anything, closed, named, nearest, text
from pinyon.spec.conditions import clauses_of

_WAYS = ("alias", "stage")
_shape = closed(
    dict.fromkeys(("model", *_WAYS, "path", "gate", "stretch"), anything),
    required=("model",),
    hints={
        "name": "write model: NAME",
        "to": "write alias: NAME, or stage: staging",
        "subject_to": "write gate: [accuracy > 0.75]",
        "target": "write gate: [accuracy > 0.75], or stretch for what refuses nothing",
    },
)


def promotion_of(value: Any, path: Path, origin: Origin) -> Promotion:
    """A promotion as written at ``path``.

    Raises:
        SchemaError: the first mistake.
    """
    _shape(value, path)
    _name(value["model"], (*path, "model"))
    if "path" in value:
        text(value["path"], (*path, "path"))
        if not value["path"].strip():
            raise SchemaError((*path, "path"), f"{named((*path, 'path'))} is empty", next="name an out")
    return Promotion(
        value["model"],
        _alias(value, path),
        gate=clauses_of(value.get("gate", []), (*path, "gate")),
        stretch=clauses_of(value.get("stretch", []), (*path, "stretch")),
        path=value.get("path", ""),
        origin=origin,
    )


def _alias(value: dict[str, Any], path: Path) -> str:
    """What will point at the version; a stage in lower case, however it is written."""
    said = [way for way in _WAYS if way in value]
    if len(said) != 1:
        what = "says both alias and stage" if said else "says neither alias nor stage"
        raise SchemaError(path, f"{named(path)} {what}", next="write alias: staging")
    found: str = value[said[0]]
    at = (*path, said[0])
    _name(found, at)
    if said[0] == "stage" and spelled(found) not in STAGES:
        why = f"stages are {', '.join(STAGES)}"
        next = nearest(found, STAGES) or f"write alias: {found} instead"
        raise SchemaError(at, f"{named(at)}: '{found[:60]}' is none", why=why, next=next)
    return spelled(found)


def _name(value: Any, path: Path) -> None:
    text(value, path)
    if why := bad_name(value):
        raise SchemaError(path, f"{named(path)}: {ascii(value)[:60]} is no name", why=why)
