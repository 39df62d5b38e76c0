"""Sound, and films."""

from __future__ import annotations

import io
import wave
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.media.arrays import array_of, numpy_of
from pinyon.track.media.kept import Kept, said, source


class Audio(NamedTuple):
    """Sound: an array of samples, or of samples x channels, with its ``rate`` in Hz; the path of a file, or bytes.

    Floats are -1 to 1, and what lies outside is cut off; whole numbers are of 16 bits.
    """

    audio: Any
    rate: int = 0
    caption: str = ""
    format: str = ""

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is none.
        """
        array = array_of(self.audio)
        if array is None:
            return _file("audio", self.audio, self.format, self.caption)
        about = said(caption=self.caption, rate=self.rate, seconds=round(len(array) / max(self.rate, 1), 6))
        return Kept("audio", None, _wav(array, self.rate), "wav", about)


class Video(NamedTuple):
    """A film: the path of a file, or bytes."""

    video: Any
    caption: str = ""
    format: str = ""

    def kept(self) -> Kept:
        """It as it is recorded.

        Raises:
            TrackError: it is none.
        """
        return _file("video", self.video, self.format, self.caption)


def _file(type: str, given: Any, format: str, caption: str) -> Kept:
    try:
        data, format = source(given, format, type)
    except TypeError:
        raise TrackError(f"a {given.__class__.__name__} is no {type}", next="pass a path or bytes") from None
    return Kept(type, None, data, format, said(caption=caption))


def _wav(array: Any, rate: int) -> bytes:
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= 16):
        raise TrackError(
            f"an array of {' x '.join(map(str, array.shape))} is no sound",
            why="samples, or samples x channels, are",
        )
    if rate <= 0:
        raise TrackError("sound needs its rate in Hz", next="pinyon.Audio(samples, rate=16000)")
    if array.dtype.kind == "f":
        array = (numpy_of(array).nan_to_num(array.astype("f8"), nan=0.0).clip(-1, 1) * 32767).round()
    elif array.dtype.kind not in "iu":
        raise TrackError(f"an array of {array.dtype} is no sound", why="floats and whole numbers are")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(array.shape[1] if array.ndim == 2 else 1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.clip(-32768, 32767).astype("<i2").tobytes())
    return buffer.getvalue()
