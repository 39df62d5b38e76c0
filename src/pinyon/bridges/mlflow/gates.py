"""What has to hold before one of MLflow's calls moves a name: the same as before `pinyon model promote` does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pinyon.bridges.mlflow.place import Place
from pinyon.model.registry import Checked, ModelVersion
from pinyon.query.index import FILE, Index
from pinyon.registry.declared import clauses
from pinyon.registry.gates import check
from pinyon.registry.measured import measured_of


def checked(place: Place, version: ModelVersion, model: str, alias: str) -> tuple[Checked, ...]:
    """The clauses of every experiment in the project's files that promotes ``model`` to ``alias``, with what was measured.

    Raises:
        SpecError: the project's files say something wrong.
        PlanError: a name fits several metrics.
    """
    asked = clauses(Path(place.root), model, alias, ())
    if not asked:
        return ()
    with closing(Index(place.store.cache / FILE, place.store.journals)) as index:
        index.catch_up()
        return check(asked, measured_of(index, version), version.stage)
