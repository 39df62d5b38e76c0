"""Models as plain data for ``--json``, and as rows for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pinyon.model.actor import parse_actor
from pinyon.model.event import Event
from pinyon.model.experiment import words
from pinyon.model.registry import Change, Checked, Measured, Model, ModelVersion
from pinyon.plan.measured import shown
from pinyon.registry.values import checked_of

HISTORY = ("when", "who", "what", "why")


def version_dict(model: Model, version: ModelVersion, measured: Sequence[Measured] = ()) -> dict[str, Any]:
    """One version, with the names that point at it and what was measured, by stage."""
    return {
        **version._asdict(),
        "about": dict(version.about),
        "aliases": list(model.aliases_of(version.number)),
        "measured": {one.stage: {"run": one.run, "metrics": dict(one.metrics)} for one in measured},
    }


def model_dict(model: Model, refused: Sequence[Event] = ()) -> dict[str, Any]:
    """A model with all its versions and the history of its names."""
    return {
        "model": model.name,
        "versions": [version_dict(model, one) for one in model.versions],
        "aliases": dict(model.aliases),
        "archived": list(model.archived),
        "pinned": list(model.pinned),
        "changes": [change_dict(one) for one in model.changes],
        "refused": [{**event.body, "ts": event.ts} for event in refused],
    }


def change_dict(change: Change) -> dict[str, Any]:
    """One change of a name."""
    return {**change._asdict(), "by": dict(change.by), "gate": gate_dicts(change.gate)}


def gate_dicts(checked: Iterable[Checked]) -> list[dict[str, Any]]:
    """The clauses of a gate with what was found."""
    return [
        {"clause": str(one.clause), "value": one.value, "holds": one.holds, "run": one.source}
        for one in checked
    ]


def gate_rows(checked: Iterable[Checked]) -> list[tuple[str, str, str, str]]:
    """For a table: whether it holds, the clause, the number, the run that said it."""
    return [
        (
            "ok" if one.holds else "bad",
            str(one.clause),
            "not measured" if one.value is None else shown(one.value),
            one.source,
        )
        for one in checked
    ]


def names_line(model: Model) -> str:
    """Where all names point: ``staging → 3, production → 2; archived 1; pinned: paper-v1``."""
    parts = [", ".join(f"{alias} → {number}" for alias, number in sorted(model.aliases.items()))]
    parts += [f"archived {', '.join(map(str, model.archived))}"] if model.archived else []
    parts += [f"pinned: {', '.join(model.pinned)}"] if model.pinned else []
    return "; ".join(filter(None, parts)) or "none"


def version_rows(model: Model) -> list[tuple[str, str, str, str, float, str]]:
    """For a table, newest first: version, names, format, run, when, by whom."""
    return [
        (
            one.name,
            ", ".join(model.aliases_of(one.number)) or "-",
            one.format,
            one.run,
            one.ts,
            parse_actor(one.actor).shown,
        )
        for one in reversed(model.versions)
    ]


def history(model: Model, refused: Sequence[Event] = ()) -> list[tuple[float, str, str, str]]:
    """Changes of names and refusals by the time that they had on their hosts: when, who, what, why."""
    rows = [(one.ts, parse_actor(one.actor).shown, *change_line(one)) for one in model.changes]
    for event in refused:
        gate = [checked_of(row) for row in event.body["gate"]]
        text = f"{event.body['alias']}: {event.body['version']} was refused"
        rows.append(
            (
                event.ts,
                parse_actor(event.body["actor"]).shown,
                text,
                _why(event.body["why"], [one for one in gate if not one.holds]),
            )
        )
    return sorted(rows, key=lambda row: row[0])


def what(change: Change) -> str:
    """One change in words: ``staging: 2 → 3``, with how where it was not a plain promotion."""
    before = "nothing" if change.before is None else change.before
    after = "nothing" if change.version is None else change.version
    how = {"promoted": "", "rolled_back": " (rolled back)", "unset": ""}[change.action]
    forced = " (forced)" if change.forced else ""
    return f"{change.alias}: {before} → {after}{how}{forced}"


def change_line(change: Change) -> tuple[str, str]:
    """What one change was, and why, with the numbers of its gate."""
    return what(change), _why(change.why, change.gate)


def _why(why: str, gate: Sequence[Checked]) -> str:
    numbers = ", ".join(f"{one.clause}: {'–' if one.value is None else shown(one.value)}" for one in gate)
    return "; ".join(filter(None, (why, numbers)))


def origin(version: ModelVersion) -> str:
    """What the winner of an experiment sets, "" for what comes from none."""
    about = version.about
    if not about.get("experiment"):
        return ""
    return f"{about['experiment']}  {words(tuple(about.get('set', {}).items()))}"
