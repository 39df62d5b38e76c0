"""One SELECT over the tables, in a database that can do nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from threading import Timer
from time import monotonic
from typing import Any, NamedTuple

from pinyon.errors import ExecuteError, PinyonError, PlanError
from pinyon.query import duck
from pinyon.query.contract import TABLES
from pinyon.query.index import Index
from pinyon.query.tables import Source, Tables
from pinyon.store.local import LocalStore

TIMEOUT = 10.0  # seconds
_PORTION = 1000  # rows that are fetched at once
_LONGEST = 100_000  # characters of a query
_ASKS_FOR_ALL = re.compile(
    r"information_schema|duckdb_|pg_|pragma|\b(show|describe|summarize|query|query_table)\b", re.IGNORECASE
)


class Answer(NamedTuple):
    """What a query gives. ``rows`` can be read once, inside the ``with`` of `ask` only.

    Attributes:
        columns: names with DuckDB's types.
        notes: what had to be left out of the tables.
    """

    columns: tuple[tuple[str, str], ...]
    rows: Iterator[tuple[Any, ...]]
    notes: list[str]


@contextmanager
def ask(
    store: LocalStore, index: Index, sql: str, timeout: float = TIMEOUT, others: Sequence[Source] = ()
) -> Iterator[Answer]:
    """Answer one SELECT. Nothing outside the database can be read, and nothing at all be written.

    Args:
        others: stores whose tables are joined to these (`pinyon.query.tables.Tables`).
        timeout: seconds for the query itself; making the tables does not count.

    Raises:
        PlanError: it is no single SELECT, or names what is not there; DuckDB is not installed.
        ExecuteError: it took longer than ``timeout``, or more memory than there is.
    """
    sql = duck.clean(sql)
    _check(sql)
    with ExitStack() as stack:
        with _explained(sql, timeout):
            tables = Tables(store, index, _wanted(sql), stack, others)
        connection = tables.connection
        connection.execute(
            "begin transaction read only"
        )  # a WITH can hold an INSERT and is a SELECT all the same
        deadline = monotonic() + timeout
        timer = Timer(timeout, connection.interrupt)
        timer.daemon = True
        timer.start()
        stack.callback(timer.join)
        stack.callback(timer.cancel)
        with _explained(sql, timeout):
            connection.execute(sql)
            columns = tuple((str(column[0]), str(column[1])) for column in connection.description or ())
        yield Answer(columns, _fetched(connection, sql, timeout, deadline), tables.notes)


def _check(sql: str) -> None:
    if len(sql) > _LONGEST:
        raise PlanError(
            f"a query of {len(sql)} characters is too long",
            why=f"{_LONGEST} are allowed",
            next="ask for less at a time",
        )
    library = duck.module()
    try:
        found = library.extract_statements(sql)
    except library.Error as error:
        raise _refused(sql, error) from None
    kinds = [statement.type.name for statement in found]
    if kinds != ["SELECT"]:
        what = (
            f"these are {len(kinds)} statements"
            if len(kinds) != 1
            else f"this is {kinds[0].replace('_', ' ')}"
        )
        raise PlanError(
            f"{what}, and a query is exactly one SELECT",
            why="tables are read, never changed",
            next='pinyon query "SELECT * FROM runs"',
        )


def _wanted(sql: str) -> list[str]:
    """Tables that the text may need: those whose names are in it, or all."""
    words = set(re.findall(r"\w+", sql.lower()))
    return [name for name in TABLES if name in words or _ASKS_FOR_ALL.search(sql)]


@contextmanager
def _explained(sql: str, timeout: float) -> Iterator[None]:
    library = duck.module()
    try:
        yield
    except library.InterruptException:
        raise _late(timeout) from None
    except library.OutOfMemoryException:
        raise ExecuteError(
            "the query needs more memory than a query may have",
            why="1 GB",
            next="ask for fewer rows or aggregate, and pinyon compact",
        ) from None
    except (library.Error, OverflowError, ValueError) as error:  # values that Python has no type for, too
        raise _refused(sql, error) from None


def _late(timeout: float) -> ExecuteError:
    return ExecuteError(
        f"the query took longer than {timeout:g} s", next="pinyon query --timeout 300, or pinyon compact"
    )


def _fetched(
    connection: duck.Connection, sql: str, timeout: float, deadline: float
) -> Iterator[tuple[Any, ...]]:
    while True:
        with _explained(sql, timeout):
            rows = connection.fetchmany(_PORTION)
        yield from rows
        if len(rows) < _PORTION:
            return
        if monotonic() > deadline:
            raise _late(timeout)


def _refused(sql: str, error: Exception) -> PinyonError:
    """DuckDB's words, with the nearest name of ours in place of its own guess."""
    text = str(error).strip()
    first, _, rest = text.partition("\n")
    shown = rest[rest.index("LINE ") :] if "LINE " in rest else ""
    what = (first.partition(": ")[2] or first).rstrip("!")
    if table := re.search(r"Table with name (\S+) does not exist", first):
        why = _near(table[1], list(TABLES), "tables")
    elif column := re.search(r'column (?:named )?"([^"]+)"', first):
        words = set(re.findall(r"\w+", sql.lower()))
        columns = [name for table, pairs in TABLES.items() if table in words for name, _ in pairs]
        why = _near(column[1].rpartition(".")[2], list(dict.fromkeys(columns)), "columns")
    elif re.search("operations are disabled|extensions is disabled|read-only mode", text):
        what, why = "a query reads the tables and nothing else", what
    else:
        why = ""
    what = f"{what}; {why}" if why else what
    return PlanError(f"{what}\n{shown}\n" if shown else what, next="pinyon query --tables")


def _near(name: str, known: list[str], what: str) -> str:
    close = get_close_matches(name.lower().strip('"'), known, 1)
    return f"did you mean {close[0]}?" if close else f"the {what} are {', '.join(known)}"


def spelled(value: Any) -> Any:
    """A value as JSON has it: NaN and infinities as text, what JSON does not know as text too."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): spelled(held) for key, held in value.items()}
    return [spelled(one) for one in value] if isinstance(value, list | tuple) else str(value)
