"""The targets of the winner and what became of it as a model, in words and tables."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence

from pinyon.model.actor import parse_actor
from pinyon.model.registry import Change, Checked
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Row, Table, Text, Tone
from pinyon.report.study.nouns import Mean, Promoted, StudyView, Target

_CHANGES = 20  # lines of a history; `pinyon model show` has all


def target_words(view: StudyView) -> str:
    """How many targets are met, and which are missed; "" where the experiment has none."""
    if view.promoted is None:
        return f"Nothing is measured, for {_nobody(view)}."
    gates = [one for one in view.targets if one.gate]
    missed = [one for one in gates if not one.met]
    goals = [one.stretch for one in view.targets if one.stretch]
    parts = [f"{len(gates) - len(missed)} of {len(gates)} met"] if gates else []
    if missed:
        parts.append(f"missed: {', '.join(f'{one.checked.clause} ({_measured(one)})' for one in missed)}")
    if goals:
        parts.append(
            f"beyond them {sum(one.holds for one in goals)} of {words.plural(len(goals), 'stretch goal')}"
        )
    return words.sentence("; ".join(parts))


def target_blocks(view: StudyView) -> Iterator[Block]:
    """Every target beside what was measured of the replicate that is promoted."""
    if not view.targets:
        return
    yield Heading(2, "Targets", "targets")
    taken = view.promoted
    yield Text(
        f"Measured on {taken.name}, the winner's replicate with the median objective, run {taken.run}, and by the stages"
        " that ran on it. A target that nobody measured is missed."
        if taken
        else f"Nothing is measured, for {_nobody(view)}."
    )
    yield target_table(view)
    notes = tuple(filter(None, map(_note, view.targets)))
    if notes:
        yield Bullets(notes)


def _nobody(view: StudyView) -> str:
    """Why there is no replicate to promote."""
    return "no replicate of the winner is complete" if view.winner else "nobody has won yet"


def target_table(view: StudyView) -> Table:
    """Metric, target, stretch goal, what was measured, whether it is met, and the run that says so."""
    return Table(
        ("metric", "target", "stretch", "measured", "met?", "run"), tuple(map(_target_row, view.targets))
    )


def _target_row(one: Target) -> Row:
    source = (one.checked.source,) if one.checked.source else ()
    known = one.checked.value is not None
    met = " ".join(
        f"{name} {'✓' if row.holds else '✗'}"
        for name, row in (("target", one.gate), ("stretch", one.stretch))
        if row
    )
    tone: Tone = "bad" if not one.met else "good" if one.gate else ""
    fields = (
        Field(one.metric),
        Field(_bound(one.gate)),
        Field(_bound(one.stretch)),
        Field(_measured(one), source if known else (), number=known),
        Field(met, tone=tone),
        Field(" ".join(source) or "–", source, links=bool(source)),
    )
    return Row(fields)


def _bound(row: Checked | None) -> str:
    if row is None:
        return "–"
    number = row.clause.number
    return f"{row.clause.op} {words.figure(number) if number.is_integer() else number}"


def _measured(one: Target) -> str:
    value = one.checked.value
    if value is None:
        return "no number" if one.checked.source else "not measured"
    return words.with_error(Mean(value, own=one.own))


def _note(one: Target) -> str:
    """What a yes or a no leaves out."""
    if one.why:
        return f"{one.metric}: {one.why}"
    gate = one.gate
    if gate is None or gate.value is None or one.own is None:
        return ""
    low, high = one.own
    if gate.clause.meets(low) == gate.clause.meets(high):
        return ""
    return (
        f"{gate.clause}: {'met' if gate.holds else 'missed'}, but the interval of the measurement, {words.span(low, high)},"
        " has values on both sides of the bound."
    )


def promotion_words(found: Promoted, view: StudyView) -> str:
    """Where the model is, in one or two sentences, with the next command."""
    model, alias = found.asked.model, found.asked.alias
    name = found.version.name if found.version else ""
    show, run = (f"pinyon {' '.join(map(shlex.quote, words))}" for words in (
        ("model", "show", model), ("run", view.experiment.name),
    ))  # fmt: skip
    if found.state == "none":
        return f"Nothing became {model}, for {_nobody(view)}. Next: {run}"
    if found.state == "promoted":
        others = [one for one in found.names if one != alias]
        also = f"; so {'is' if len(others) == 1 else 'are'} {' and '.join(others)}" if others else ""
        return f"{alias} is {name}, this winner,{_when(found.change, 'since')}{also}. More: {show}"
    if found.state == "moved" and found.since:
        now = f"{alias} is {model}@{found.now} now" if found.now else f"nothing is {alias} now"
        now += f"; it is {' and '.join(found.names)} now" if found.names else ""
        return (
            f"{name}, this winner, was {alias}{_when(found.change)}; then it was {_became(found.since, model)}"
            f"{_when(found.since)}{_why(found.since)}, and {now}. More: {show}"
        )
    refused = "; ".join(f"{one.checked.clause} ({_measured(one)})" for one in view.targets if not one.met)
    if found.version is None:
        why = f"the gate would refuse it: {refused}" if refused else "it is no version yet"
        return f"The winner is not promoted to {alias} of {model}; {why}. Next: {run}"
    names = f" ({', '.join(found.names)})" if found.names else ""
    why = f"the gate refuses it: {refused}" if refused else "nobody has promoted it"
    return f"The winner is {name}{names}, and not {alias}; {why}. More: {show}"


def _became(change: Change, model: str) -> str:
    if change.action == "unset" or change.version is None:
        return "taken away"
    return f"{'rolled back' if change.action == 'rolled_back' else 'moved on'} to {model}@{change.version}"


def _when(change: Change | None, since: str = "on") -> str:
    return f" {since} {moment(change.ts)}{_by(change)}" if change else ""


def _by(change: Change) -> str:
    return f" by {parse_actor(change.actor).shown}" if change.actor else ""


def _why(change: Change) -> str:
    return f" ({change.why})" if change.why else ""


def moment(ts: float) -> str:
    """A time stamp for a page that is read anywhere."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ts)) if ts else "an unknown time"


