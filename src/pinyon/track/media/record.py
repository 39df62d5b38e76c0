"""From `run.log` to the disk: small things stand in a line of points, large ones are blobs (docs/FORMAT.md §5)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.errors import PinyonError, TrackError
from pinyon.track.artifacts import blobs_of
from pinyon.track.media.embedding import Embedding
from pinyon.track.media.kept import Kept
from pinyon.track.media.numeric import ConfusionMatrix, Histogram
from pinyon.track.media.picture import Image, figure_of, is_figure
from pinyon.track.media.sound import Audio, Video
from pinyon.track.media.table import Table
from pinyon.track.media.text import Html, Text

if TYPE_CHECKING:
    from pinyon.track.sink import Sink

INLINE = 16_384  # bytes of JSON that may stand in a line
_OURS = (Histogram, Table, Text, Html, Image, Audio, Video, Embedding, ConfusionMatrix)


def keep_all(sink: Sink, things: Iterable[tuple[str, Any]], t: float, step: int) -> None:
    """Record what is no number, at once. What cannot be kept is left out and said once; nothing raises.

    Args:
        things: name and value, as they were logged.
        t: seconds since the attempt began.
    """
    if sink.store == os.devnull:  # that nothing is recorded has been said
        return
    small: dict[str, Any] = {}
    for name, value in things:
        try:
            kept = _kept(value)
            if kept is None:
                sink.once(
                    f"metric {name}", f"'{name}' is a {type(value).__name__}, no number; it is left out"
                )
            elif (line := _inline(kept)) is not None:
                small[name] = line
            else:
                store(sink, name, kept, t, step)
        except OSError as error:
            sink.once("objects", f"'{name}' could not be kept: {error}")
        except PinyonError as error:
            sink.once(f"metric {name}", f"'{name}' is left out: {error}")
        except Exception as error:  # noqa: BLE001 - foreign objects raise anything, and training goes on
            sink.once(f"metric {name}", f"'{name}' is left out: {type(error).__name__}: {error}")
    if small:
        try:
            sink.write_object(t, step, small)
        except OSError as error:
            sink.once("objects", f"'{next(iter(small))}' could not be kept: {error}")


def _kept(value: Any) -> Kept | None:
    if isinstance(value, _OURS):
        return value.kept()
    return figure_of(value) if is_figure(value) else None


def _inline(kept: Kept) -> dict[str, Any] | None:
    """The JSON that stands in a line; None where that is too long."""
    if kept.blob:
        return None
    if kept.value is not None:
        line = {"type": kept.type, **kept.about, **kept.value}
    else:
        size = len(kept.data) if isinstance(kept.data, bytes) else os.stat(kept.data or "").st_size
        if size > INLINE * 3 // 4:
            return None
        data = kept.data if isinstance(kept.data, bytes) else Path(kept.data or "").read_bytes()
        text = base64.b64encode(data).decode()
        line = {"type": kept.type, "format": kept.format, **kept.about, "data": text}
    return line if len(_json(line)) <= INLINE else None


def keep_figure(sink: Sink, figure: Any, name: str, t: float, step: int | None) -> str:
    """Record a figure as `keep_all` does; its digest, "" if the disk refused, which is said once.

    Raises:
        TrackError: it is none that we know.
    """
    kept = figure_of(figure, name)
    if kept is None:
        raise TrackError(
            f"a {type(figure).__name__} is no picture",
            why="a figure of matplotlib's or plotly's, a PIL image, SVG text or a path is",
            next="save it to a file, and pass the path",
        )
    try:
        return store(sink, name, kept, t, step)
    except OSError as error:
        sink.once("objects", f"'{name}' could not be kept: {error}")
        return ""


def store(sink: Sink, name: str, kept: Kept, t: float, step: int | None) -> str:
    """Keep a thing as a blob, and record it; its digest.

    Raises:
        TrackError: nothing can be kept here.
        OSError: the disk refuses.
    """
    data = _json({"type": kept.type, **(kept.value or {})}) if kept.data is None else kept.data
    blobs = blobs_of(sink)
    digest = blobs.put(data if isinstance(data, bytes) else Path(data))
    size = len(data) if isinstance(data, bytes) else blobs.size(digest)
    about = {
        **({} if step is None else {"step": step}),
        "t": round(t, 6),
        "format": kept.format,
        **kept.about,
    }
    ending = f".{kept.format}"
    path = name if name.endswith(ending) else name + ending
    body = {"name": name, "path": path, "digest": digest, "size": size, "role": kept.type, "about": about}
    sink.commit("artifact", body)
    return digest


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
