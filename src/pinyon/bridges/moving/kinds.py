"""What can be imported from and exported to, by the word that a person types."""

from __future__ import annotations

import os

from pinyon.bridges.moving.nouns import Live, Sink, Source
from pinyon.bridges.moving.table import GUESS, Asked
from pinyon.errors import ForeignFileError, PlanError

KINDS = {
    "mlflow": "an MLflow database (sqlite), or its folder mlruns",
    "tensorboard": "a folder with TensorBoard's event files",
    "wandb": "W&B's offline runs, or what its API gave in a folder",
    "neptune": "what neptune-exporter wrote",
    "csv": "a CSV, or a folder of them",
    "parquet": "what `pinyon export parquet` wrote",
}
SINKS = {
    "mlflow": "a database of MLflow's, by its own client",
    "tensorboard": "a folder with TensorBoard's event files",
    "wandb": "W&B's offline runs, by its own client",
    "csv": "a folder with runs.csv and points.csv",
    "parquet": "a folder with runs.parquet and points.parquet",
}


def open_source(kind: str, place: str, asked: Asked = GUESS) -> Source:
    """What a place holds.

    Raises:
        PlanError: no such kind, or nothing is there.
        ForeignFileError: something else is there, or of a newer format.
    """
    if kind not in KINDS:
        raise PlanError(
            f"nothing is known of {kind!r}", why=f"there are {', '.join(KINDS)}", next="pinyon import --help"
        )
    if not os.path.exists(place):
        raise PlanError("there is nothing to import", where=place, next="name a file or folder")
    if kind == "mlflow":
        return _mlflow(place)
    if kind == "tensorboard":
        from pinyon.bridges.moving.events import EventFolder

        return EventFolder(place)
    if kind == "wandb":
        from pinyon.bridges.moving.wandbruns import WandbRuns

        return WandbRuns(place)
    if kind == "neptune":
        from pinyon.bridges.moving.neptune import NeptuneExport

        return NeptuneExport(place)
    if kind == "parquet":
        from pinyon.bridges.moving.parquet import ParquetFolder

        return ParquetFolder(place)
    from pinyon.bridges.moving.table import TableFiles

    return TableFiles(place, asked)


def open_sink(kind: str, place: str) -> Sink:
    """What takes runs to a place.

    Raises:
        PlanError: no such kind, or what it needs is not installed.
        OSError: nothing can be written there.
    """
    if kind == "parquet":
        from pinyon.bridges.moving.parquet import ParquetSink

        return ParquetSink(place)
    if kind == "csv":
        from pinyon.bridges.moving.csvsink import CsvSink

        return CsvSink(place)
    return _live(kind, place, tuple(SINKS))


def open_live(kind: str, place: str) -> Live:
    """What takes runs to a place while they go on.

    Raises:
        PlanError, OSError: as `open_sink`; of a kind that is written as a whole, too.
    """
    return _live(kind, place, ("mlflow", "tensorboard", "wandb"))


def _live(kind: str, place: str, there: tuple[str, ...]) -> Live:
    if kind == "mlflow":
        from pinyon.bridges.moving.mlflowsink import MlflowSink

        return MlflowSink(place)
    if kind == "tensorboard":
        from pinyon.bridges.moving.eventsink import EventSink

        return EventSink(place)
    if kind == "wandb":
        from pinyon.bridges.moving.wandbsink import WandbSink

        return WandbSink(place)
    what = f"{kind} is written as a whole" if kind in SINKS else f"nothing is known of {kind!r}"
    raise PlanError(what, why=f"there are {', '.join(there)}", next="pinyon export --help")


def _mlflow(place: str) -> Source:
    from pinyon.bridges.moving.mlflowdb import MlflowDatabase
    from pinyon.bridges.moving.mlruns import MlflowFolder

    if os.path.isfile(place):
        return MlflowDatabase(place)
    inside = [
        os.path.join(place, name)
        for name in ("mlflow.db", "mlruns.db")
        if os.path.isfile(os.path.join(place, name))
    ]
    if inside:
        return MlflowDatabase(inside[0])
    try:
        return MlflowFolder(place)
    except ForeignFileError:
        if os.path.isdir(os.path.join(place, "mlruns")):
            return MlflowFolder(os.path.join(place, "mlruns"))
        raise
