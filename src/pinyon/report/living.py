"""Who is at work for a project, or was last: the driver's lock, the lease of `pinyon tick`, and its last call."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from pinyon.execute.locks import driver_lock, holder
from pinyon.model.actor import parse_actor
from pinyon.model.ids import read_process
from pinyon.spec.load import find_root
from pinyon.store.lease import Observer
from pinyon.store.local import LocalStore
from pinyon.store.place import STORE, cache_of


def tick_lease(project: str) -> str:
    """The name of the lease under which `pinyon tick` works."""
    return f"tick/{project}"


def remember_tick(start: Path, data: dict[str, Any]) -> None:
    """Keep what the last call of `pinyon tick` found, one that did nothing included, for `living`. A cache: no record."""
    path = _path(find_root(start))
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(temporary, path)


def living(root: Path, store: LocalStore, project: str) -> dict[str, Any]:
    """The last `pinyon tick` on this host, and who is at work: the ``driver``, the holder of the ``lease``."""
    return {
        "tick": _last_tick(root),
        "driver": _driver(str(store.place)),
        "lease": _lease(store, project),
    }


def _path(root: Path) -> str:
    return os.path.join(cache_of(str(root / STORE)), "tick.json")


def _last_tick(root: Path) -> dict[str, Any] | None:
    try:
        with open(_path(root), encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and {"ts", "state", "actor"} <= data.keys() else None


def _driver(place: str) -> dict[str, Any] | None:
    """Who signed the lock, if that process lives; the lock itself is not touched."""
    who = holder(driver_lock(place))
    process = read_process(who.get("process"))
    if not process.pid or process.alive() is False:
        return None
    started = who.get("started")
    return {
        "host": process.host,
        "pid": process.pid,
        "user": str(who.get("user") or ""),
        "command": str(who.get("command") or ""),
        "started": started if isinstance(started, (int, float)) else 0,
    }


def _lease(store: LocalStore, project: str) -> dict[str, Any] | None:
    found = Observer(store, tick_lease(project)).holder()
    if found is None:
        return None
    who = parse_actor(found.actor).as_dict()
    return {"host": found.process.host, "pid": found.process.pid, "actor": who, "started": found.since}