def promotion_blocks(view: StudyView) -> Iterator[Block]:
    """What the winner became, the gate as it was then, and all that became of the model's names."""
    found = view.promotion
    if found is None:
        return
    yield Heading(2, "Promotion", "promotion")
    yield Text(promotion_words(found, view))
    if found.change and found.change.gate:
        forced = ", and somebody went on though a clause did not hold" if found.change.forced else ""
        yield Text(f"The gate at that moment{forced}:")
        yield Bullets(tuple(map(_then, found.change.gate)))
    if found.changes:
        yield _history(found.changes[-_CHANGES:])
    if len(found.changes) > _CHANGES:
        yield Text(f"{len(found.changes) - _CHANGES} earlier changes are on record.", tone="muted")


def _then(row: Checked) -> str:
    source = f", run {row.source}" if row.source else ""
    value = "not measured" if row.value is None else words.figure(row.value)
    return f"{row.clause}: {value} {'✓' if row.holds else '✗'}{source}"


def _history(changes: Sequence[Change]) -> Table:
    rows = []
    for one in changes:
        held = sum(row.holds for row in one.gate)
        gate = f"{held} of {len(one.gate)} held{', forced' * one.forced}" if one.gate else "–"
        rows.append(
            Row((
                Field(str(one.number)),
                Field(moment(one.ts)),
                Field(one.alias),
                Field(one.action.replace("_", " ")),
                Field(_version(one.before)),
                Field(_version(one.version)),
                Field(gate),
                Field(parse_actor(one.actor).shown or "–"),
                Field(one.why or "–"),
            ))
        )  # fmt: skip
    return Table(("#", "when", "name", "what", "from", "to", "gate", "by", "why"), tuple(rows))


def _version(number: int | None) -> str:
    return "–" if number is None else f"@{number}"
