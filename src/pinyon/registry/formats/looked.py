"""What is found out about a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pinyon.registry.formats.window import Window


class Looked(NamedTuple):
    """What was found.

    Attributes:
        format: such as ``safetensors``, ``onnx``, ``pickle``, ``torch``; ``unknown`` where nothing told it.
        runs_code: opening it with its own library may run code that somebody put into it.
        why: what tells so, one clause.
        facts: of safetensors and NumPy files ``tensors``, ``parameters`` (numbers in all), ``dtypes`` (numbers of each);
            of safetensors also ``metadata`` and the ``largest`` as [name, dtype, shape]; of a folder ``files``.
    """

    format: str
    runs_code: bool
    why: str
    facts: Mapping[str, Any] = {}


Inside = Callable[[Window], Looked]
"""Looks at what lies in an archive or a compressed file; not given to what lies in one itself."""
