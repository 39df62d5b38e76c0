"""What neptune-exporter leaves: Parquet files with one value a row, and a folder of files beside them.

Its published layout: columns project_id, run_id, attribute_path, attribute_type, step, timestamp, int_value, float_value,
string_value, bool_value, datetime_value, string_set_value, file_value {path}, histogram_value {type, edges, values}; the
files lie in ``files`` beside ``data``, below a folder of the same name as the project's in ``data``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pinyon.bridges.moving.nouns import FAILED, SUCCEEDED, Curves, Heading, Kept, Left, MovedRun, MovedVersion
from pinyon.errors import ForeignFileError
from pinyon.query import duck

_COLUMNS = (
    "step", "timestamp", "int_value", "float_value", "string_value", "bool_value", "datetime_value", "string_set_value",
    "file_value",
)  # fmt: skip
_NEEDED = ("run_id", "attribute_path", "attribute_type")
_VALUES = {"float": "float_value", "int": "int_value", "string": "string_value", "bool": "bool_value"}
_OWN = "sys/"  # what Neptune says of a run itself
_PARTS = 1_000_000  # of a step with decimals


class NeptuneExport:
    """See `pinyon.bridges.moving.nouns.Source`. A run is known by its project and its id.

    Raises:
        ForeignFileError: these are no Parquet files, or not of this layout.
        PlanError: DuckDB is not installed.
    """

    kind, identity = "neptune", ""

    def __init__(self, path: str) -> None:
        self.left = Left()
        self._top = os.path.abspath(path)
        self._files = sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if name.endswith(".parquet")
        ) or ([self._top] if path.endswith(".parquet") and os.path.isfile(path) else [])
        if not self._files:
            raise ForeignFileError("there are no Parquet files in it", where=path)
        self._db = duck.connect()
        self._of: dict[tuple[str, str], list[str]] = {}  # run → its files
        self._has: dict[str, set[str]] = {}
        try:
            self._list()
        except BaseException:
            self._db.close()
            raise

    def _list(self) -> None:
        for file in self._files:
            try:
                self._has[file] = {row[0] for row in self._ask(f"describe select * from {_table(file)}")}
                if missing := [name for name in _NEEDED if name not in self._has[file]]:
                    raise ForeignFileError(f"it has no column {missing[0]}", where=file)
                project = "project_id" if "project_id" in self._has[file] else "''"
                for found in self._ask(f"select distinct {project}, run_id from {_table(file)}"):
                    self._of.setdefault((str(found[0]), str(found[1])), []).append(file)
            except ForeignFileError:
                self.left["files that are no Parquet files of neptune-exporter's"] += 1
        if not self._of:
            raise ForeignFileError(
                "these are no Parquet files of neptune-exporter's", where=self._top,
                why=f"they need the columns {', '.join(_NEEDED)}",
            )  # fmt: skip

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return (Heading("\n".join(key)) for key in self._of)

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`."""
        project, _, name = run.partition("\n")
        curves, files = Curves(), list[Kept]()
        params, own = dict[str, Any](), dict[str, Any]()
        for file in self._of[project, name]:
            for row in self._rows(file, project, name):
                path, kind = row["attribute_path"], row["attribute_type"]
                if kind == "float_series":
                    value = row["float_value"]
                    curves.add(
                        path,
                        self._step(row["step"]),
                        _seconds(row["timestamp"]),
                        math.nan if value is None else value,
                    )
                elif kind == "file":
                    files += self._file(file, path, row["file_value"])
                elif kind in _VALUES or kind in ("datetime", "string_set"):
                    (own if path.startswith(_OWN) else params)[path] = self._value(kind, path, row)
                else:
                    self.left[f"{kind} of Neptune's"] += 1
        tags = {str(text): "" for text in own.get("sys/tags") or ()}
        label = str(own.get("sys/name") or own.get("sys/custom_run_id") or name)
        ended = _seconds(own.get("sys/modification_time"))
        return MovedRun(
            id=f"{project}/{name}",
            name=label,
            experiment=project.rpartition("/")[2],
            state=FAILED if own.get("sys/failed") else SUCCEEDED,
            started=_known(_seconds(own.get("sys/creation_time"))),
            ended=_known(ended),
            params={path: _spelled(value) for path, value in params.items()},
            tags={**tags, "name": label, "id": name},
            note=str(own.get("sys/description") or ""),
            curves=curves,
            files=tuple(files),
            user=str(own.get("sys/owner") or ""),
        )

    def models(self) -> Iterator[MovedVersion]:
        """None: its models are runs of another kind, which are not read."""
        return iter(())

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def _rows(self, file: str, project: str, run: str) -> Iterator[dict[str, Any]]:
        names = [*_NEEDED, *_COLUMNS]
        wanted = ", ".join(self._column(file, name) for name in names)
        of = "project_id = $2 and " if "project_id" in self._has[file] else ""
        sql = f"select {wanted} from {_table(file)} where {of}run_id = $1"
        for row in self._ask(sql, *([run, project] if of else [run])):
            yield dict(zip(names, row, strict=True))

    def _column(self, file: str, name: str) -> str:
        if name not in self._has[file]:
            return f"null as {name}"
        return f"epoch({name}) as {name}" if name in ("timestamp", "datetime_value") else name

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(sql, list(values)).fetchall()
        except duck.module().Error as error:
            raise ForeignFileError(
                f"it cannot be read: {str(error).splitlines()[0]}", where=self._top
            ) from None

    def _step(self, step: Any) -> int:
        """Whole steps stay; of the others millionths are counted, so that none becomes another's."""
        number = 0.0 if step is None else float(step)
        if not number.is_integer():
            self.left["steps with decimals, which count in millionths now"] += 1
            return round(number * _PARTS)
        return int(number)

    def _value(self, kind: str, path: str, row: dict[str, Any]) -> Any:
        if kind == "datetime":
            seconds = row["datetime_value"]
            return (
                seconds
                if path.startswith(_OWN) or seconds is None
                else datetime.fromtimestamp(seconds, UTC).isoformat()
            )
        return row["string_set_value"] if kind == "string_set" else row[_VALUES[kind]]

    def _file(self, parquet: str, path: str, told: Any) -> Iterator[Kept]:
        inside = told.get("path") if isinstance(told, dict) else told
        for place in self._places(parquet, str(inside)) if inside else ():
            if os.path.exists(place):
                yield Kept(path, place)
                return
        self.left["files that the export does not hold"] += 1

    def _places(self, parquet: str, inside: str) -> Iterator[str]:
        """Where a file may lie: below ``files``, beside ``data``, with or without the project's folder in its path."""
        folder = os.path.dirname(parquet)
        project, exports = os.path.basename(folder), os.path.dirname(os.path.dirname(folder))
        for top in (os.path.join(exports, "files"), os.path.join(self._top, "files")):
            yield os.path.join(top, inside)
            yield os.path.join(top, project, inside)
        yield os.path.join(folder, inside)


def _table(file: str) -> str:
    return f"read_parquet({duck.quoted(file)})"


def _seconds(moment: Any) -> float:
    return math.nan if moment is None else float(moment)


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds


def _spelled(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else value
