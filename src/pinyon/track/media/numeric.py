"""Histograms, and matrices of what was taken for what."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.arrays import array_of, floats, numpy_of
from pinyon.track.media.kept import ROWS_MOST, Kept, cell, said

_MOST = sys.float_info.max


class Histogram(NamedTuple):
    """How numbers are spread: of ``values`` (a list, or an array of any shape), or ``counts`` between ``edges``.

    NaN and infinities are counted beside. The bins are equally wide.
    """

    values: Any = None
    counts: Any = None
    edges: Any = None
    bins: int = 64

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is none.
        """
        if self.values is not None:
            return Kept("histogram", _spread(floats(self.values, "a histogram"), _bins(self.bins)))
        if self.counts is None or self.edges is None:
            raise TrackError("a histogram needs values, or counts and edges")
        counts, edges = _list(floats(self.counts, "counts")), _list(floats(self.edges, "edges"))
        good = len(edges) == len(counts) + 1 >= 2 and all(map(math.isfinite, [*counts, *edges]))
        if not good or min(counts) < 0 or any(low >= high for low, high in zip(edges, edges[1:])):
            raise TrackError(
                f"{len(counts)} counts with {len(edges)} edges are no histogram",
                why="n counts that are not negative lie between n + 1 edges that rise",
            )
        return Kept("histogram", {"edges": edges, "counts": [_whole(count) for count in counts]})


class ConfusionMatrix(NamedTuple):
    """How often a true label (row) was predicted as which (column): of two lists, or as ``counts``.

    Args:
        labels, predicted: one true label and one prediction each; names, or numbers of ``classes``.
        classes: their names in order; without them those that occur, sorted.
        counts: rows of whole numbers, instead of both lists.
    """

    labels: Any = None
    predicted: Any = None
    classes: Any = None
    counts: Any = None

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is none.
        """
        names = None if self.classes is None else [str(cell(one)) for one in self.classes]
        if self.counts is None:
            names, rows = self._counted(names)
        else:
            rows = [_list(floats(row, "counts")) for row in self.counts]
            names = names if names is not None else [str(number) for number in range(len(rows))]
        square = all(len(row) == len(names) for row in rows) and len(rows) == len(names) > 0
        if not square or any(not math.isfinite(one) or one < 0 for row in rows for one in row):
            raise TrackError(
                f"{len(rows)} rows are no confusion matrix of {len(names)} classes",
                why="each class has a row, and in it a number for each class",
            )
        counts = [[_whole(one) for one in row] for row in rows]
        return Kept("confusion_matrix", {"labels": names, "counts": counts})

    def _counted(self, names: list[str] | None) -> tuple[list[str], list[list[float]]]:
        if self.labels is None or self.predicted is None:
            raise TrackError("a confusion matrix needs labels and predicted, or counts")
        true, told = _labels(self.labels, names), _labels(self.predicted, names)
        if len(true) != len(told):
            raise TrackError(f"{len(true)} labels and {len(told)} predictions do not belong together")
        if names is None:
            names = [str(one) for one in sorted({*true, *told}, key=_order)]
        place = {name: number for number, name in enumerate(names)}
        rows = [[0.0] * len(names) for _ in names]
        for one, other in zip(map(str, true), map(str, told)):
            if one not in place or other not in place:
                missing = one if one not in place else other
                raise TrackError(
                    f"'{missing}' is none of the classes", why=f"there are {', '.join(names[:20])}"
                )
            rows[place[one]][place[other]] += 1
        return names, rows


def _labels(given: Any, names: list[str] | None) -> list[Any]:
    """Labels as they are named: a number is the place of a name, unless a name is spelled so."""
    array = array_of(given)
    found = [_label(one) for one in (given if array is None else array.ravel().tolist())]
    if len(found) > ROWS_MOST:
        raise TrackError(
            f"a confusion matrix of {len(found):,} labels is left out",
            why=f"{ROWS_MOST:,} is the most", next="count them yourself: ConfusionMatrix(counts=…, classes=…)",
        )  # fmt: skip
    if names is None:
        return found
    known = set(names)

    def named(one: Any) -> Any:
        at = one if isinstance(one, int) and not isinstance(one, bool) else -1
        return names[at] if str(one) not in known and 0 <= at < len(names) else one

    return [named(one) for one in found]


def _label(given: Any) -> Any:
    plain = cell(given)
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _order(label: Any) -> tuple[bool, Any]:
    return (True, label) if isinstance(label, str) else (False, label if label is not None else -math.inf)


def _bins(count: Any) -> int:
    if not isinstance(count, int) or not 1 <= count <= ROWS_MOST:
        raise TrackError(f"{count!r} bins are no number of bins", why=f"1 to {ROWS_MOST:,} are possible")
    return count


def _spread(values: Any, bins: int) -> dict[str, Any]:
    """Edges and counts of numbers, and how many of them lie nowhere."""
    array = array_of(values)
    if array is None:
        finite = [one for one in values if math.isfinite(one)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        nan = sum(map(math.isnan, values))
    else:
        numpy = numpy_of(array)
        finite = array[numpy.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        nan = int(numpy.isnan(array).sum())
    edges = _edges(low, high, bins)
    if array is None:
        counts = [0] * (len(edges) - 1)
        for one in finite:
            counts[min(bisect_right(edges, one) - 1, len(counts) - 1)] += 1
    else:
        counts = numpy_of(array).histogram(finite, bins=edges)[0].tolist()
    return {
        "edges": edges,
        "counts": counts,
        **said(nan=nan or None, infinite=len(values) - len(finite) - nan or None),
    }


def _edges(low: float, high: float, bins: int) -> list[float]:
    """Equally far from each other, rising; fewer than asked for where floats lie no closer."""
    if low == high:
        half = max(0.5, abs(low) * 1e-9)
        low, high = max(low - half, -_MOST), min(high + half, _MOST)
    between = (low + (high / bins - low / bins) * number for number in range(1, bins))
    return sorted({low, high, *(edge for edge in between if low < edge < high)})


def _list(numbers: Any) -> list[float]:
    listed: list[float] = numbers if isinstance(numbers, list) else numbers.tolist()
    return listed


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else value


def shape(rows: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """Rows and columns of a list of lists.

    Raises:
        TrackError: its rows are not equally long.
    """
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise TrackError(f"rows of {min(widths)} and of {max(widths)} numbers are no matrix")
    return len(rows), widths.pop() if widths else 0
