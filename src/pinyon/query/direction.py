"""Which way a metric is better: as an objective says, else as its name does."""

from __future__ import annotations

import re
from typing import Any, Literal

from pinyon.query.index import Index

Goal = Literal["maximize", "minimize"]
_BY_NAME: dict[str, Goal] = {
    **dict.fromkeys(("loss", "error", "mae", "mse", "rmse", "nll", "perplexity"), "minimize"),
    **dict.fromkeys(("accuracy", "acc", "f1", "auc", "auroc", "precision", "recall", "r2", "bleu"), "maximize"),
}  # fmt: skip


class Directions:
    """Known directions. Of objectives that disagree neither is believed."""

    def __init__(self, told: dict[str, set[Goal]]) -> None:
        self._told = told

    def of(self, metric: str) -> Goal | None:
        """The direction of a metric; None where nothing says it."""
        told = self._told.get(metric)
        if told:
            return next(iter(told)) if len(told) == 1 else None
        words = re.split(r"[^a-z0-9]+", metric.lower())
        return next((_BY_NAME[word] for word in (words[-1], words[0]) if word in _BY_NAME), None)


def directions(index: Index) -> Directions:
    """What the selections of this store went by; a metric that was preferred small is better small."""
    told: dict[str, set[Goal]] = {}
    for event in index.told("selected"):
        objective: Any = event.body.get("objective")
        if not isinstance(objective, dict):
            continue
        metric, goal, prefer = (objective.get(name) for name in ("metric", "goal", "prefer"))
        if isinstance(metric, str) and goal in ("maximize", "minimize"):
            told.setdefault(metric, set()).add(goal)
        if isinstance(prefer, str) and prefer:
            told.setdefault(prefer, set()).add("minimize")
    return Directions(told)
