"""The part of a tracking store that is about experiments."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow.entities import Experiment, ExperimentTag, LifecycleStage, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, INVALID_STATE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils
from mlflow.utils.uri import resolve_uri_if_local
from mlflow.utils.validation import (
    _validate_experiment_artifact_location_length,
    _validate_experiment_name,
    _validate_experiment_tag,
)

from pinyon.bridges.mlflow import search
from pinyon.bridges.mlflow.entities import Entities
from pinyon.bridges.mlflow.experiments import DEFAULT, Experiments, State
from pinyon.bridges.mlflow.seen import Seen
from pinyon.bridges.mlflow.view import View
from pinyon.bridges.recording import Recorder


class ExperimentCalls:
    """What MLflow asks about experiments."""

    _view: View
    _entities: Entities
    _experiments: Experiments

    def _recorder(self, seen: Seen) -> Recorder:
        raise NotImplementedError

    def search_experiments(
        self, view_type: int = ViewType.ACTIVE_ONLY, max_results: int = SEARCH_MAX_RESULTS_DEFAULT,
        filter_string: str | None = None, order_by: list[str] | None = None, page_token: str | None = None,
    ) -> PagedList[Experiment]:  # fmt: skip
        """See MLflow."""
        search.check_max(max_results)
        stages = LifecycleStage.view_type_to_stages(view_type)
        found = [one.entity() for one in self._experiments.all() if one.lifecycle in stages]
        kept = SearchExperimentsUtils.sort(
            SearchExperimentsUtils.filter(found, filter_string),
            order_by or ["creation_time DESC", "experiment_id ASC"],
        )
        page, token = SearchUtils.paginate(kept, page_token, max_results)
        return PagedList(page, token)

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Sequence[ExperimentTag] | None = None
    ) -> str:
        """See MLflow."""
        _validate_experiment_name(name)
        if artifact_location:
            artifact_location = resolve_uri_if_local(artifact_location)
            _validate_experiment_artifact_location_length(artifact_location)
        for tag in tags or ():
            _validate_experiment_tag(tag.key, tag.value)
        return self._experiments.create(name, artifact_location, {tag.key: tag.value for tag in tags or ()})

    def get_experiment(self, experiment_id: str) -> Experiment:
        """See MLflow."""
        return self._experiments.get(str(experiment_id or DEFAULT)).entity()

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """See MLflow."""
        found = self._experiments.by_name(experiment_name)
        return found.entity() if found else None

    def delete_experiment(self, experiment_id: str) -> None:
        """See MLflow."""
        self._move_experiment(experiment_id, LifecycleStage.ACTIVE, LifecycleStage.DELETED)

    def restore_experiment(self, experiment_id: str) -> None:
        """See MLflow."""
        self._move_experiment(experiment_id, LifecycleStage.DELETED, LifecycleStage.ACTIVE)

    def _move_experiment(self, experiment_id: str, before: str, after: str) -> None:
        experiment = str(experiment_id)
        if self._experiments.get(experiment).lifecycle != before:
            raise MlflowException(f"No Experiment with id={experiment} exists", RESOURCE_DOES_NOT_EXIST)
        self._experiments.change(experiment, lifecycle=after)
        self._view.refresh()
        with self._view.lock:
            runs = [seen for seen in self._view.seen() if self._entities.experiment_of(seen) == experiment]
        for seen in runs:
            self._recorder(seen).tell("mlflow_lifecycle", {"stage": after})

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """See MLflow."""
        _validate_experiment_name(new_name)
        if self._experiments.get(str(experiment_id)).lifecycle != LifecycleStage.ACTIVE:
            raise MlflowException("Cannot rename a non-active experiment.", INVALID_STATE)
        self._experiments.rename(str(experiment_id), new_name)

    def set_experiment_tag(self, experiment_id: str, tag: ExperimentTag) -> None:
        """See MLflow."""
        _validate_experiment_tag(tag.key, tag.value)
        state = self._active_experiment(experiment_id)
        self._experiments.change(state.id, tags={**state.tags, tag.key: tag.value})

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """See MLflow."""
        state = self._active_experiment(experiment_id)
        if key not in state.tags:
            raise MlflowException(
                f"No tag with name: {key} in experiment with id {experiment_id}", RESOURCE_DOES_NOT_EXIST
            )
        self._experiments.change(
            state.id, tags={name: text for name, text in state.tags.items() if name != key}
        )

    def _active_experiment(self, experiment_id: str) -> State:
        state = self._experiments.get(str(experiment_id or DEFAULT))
        if state.lifecycle != LifecycleStage.ACTIVE:
            raise MlflowException(
                f"The experiment {state.id} must be in the 'active' state. Current state is {state.lifecycle}.",
                INVALID_PARAMETER_VALUE,
            )
        return state
