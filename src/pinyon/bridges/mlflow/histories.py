"""The part of a tracking store that is about histories of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow.entities import Metric
from mlflow.entities.metric import MetricWithRunId
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.search_utils import SearchUtils

from pinyon.bridges.mlflow import search
from pinyon.bridges.mlflow.entities import Entities
from pinyon.bridges.mlflow.seen import Seen
from pinyon.bridges.mlflow.values import millis
from pinyon.bridges.mlflow.view import View


class Histories:
    """Every value of a metric that was logged, not only the newest."""

    _view: View
    _entities: Entities

    def _seen(self, run_id: str) -> Seen:
        raise NotImplementedError

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList[Metric]:
        """See MLflow."""
        found = sorted(
            self._history(run_id, metric_key),
            key=lambda one: (one.timestamp, one.step, search.as_kept(one.value)),
        )
        if max_results is None:
            return PagedList(found[SearchUtils.parse_start_offset_from_page_token(page_token) :], None)
        page, token = SearchUtils.paginate(found, page_token, max_results)
        return PagedList(page, token)

    def get_metric_history_bulk(
        self, run_ids: Sequence[str], metric_key: str, max_results: int
    ) -> list[MetricWithRunId]:
        """Histories of one metric of several runs, by run."""
        return [
            MetricWithRunId(one, run)
            for run in sorted(set(run_ids))
            if self._view.run(run) is not None
            for one in self.get_metric_history(run, metric_key)
        ][:max_results]

    def get_metric_history_bulk_interval(
        self,
        run_ids: list[str],
        metric_key: str,
        max_results: int,
        start_step: int | None,
        end_step: int | None,
    ) -> list[MetricWithRunId]:
        """See MLflow: of each run ``max_results`` points, evenly, the first and the last among them."""
        if (start_step is None) != (end_step is None):
            raise MlflowException.invalid_parameter_value(
                "Both start_step and end_step must be specified together, or neither may be specified."
            )
        found: list[MetricWithRunId] = []
        for run in run_ids:
            low, high = (start_step, end_step) if start_step is not None else (-(2**63), 2**63)
            rows = [one for one in self._history(run, metric_key) if low <= one.step <= (high or 0)]
            rows.sort(key=lambda one: (one.step, one.timestamp, search.as_kept(one.value)))
            found += [MetricWithRunId(one, run) for one in search.sampled(rows, max(1, max_results))]
        return found

    def get_max_step_for_metric(self, run_id: str, metric_key: str) -> int:
        """The highest step of a metric, 0 without any."""
        return max((one.step for one in self._history(run_id, metric_key)), default=0)

    def get_metric_history_bulk_interval_from_steps(
        self, run_id: str, metric_key: str, steps: Sequence[int], max_results: int
    ) -> list[MetricWithRunId]:
        """See MLflow."""
        wanted = set(steps)
        rows = [one for one in self._history(run_id, metric_key) if one.step in wanted]
        rows.sort(key=lambda one: (one.step, one.timestamp, search.as_kept(one.value)))
        return [MetricWithRunId(one, run_id) for one in rows[:max_results]]

    def _history(self, run_id: str, metric_key: str) -> list[Metric]:
        self._view.refresh()
        if self._view.run(run_id) is None:
            return []
        seen = self._seen(run_id)
        rows = self._view.history(seen, metric_key)
        found = {
            (step, millis(at), str(value)): Metric(metric_key, value, millis(at), step)
            for _, step, at, value in rows
        }
        if not found:  # a number that was only told at the end
            with self._view.lock:
                return [one for one in self._entities.of(seen).data._metric_objs if one.key == metric_key]
        return list(found.values())
