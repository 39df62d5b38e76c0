"""The values of the refs of a model, and the nouns that they are read as (docs/FORMAT.md §6, Models)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import CorruptError
from pinyon.model.condition import parse
from pinyon.model.event import Event
from pinyon.model.registry import Change, Checked, Model, ModelVersion
from pinyon.plan.measured import number_of
from pinyon.registry.names import Names
from pinyon.store.protocol import RefVersion

VERSIONS, ALIASES = "models/", "aliases/"  # what the names of the two refs begin with


class Artifact(NamedTuple):
    """What becomes a version: an out of an attempt. See `pinyon.model.registry.ModelVersion`."""

    digest: str
    path: str
    size: int
    format: str
    run: str
    attempt: str
    stage: str
    about: Mapping[str, Any] = {}
    trusted: bool = False


def version_value(artifact: Artifact, project: str, why: str) -> dict[str, Any]:
    """What a version of ``models/NAME`` says, but for its event."""
    return {**artifact._asdict(), "about": dict(artifact.about), "project": project, "why": why}


def change_value(change: Change) -> dict[str, Any]:
    """``change`` of a version of ``aliases/NAME``; number, actor and time are the ref's own."""
    fields = change._asdict()
    own = {name: fields[name] for name in ("action", "alias", "version", "before", "forced", "why")}
    return {**own, "gate": gate_rows(change.gate), "by": dict(change.by)}


def gate_rows(checked: Sequence[Checked]) -> list[list[Any]]:
    """A gate as records hold it."""
    return [[str(one.clause), one.value, one.holds, one.source] for one in checked]


def names_value(names: Names, change: Change) -> dict[str, Any]:
    """What a version of ``aliases/NAME`` says, but for its event."""
    kept = {"aliases": dict(names.aliases), "archived": list(names.archived), "pinned": list(names.pinned)}
    return {**kept, "change": change_value(change)}


def model_of(name: str, versions: Sequence[RefVersion], names: Sequence[RefVersion]) -> Model:
    """A model from the histories of its two refs.

    Raises:
        CorruptError: a value is not of a form that is known.
    """
    try:
        now = names[-1].value if names else {}
        return Model(
            name,
            tuple(_version(name, ref) for ref in versions),
            {str(alias): int(version) for alias, version in now.get("aliases", {}).items()},
            tuple(now.get("archived", ())),
            tuple(now.get("pinned", ())),
            tuple(_change(ref) for ref in names),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptError(
            f"the records of model '{name}' are not of a known form", why=str(error), next="pinyon verify"
        ) from error


def _version(name: str, ref: RefVersion) -> ModelVersion:
    value = ref.value
    texts = {key: str(value[key]) for key in ("digest", "path", "format", "run", "attempt", "stage")}
    return ModelVersion(
        name, ref.version, size=int(value["size"]), project=str(value.get("project", "")),
        about=dict(value.get("about", {})), trusted=bool(value.get("trusted")), why=str(value.get("why", "")),
        actor=ref.actor, ts=ref.ts, **texts,
    )  # fmt: skip


def _change(ref: RefVersion) -> Change:
    value = ref.value["change"]
    gate = tuple(checked_of(row) for row in value.get("gate", ()))
    return Change(
        ref.version, value["action"], str(value["alias"]), value["version"], value["before"], gate,
        forced=bool(value.get("forced")), why=str(value.get("why", "")), by=dict(value.get("by", {})),
        actor=ref.actor, ts=ref.ts,
    )  # fmt: skip


def checked_of(row: Sequence[Any]) -> Checked:
    """One row of a recorded gate."""
    clause, value, holds, source = row
    return Checked(parse(clause).terms[0], number_of(value), bool(holds), str(source))


def back(event: Event) -> list[Any]:
    """How a ref names the record that was durable before it."""
    return [event.writer, event.seq]
