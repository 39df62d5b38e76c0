"""What people write down about a project: notes, and tags of runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pinyon.errors import PinyonError, PlanError
from pinyon.model.actor import current_actor
from pinyon.model.outcome import Attempt
from pinyon.model.text import printable
from pinyon.plan.interpolate import nearest
from pinyon.query.runs import find, tags_of
from pinyon.registry.registry import Registry
from pinyon.session.records import Records
from pinyon.spec.experiments import experiments_of
from pinyon.spec.load import load_project

_LONGEST = 1_000_000  # bytes of a note


def write_note(
    records: Records, text: str, topic: str = "", about: str = "", here: str = ""
) -> dict[str, Any]:
    """Record a note, durably; the body of its record (docs/FORMAT.md §4).

    Args:
        about: a run, or the beginning of its id; a stage, an experiment, a model, or a path seen from ``here``.

    Raises:
        PlanError: there is no text, or nothing is called so.
        OSError: the disk refuses.
    """
    text = text.encode("utf-8", "replace").decode().strip("\n")
    if not text.strip():
        raise PlanError("there is nothing to note", next='pinyon note "why we chose this"')
    if len(text.encode()) > _LONGEST:
        raise PlanError(f"a note has at most {_LONGEST:,} bytes", next="pinyon add keeps a file")
    body = {"text": text, **_about(records, about, here), "actor": current_actor().as_dict()}
    body |= {name: value for name, value in (("topic", topic), ("project", records.fold.project)) if value}
    _record(records, [("noted", body)])
    return body


def write_tags(
    records: Records, attempts: Sequence[Attempt], tags: Mapping[str, str], gone: Sequence[str]
) -> dict[str, str]:
    """Tag a run, given by all its attempts, and take tags away; all its tags afterwards.

    Raises:
        PlanError: a tag that is to go is not there.
        OSError: the disk refuses.
    """
    known = tags_of(records.fold, [one.id for one in attempts])
    now = {name: text for one in attempts for name, text in known.get(one.id, {}).items()}
    for name in gone:
        if name not in now:
            raise PlanError(f"the run has no tag '{printable(name)}'", why=nearest(name, list(now)))
    bodies: dict[str, dict[str, str | None]] = {}
    for one in attempts:  # of several attempts each may have it
        if lost := [name for name in gone if name in known.get(one.id, {})]:
            bodies[one.id] = dict.fromkeys(lost)
    if tags:
        bodies[attempts[-1].id] = {**bodies.get(attempts[-1].id, {}), **tags}
    actor = current_actor().as_dict()
    _record(
        records,
        [("tagged", {"attempt": name, "tags": told, "actor": actor}) for name, told in bodies.items()],
    )
    return {name: text for name, text in {**now, **tags}.items() if name not in gone or name in tags}


def _record(records: Records, told: Sequence[tuple[str, dict[str, Any]]]) -> None:
    records.store.prepare(records.root.name)
    journal = records.store.journals.open_writer(project=records.fold.project)
    try:
        for kind, body in told:
            journal.append(kind, body)
    finally:
        journal.close()


def _about(records: Records, name: str, here: str) -> dict[str, Any]:
    """What a name means, as a record says it."""
    if not name:
        return {}
    if name.startswith(("r-", "a-")):
        last = find(records.fold, name)[-1]
        return {"attempt": last.id}
    known = {"stage": _stages(records), "experiment": _experiments(records)}
    known["model"] = Registry(records.store, records.fold.project).names()
    for kind, names in known.items():
        if name in names:
            return {"about": {kind: name}}
    path = os.path.relpath(
        os.path.join(os.path.realpath(here or records.root), name), os.path.realpath(records.root)
    )
    if os.path.exists(records.root / path) and not path.startswith("../"):
        return {"about": {"path": Path(path).as_posix()}}
    there = [one for names in known.values() for one in names]
    raise PlanError(
        f"nothing here is called '{printable(name)}'",
        why=f"a note is about a run, a stage, an experiment, a model or a path; {nearest(name, there)}",
    )


def _stages(records: Records) -> list[str]:
    """Those that the project declares, and those that ran."""
    from pinyon.model.project import Goal
    from pinyon.session.opened import load

    found = records.fold.stages()
    with suppress(PinyonError):
        graph, _ = load(load_project(records.root), Goal())
        found += [task.stage.name for task in graph.tasks.values()]
    return list(dict.fromkeys(found))


def _experiments(records: Records) -> list[str]:
    with suppress(PinyonError):
        return list(experiments_of(load_project(records.root)))
    return []
