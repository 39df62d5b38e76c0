"""Tables of values, also from frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.kept import ROWS_MOST, Kept, cell, clean


class Table(NamedTuple):
    """A table: names of columns and rows; or a frame of pandas' or polars', a map of columns, or a list of maps alone."""

    columns: Any
    rows: Any = None

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is none, or has too many rows.
        """
        columns, rows = _parts(self.columns) if self.rows is None else (list(self.columns), self.rows)
        found: list[list[Any]] = []
        for row in rows:
            if len(found) == ROWS_MOST:
                raise TrackError(
                    f"a table of more than {ROWS_MOST:,} rows is left out", next="keep a file: run.artifact"
                )
            found.append([cell(value) for value in row])
            if len(found[-1]) != len(columns):
                raise TrackError(
                    f"row {len(found)} of a table has {len(found[-1])} values for {len(columns)} columns"
                )
        named = [clean(str(column)) for column in columns]
        return Kept("table", {"columns": named, "rows": found})


def _parts(given: Any) -> tuple[list[Any], Iterable[Any]]:
    """Columns and rows of what holds both."""
    if hasattr(given, "itertuples"):  # pandas
        return list(given.columns), given.itertuples(index=False, name=None)
    if hasattr(given, "iter_rows"):  # polars
        return list(given.columns), given.iter_rows()
    if isinstance(given, Mapping):
        lengths = {len(values) for values in given.values()}
        if len(lengths) > 1:
            raise TrackError(f"columns of {min(lengths)} and of {max(lengths)} values are no table")
        return list(given), zip(*given.values())
    rows = list(given)
    if rows and all(isinstance(row, Mapping) for row in rows):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return columns, ([row.get(name) for name in columns] for row in rows)
    raise TrackError(
        f"a {type(given).__name__} alone is no table",
        why="a frame, a map of columns or a list of maps is",
        next='pinyon.Table(["x", "y"], [[1, 2], [3, 4]])',
    )
