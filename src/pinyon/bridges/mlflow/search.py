"""MLflow's search over entities: its own grammar, and the order that its SQL stores give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.utils.search_utils import SearchUtils

T = TypeVar("T")


def matching(runs: list[Run], filter_string: str | None) -> list[Run]:
    """Those that a filter keeps.

    Raises:
        MlflowException: it is none.
    """
    found: list[Run] = SearchUtils.filter(runs, filter_string)
    return found


def ordered(runs: list[Run], order_by: Sequence[str] | None) -> list[Run]:
    """As asked for, then in the order given. What has no such value comes last whichever way, NaN before it.

    Args:
        runs: the newest first, then by id.

    Raises:
        MlflowException: no such field, or one twice.
    """
    fields = [SearchUtils.parse_order_by_for_search_runs(clause) for clause in order_by or ()]
    keys = [(kind, SearchUtils.translate_key_alias(key)) for kind, key, _ in fields]
    if len(set(keys)) < len(keys):
        raise MlflowException(f"`order_by` contains duplicate fields: {order_by}")
    if len(fields) == 1 and (*keys[0], fields[0][2]) == ("attribute", "start_time", False):
        return runs
    for (kind, key), (_, _, ascending) in reversed(list(zip(keys, fields, strict=True))):
        values = [(_value(run, kind, key), run) for run in runs]
        there = [pair for pair in values if _place(pair[0]) == 0]
        there.sort(key=lambda pair: pair[0], reverse=not ascending)
        rest = sorted((pair for pair in values if _place(pair[0])), key=lambda pair: _place(pair[0]))
        runs = [run for _, run in (*there, *rest)]
    return runs


def _value(run: Run, kind: str, key: str) -> Any:
    if kind == "attribute":
        return getattr(run.info, key)
    held = {"metric": run.data.metrics, "parameter": run.data.params, "tag": run.data.tags}[kind]
    return held.get(key)


def _place(value: Any) -> int:
    return 2 if value is None else int(isinstance(value, float) and math.isnan(value))


def as_kept(value: float) -> tuple[float, bool]:
    """A metric as MLflow's SQL stores order it, which keep NaN as 0."""
    return (0.0, True) if math.isnan(value) else (value, False)


def sampled(rows: Sequence[T], most: int) -> list[T]:
    """``most`` of them, evenly: the first of each of so many parts that are as equal as can be, and the last."""
    if len(rows) <= most:
        return list(rows)
    small, more = divmod(len(rows), most)
    starts = [part * small + min(part, more) for part in range(most)]
    found = [rows[at] for at in starts]
    found[-1] = rows[-1]
    return found


def check_max(max_results: int) -> None:
    """Refuse a size of a page that MLflow refuses.

    Raises:
        MlflowException: it is none.
    """
    if type(max_results) is not int or max_results < 1:
        raise MlflowException(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be a positive integer",
            INVALID_PARAMETER_VALUE,
        )
    if max_results > SEARCH_MAX_RESULTS_THRESHOLD:
        raise MlflowException(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be at most"
            f" {SEARCH_MAX_RESULTS_THRESHOLD}",
            INVALID_PARAMETER_VALUE,
        )
