"""ONNX models, told by their protobuf fields: the numbers and kinds of all of a model's own fields must fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pinyon.model.text import printable
from pinyon.registry.formats.window import SpentError, Window

_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
# Fields of a ModelProto, and the wire type of each.
_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_IR, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET = 1, 2, 3, 7, 8
_NODE, _INITIALIZER = 1, 5  # of a GraphProto
_NODE_DOMAIN = 7
_DIMS, _EXTERNAL = 1, 13  # of a TensorProto
_MOST = 60_000  # fields of a file that are looked at
_PLAIN = ("", "ai.onnx")


class _Field(NamedTuple):
    number: int
    wire: int
    value: int  # of a varint
    begin: int
    end: int


class _NotError(ValueError):
    """These bytes are no message."""


def facts(data: Window) -> dict[str, Any] | None:
    """``ir_version``, ``opsets`` by domain, ``producer``; of the graph ``nodes``, ``tensors``, ``parameters``,
    ``external`` (files that hold what is not in this one) and ``domains`` of operators that ONNX itself does not have.
    What was too much to count is absent. None if it is no ONNX."""
    try:
        fields = list(_fields(data, 0, data.size, [1000]))
    except (_NotError, SpentError):
        return None
    if any(_MODEL.get(field.number) != field.wire for field in fields):
        return None
    versions = [field.value for field in fields if field.number == _IR]
    graphs = [field for field in fields if field.number == _GRAPH]
    opsets = [field for field in fields if field.number == _OPSET]
    if len(versions) != 1 or not 1 <= versions[0] <= 100 or len(graphs) != 1 or not opsets:
        return None
    found: dict[str, Any] = {"ir_version": versions[0]}
    try:
        found["opsets"] = dict(_opset(data, field) for field in opsets)
        shown = [_text(data, field) for field in fields if field.number in (_PRODUCER, _PRODUCER_VERSION)]
        found["producer"] = " ".join(shown)
        found.update(_graph(data, graphs[0]))
    except SpentError:
        pass
    except _NotError:
        return None
    return found


def _fields(data: Window, begin: int, end: int, left: list[int]) -> Iterator[_Field]:
    while begin < end:
        left[0] -= 1
        if left[0] < 0:
            raise SpentError
        tag, begin = _varint(data, begin, end)
        number, wire = tag >> 3, tag & 7
        value, start = 0, begin
        if wire == _VARINT:
            value, begin = _varint(data, begin, end)
        elif wire == _BYTES:
            length, start = _varint(data, begin, end)
            begin = start + length
        elif wire in (_LONG, _SHORT):
            begin += 8 if wire == _LONG else 4
        else:
            raise _NotError
        if not number or begin > end:
            raise _NotError
        yield _Field(number, wire, value, start, begin)


def _varint(data: Window, begin: int, end: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data.at(begin, min(10, end - begin))):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, begin + index + 1
    raise _NotError


def _text(data: Window, field: _Field, longest: int = 200) -> str:
    return printable(
        data.at(field.begin, min(longest, field.end - field.begin)).decode(errors="replace"), longest
    )


def _opset(data: Window, field: _Field) -> tuple[str, int]:
    domain, version = "ai.onnx", 0
    for inner in _fields(data, field.begin, field.end, [10]):
        if (inner.number, inner.wire) == (1, _BYTES):
            domain = _text(data, inner) or domain
        elif (inner.number, inner.wire) == (2, _VARINT):
            version = inner.value
    return domain, version


def _graph(data: Window, graph: _Field) -> dict[str, Any]:
    left = [_MOST]
    nodes = tensors = parameters = 0
    domains: set[str] = set()
    external: set[str] = set()
    for field in _fields(data, graph.begin, graph.end, left):
        if (field.number, field.wire) == (_NODE, _BYTES):
            nodes += 1
            for inner in _fields(data, field.begin, field.end, left):
                if (inner.number, inner.wire) == (_NODE_DOMAIN, _BYTES):
                    domains.add(_text(data, inner))
        elif (field.number, field.wire) == (_INITIALIZER, _BYTES):
            tensors += 1
            parameters += _tensor(data, field, left, external)
    return {
        "nodes": nodes,
        "tensors": tensors,
        "parameters": parameters,
        "domains": sorted(domains.difference(_PLAIN))[:20],
        "external": sorted(external)[:20],
    }


def _tensor(data: Window, tensor: _Field, left: list[int], external: set[str]) -> int:
    numbers = 1
    for field in _fields(data, tensor.begin, tensor.end, left):
        if (field.number, field.wire) == (_DIMS, _VARINT):
            numbers *= field.value
        elif (field.number, field.wire) == (_DIMS, _BYTES):  # packed
            at = field.begin
            while at < field.end:
                size, at = _varint(data, at, field.end)
                numbers *= size
        elif (field.number, field.wire) == (_EXTERNAL, _BYTES):
            pair = {inner.number: inner for inner in _fields(data, field.begin, field.end, left)}
            if 1 in pair and 2 in pair and _text(data, pair[1]) == "location":
                external.add(_text(data, pair[2]))
        if numbers >= 1 << 64:
            raise _NotError
    return numbers
