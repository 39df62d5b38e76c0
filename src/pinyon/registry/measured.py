"""What runs have said of a model: the one that made it, and those that read it, found by its digest."""

from __future__ import annotations

from collections.abc import Iterable

from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.model.registry import Measured, ModelVersion
from pinyon.query.index import Index
from pinyon.query.runs import finals_of


def measured_of(index: Index, version: ModelVersion) -> tuple[Measured, ...]:
    """The attempt that made a version first; then, of every stage that read these very bytes, the newest success."""
    digest = version.digest
    own = index.attempts("id = ?", version.attempt)
    found = index.attempts("state = ? and instr(doc, ?) > 0", SUCCEEDED, digest)
    readers = {
        one.stage: one
        for one in sorted(found, key=lambda attempt: (attempt.started, attempt.order))
        if any(name == digest for _, name in one.inputs.get("deps", ()))
    }
    return measured(index, [*own, *(readers[stage] for stage in sorted(readers))])


def measured(index: Index, attempts: Iterable[Attempt]) -> tuple[Measured, ...]:
    """The numbers of these attempts, with those that their scripts told at the end."""
    attempts = list(attempts)
    finals = finals_of(index, [one.id for one in attempts])
    return tuple(
        Measured(one.stage, run_id(one.key), one.id, {**finals.get(one.id, {}), **one.metrics})
        for one in attempts
    )
