"""Which run this process is part of: the attempt that its environment names, else a new one of its own."""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.errors import PinyonError
from pinyon.track import prune, shutdown
from pinyon.track.params import Params, nest
from pinyon.track.running import Run
from pinyon.track.sink import note
from pinyon.track.values import plain

if TYPE_CHECKING:
    from pinyon.track.own import Own

_lock = threading.Lock()
_current: Run | None = None
_inner: list[Run] = []  # runs inside runs that may be open still


class Identity(NamedTuple):
    """Whose records this process writes, and where to. ``own``: the run began in this process, which will end it."""

    run: str
    attempt: str
    stage: str
    execution: str
    store: str
    project: str
    started: float
    own: Own | None = None


def run(
    *,
    params: Mapping[str, Any] | Any = None,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    group: str = "",
) -> Run:
    """The current run: the attempt that this process works for; outside of one, a new run that begins now.

    The second call gives the same run, until it is finished. A run that began here ends when the process does, or with
    ``with pinyon.run() as run:``, or by `Run.finish`: FAILED after an exception, CANCELLED after Ctrl-C.

    Args:
        params: parameters of a script that no stage declares: a map, an `argparse.Namespace` or the like.
        name: what to call a new run, instead of its script; it gets an ``@`` in front.
        tags: see `Run.tag`.
        group: a name that several runs share; of a run that did not begin here it is a tag.
    """
    global _current
    with _lock:
        fresh = _current is None or _current.finished
        if fresh:
            _current = _join() if "PINYON_ATTEMPT" in os.environ else _begin(name, params, group)
        one = _current
        assert one is not None, "there is one now"
    if fresh:
        shutdown.heed(one)
    if params is not None and (not fresh or one._identity.own is None):
        one.use(params)
    if group and (not fresh or one._identity.own is None):
        one.tag(group=group)
    if tags:
        one.tag(**tags)
    return one


def _join() -> Run:
    env = os.environ
    attempt = env["PINYON_ATTEMPT"]
    if "PINYON_STORE" not in env:
        note("nothing of this run is recorded: PINYON_STORE does not say where")
    key = attempt.split("-")[1] if attempt.count("-") > 1 else ""
    identity = Identity(
        env.get("PINYON_RUN")
        or f"r-{key}",  # an older supervisor names the attempt only, which begins as the run does
        attempt,
        env.get("PINYON_STAGE", ""),
        env.get("PINYON_EXECUTION", ""),
        env.get("PINYON_STORE") or os.devnull,
        env.get("PINYON_PROJECT", ""),
        _float(env.get("PINYON_STARTED")),
    )
    return Run(identity, nest(_rows(identity)), _condition())


def _float(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return time.time()


def _condition() -> prune.StopWhen | None:
    text = os.environ.get(prune.CONDITION, "")
    try:
        return prune.stop_when(text)
    except ValueError as error:
        note(f"{prune.CONDITION} is left out: {error}")
        return None


def _rows(identity: Identity) -> list[tuple[str, str, Any]]:
    """(file, name, value) of each declared parameter: from the environment, or where they are too many for it, from the
    intent."""
    text = os.environ.get("PINYON_PARAMS")
    try:
        rows = json.loads(text) if text is not None else _intended(identity)
        return [(str(file), str(name), value) for file, name, value in rows]
    except (OSError, ValueError, TypeError) as error:
        note(f"the run's parameters cannot be read: {error}")
        return []


def _intended(identity: Identity) -> list[Any]:
    from pathlib import Path

    from pinyon.store.journal import LocalJournals

    journals = LocalJournals(Path(identity.store))
    mark = f'"attempt":{json.dumps(identity.attempt)}'.encode()
    for segment in journals.segments():
        with open(os.path.join(identity.store, "journals", segment), "rb") as file:
            if mark not in file.read():
                continue
        for event, _ in journals.read(segment):
            if event.kind == "intent" and event.body.get("attempt") == identity.attempt:
                inputs = event.body.get("inputs", {})
                flags = [["", name, value] for name, value in inputs.get("flags", ())]
                return [*inputs.get("params", ()), *flags]
    return []


def begin_child(outer: Run, name: str, params: Any, group: str) -> Run:
    """A run of this process's own inside another one; see `Run.child`."""
    child = _begin(name, params, group, outer)
    with _lock:
        _inner[:] = [one for one in _inner if not one.finished]
        _inner.append(child)
    shutdown.heed(child)
    return child


def _begin(name: str, params: Any, group: str, outer: Run | None = None) -> Run:
    """A run of this process's own; one that records nothing where nothing can be recorded."""
    from pinyon.track import own

    given = None if params is None else plain(params if isinstance(params, Mapping) else vars(params))
    if outer is not None and outer._identity.store == os.devnull:  # which has been said
        return Run(own.nowhere(name), given or {}, None)
    try:
        if outer is None:
            identity = own.begin(name, given, group)
        else:
            identity = own.begin_inside(outer._identity, name, given, group)
    except (OSError, PinyonError) as error:
        note(f"nothing of this run is recorded: {error}")
        identity = own.nowhere(name)
    one = Run(identity, {}, _condition() if outer is None else None)
    if identity.own is not None:
        given = nest(("", name, value) for name, value in identity.own.flags)
        one._sink.beats = True
        identity.own.intend(one._sink, identity.project)
        identity.own.watch()
        if outer is None:
            identity.own.join(identity)
    one.params = Params(given or {})
    return one


def _finish() -> None:
    for one in reversed(_inner):
        one.finish()
    if _current is not None:
        _current.finish()


def _forked() -> None:
    global _lock
    _lock = threading.Lock()
    for one in (*_inner, *([] if _current is None else [_current])):
        one._after_fork()


atexit.register(_finish)
os.register_at_fork(after_in_child=_forked)
