"""An entry of dvc.lock from a resolved stage, in DVC's order of things."""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
from collections.abc import Mapping
from typing import Any

from pinyon.bridges.dvc.hashes import Digest
from pinyon.bridges.dvc.lock import Entry, Item
from pinyon.model.graph import Stage
from pinyon.plan.paths import join

_ULPS = 8  # units in the last place by which DVC's writer may miss a float


def entry_of(stage: Stage, digests: Mapping[str, Digest]) -> dict[str, Any]:
    """What dvc.lock says of a stage whose deps and outs have these digests, by path from the root."""
    entry: dict[str, Any] = {"cmd": stage.cmd if isinstance(stage.cmd, str) else list(stage.cmd)}
    if stage.deps:
        entry["deps"] = _items(stage, stage.deps, digests)
    if params := params_of(stage):
        entry["params"] = params
    if stage.outs:
        entry["outs"] = _items(stage, [out.path for out in stage.outs], digests)
    return entry


def _items(stage: Stage, paths: Any, digests: Mapping[str, Digest]) -> list[dict[str, Any]]:
    return [
        _item(path, digests[full]) for path, full in sorted((from_wdir(stage, one), one) for one in paths)
    ]


def _item(path: str, digest: Digest) -> dict[str, Any]:
    row: dict[str, Any] = {"path": path, "hash": "md5", "md5": digest.md5, "size": digest.size}
    if digest.nfiles is not None:
        row["nfiles"] = digest.nfiles
    return {**row, "isexec": True} if digest.executable else row


def from_wdir(stage: Stage, path: str) -> str:
    """A path from the root as the stage's own file would write it, from its wdir."""
    return path if path.startswith("/") else posixpath.relpath(path, stage.wdir)


def params_of(stage: Stage) -> dict[str, dict[str, Any]]:
    """Parameters by file from the wdir; params.yaml first, then by name."""
    found: dict[str, dict[str, Any]] = {}
    for param in stage.params:
        if not param.file:
            continue  # it stands in the command
        values = found.setdefault(from_wdir(stage, param.file), {})
        if param.name:
            values[param.name] = param.value
        elif isinstance(param.value, Mapping):
            values |= param.value
    order = sorted(found, key=lambda file: (file != "params.yaml", file))
    return {file: {name: found[file][name] for name in sorted(found[file])} for file in order}


def says_the_same(stage: Stage, entry: Entry) -> bool:
    """Whether command and parameters of an entry are the stage's; floats within the last few places."""
    return entry.cmd == stage.cmd and all(
        file in entry.params and _covers(values, entry.params[file], whole=(file in _whole(stage)))
        for file, values in params_of(stage).items()
    )


def _whole(stage: Stage) -> set[str]:
    return {from_wdir(stage, param.file) for param in stage.params if param.name == ""}


def _covers(values: Mapping[str, Any], recorded: Mapping[str, Any], *, whole: bool) -> bool:
    if whole and values.keys() != recorded.keys():
        return False
    return all(name in recorded and same(value, recorded[name]) for name, value in values.items())


def same(one: Any, other: Any) -> bool:
    """Whether two values are one parameter: floats within a few units in the last place, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float):
        if one == other or (one != one and other != other):
            return True
        near = _ULPS * math.ulp(max(abs(one), abs(other)))
        return math.isfinite(one) and math.isfinite(other) and abs(one - other) <= near
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def items_by_path(stage: Stage, items: Mapping[str, Item]) -> dict[str, Item]:
    """Deps or outs of an entry by their path from the root."""
    return {join(stage.wdir, path): item for path, item in items.items()}


def run_cache_key(stage: Stage, digests: Mapping[str, Digest]) -> str:
    """Under which name DVC's run cache keeps what a stage with these deps made; "" when it would keep nothing."""
    if not stage.deps or not stage.outs or any(out.persist for out in stage.outs):
        return ""
    bare = entry_of(stage._replace(outs=()), digests)
    bare["outs"] = sorted(from_wdir(stage, out.path) for out in stage.outs)
    try:
        text = json.dumps(_without(bare, ("size", "nfiles")), sort_keys=True)
    except (TypeError, ValueError):  # parameters that JSON cannot say
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return value
