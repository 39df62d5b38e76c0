"""The model registry store that MLflow asks for ``pinyon://``: our own registry, and what only MLflow knows beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)  # fmt: skip
from mlflow.entities.model_registry.model_version_stages import (
    ALL_STAGES,
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    STAGE_ARCHIVED,
    STAGE_NONE,
    get_canonical_stage,
)  # fmt: skip
from mlflow.exceptions import MlflowException
from mlflow.prompt.registry_utils import (
    add_prompt_filter_string,
    handle_resource_already_exist_error,
    has_prompt_tag,
)
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry import (
    SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
    SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD,
)  # fmt: skip
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchModelUtils, SearchModelVersionUtils, SearchUtils
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
    _validate_model_name,
    _validate_model_renaming,
    _validate_model_version,
    _validate_model_version_tag,
    _validate_registered_model_tag,
    _validate_tag_name,
)  # fmt: skip

from pinyon.bridges.mlflow.gates import checked
from pinyon.bridges.mlflow.model_sources import artifact_at, resolved
from pinyon.bridges.mlflow.model_states import ModelState, ModelStates
from pinyon.bridges.mlflow.place import open_place
from pinyon.bridges.mlflow.seen import mlflow_id
from pinyon.errors import GateError, PinyonError, PlanError, UnknownModelError
from pinyon.model.registry import STAGES, Model, bad_name
from pinyon.registry.names import names_of
from pinyon.registry.registry import Registry

_LATEST = "latest"  # the alias that means the highest version


class RegistryStore(AbstractStore):
    """Registered models of a project."""

    def __init__(self, store_uri: str | None = None, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri, tracking_uri)
        self._place = open_place(store_uri or "pinyon://")
        self._registry = Registry(self._place.store, self._place.project)
        self._states = ModelStates(self._place.store.refs)

    # Registered models

    def create_registered_model(
        self, name: str, tags: Sequence[RegisteredModelTag] | None = None, description: str | None = None,
        deployment_job_id: str | None = None,  # noqa: ARG002 - MLflow's signature
    ) -> RegisteredModel:  # fmt: skip
        """See MLflow."""
        _validate_model_name(name)
        for tag in tags or ():
            _validate_registered_model_tag(tag.key, tag.value)
        made = self._states.create(name, {tag.key: tag.value for tag in tags or ()}, description)
        if made is None:
            known = self.get_registered_model(name)
            handle_resource_already_exist_error(name, has_prompt_tag(known._tags), has_prompt_tag(tags))
        return self.get_registered_model(name)

    def update_registered_model(
        self,
        name: str,
        description: str | None,
        deployment_job_id: str | None = None,  # noqa: ARG002 - as above
    ) -> RegisteredModel:
        """See MLflow."""
        self._change(name, lambda state: state._replace(description=description, updated=_now()))
        return self.get_registered_model(name)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """See MLflow."""
        _validate_model_renaming(new_name)
        self._state(name)
        if name != new_name and self._states.rename(name, new_name) is None:
            raise MlflowException(
                f"Registered Model (name={new_name}) already exists.", RESOURCE_ALREADY_EXISTS
            )
        return self.get_registered_model(new_name)

    def delete_registered_model(self, name: str) -> None:
        """See MLflow. In Pinyon's registry its versions stay."""
        self._change(name, lambda state: state._replace(deleted=True))

    def search_registered_models(
        self, filter_string: str | None = None, max_results: int = SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
        order_by: list[str] | None = None, page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:  # fmt: skip
        """See MLflow."""
        if max_results > SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD:
            raise MlflowException(
                "Invalid value for request parameter max_results. It must be at most "
                f"{SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD}, but got value {max_results}",
                INVALID_PARAMETER_VALUE,
            )
        fields = [SearchUtils.parse_order_by_for_search_registered_models(one) for one in order_by or ()]
        models = [self._entity(state) for state in self._states.all()]
        kept = SearchModelUtils.filter(models, add_prompt_filter_string(filter_string, is_prompt=False))
        names = ["name" if key == "name" else "last_updated_timestamp" for key, _ in fields]
        if len(set(names)) < len(names):
            raise MlflowException(f"`order_by` contains duplicate fields: {order_by}")
        kept.sort(key=lambda one: one.name)
        for name, (_, ascending) in reversed(list(zip(names, fields, strict=True))):
            kept.sort(key=lambda one: getattr(one, name), reverse=not ascending)
        page, token = SearchUtils.paginate(kept, page_token, max_results)
        return PagedList(page, token)

    def get_registered_model(self, name: str) -> RegisteredModel:
        """See MLflow."""
        return self._entity(self._state(name))

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """See MLflow."""
        wanted = {get_canonical_stage(stage) for stage in stages or ALL_STAGES}
        state = self._state(name)
        return [one for one in self._latest(self._versions(state)) if one.current_stage in wanted]

    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """See MLflow."""
        _validate_model_name(name)
        _validate_registered_model_tag(tag.key, tag.value)
        self._change(name, lambda state: state._replace(tags={**state.tags, tag.key: tag.value}))

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """See MLflow."""
        _validate_tag_name(key)
        self._change(name, lambda state: state._replace(tags=_less(state.tags, key)))

    # Versions

    def create_model_version(
        self, name: str, source: str, run_id: str | None = None, tags: Sequence[ModelVersionTag] | None = None,
        run_link: str | None = None, description: str | None = None,
        local_model_path: str | None = None,  # noqa: ARG002 - MLflow's signature
        model_id: str | None = None,
    ) -> ModelVersion:  # fmt: skip
        """See MLflow. The bytes go into Pinyon's registry; of a source that lies elsewhere, its address."""
        _validate_model_name(name)
        for tag in tags or ():
            _validate_model_version_tag(tag.key, tag.value)
        state = self._state(name)
        storage, run = resolved(self, source, run_id, model_id)
        artifact = artifact_at(self._place, storage, run)
        try:
            number = self._registry.register(state.registry, artifact, why="MLflow", again=True).number
        except PinyonError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
        now = _now()
        told = {
            "source": source, "storage": storage, "run_id": run, "run_link": run_link, "description": description,
            "tags": {tag.key: tag.value for tag in tags or ()}, "model_id": model_id, "created": now, "updated": now,
        }  # fmt: skip
        self._change(
            name,
            lambda state: state._replace(updated=now, versions={**state.versions, str(number): told}),
        )
        return self.get_model_version(name, number)

    def update_model_version(self, name: str, version: Any, description: str | None = None) -> ModelVersion:
        """See MLflow."""
        self._tell(name, version, description=description, updated=_now())
        return self.get_model_version(name, version)

    def transition_model_version_stage(
        self, name: str, version: Any, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """See MLflow. Stages are Pinyon's, which has one version in each; that MLflow allows more is kept beside it."""
        wanted = get_canonical_stage(stage)
        if archive_existing_versions and wanted not in DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS:
            raise MlflowException(
                f"Model version transition cannot archive existing model versions because '{stage}' is not an Active "
                f"stage. Valid stages are {DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS}"
            )
        number = int(self.get_model_version(name, version).version)
        before = {int(one.version): one.current_stage for one in self._versions(self._state(name))}
        after = {**before, number: wanted}
        if archive_existing_versions:
            after |= {one: STAGE_ARCHIVED for one, held in before.items() if one != number and held == wanted}
        registry = self._state(name).registry
        self._promote(registry, number, wanted)
        ours, now = names_of(self._registry.model(registry)), _now()

        def apply(state: ModelState) -> ModelState:
            told = dict(state.versions)
            for one, held in after.items():
                changed = {"updated": now} if held != before[one] or one == number else {}
                told[str(one)] = {
                    **told.get(str(one), {}),
                    "stage": held,
                    "then": ours.stage_of(one),
                    **changed,
                }
            return state._replace(versions=told, updated=now)

        self._change(name, apply)
        return self.get_model_version(name, version)

    def _promote(self, registry: str, number: int, stage: str) -> None:
        if stage != STAGE_NONE:
            self._point(registry, stage.lower(), number)
            return
        model = self._registry.model(registry)
        held = names_of(model).stage_of(number)
        if held and held != "archived":
            try:
                self._registry.unset(model, held, why="MLflow")
            except PinyonError as error:
                raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error

    def _point(self, registry: str, name: str, number: int) -> None:
        """Let a stage or an alias of ours be a version, if the gates of the project's files hold.

        Raises:
            MlflowException: one does not, or the name is pinned; the message says which and why.
        """
        try:
            model = self._registry.model(registry)
            if self._registry.moves(model, name, number):
                told = checked(self._place, self._registry.version(model, number), registry, name)
                self._registry.promote(model, name, number, checked=told, why="MLflow")
        except PinyonError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error

    def delete_model_version(self, name: str, version: Any) -> None:
        """See MLflow. In Pinyon's registry it stays."""
        number = int(self.get_model_version(name, version).version)
        for alias, held in self._aliases(self._state(name)).items():
            if held == number:
                self.delete_registered_model_alias(name, alias)
        self._tell(name, number, deleted=True, updated=_now())
        self._change(name, lambda state: state._replace(updated=_now()))

    def get_model_version(self, name: str, version: Any) -> ModelVersion:
        """See MLflow."""
        _validate_model_name(name)
        number = _validate_model_version(version)
        state = self._states.get(name)
        for one in self._versions(state) if state else ():
            if one.version == number:
                return one
        raise MlflowException(
            f"Model Version (name={name}, version={number}) not found", RESOURCE_DOES_NOT_EXIST
        )

    def get_model_version_download_uri(self, name: str, version: Any) -> str:
        """See MLflow."""
        number = self.get_model_version(name, version).version
        state = self._state(name)
        told = state.versions.get(str(number), {})
        return str(told.get("storage") or self._uri(state, number))

    def search_model_versions(
        self, filter_string: str | None = None, max_results: int = SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
        order_by: list[str] | None = None, page_token: str | None = None,
    ) -> PagedList[ModelVersion]:  # fmt: skip
        """See MLflow."""
        if type(max_results) is not int or max_results < 1:
            raise MlflowException(
                f"Invalid value for max_results. It must be a positive integer, but got {max_results}",
                INVALID_PARAMETER_VALUE,
            )
        if max_results > SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD:
            raise MlflowException(
                "Invalid value for request parameter max_results. It must be at most "
                f"{SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD}, but got value {max_results}",
                INVALID_PARAMETER_VALUE,
            )
        versions = [one for state in self._states.all() for one in self._versions(state)]
        for one in versions:  # MLflow's own stores leave them out of this answer
            one.aliases = []
        kept = SearchModelVersionUtils.filter(
            versions, add_prompt_filter_string(filter_string, is_prompt=False)
        )
        ordered = SearchModelVersionUtils.sort(
            kept, order_by or ["last_updated_timestamp DESC", "name ASC", "version_number DESC"]
        )
        page, token = SearchUtils.paginate(ordered, page_token, max_results)
        return PagedList(page, token)

    def set_model_version_tag(self, name: str, version: Any, tag: ModelVersionTag) -> None:
        """See MLflow."""
        _validate_model_version_tag(tag.key, tag.value)
        self._tag(name, version, lambda tags: {**tags, tag.key: tag.value})

    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """See MLflow."""
        _validate_tag_name(key)
        self._tag(name, version, lambda tags: _less(tags, key))

    # Aliases

    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """See MLflow."""
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        _validate_model_alias_name_reserved(alias)
        number = int(self.get_model_version(name, version).version)
        if _only_mlflows(alias):
            self._change(name, lambda state: state._replace(aliases={**state.aliases, alias: number}))
            return
        self._point(self._state(name).registry, alias, number)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """See MLflow."""
        _validate_model_alias_name(alias)
        state = self._state(name)
        if alias in state.aliases:
            self._change(name, lambda state: state._replace(aliases=_less(state.aliases, alias)))
        elif not _only_mlflows(alias) and alias in self._aliases(state):
            try:
                self._registry.unset(self._registry.model(state.registry), alias, why="MLflow")
            except GateError as error:
                raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
            except PlanError:
                return  # somebody was first

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """See MLflow. A stage of Pinyon's is found by its name, too."""
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        state = self._state(name)
        if alias.lower() == _LATEST:
            if found := self._versions(state):
                return max(found, key=lambda one: int(one.version))
            raise MlflowException(f"Latest version not found for model {name}.", RESOURCE_DOES_NOT_EXIST)
        model = self._model(state)
        number = self._aliases(state).get(alias) or (model.aliases.get(alias.lower()) if model else None)
        if number is None:
            raise MlflowException(f"Registered model alias {alias} not found.", INVALID_PARAMETER_VALUE)
        return self.get_model_version(name, number)

    # How

    def _state(self, name: str) -> ModelState:
        _validate_model_name(name)
        found = self._states.get(name)
        if found is None:
            raise MlflowException(f"Registered Model with name={name} not found", RESOURCE_DOES_NOT_EXIST)
        return found

    def _change(self, name: str, apply: Callable[[ModelState], ModelState]) -> None:
        self._state(name)
        self._states.change(name, apply)

    def _tell(self, name: str, version: Any, **fields: Any) -> None:
        number = str(self.get_model_version(name, version).version)
        self._change(
            name,
            lambda state: state._replace(
                versions={**state.versions, number: {**state.versions.get(number, {}), **fields}}
            ),
        )

    def _tag(self, name: str, version: Any, apply: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        one = self.get_model_version(name, version)
        self._tell(name, one.version, tags=dict(apply(one.tags)))

    def _model(self, state: ModelState) -> Model | None:
        """As our registry has it; None before its first version."""
        try:
            return self._registry.model(state.registry)
        except UnknownModelError:
            return None

    def _aliases(self, state: ModelState) -> dict[str, int]:
        model = self._model(state)
        ours = {
            alias: number for alias, number in (model.aliases if model else {}).items() if alias not in STAGES
        }
        return {**ours, **state.aliases}

    def _versions(self, state: ModelState) -> list[ModelVersion]:
        """Every version that MLflow has not deleted, by number."""
        model = self._model(state)
        if model is None:
            return []
        aliases = self._aliases(state)
        return [
            self._version(state, model, number, [alias for alias in aliases if aliases[alias] == number])
            for number in range(1, len(model.versions) + 1)
            if not state.versions.get(str(number), {}).get("deleted")
        ]

    def _version(self, state: ModelState, model: Model, number: int, aliases: list[str]) -> ModelVersion:
        told, ours = state.versions.get(str(number), {}), model.versions[number - 1]
        created = round(ours.ts * 1000)
        run = told.get("run_id") if told.get("source") else self._run_of(ours.run)
        tags = [ModelVersionTag(key, text) for key, text in (told.get("tags") or {}).items()]
        description = told.get("description", ours.why or None)
        return ModelVersion(
            state.name, number, told.get("created") or created, told.get("updated") or created, description,
            None, _stage(told, names_of(model).stage_of(number)), told.get("source") or self._uri(state, number), run,
            "READY", None, tags, told.get("run_link"), aliases,
        )  # fmt: skip

    def _run_of(self, run: str) -> str | None:
        """MLflow's id of a run of Pinyon's."""
        if not run:
            return None
        self._place.view.refresh()
        seen = self._place.view.run(run)
        return mlflow_id(seen.key) if seen else None

    def _uri(self, state: ModelState, number: int) -> str:
        return f"{self._place.artifact_root}/registry/{state.registry}/{number}"

    @staticmethod
    def _latest(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
        """The highest of each stage."""
        found: dict[str, ModelVersion] = {}
        for one in versions:
            found[one.current_stage] = one
        return list(found.values())

    def _entity(self, state: ModelState) -> RegisteredModel:
        latest = self._latest(self._versions(state))
        for one in latest:  # MLflow's own stores leave them out of this answer
            one.aliases = []
        return RegisteredModel(
            state.name, state.created, state.updated, state.description, latest,
            [RegisteredModelTag(key, text) for key, text in state.tags.items()],
            [RegisteredModelAlias(alias, number) for alias, number in sorted(self._aliases(state).items())],
        )  # fmt: skip


def _stage(told: Mapping[str, Any], ours: str) -> str:
    """MLflow's stage, unless Pinyon's has changed since it was told."""
    return (
        str(told["stage"])
        if told.get("then", None) == ours and "stage" in told
        else (ours.capitalize() or STAGE_NONE)
    )


def _only_mlflows(alias: str) -> bool:
    """Whether an alias can be none of Pinyon's: its names of stages have rules of their own."""
    return bool(bad_name(alias)) or alias.lower() in STAGES


def _less(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def _now() -> int:
    return round(time.time() * 1000)
