"""The tracking store that MLflow asks for ``pinyon://``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import (
    DatasetInput,
    LifecycleStage,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
    _DatasetSummary,
)  # fmt: skip
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_LOGGED_MODELS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.search_utils import SearchUtils
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_dataset_inputs,
    _validate_metric,
    _validate_param,
    _validate_param_keys_unique,
    _validate_run_id,
    _validate_tag,
)  # fmt: skip

from pinyon.bridges.mlflow import search
from pinyon.bridges.mlflow.entities import DATASET, Entities
from pinyon.bridges.mlflow.experiment_calls import ExperimentCalls
from pinyon.bridges.mlflow.experiments import Experiments, State
from pinyon.bridges.mlflow.histories import Histories
from pinyon.bridges.mlflow.logged_models import LoggedModels
from pinyon.bridges.mlflow.place import Place, open_place
from pinyon.bridges.mlflow.seen import TOOL, Seen, mlflow_id, now
from pinyon.bridges.mlflow.values import millis, spelled, stage_of, typed
from pinyon.bridges.recording import Recorder, begin
from pinyon.model.ids import run_id, this_process
from pinyon.model.outcome import CANCELLED, FAILED, FINAL, SUCCEEDED
from pinyon.track.values import fact

_ENDS = {"FINISHED": SUCCEEDED, "FAILED": FAILED, "KILLED": CANCELLED}
_SYSTEM = "mlflow."  # how the names of MLflow's own tags begin
_LOOK = 1.0  # seconds for which a run that this process logs to is believed to be there still


class TrackingStore(ExperimentCalls, LoggedModels, Histories, AbstractStore):
    """Experiments, runs and logged models of a project.

    Args:
        store_uri: ``pinyon://`` or ``pinyon:///path``.
        artifact_uri: below which experiments that are made here keep their artifacts; default: in the store.
    """

    def __init__(self, store_uri: str, artifact_uri: str | None = None) -> None:
        super().__init__()
        self._place: Place = open_place(store_uri)
        self._view, self._writers = self._place.view, self._place.writers
        self._experiments = Experiments(self._place, artifact_uri or self._place.artifact_root)
        self._experiments.pinyons = self._pinyons  # type: ignore[method-assign]
        self._entities = Entities(self._place, self._experiments)
        self._named: list[tuple[str, int]] = []  # see `_pinyons`
        self._named_at = -1
        self._begun: dict[
            str, tuple[Recorder, float]
        ] = {}  # runs that this process logs to, and when it looked last

    def _pinyons(self) -> list[tuple[str, int]]:
        self._view.refresh()
        if self._named_at != self._view.news:
            self._named_at = self._view.news
            self._named = [
                (self._entities.named(seen), millis(seen.attempts[0].started))
                for seen in self._view.others.values()
                if seen.attempts and not seen.ours
            ]
        return self._named

    # Runs: their beginning and end

    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int | None,
        tags: list[RunTag] | None,
        run_name: str | None,
    ) -> Run:
        """See MLflow."""
        state = self._active_experiment(experiment_id)
        given = {tag.key: tag.value for tag in tags or ()}
        named = given.get(MLFLOW_RUN_NAME)
        if run_name and named and run_name != named:
            raise MlflowException(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                f"(run_name='{run_name}', mlflow.runName='{named}').",
                INVALID_PARAMETER_VALUE,
            )
        given[MLFLOW_RUN_NAME] = run_name or named or _generate_random_name()
        key = os.urandom(32).hex()
        recorder = self._begin(key, state, user_id, (start_time or round(time.time() * 1000)) / 1000, given)
        self._tag(recorder, given)
        self._begun[mlflow_id(key)] = (recorder, time.monotonic())
        return self.get_run(mlflow_id(key))

    def _begin(self, key: str, state: State, user: str, started: float, tags: Mapping[str, str]) -> Recorder:
        parent = tags.get(MLFLOW_PARENT_RUN_ID, "")
        outer = os.environ.get("PINYON_RUN", "") if not parent else run_id(parent)
        origin = {
            "tool": TOOL, "experiment_id": state.id, "experiment": state.name, "user": user or "",
            "artifacts": self._experiments.artifacts_of(state.id, mlflow_id(key)),
        }  # fmt: skip
        source = tags.get("mlflow.source.name", "")
        commit = tags.get("mlflow.source.git.commit")
        recorder = begin(
            self._place.store, key=key, stage=stage_of(state.name), started=started, process=this_process(), parent=outer,
            project=self._place.project, root=self._place.root, origin=origin, reason="a script that tells MLflow",
            argv=[source] if source else [], git={"commit": commit, "dirty": None} if commit else None,
            pen=self._writers.pen,
        )  # fmt: skip
        return self._writers.keep(recorder)

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        """See MLflow."""
        seen = self._active(run_id)
        recorder = self._recorder(seen)
        if run_name:
            self._tag(recorder, {MLFLOW_RUN_NAME: run_name})
        if run_status is not None:
            self._set_status(seen, recorder, RunStatus.to_string(run_status), end_time)
        elif end_time is not None:
            recorder.tell("mlflow_status", {"status": seen.status, "ended": end_time / 1000})
        with self._view.lock:
            return self._entities.of(self._seen(run_id)).info

    def _set_status(self, seen: Seen, recorder: Recorder, wanted: str, end_time: int | None) -> None:
        last = seen.newest
        ended = end_time / 1000 if end_time is not None else None
        if wanted in _ENDS and last.state not in FINAL and seen.ours:
            self._begun.pop(mlflow_id(seen.key), None)
            recorder.end(
                _ENDS[wanted], ended if ended is not None else time.time(), metrics=self._finals(seen)
            )
            self._writers.ended(recorder)
            if ended is not None and ended < last.started:  # which no duration can say
                self._recorder(seen).tell("mlflow_status", {"status": wanted, "ended": ended})
        elif wanted == "RUNNING" and seen.ours and now(last) != "RUNNING":
            self._take_up(seen)
        elif wanted != seen.status or ended is not None:
            recorder.tell("mlflow_status", {"status": wanted, "ended": ended})

    def _finals(self, seen: Seen) -> dict[str, Any]:
        """Newest values, for the listings of Pinyon's that do not look at points."""
        self._view.points()
        with self._view.lock:
            return {name: fact(value) for name, value in self._entities.of(seen).data.metrics.items()}

    def _take_up(self, seen: Seen) -> Recorder:
        """A new attempt of a run that has ended, or whose process has died."""
        last = seen.newest
        recorder = begin(
            self._place.store, key=seen.key, stage=last.stage, started=time.time(), process=this_process(),
            project=last.project, root=self._place.root, epoch=last.epoch + 1, origin=seen.origin,
            reason="it was taken up again", resumes=last.id, pen=self._writers.pen,
        )  # fmt: skip
        self._begun[mlflow_id(seen.key)] = (recorder, time.monotonic())
        return self._writers.keep(recorder)

    def delete_run(self, run_id: str) -> None:
        """See MLflow."""
        self._begun.pop(run_id, None)
        self._recorder(self._seen(run_id)).tell("mlflow_lifecycle", {"stage": LifecycleStage.DELETED})

    def restore_run(self, run_id: str) -> None:
        """See MLflow."""
        self._recorder(self._seen(run_id)).tell("mlflow_lifecycle", {"stage": LifecycleStage.ACTIVE})

    # Runs: what they say

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """See MLflow."""
        _validate_run_id(run_id)
        metrics, params, tags = _validate_batch_log_data(metrics, params, tags)
        _validate_batch_log_limits(metrics, params, tags)
        _validate_param_keys_unique(params)
        recorder = self._logging(run_id)
        self._log_params(recorder, run_id, params)
        self._log_metrics(recorder, run_id, metrics)
        if tags:
            self._tag(recorder, {tag.key: tag.value for tag in tags})

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """See MLflow."""
        _validate_metric(metric.key, metric.value, metric.timestamp, metric.step)
        self._log_metrics(self._logging(run_id), run_id, [metric])

    def log_param(self, run_id: str, param: Param) -> None:
        """See MLflow."""
        self._log_params(self._logging(run_id), run_id, [_validate_param(param.key, param.value)])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """See MLflow."""
        tag = _validate_tag(tag.key, tag.value)
        self._tag(self._logging(run_id), {tag.key: tag.value})

    def delete_tag(self, run_id: str, key: str) -> None:
        """See MLflow."""
        seen = self._active(run_id)
        if key not in seen.tags():
            raise MlflowException(f"No tag with name: {key} in run with id {run_id}", RESOURCE_DOES_NOT_EXIST)
        self._tag(self._recorder(seen), {key: None})

    def _log_metrics(self, recorder: Recorder, run_id: str, metrics: Sequence[Metric]) -> None:
        recorder.log(_points(metrics))
        if of_models := [metric for metric in metrics if metric.model_id]:
            self._log_model_metrics(recorder, run_id, of_models)

    def _log_params(self, recorder: Recorder, run_id: str, params: Sequence[Param]) -> None:
        if not params:
            return
        self._view.refresh()
        with self._view.lock:
            known = {name: spelled(value) for name, value in self._seen(run_id).params().items()}
        other = [
            {"key": one.key, "old_value": known[one.key], "new_value": one.value}
            for one in params
            if known.get(one.key, one.value) != one.value
        ]
        if other:
            raise MlflowException(
                f"Changing param values is not allowed. Params were already logged='{other}' for run ID='{run_id}'.",
                INVALID_PARAMETER_VALUE,
            )
        new = {one.key: typed(one.value) for one in params if one.key not in known}
        if new:
            recorder.params(new)

    @staticmethod
    def _tag(recorder: Recorder, tags: Mapping[str, str | None]) -> None:
        """The user's tags are the run's, and so is its name; what MLflow keeps for itself does not clutter them."""
        own = {
            name: text for name, text in tags.items() if name.startswith(_SYSTEM) and name != MLFLOW_RUN_NAME
        }
        users = {name: text for name, text in tags.items() if name not in own}
        if users:
            recorder.tags(users)
        if own:
            recorder.tell("mlflow_tagged", {"tags": own})

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """See MLflow."""
        from mlflow.models import Model

        if not isinstance(mlflow_model, Model):
            raise TypeError(
                f"Argument 'mlflow_model' should be mlflow.models.Model, got '{type(mlflow_model)}'"
            )
        seen = self._active(run_id)
        known = json.loads(seen.tags().get(MLFLOW_LOGGED_MODELS) or "[]")
        text = json.dumps([*known, mlflow_model.get_tags_dict()])
        _validate_tag(MLFLOW_LOGGED_MODELS, text)
        self._tag(self._recorder(seen), {MLFLOW_LOGGED_MODELS: text})

    def log_inputs(
        self,
        run_id: str,
        datasets: list[DatasetInput] | None = None,
        models: list[LoggedModelInput] | None = None,
    ) -> None:
        """See MLflow."""
        _validate_run_id(run_id)
        if datasets is not None:
            if not isinstance(datasets, list):
                raise TypeError(f"Argument 'datasets' should be a list, got '{type(datasets)}'")
            _validate_dataset_inputs(datasets)
        rows = [
            {
                **{name: getattr(one.dataset, name) for name in DATASET},
                "tags": [[tag.key, tag.value] for tag in one.tags or ()],
            }
            for one in datasets or ()
        ]
        named = [{"model_id": one.model_id} for one in models or ()]
        self._recorder(self._active(run_id)).tell("mlflow_input", {"datasets": rows, "models": named})

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """See MLflow."""
        rows = [{"model_id": one.model_id, "step": one.step} for one in models]
        self._recorder(self._active(run_id)).tell("mlflow_output", {"models": rows})

    # Runs: reading

    def get_run(self, run_id: str) -> Run:
        """See MLflow."""
        self._view.points()
        with self._view.lock:
            return self._entities.of(self._seen(run_id))

    def _search_runs(
        self, experiment_ids: list[str], filter_string: str | None, run_view_type: int, max_results: int | None,
        order_by: list[str] | None, page_token: str | None,
    ) -> tuple[list[Run], Any]:  # fmt: skip
        """See MLflow."""
        if max_results is not None:
            search.check_max(max_results)
        wanted, stages = (
            {str(one) for one in experiment_ids},
            LifecycleStage.view_type_to_stages(run_view_type),
        )
        self._view.points()
        with self._view.lock:
            runs = [
                run
                for run in self._entities.newest()
                if run.info.experiment_id in wanted and run.info.lifecycle_stage in stages
            ]
        kept = search.ordered(search.matching(runs, filter_string), order_by)
        page, token = SearchUtils.paginate(
            kept, page_token, max_results if max_results is not None else len(kept) or 1
        )
        # MLflow's own stores leave the models that runs read out of this answer.
        return [
            Run(run.info, run.data, RunInputs(run.inputs.dataset_inputs), run.outputs) for run in page
        ], token

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Traces are not kept here."""
        raise NotImplementedError

    def _search_datasets(self, experiment_ids: list[str]) -> list[_DatasetSummary]:
        """Data sets of experiments, each with the context in which it was read: what MLflow's pages ask for."""
        wanted = {str(one) for one in experiment_ids}
        found: dict[tuple[str | None, ...], _DatasetSummary] = {}
        self._view.refresh()
        with self._view.lock:
            read = [seen for seen in self._view.seen() if any(seen.of("mlflow_input"))]
            for run in (self._entities.of(seen) for seen in read):
                for one in run.inputs.dataset_inputs if run.info.experiment_id in wanted else ():
                    context = next((tag.value for tag in one.tags if tag.key == MLFLOW_DATASET_CONTEXT), None)
                    told = (run.info.experiment_id, one.dataset.name, one.dataset.digest, context)
                    found[told] = _DatasetSummary(*told)
        return list(found.values())

    def search_traces(self, *_: Any, **__: Any) -> tuple[list[Any], None]:
        """None: traces are not kept here."""
        return [], None

    # Finding

    def _seen(self, run_id: str) -> Seen:
        """A run as the view has it.

        Raises:
            MlflowException: there is none.
        """
        found = self._view.run(run_id)
        if found is None:
            self._view.refresh()
            found = self._view.run(run_id)
        if found is None or not found.attempts:
            raise MlflowException(f"Run with id={run_id} not found", RESOURCE_DOES_NOT_EXIST)
        return found

    def _active(self, run_id: str) -> Seen:
        self._view.refresh()
        seen = self._seen(run_id)
        if seen.deleted:
            raise MlflowException(
                f"The run {run_id} must be in the 'active' state. Current state is deleted.",
                INVALID_PARAMETER_VALUE,
            )
        return seen

    def _recorder(self, seen: Seen) -> Recorder:
        last = seen.newest
        return self._writers.of(last.id, seen.key, last.started)

    def _logging(self, run_id: str) -> Recorder:
        """Where to log to a run. That it has not been deleted meanwhile is looked up once a second."""
        known = self._begun.get(run_id)
        if known is not None and known[0].pid == os.getpid() and time.monotonic() - known[1] < _LOOK:
            return self._writers.keep(known[0])
        seen = self._active(run_id)
        recorder = self._recorder(seen)
        if seen.ours and seen.open and now(seen.newest) != "RUNNING":
            recorder = self._take_up(seen)  # its process has died; whoever logs to it goes on with it
        self._begun[run_id] = (recorder, time.monotonic())
        return recorder


def _points(metrics: Sequence[Metric]) -> list[tuple[float, int, dict[str, float]]]:
    """Metrics of one time and step in one point, as far as they have different names."""
    found: list[tuple[float, int, dict[str, float]]] = []
    for metric in metrics:
        at, step = metric.timestamp / 1000, int(metric.step)
        if not found or found[-1][:2] != (at, step) or metric.key in found[-1][2]:
            found.append((at, step, {}))
        found[-1][2][metric.key] = float(metric.value)
    return found
