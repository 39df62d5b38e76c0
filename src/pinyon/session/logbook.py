"""The project's logbook, read from its records, its pointers and its lock files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from typing import Any

from pinyon.capture.differences import differences
from pinyon.errors import PinyonError
from pinyon.model.actor import actor_of, parse_actor
from pinyon.model.experiment import words
from pinyon.model.ids import run_id
from pinyon.query.index import Index
from pinyon.registry.registry import Registry
from pinyon.report import logbook as book
from pinyon.report.captured import some
from pinyon.report.logbook import Logbook
from pinyon.report.models import change_line
from pinyon.session.records import Records
from pinyon.spec.load import load_project
from pinyon.spec.pointer import about_of, all_pointers, read_pointer
from pinyon.store.names import name_of_file

_LOCKS = (
    "uv.lock", "pixi.lock", "poetry.lock", "pdm.lock", "pylock*.toml", "Pipfile.lock", "conda-lock.y*ml",
    "environment*.y*ml", "requirements*.txt", "*requirements.txt",
)  # fmt: skip


def read_logbook(records: Records) -> Logbook:
    """Everything that there is to tell. Writes nothing.

    Raises:
        SpecError: a pointer is broken.
    """
    fold = records.fold
    attempts = _Attempts(fold)
    name = records.root.name
    with suppress(PinyonError):
        name = load_project(records.root).name
    return Logbook(
        name, _data(records), _locks(records), _environments(records), _chosen(fold), _moved(records),
        _notes(fold, attempts),
    )  # fmt: skip


class _Attempts:
    """Run, stage, project and actor of attempts, each looked up once."""

    def __init__(self, fold: Index) -> None:
        self._fold = fold
        self._known: dict[str, tuple[str, str, str, str]] = {}

    def of(self, name: str) -> tuple[str, str, str, str]:
        """Run, stage, project, who; all "" where nothing is known of it."""
        if name not in self._known:
            found = self._fold.attempts("id = ?", name)
            if found:
                done = self._fold.executions("id = ?", found[0].execution)
                told = done[0][1].get("execution") if done else None
                who = actor_of(told[3].get("actor")).shown if told else ""
                self._known[name] = (run_id(found[0].key), found[0].stage, found[0].project, who)
            else:
                self._known[name] = ("", "", "", "")
        return self._known[name]


def _notes(fold: Index, attempts: _Attempts) -> list[book.Note]:
    found = []
    for event in fold.told("noted"):
        body = event.body
        run, stage, project, who = attempts.of(str(body.get("attempt", "")))
        if not _ours(fold, project or str(body.get("project") or "")) or not isinstance(
            body.get("text"), str
        ):
            continue
        told = body.get("about")
        about = " ".join(f"{kind} {name}" for kind, name in told.items()) if isinstance(told, dict) else ""
        who = actor_of(body["actor"]).shown if body.get("actor") else who
        topic = body.get("topic")
        known = topic if topic in book.TOPICS else ""
        found.append(book.Note(event.ts, body["text"], known, f"{run} of {stage}" if run else about, who))
    return found


def _data(records: Records) -> list[book.Data]:
    """What was added, with what its pointer says, where that is still the pointer to it."""
    said: dict[tuple[str, str], Mapping[str, Any]] = {}
    for file in all_pointers(records.root):
        pointer = read_pointer(records.root, file)
        said[pointer.path, pointer.digest] = about_of(records.root, file)
    root, found = os.path.realpath(records.root), []
    for event in records.fold.told("added"):
        body = event.body
        if records.store.shared and os.path.realpath(str(body.get("root"))) != root:
            continue
        path, digest = str(body.get("path")), str(body.get("digest"))
        about = said.get((path, digest), {})
        known = {name: str(about.get(name) or "") for name in ("source", "licence", "date", "note")}
        size = body["size"] if isinstance(body.get("size"), int) else 0
        who = actor_of(body.get("actor")).shown
        found.append(book.Data(event.ts, path, digest, size, who=who, **known))
    return found


def _locks(records: Records) -> list[book.Lock]:
    found = []
    for name in sorted(os.listdir(records.root)):
        path = records.root / name
        if any(fnmatch(name, pattern) for pattern in _LOCKS) and path.is_file():
            with suppress(OSError):  # one that cannot be read hides nothing else
                found.append(book.Lock(name, name_of_file(path), path.stat().st_mtime))
    return found


def _environments(records: Records) -> list[book.Environment]:
    """What executions found around them, where it was captured: the first of them, then what each changed."""
    fold, found = records.fold, list[book.Environment]()
    digest, before = "", dict[str, Any]()
    own, values = fold.seen_by(None)
    for name, told in reversed(fold.executions(own, *values)):
        ts, body = told["captured"][2:] if "captured" in told else (0.0, {})
        if body.get("environment", digest) == digest:
            continue
        digest = body["environment"]
        now = _environment(records, digest)
        changed = differences(before, now) if before else _pythons(now)
        if changed:
            runs = [run_id(attempt.key) for attempt in fold.attempts("execution = ?", name)]
            found.append(book.Environment(ts, runs[0] if runs else "", some(changed)))
        before = now
    return found


def _environment(records: Records, digest: Any) -> dict[str, Any]:
    """What a run found around it; nothing where the blob is not here."""
    try:
        told = json.loads(records.store.blobs.read(str(digest)))
    except (PinyonError, OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _pythons(environment: Mapping[str, Any]) -> list[str]:
    return [
        f"Python {one['version']}; packages: {len(one['packages'])}" for one in environment.get("pythons", ())
    ]


def _chosen(fold: Index) -> list[book.Chosen]:
    """Winners; the same choice, which later executions record again, once."""
    whose, found, before = fold.projects(), [], set()
    for event in fold.told("selected"):
        body = event.body
        choice = json.dumps(
            [body.get(name) for name in ("experiment", "phase", "digest", "overrides", "set")]
        )
        if choice in before or not _ours(fold, whose.get(str(body.get("execution")), "")):
            continue
        before.add(choice)
        objective = body.get("objective") or {}
        asked = f"{objective.get('goal', '')} {objective.get('metric', '')}".strip()
        winner = words(tuple(_pairs(body.get("assignment")))) or str(body.get("winner") or "")
        names = (str(body.get("experiment")), str(body.get("phase")))
        found.append(book.Chosen(event.ts, *names, asked, winner, str(body.get("why") or "")))
    return found


def _pairs(told: Any) -> Iterable[tuple[str, Any]]:
    return [(str(name), value) for name, value in told] if isinstance(told, list) else []


def _moved(records: Records) -> list[book.Moved]:
    registry, found = Registry(records.store, records.fold.project), []
    for name in registry.names():
        model = registry.model(name)
        if not any(_ours(records.fold, version.project) for version in model.versions):
            continue
        for change in model.changes:
            what, why = change_line(change)
            found.append(book.Moved(change.ts, name, what, why, parse_actor(change.actor).shown))
    return sorted(found, key=lambda one: one.ts)


def _ours(fold: Index, project: str) -> bool:
    """Whether listings of this project show what belongs to that one; nothing says whose the oldest records are."""
    return not fold.project or project in ("", fold.project)
