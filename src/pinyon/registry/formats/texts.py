"""Text and JSON, HDF5, and the layers of Keras models that are code."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from pinyon.model.text import printable
from pinyon.registry.formats.looked import Looked
from pinyon.registry.formats.window import SpentError, Window

_HEAD = 1 << 20
_JSON = 2 << 20  # bytes of JSON that are parsed
_SEARCHED = 48 << 20  # bytes of HDF5
_PIECE = 1 << 20
_WHOLE = b"model_config"  # the attribute that a whole Keras model has in HDF5
_YAML = (b"!!python/", b"tag:yaml.org,2002:python/")
_MODULES = (
    "keras.activations", "keras.constraints", "keras.initializers", "keras.layers", "keras.losses", "keras.metrics",
    "keras.models", "keras.optimizers", "keras.regularizers", "keras.src.models",
)  # fmt: skip


def look_text(data: Window) -> Looked | None:
    """JSON or other text; None if it is none."""
    head = data.at(0, min(_HEAD, data.known))
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(head, final=len(head) == data.size)
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    if any(mark in head for mark in _YAML):
        return Looked("text", True, "it has a tag of Python's in YAML, which may run anything when loaded")
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return Looked("text", False, "it is text")
    if data.size > _JSON:
        return Looked(
            "json", False, f"it begins as JSON; of its {data.size} bytes only the first were looked at"
        )
    why = code_in(data.at(0, data.size))
    if why == _NO_JSON:
        return Looked("text", False, "it is text")
    return Looked("json", bool(why), why or "it is JSON")


_NO_JSON = "it is no JSON"


def code_in(config: bytes) -> str:
    """Why loading a Keras model with this configuration may run code; "" if nothing in it does."""
    try:
        found = json.loads(config)
    except (ValueError, RecursionError):
        return _NO_JSON
    for item in _objects(found):
        kind, module = item.get("class_name"), item.get("module")
        if kind in ("Lambda", "__lambda__", "function"):
            return f"a layer in it is code ({kind})"
        if isinstance(kind, str) and isinstance(module, str) and not _known(module):
            return f"it asks for {printable(kind)} of {printable(module)}, which is not Keras's own"
    return ""


def _known(module: str) -> bool:
    return module == "keras" or any(module == one or module.startswith(f"{one}.") for one in _MODULES)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def look_hdf5(data: Window) -> Looked:
    """HDF5: numbers, unless it is a whole Keras model, whose layers may be code in any disguise."""
    tail = b""
    try:
        for start in range(0, data.size, _PIECE):
            if start >= _SEARCHED:
                raise SpentError
            piece = tail + data.at(start, _PIECE)
            if _WHOLE in piece:
                why = "it is a whole Keras model in HDF5, and its layers may be code; keep its weights alone"
                return Looked("hdf5", True, why)
            tail = piece[-len(_WHOLE) :]
    except SpentError:
        return Looked(
            "hdf5", True, f"it has {data.size} bytes, too many to see whether layers in it are code"
        )
    return Looked("hdf5", False, "it is HDF5, and no whole Keras model")
