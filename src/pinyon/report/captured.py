"""What was captured of an execution, read back and put into words: code, environment, machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.capture.differences import differences
from pinyon.errors import PinyonError
from pinyon.model.units import show_bytes
from pinyon.query.index import Index
from pinyon.store.protocol import Blobs

_SHOWN = 6  # files or packages that are named


class Captured(NamedTuple):
    """The record `captured` of one execution (docs/FORMAT.md §4); ``environment`` is what its blob says, {} where it cannot
    be read. ``note``: why something is missing."""

    code: Mapping[str, Any]
    environment: Mapping[str, Any]
    hardware: Mapping[str, Any]
    note: str = ""


def captured_of(index: Index, blobs: Blobs, execution: str) -> Captured | None:
    """What was captured when an execution began; None where nothing was."""
    found = index.executions("id = ?", execution)
    if not found or "captured" not in found[0][1]:
        return None
    body = found[0][1]["captured"][3]
    return Captured(
        _map(body.get("code")),
        _environment(blobs, body.get("environment")),
        _map(body.get("hardware")),
        str(body.get("note", "")),
    )


def newest(index: Index, blobs: Blobs, project: str | None = None) -> tuple[str, Captured] | None:
    """The newest execution of this project of which something was captured."""
    mine, values = index.seen_by(project)
    with_it = f"{mine} and json_extract(doc, '$.captured') is not null"
    first = f"id = (select id from executions where {with_it} order by ts desc limit 1)"
    for name, _ in index.executions(first, *values):
        found = captured_of(index, blobs, name)
        if found is not None:
            return name, found
    return None


def lines(found: Captured) -> list[tuple[str, str]]:
    """(what, text) for people."""
    rows = [("code", _code(found.code))] if found.code else []
    for python in found.environment.get("pythons", ()):
        count = len(python["packages"])
        rows.append(("python", f"{python['version']}  {python['executable']}, {count} packages"))
    machine = _machine(found)
    return [
        *rows,
        *([("machine", machine)] if machine else []),
        *([("missing", found.note)] if found.note else []),
    ]


def between(first: Captured, other: Captured) -> list[str]:
    """What differs, in words: packages and system, then the machine."""
    found = differences(first.environment, other.environment)
    old, new = first.hardware, other.hardware
    names = ("cpu", "cores", "driver", "cuda")
    found += [
        f"{name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in names
        if old.get(name) != new.get(name)
    ]
    before, now = (", ".join(str(gpu[0]) for gpu in one.get("gpus", ())) or "none" for one in (old, new))
    return found + ([f"gpus {before} → {now}"] if before != now else [])


def some(words: list[str]) -> str:
    """The first of them, and how many there are more."""
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")


def _code(code: Mapping[str, Any]) -> str:
    left = [f"{row[0]} ({row[1]})" for row in code.get("left_out", ())]
    out = f"; left out: {some(left)}" if left else ""
    commit = str(code.get("commit") or "")[:10]
    if not code.get("pack"):
        return (
            f"commit {commit}{' with uncommitted changes, which were not kept' if code.get('dirty') else ''}"
        )
    files = f"{code['files']} files are kept" if "files" in code else "the files are kept"
    if not code.get("whole", True):
        files = f"what differs is kept, {code['files']} files"
    where = (
        f"commit {commit} with uncommitted changes"
        if code.get("dirty")
        else f"commit {commit}"
        if commit
        else "no commit"
    )
    return f"{where}; {files}{out}"


def _machine(found: Captured) -> str:
    hardware, system = found.hardware, found.environment
    if not hardware:
        return ""
    gpus = [str(gpu[0]) for gpu in hardware.get("gpus", ())]
    parts = [
        f"{hardware.get('cpu')}, {hardware.get('cores')} cores",
        show_bytes(hardware["memory"]) if hardware.get("memory") else "",
        f"{len(gpus)} × {gpus[0]}, driver {hardware.get('driver')}, CUDA {hardware.get('cuda')}"
        if gpus
        else "",
        str(system.get("os") or ""),
        str(system.get("container", {}).get("kind", "")),
    ]
    return ", ".join(filter(None, parts))


def _environment(blobs: Blobs, digest: Any) -> Mapping[str, Any]:
    try:
        return _map(json.loads(blobs.read(str(digest)))) if digest else {}
    except (PinyonError, OSError, ValueError):
        return {}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
