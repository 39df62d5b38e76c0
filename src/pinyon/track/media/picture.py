"""Images, and figures that a library has drawn."""

from __future__ import annotations

import io
import os
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.arrays import array_of, numpy_of
from pinyon.track.media.kept import Kept, is_svg, said, source
from pinyon.track.media.png import png

_PIXELS_MOST = 100_000_000


class Image(NamedTuple):
    """An image: an array of height x width or height x width x channels, an image of PIL's, the path of a file, or bytes.

    Whole numbers are 0 to 255, others 0 to 1; what lies outside is cut off. Channels are grey, grey and alpha, RGB or RGBA.
    """

    image: Any
    caption: str = ""

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is no image.
        """
        about = said(caption=self.caption)
        if _is_pil(self.image):
            return Kept(
                "image", None, _saved(self.image, "png"), "png", {**about, **_sized(*self.image.size)}
            )
        array = array_of(self.image)
        if array is not None:
            height, width, data = _drawn(array)
            return Kept("image", None, data, "png", {**about, **_sized(width, height)})
        if isinstance(self.image, (str, bytes, bytearray, os.PathLike)):
            return Kept("image", None, *source(self.image, "", "image"), about)
        raise TrackError(
            f"a {type(self.image).__name__} is no image",
            why="an array of numpy's, an image of PIL's, a path and bytes are",
        )


def figure_of(figure: Any, name: str = "") -> Kept | None:
    """A figure of matplotlib's or plotly's, an image of PIL's, SVG text or the path of a file; None for anything else.

    Args:
        name: its ending says the format; default png.

    Raises:
        TrackError: its file cannot be read.
    """
    ending = os.path.splitext(name)[1][1:].lower()
    if isinstance(figure, str) and is_svg(figure[:512].encode(errors="replace")):
        return _figure(figure.encode(errors="replace"), "svg")
    if isinstance(figure, (str, os.PathLike)):
        return _figure(*source(figure, "", "picture"))
    if hasattr(figure, "savefig"):  # matplotlib
        buffer, format = io.BytesIO(), ending or "png"
        figure.savefig(buffer, format=format, bbox_inches="tight")
        return _figure(buffer.getvalue(), format)
    if hasattr(figure, "to_plotly_json"):
        if ending == "html":
            return _figure(figure.to_html(include_plotlyjs="cdn").encode(), "html")
        return _figure(figure.to_json().encode(), "plotly.json")
    if _is_pil(figure):
        return _figure(_saved(figure, ending or "png"), ending or "png")
    return None


def is_figure(value: Any) -> bool:
    """Whether `run.log` takes it as it is."""
    return hasattr(value, "savefig") or hasattr(value, "to_plotly_json") or _is_pil(value)


def _figure(data: bytes | str, format: str) -> Kept:
    return Kept("figure", None, data, format, blob=True)


def _is_pil(value: Any) -> bool:
    return hasattr(value, "save") and isinstance(getattr(value, "mode", None), str)


def _saved(image: Any, format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format={"jpg": "jpeg"}.get(format, format))
    return buffer.getvalue()


def _sized(width: int, height: int) -> dict[str, Any]:
    return {"width": int(width), "height": int(height)}


def _drawn(array: Any) -> tuple[int, int, bytes]:
    """Height, width and PNG of an array."""
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not array.size:
        raise TrackError(
            f"an array of {' x '.join(map(str, array.shape))} is no image",
            why="height x width, or height x width x 1 to 4 channels, is",
        )
    if array.shape[0] * array.shape[1] > _PIXELS_MOST:
        raise TrackError(
            f"an image of more than {_PIXELS_MOST:,} pixels is left out", next="keep a file: run.artifact"
        )
    numpy, kind = numpy_of(array), array.dtype.kind
    if kind in "fb":
        array = (numpy.nan_to_num(array.astype("f8"), nan=0.0).clip(0, 1) * 255).round()
    elif kind not in "iu":
        raise TrackError(f"an array of {array.dtype} is no image", why="whole numbers and floats are")
    height, width = array.shape[:2]
    pixels = array.clip(0, 255).astype("u1").tobytes()
    return height, width, png(width, height, channels, pixels)
