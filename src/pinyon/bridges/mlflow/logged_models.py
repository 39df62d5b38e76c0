"""MLflow's logged models: what a run has trained, before anybody registers it. Records of their own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import (
    LifecycleStage,
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
)  # fmt: skip
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.search_utils import SearchLoggedModelsPaginationToken, SearchLoggedModelsUtils
from mlflow.utils.uri import append_to_uri_path
from mlflow.utils.validation import _validate_logged_model_name

from pinyon.bridges.mlflow.experiments import Experiments, State
from pinyon.bridges.mlflow.view import View
from pinyon.bridges.mlflow.writers import Writers
from pinyon.bridges.recording import Recorder
from pinyon.track.values import fact

_MOST = 100  # models on a page where nobody says how many


class LoggedModels:
    """The part of a tracking store that is about logged models."""

    _view: View
    _writers: Writers
    _experiments: Experiments

    def _active_experiment(self, experiment_id: str) -> State:
        raise NotImplementedError

    def create_logged_model(
        self, experiment_id: str, name: str | None = None, source_run_id: str | None = None,
        tags: list[LoggedModelTag] | None = None, params: list[LoggedModelParameter] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:  # fmt: skip
        """See MLflow."""
        _validate_logged_model_name(name)
        state = self._active_experiment(experiment_id)
        model = f"m-{uuid.uuid4().hex}"
        self._tell(model, {
            "experiment_id": state.id, "name": name or _generate_random_name(), "source_run_id": source_run_id,
            "model_type": model_type, "status": int(LoggedModelStatus.PENDING.to_int()),
            "artifact_location": append_to_uri_path(state.location, "models", model, "artifacts"),
            "tags": {tag.key: tag.value for tag in tags or ()}, "params": {one.key: one.value for one in params or ()},
        })  # fmt: skip
        return self.get_logged_model(model)

    def log_logged_model_params(self, model_id: str, params: list[LoggedModelParameter]) -> None:
        """See MLflow."""
        self._model(model_id)
        self._tell(model_id, {"params": {one.key: one.value for one in params}}, quietly=True)

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """See MLflow."""
        self._model(model_id)
        self._tell(model_id, {"status": int(LoggedModelStatus(status).to_int())})
        return self._entity(self._model(model_id))

    def set_logged_model_tags(self, model_id: str, tags: list[LoggedModelTag]) -> None:
        """See MLflow."""
        self._model(model_id)
        self._tell(model_id, {"tags": {tag.key: tag.value for tag in tags}}, quietly=True)

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """See MLflow."""
        if key not in self._model(model_id)["tags"]:
            raise MlflowException(
                f"No tag with key {key!r} found for model with ID {model_id!r}.", RESOURCE_DOES_NOT_EXIST
            )
        self._tell(model_id, {"tags": {key: None}}, quietly=True)

    def delete_logged_model(self, model_id: str) -> None:
        """See MLflow."""
        self._model(model_id)
        self._tell(model_id, {"lifecycle": LifecycleStage.DELETED})

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """See MLflow."""
        found = self._model(model_id)
        if found["lifecycle"] == LifecycleStage.DELETED and not allow_deleted:
            raise _missing(model_id)
        return self._entity(found)

    def search_logged_models(
        self, experiment_ids: list[str], filter_string: str | None = None, datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None, order_by: list[dict[str, Any]] | None = None, page_token: str | None = None,
    ) -> PagedList[LoggedModel]:  # fmt: skip
        """See MLflow."""
        if datasets and not all(one.get("dataset_name") for one in datasets):
            raise MlflowException(
                "`dataset_name` in the `datasets` clause must be specified.", INVALID_PARAMETER_VALUE
            )
        offset = 0
        if page_token:
            told = SearchLoggedModelsPaginationToken.decode(page_token)
            told.validate(experiment_ids, filter_string, order_by)
            offset = told.offset
        wanted, most = set(experiment_ids), max_results or _MOST
        self._view.refresh()
        with self._view.lock:
            known = [_state(model, events) for model, events in self._view.models.items()]
        models = [
            self._entity(one)
            for one in known
            if one["experiment_id"] in wanted and one["lifecycle"] == LifecycleStage.ACTIVE
        ]
        kept = SearchLoggedModelsUtils.sort(
            SearchLoggedModelsUtils.filter_logged_models(models, filter_string, datasets), order_by
        )
        more = len(kept) > offset + most
        token = (
            SearchLoggedModelsPaginationToken(experiment_ids, filter_string, order_by, offset + most).encode()
            if more
            else None
        )
        return PagedList(kept[offset : offset + most], token)

    def _log_model_metrics(self, recorder: Recorder, run_id: str, metrics: Sequence[Metric]) -> None:
        """Metrics that say of which model they are, beside what the run says of them."""
        for model in dict.fromkeys(str(one.model_id) for one in metrics):
            rows = [
                [
                    one.key,
                    fact(float(one.value)),
                    one.timestamp,
                    one.step,
                    one.dataset_name,
                    one.dataset_digest,
                ]
                for one in metrics
                if one.model_id == model
            ]
            recorder.tell("mlflow_model_metrics", {"model": model, "run": run_id, "metrics": rows})

    def _tell(self, model: str, fields: Mapping[str, Any], *, quietly: bool = False) -> None:
        now = {} if quietly else {"updated": round(time.time() * 1000)}
        self._writers.tell("mlflow_model", {"model": model, **now, **fields})

    def _model(self, model: str) -> dict[str, Any]:
        self._view.refresh()
        with self._view.lock:
            events = self._view.models.get(model)
            found = _state(model, events) if events else {}
        if "experiment_id" not in found:
            raise _missing(model)
        return found

    @staticmethod
    def _entity(state: Mapping[str, Any]) -> LoggedModel:
        return LoggedModel(
            experiment_id=state["experiment_id"], model_id=state["model"], name=state["name"],
            artifact_location=state["artifact_location"], creation_timestamp=state["created"],
            last_updated_timestamp=state["updated"], model_type=state["model_type"],
            source_run_id=state["source_run_id"], status=LoggedModelStatus.from_int(state["status"]),
            tags=dict(state["tags"]), params=dict(state["params"]), metrics=list(state["metrics"]),
        )  # fmt: skip


def _state(model: str, events: Mapping[tuple[float, str, int], Any]) -> dict[str, Any]:
    """What the records of a model come to; without ``experiment_id`` where the first is missing."""
    found: dict[str, Any] = {"model": model, "lifecycle": LifecycleStage.ACTIVE, "tags": {}, "params": {}}
    metrics: dict[tuple[Any, ...], Metric] = {}
    for at in sorted(events):
        event = events[at]
        body = event.body
        if event.kind == "mlflow_model_metrics":
            for key, value, timestamp, step, dataset, digest in body.get("metrics", ()):
                run = body.get("run")
                one = Metric(key, float(value), timestamp, step, model, dataset, digest, run)
                metrics[key, str(value), timestamp, step, dataset, digest, run] = one
            continue
        found["created"] = found.get("created", body.get("updated"))
        tags = {**found["tags"], **body.get("tags", {})}
        params = {**found["params"], **body.get("params", {})}
        found |= {**body, "params": params}
        found["tags"] = {name: text for name, text in tags.items() if text is not None}
    found["metrics"] = list(metrics.values())
    return found


def _missing(model: str) -> MlflowException:
    return MlflowException(f"Logged model with ID '{model}' not found.", RESOURCE_DOES_NOT_EXIST)
