"""DuckDB, which is an optional extra: the one module that imports it."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterable, Iterator, Sequence
from errno import EIO, ENOSPC
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.errors import ExecuteError, PlanError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection
else:
    Connection = Any

_MEMORY = "1GB"
_AT_ONCE = 20_000  # rows that are handed over in one call
_SETTINGS = {
    "memory_limit": _MEMORY,
    "python_enable_replacements": "false",  # or the name of a table could be one of our variables
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}


def installed() -> bool:
    """Whether DuckDB is there; does not import it."""
    from importlib.util import find_spec

    return find_spec("duckdb") is not None


def module() -> Any:
    """The library.

    Raises:
        PlanError: it is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise PlanError(
            "tables need DuckDB, which is not installed here", next="pip install 'pinyon[sql]'"
        ) from None
    # At exit its binding complains of everything that the collector has not freed, and who wants to end quickly freezes it.
    atexit.unregister(gc.freeze)
    return duckdb


def connect() -> Connection:
    """An empty database in memory that loads nothing and spills nothing.

    Raises:
        PlanError: DuckDB is not installed.
    """
    connection: Connection = module().connect(":memory:", config=dict(_SETTINGS))
    return connection


def lock(connection: Connection, files: Iterable[str]) -> None:
    """From now on the database reads these files and nothing else outside itself, and its settings stay."""
    names = ", ".join(quoted(file) for file in files)
    connection.execute(f"set allowed_paths = [{names}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def write_parquet(connection: Connection, path: Path, query: str) -> None:
    """The rows of a query as a file.

    Raises:
        OSError: it cannot be written.
        ExecuteError: DuckDB gave up.
    """
    target = f"{quoted(str(path))} (format parquet, parquet_version v2, compression zstd)"
    try:
        connection.execute(f"copy ({query}) to {target}")
    except module().IOException as error:
        raise OSError(ENOSPC if "No space" in str(error) else EIO, str(error), str(path)) from error
    except module().Error as error:
        raise ExecuteError(
            f"no Parquet file could be made: {error}", where=str(path), next="pinyon verify"
        ) from error


def name(text: str) -> str:
    """A name as SQL writes it; a dot stands between a schema and what is in it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in text.split("."))


def clean(text: str) -> str:
    """Text that DuckDB takes: halves of surrogate pairs become question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def create(connection: Connection, table: str, columns: Sequence[tuple[str, str]]) -> None:
    """An empty table."""
    spelled = ", ".join(f"{name(column)} {type}" for column, type in columns)
    connection.execute(f"create table {name(table)} ({spelled})")


def fill(
    connection: Connection, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]
) -> None:
    """Add rows to a table; text is made clean."""
    waiting: Iterator[Sequence[Any]] = iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        add_columns(connection, table, columns, [list(column) for column in zip(*some, strict=True)])


def add_columns(
    connection: Connection, table: str, columns: Sequence[tuple[str, str]], values: Sequence[list[Any]]
) -> None:
    """Add rows, given by column: one call for all of them, where one for each row takes a thousand times as long."""
    if not values or not values[0]:
        return
    for at in range(0, len(values[0]), _AT_ONCE):
        parts = [column[at : at + _AT_ONCE] for column in values]
        texts = [type in ("VARCHAR", "JSON") for _, type in columns]
        parts = [_clean(part) if text else part for part, text in zip(parts, texts, strict=True)]
        unnested = ", ".join(f"unnest(${n}::{type}[])" for n, (_, type) in enumerate(columns, 1))
        connection.execute(f"insert into {name(table)} select {unnested}", parts)


def _clean(texts: list[str | None]) -> list[str | None]:
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:
        return [None if text is None else clean(text) for text in texts]
    return texts
