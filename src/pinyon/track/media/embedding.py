"""Vectors with names: what a model makes of things."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from array import array as packed
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.arrays import array_of
from pinyon.track.media.kept import ROWS_MOST, Kept, cell
from pinyon.track.media.numeric import shape
from pinyon.track.media.table import Table

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that equal vectors are equal bytes


class Embedding(NamedTuple):
    """Vectors, one a row; for each a label, and more about it.

    Args:
        vectors: an array of count x length, or lists of numbers; kept as 32-bit floats.
        labels: one a vector.
        metadata: as `Table` takes it, one row a vector.
    """

    vectors: Any
    labels: Any = None
    metadata: Any = None

    def kept(self) -> Kept:
        """It as it is recorded: an npz of ``vectors.npy`` and ``labels.json``.

        Raises:
            TrackError: it is none.
        """
        count, length, data = _floats(self.vectors)
        labels = None if self.labels is None else [cell(one) for one in _listed(self.labels)]
        more = None if self.metadata is None else Table(self.metadata).kept().value
        for name, given in (("labels", labels), ("rows of metadata", more and more["rows"])):
            if given is not None and len(given) != count:
                raise TrackError(f"{len(given)} {name} do not belong to {count} vectors")
        told = {"labels": labels, "metadata": more}
        return Kept(
            "embedding", None, _npz(count, length, data, told), "npz", {"count": count, "length": length}
        )


def _floats(vectors: Any) -> tuple[int, int, bytes]:
    array = array_of(vectors)
    if array is not None:
        if array.ndim != 2 or array.dtype.kind not in "biuf":
            raise TrackError(
                f"an array of {' x '.join(map(str, array.shape))} {array.dtype} is no embedding",
                why="count x length numbers are",
            )
        count, length = array.shape
        data = array.astype("<f4").tobytes()
    else:
        rows = [list(map(float, row)) for row in vectors]
        count, length = shape(rows)
        numbers = packed("f", (one for row in rows for one in row))
        if sys.byteorder == "big":
            numbers.byteswap()
        data = numbers.tobytes()
    if count > ROWS_MOST:
        raise TrackError(f"an embedding of {count:,} vectors is left out", why=f"{ROWS_MOST:,} is the most")
    return count, length, data


def _listed(labels: Any) -> list[Any]:
    array = array_of(labels)
    listed: list[Any] = list(labels) if array is None else array.ravel().tolist()
    return listed


def _npz(count: int, length: int, data: bytes, told: dict[str, Any]) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {length}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    vectors = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("vectors.npy", _LONG_AGO), vectors)
        file.writestr(zipfile.ZipInfo("labels.json", _LONG_AGO), json.dumps(told, ensure_ascii=False))
    return buffer.getvalue()
