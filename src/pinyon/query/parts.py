"""What points sum up to, in parts that add up: one for each segment, attempt and metric (docs/FORMAT.md §11).

A part knows its range of steps and of batches. Whatever overrules points later, a batch that is written again or an attempt
that resumed, leaves a part whole, takes it whole, or cuts it: only of those that are cut the points are read again.
"""

from __future__ import annotations

COLUMNS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("attempt", "VARCHAR"), ("metric", "VARCHAR"), ("stepped", "BOOLEAN"),
    ("flushed", "BOOLEAN"), ("object", "BOOLEAN"), ("first", "BIGINT"), ("final", "BIGINT"), ("low_batch", "BIGINT"),
    ("high_batch", "BIGINT"), ("n", "BIGINT"), ("nan", "BIGINT"), ("low", "DOUBLE"), ("high", "DOUBLE"),
    ("last", "DOUBLE"), ("byte", "BIGINT"),
)  # fmt: skip
_KEY = "segment, number, attempt, metric, stepped, flushed, object"
# Of the highest step the last line counts; it is a part's own, so the step need not be kept beside it.
_PLACE = "(coalesce({step}, -9223372036854775808), byte)"


def of_points(source: str) -> str:
    """The parts of rows of points, as SQL; ``source`` is a table, or a query in parentheses."""
    place = _PLACE.format(step="step")
    return (
        "select segment, number, attempt, metric, step is not null as stepped, batch is not null as flushed,"
        " object is not null as object, min(step) as first, max(step) as final, min(batch) as low_batch,"
        " max(batch) as high_batch, count(*) as n, count(*) filter (isnan(value)) as nan,"
        " min(value) filter (not isnan(value)) as low, max(value) filter (not isnan(value)) as high,"
        f" arg_max(value, {place}) as last, arg_max(byte, {place}) as byte from {source} group by all"
    )


def joined(source: str) -> str:
    """Fewer parts that say the same as those of ``source``."""
    place = _PLACE.format(step="final")
    return (
        f"select {_KEY}, min(first) as first, max(final) as final, min(low_batch) as low_batch,"
        " max(high_batch) as high_batch, sum(n)::BIGINT as n, sum(nan)::BIGINT as nan, min(low) as low,"
        f" max(high) as high, arg_max(last, {place}) as last, arg_max(byte, {place}) as byte"
        f" from {source} group by {_KEY}"
    )


def read(file: str) -> str:
    """The parts of a Parquet file, whose name is spelled as SQL wants it."""
    names = ", ".join(f'"{name}"::{type} as "{name}"' for name, type in COLUMNS)
    return f"select {names} from read_parquet({file})"
