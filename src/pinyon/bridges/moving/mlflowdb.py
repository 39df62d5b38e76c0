"""An MLflow database, as a file of sqlite's. It is only read; tables and columns are those that it has."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from pinyon.bridges.moving import mlflowish
from pinyon.bridges.moving.keep import files_below
from pinyon.bridges.moving.mlflowish import KIND, NAME, NOTE, PARENT, USER, Places
from pinyon.bridges.moving.nouns import RUNNING, Curves, Heading, Kept, Left, MovedRun, MovedVersion
from pinyon.errors import ForeignFileError

# Every version of the schema that MLflow had from 1.0 to 3.17.
_KNOWN = frozenset(
    """
    0584bdc529eb 0a8213491aaa 0c779009ac13 17e22815139b 181f10493468 1971f2d9a75b 1a0cddfcaa16 1b5f0d9ad7c1 1bd49d398cd23
    27a6a02d2cf1 2b4d017a5e9b 2c33131f4dae 2d6e25af4d3e 3500859a5d39 39d1c3be5f05 3da73c924c2f 400f98739977 4465047574b1
    451aebb31d03 534353b11cbc 5b0e9adcef9c 5d2d30f0abce 6953534de441 6f8d9c3b2a1e 71994744cf8e 728d730b5ebd 75868b020152
    76601a5f987d 770bee3ae1dd 7ac759974ad8 7d34483879f0 7f2a7d5fae7d 84291f40a231 867495a8f9d4 89d3d66ed43f 89d4b8295536
    90e64c465722 97727af70f4d a1b2c3d4e5f6 a5b4c3d2e1f0 a8b9c0d1e2f3 a8c4a736bde6 acf3f17fdcc7 ae8bbe7743c9 b7c8d9e0f1a2
    b7e2c1a4d9f3 b7e4c1a90f23 bd07f7e963c5 bda7b8c39065 bf29a5ff90ea c1d2e3f4a5b6 c3d6457b6d8a c3d9e7f1a2b4 c48cb773bb87
    c8d9e0f1a2b3 c9d4e5f6a7b8 cbc13b556ace cc1f77228345 cfd24bdc0731 d0e1f2a3b4c5 d3e4f5a6b7c8 da6fb0208061 dc11669786a5
    de4033877273 df50e92ffc5e e1f2a3b4c5d6 f5a4f2784254
    """.split()  # noqa: SIM905 -- a list of quoted words hides the words
)
_PATIENCE = 30.0  # seconds to wait for a server that writes
_COUNTED = {
    "trace_info": "traces",
    "assessments": "assessments",
    "scorers": "scorers",
    "webhooks": "webhooks",
}
_METRICS = "select key, value, timestamp, {step}, {is_nan} from {table} where run_uuid = ? order by key, 4, timestamp"


class MlflowDatabase:
    """See `pinyon.bridges.moving.nouns.Source`. Ids of MLflow's runs are unique by themselves.

    Raises:
        ForeignFileError: it is no database of MLflow's, or of a newer MLflow.
    """

    kind, identity = KIND, ""

    def __init__(self, path: str) -> None:
        self.left = Left()
        self._path = os.path.abspath(path)
        self._places = Places(os.path.dirname(self._path), self.left)
        self._columns: dict[str, list[str]] = {}
        self._metrics = ""  # the table to ask for them
        self._memo: dict[tuple[str, str], dict[Any, list[dict[str, Any]]]] = {}
        self._db = sqlite3.connect(f"file:{_quoted(self._path)}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        tables = [name for (name,) in self._ask("select name from sqlite_master where type = 'table'")]
        if "runs" not in tables or "experiments" not in tables:
            raise ForeignFileError(
                "this is no database of MLflow's",
                where=self._path,
                why="it has no tables runs and experiments",
            )
        self._columns = {
            table: [row[1] for row in self._ask(f'pragma table_info("{table}")')] for table in tables
        }
        found = self._ask("select version_num from alembic_version") if "alembic_version" in tables else []
        if newer := [version for (version,) in found if version not in _KNOWN]:
            raise ForeignFileError(
                f"a newer MLflow than 3.17 has made this database (schema {newer[0]})",
                where=self._path, why="nobody can tell what has changed in it",
                next="pip install -U pinyon, or bring the database back to a schema that is known",
            )  # fmt: skip
        for table, what in _COUNTED.items():
            if table in tables and (count := self._ask(f"select count(*) from {table}")[0][0]):
                self.left[what] += count

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`. Deleted runs are left out, and counted."""
        deleted = (
            "sum(lifecycle_stage = 'deleted')"
            if "lifecycle_stage" in self._columns["runs"]
            else "count(*) * 0"
        )
        self.left["deleted runs"] += self._ask(f"select {deleted} from runs")[0][0] or 0
        alive = "where lifecycle_stage != 'deleted'" if "lifecycle_stage" in self._columns["runs"] else ""
        for run, start in self._ask(
            f"select run_uuid, start_time from runs {alive} order by start_time, run_uuid"
        ):
            yield Heading(run, _seconds(start))

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`."""
        rows = self._rows("runs", "run_uuid = ?", run)
        if not rows:
            raise ForeignFileError("it has vanished from the database", where=run)
        about = rows[0]
        tags = {key: text or "" for key, text in self._pairs("tags", run)}
        state = mlflowish.STATES.get(about.get("status") or "", RUNNING)
        experiment = self._by("experiments", "experiment_id", about.get("experiment_id"))
        place = self._places.path(about.get("artifact_uri") or "")
        return MovedRun(
            id=run,
            name=about.get("name") or tags.get(NAME, ""),
            experiment=experiment[0]["name"] if experiment else "",
            state=state,
            started=_seconds(about.get("start_time")),
            ended=_seconds(about.get("end_time")),
            params={key: mlflowish.plain(text) for key, text in self._pairs("params", run)},
            tags={**mlflowish.tags_of(tags, about.get("name") or ""), **self._datasets(run)},
            finals=self._finals(run),
            note=tags.get(NOTE, ""),
            own=mlflowish.own_tags(tags),
            curves=self._curves(run),
            files=(*(files_below(place) if place else ()), *self._logged_models(run)),
            parent=tags.get(PARENT, ""),
            user=about.get("user_id") or tags.get(USER, ""),
            message=mlflowish.state_message(state),
        )

    def models(self) -> Iterator[MovedVersion]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        aliases: dict[tuple[str, int], list[str]] = {}
        for row in self._rows("registered_model_aliases", "1"):
            aliases.setdefault((row["name"], row["version"]), []).append(row["alias"])
        for row in self._rows("model_versions", "1 order by name, version"):
            stage = row.get("current_stage") or ""
            if stage == "Deleted_Internal":
                continue
            names = [
                *aliases.get((row["name"], row["version"]), ()),
                *([stage] if stage not in ("", "None") else ()),
            ]
            about = {
                "version": row["version"],
                "source": row.get("source"),
                "description": row.get("description"),
            }
            told = self._rows("model_version_tags", "name = ? and version = ?", row["name"], row["version"])
            about["tags"] = {tag["key"]: tag["value"] for tag in told}
            path = self._places.path(self._found(row.get("storage_location") or row.get("source") or ""))
            kept = {key: value for key, value in about.items() if value}
            yield MovedVersion(row["name"], row["version"], row.get("run_id") or "", path, tuple(names), kept)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _found(self, source: str) -> str:
        """The address behind ``models:/ID``."""
        if source.startswith("models:/"):
            found = self._rows("logged_models", "model_id = ?", source.removeprefix("models:/"))
            return str(found[0]["artifact_location"]) if found else ""
        return source

    def _curves(self, run: str) -> Curves:
        self._metrics = self._metrics or self._indexed()
        has = self._columns.get("metrics", ())
        step, is_nan = ("step" if "step" in has else "0"), ("is_nan" if "is_nan" in has else "0")
        curves = Curves()
        asked = _METRICS.format(step=step, is_nan=is_nan, table=self._metrics)
        for key, value, time, at, nan in self._ask(asked, run) if has else ():
            curves.add(key, at, time / 1000, float("nan") if nan else mlflowish.number(value))
        return curves

    def _indexed(self) -> str:
        """A table of metrics that need not be read as a whole for each run: old databases have no index for that."""
        if "metrics" not in self._columns:
            return "metrics"
        for row in self._ask("pragma index_list(metrics)"):
            if self._ask(f'pragma index_info("{row[1]}")')[0][2] == "run_uuid":
                return "metrics"
        self._ask("create temp table ours as select * from main.metrics")
        self._ask("create index temp.ours_run on ours (run_uuid)")
        return "temp.ours"

    def _finals(self, run: str) -> dict[str, float]:
        rows = self._rows("latest_metrics", "run_uuid = ?", run)
        return {
            row["key"]: float("nan") if row.get("is_nan") else mlflowish.number(row["value"]) for row in rows
        }

    def _logged_models(self, run: str) -> Iterator[Kept]:
        for row in self._by("logged_models", "source_run_id", run):
            about: dict[str, Any] = {"format": "mlflow", "model_id": row["model_id"]}
            for kind in ("param", "tag"):
                told = self._rows(f"logged_model_{kind}s", "model_id = ?", row["model_id"])
                about |= (
                    {f"{kind}s": {one[f"{kind}_key"]: one[f"{kind}_value"] for one in told}} if told else {}
                )
            if path := self._places.path(row["artifact_location"]):
                yield Kept(f"models/{row['name']}-{row['model_id']}", path, "model", about)

    def _datasets(self, run: str) -> dict[str, str]:
        """What it read, as tags: the name, and by which digest and in which role."""
        found = {}
        for row in self._by("inputs", "destination_id", run):
            if row["destination_type"] != "RUN":
                continue
            for one in self._by("datasets", "dataset_uuid", row["source_id"]):
                roles = [tag["value"] for tag in self._by("input_tags", "input_uuid", row["input_uuid"])]
                found[f"dataset.{one['name']}"] = " ".join([one["digest"], *roles])
        return found

    def _pairs(self, table: str, run: str) -> list[tuple[str, str]]:
        return [(row["key"], row["value"]) for row in self._rows(table, "run_uuid = ?", run)]

    def _rows(self, table: str, where: str, *values: Any) -> list[dict[str, Any]]:
        """Rows by column; none of a table that this schema does not have."""
        columns = self._columns.get(table)
        if not columns:
            return []
        names = ", ".join(f'"{name}"' for name in columns)
        found = self._ask(f'select {names} from "{table}" where {where}', *values)
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _by(self, table: str, column: str, value: Any) -> list[dict[str, Any]]:
        """Rows of a small table by a column that has no index: the table is read once."""
        if (table, column) not in self._memo:
            found: dict[Any, list[dict[str, Any]]] = {}
            for row in self._rows(table, "1"):
                found.setdefault(row.get(column), []).append(row)
            self._memo[table, column] = found
        return self._memo[table, column].get(value, [])

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise ForeignFileError(f"the database cannot be read: {error}", where=self._path) from error


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds > 0 else None


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
