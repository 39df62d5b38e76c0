"""The tables that queries see, with their columns and DuckDB's types (docs/FORMAT.md §11)."""

from __future__ import annotations

_CONTRACT = """
executions: execution VARCHAR, actor VARCHAR, goal JSON, host VARCHAR, started DOUBLE, seconds DOUBLE, state VARCHAR
runs: run VARCHAR, key VARCHAR, stage VARCHAR, experiment VARCHAR, phase VARCHAR, status VARCHAR, attempt VARCHAR,
    attempts INTEGER, started DOUBLE, seconds DOUBLE, tags JSON, parent VARCHAR, group VARCHAR
attempts: attempt VARCHAR, run VARCHAR, execution VARCHAR, epoch INTEGER, mode VARCHAR, host VARCHAR, state VARCHAR,
    detail VARCHAR, exit_code INTEGER, started DOUBLE, seconds DOUBLE, cpu_seconds DOUBLE, max_rss BIGINT
params: run VARCHAR, file VARCHAR, name VARCHAR, type VARCHAR, number DOUBLE, text VARCHAR
points: run VARCHAR, attempt VARCHAR, metric VARCHAR, step BIGINT, t DOUBLE, value DOUBLE
summary: run VARCHAR, metric VARCHAR, last DOUBLE, text VARCHAR, best DOUBLE, min DOUBLE, max DOUBLE, n BIGINT,
    nan BIGINT
artifacts: run VARCHAR, attempt VARCHAR, name VARCHAR, path VARCHAR, digest VARCHAR, size BIGINT, role VARCHAR
media: run VARCHAR, attempt VARCHAR, name VARCHAR, type VARCHAR, step BIGINT, t DOUBLE, value JSON, digest VARCHAR,
    size BIGINT
checkpoints: run VARCHAR, attempt VARCHAR, step BIGINT, digest VARCHAR, size BIGINT, metrics JSON, replicas INTEGER
stages: stage VARCHAR, command VARCHAR, wdir VARCHAR, deps JSON, outs JSON
cells: experiment VARCHAR, phase VARCHAR, cell VARCHAR, number INTEGER, seed VARCHAR, overlay JSON, recipe VARCHAR,
    execution VARCHAR, run VARCHAR
refs: name VARCHAR, version INTEGER, value JSON, actor VARCHAR, ts DOUBLE
events: writer VARCHAR, seq BIGINT, kind VARCHAR, ts DOUBLE, body JSON
costs: attempt VARCHAR, target VARCHAR, price_per_hour DOUBLE, seconds DOUBLE, cost DOUBLE
edges: source VARCHAR, target VARCHAR, kind VARCHAR
"""

Columns = tuple[tuple[str, str], ...]


def _read(text: str) -> dict[str, Columns]:
    tables: dict[str, Columns] = {}
    for line in text.replace("\n    ", " ").strip().splitlines():
        name, _, columns = line.partition(": ")
        pairs = [tuple(column.split(" ")) for column in f"{columns}, project VARCHAR".split(", ")]
        tables[name] = tuple((column, type) for column, type in pairs)
    return tables


TABLES = _read(_CONTRACT)
