"""Why a stage runs: its inputs now beside those that its outs here were made from, told as a person would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pinyon.model.canonical import canonical
from pinyon.model.graph import Stage
from pinyon.model.outcome import CANCELLED, LOST, SUCCEEDED, Attempt
from pinyon.model.redact import covers
from pinyon.plan.actions import Reason
from pinyon.plan.state import State

Pairs = Iterable[tuple[str, str]]
_LONGEST = 60  # characters of a value that are shown


def inputs_of(stage: Stage, deps: Pairs) -> dict[str, Any]:
    """What an intent records of a stage's inputs (docs/FORMAT.md §4), and `why_run` later compares.

    ``deps`` holds the env files too, as `pinyon.plan.actions.Run` does.
    """
    rows = [[path, name] for path, name in deps]
    flags = {"flags": [list(flag) for flag in stage.adhoc.flags]} if stage.adhoc.flags else {}
    return {
        **flags,
        "command": [stage.command.kind, *stage.command.parts],
        "wdir": stage.wdir,
        "params": [[p.file, p.name, p.value] for p in stage.params],
        "deps": [row for row in rows if row[0] not in stage.env],
        "outs": [out.path for out in stage.outs],
        "env": [row for row in rows if row[0] in stage.env],
    }


def why_run(stage: Stage, known: Iterable[Attempt], deps: Pairs | None, state: State) -> Reason:
    """The reason to run a stage that none of the attempts at its key, ``known``, answers for. ``deps`` None: they are not
    known yet, do not compare."""
    last = state.latest(stage.name)
    if last is None:
        return Reason("never ran before")
    before = state.baseline(stage.name)
    now = inputs_of(stage, deps or ())
    details = tuple(_changes((before or last).inputs, now, with_files=deps is not None))
    tried = any(attempt.id == last.id for attempt in known)
    if tried and last.state != SUCCEEDED:
        return Reason(last_words(last), details, last)
    if details:
        text = details[0] + (f" (and {len(details) - 1} more)" if len(details) > 1 else "")
        if before is None:
            since = "it has not succeeded yet; since its last attempt: "
            return Reason(since + text, (since.rstrip(), *details))
        return Reason(text, details)
    if tried and not last.reusable:
        return Reason(f"its last attempt cannot be reused: {last.message or 'a dep changed while it ran'}")
    if tried:
        return Reason("the outs of its last attempt do not verify")
    return Reason("no finished attempt has these inputs")


def last_words(attempt: Attempt, subject: str = "its last attempt") -> str:
    """How an attempt ended, in one line: ``its last attempt failed: …``; without a subject only the cause."""
    state = {LOST: "was lost", CANCELLED: "was cancelled"}.get(attempt.state, attempt.state.lower())
    cause = attempt.message or {"exit": f"exit code {attempt.exit_code}"}.get(attempt.detail, attempt.detail)
    if not subject:
        return cause or state
    return f"{subject} {state}: {cause}" if cause else f"{subject} {state}"


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], *, with_files: bool) -> Iterable[str]:
    if not before:
        return
    yield from _params(before.get("params", ()), now["params"])
    if with_files:
        yield from _files("dep", dict(before.get("deps", ())), dict(now["deps"]))
        yield from _files("env", dict(before.get("env", ())), dict(now["env"]))
    kind, *words = before.get("command", [""])
    if not _same_words(words, now["command"][1:]):
        yield f"command changed: {_short(' '.join(words))} → {_short(' '.join(now['command'][1:]))}"
    elif kind != now["command"][0]:
        yield f"command changed: now {'in' if now['command'][0] == 'shell' else 'without'} a shell"
    if before.get("wdir") != now["wdir"]:
        yield f"wdir changed: {before.get('wdir')} → {now['wdir']}"
    old, new = set(before.get("outs", ())), set(now["outs"])
    yield from (f"new out {path}" for path in sorted(new - old))
    yield from (f"out {path} is no longer declared" for path in sorted(old - new))


def _same_words(before: list[Any], now: list[Any]) -> bool:
    """Whether these are the words of one command; of a secret the record tells nothing."""
    if len(before) != len(now):
        return False
    return all(old == new or covers(old, new) for old, new in zip(before, now, strict=True))


def _params(before: Iterable[list[Any]], now: Iterable[list[Any]]) -> Iterable[str]:
    old = {(file, name): value for file, name, value in before}
    new = {(file, name): value for file, name, value in now}
    for file, name in sorted(old.keys() | new.keys()):
        label = ":".join(filter(None, (file, name)))
        if (file, name) not in old:
            yield f"new parameter {label} = {_short(new[file, name])}"
        elif (file, name) not in new:
            yield f"parameter {label} is no longer declared"
        else:
            yield from _leaves(label, ":" if label == file else ".", old[file, name], new[file, name])


def _leaves(label: str, joint: str, old: Any, new: Any) -> Iterable[str]:
    """Only the leaves of a group that differ; of a list that is too long to read, only its differing entries."""
    if canonical(old) == canonical(new) or covers(old, new):  # as keys compare: True is not 1
        return
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and _is_long(old, new):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield f"parameter {label}: {_short(old)} → {_short(new)}"
        return
    before, now = ({str(key): value for key, value in group.items()} for group in (old, new))
    for key in [*before, *(key for key in now if key not in before)]:
        if key not in now:
            yield f"parameter {label}{joint}{key} is gone (it was {_short(before[key])})"
        elif key not in before:
            yield f"new parameter {label}{joint}{key} = {_short(now[key])}"
        else:
            yield from _leaves(f"{label}{joint}{key}", ".", before[key], now[key])


def _is_long(*values: Any) -> bool:
    return any(len(repr(value)) > _LONGEST for value in values)


def _files(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterable[str]:
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            yield f"new {what} {path}"
        elif path not in new:
            yield f"{what} {path} is no longer declared"
        elif old[path] != new[path]:
            yield f"{what} {path} changed: {_digest(old[path])} → {_digest(new[path])}"


def _digest(name: str) -> str:
    return name.removeprefix("blake3:")[:8] + ("/" if name.endswith("/") else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "…"
