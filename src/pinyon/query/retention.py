"""Which attempts' outputs a rule of the user's gives up. Without a rule none are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.query.index import Index


class Rule(NamedTuple):
    """What may go: of each stage all but the newest ``keep_last`` runs, and of those only what was last used longer than
    ``older_than`` seconds ago. None says nothing; with both None nothing goes."""

    keep_last: int | None = None
    older_than: float | None = None


def dropped(index: Index, rule: Rule, reused: Mapping[str, float], now: float) -> set[str]:
    """Ids of attempts whose outputs are not wanted any more.

    The newest run of every stage stays, whatever the rule says: it is what the stage's users were made from.

    Args:
        reused: when an attempt's outputs were last used again, by id.
    """
    if rule.keep_last is None and rule.older_than is None:
        return set()
    stages: dict[tuple[str, str, str], dict[str, list[Attempt]]] = {}
    for attempt in index.attempts("key != ''"):
        if attempt.state == SUCCEEDED:
            whose = (attempt.project, attempt.root, attempt.stage)
            stages.setdefault(whose, {}).setdefault(attempt.key, []).append(attempt)
    found: set[str] = set()
    for runs in stages.values():
        used = {key: max(_last_used(one, reused) for one in attempts) for key, attempts in runs.items()}
        newest_first = sorted(runs, key=lambda key: (used[key], key), reverse=True)
        for key in newest_first[max(rule.keep_last or 1, 1) :]:
            if rule.older_than is None or used[key] < now - rule.older_than:
                found.update(attempt.id for attempt in runs[key])
    return found


def _last_used(attempt: Attempt, reused: Mapping[str, float]) -> float:
    return max(attempt.started + attempt.seconds, reused.get(attempt.id, 0.0))
