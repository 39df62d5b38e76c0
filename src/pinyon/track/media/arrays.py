"""Arrays that others hand in: of numpy, of torch, of whatever gives an array of numpy's; and plain lists."""

from __future__ import annotations

import sys
from typing import Any

from pinyon.errors import TrackError


def array_of(value: Any) -> Any:
    """The array of numpy's that a value is or gives; None for what is none, such as a list."""
    for step in ("detach", "cpu"):  # a tensor of torch's that has a gradient, on a GPU
        call = getattr(value, step, None)
        value = call() if callable(call) else value
    if callable(call := getattr(value, "numpy", None)):
        try:
            value = call()
        except TypeError:  # numpy has no bfloat16
            value = value.float().numpy()
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if not isinstance(value, numpy.ndarray) and hasattr(value, "__array__"):
        value = numpy.asarray(value)
    return value if isinstance(value, numpy.ndarray) else None


def numpy_of(array: Any) -> Any:
    """The module that an array comes from."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def floats(value: Any, what: str) -> Any:
    """The numbers of a list, or of an array of any shape, one after the other: a list or an array of them.

    Raises:
        TrackError: there are others than numbers among them.
    """
    array = array_of(value)
    if array is not None:
        if array.dtype.kind not in "biuf":
            raise TrackError(
                f"{what} of an array of {array.dtype} cannot be kept", why="it holds no real numbers"
            )
        return array.ravel().astype("f8")
    try:
        return [float(one) for one in value]
    except (TypeError, ValueError, OverflowError) as error:
        raise TrackError(f"{what} cannot be kept", why=str(error), next="pass numbers") from None
