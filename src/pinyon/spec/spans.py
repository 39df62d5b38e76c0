"""Where every value stands in the text of a parameter file, so that one can be replaced and all else left alone."""

from __future__ import annotations

import re
from json import JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Literal, NamedTuple

import yaml

from pinyon.spec.scalars import resolve
from pinyon.spec.yaml import events_of


class Span(NamedTuple):
    """A value and its place, from ``start`` up to ``end`` in characters.

    Attributes:
        parts: what is in it, by key or by index from 0, in the order of the text.
        whole: it can be replaced as a whole: a scalar, or a collection in brackets.
        quote: the quotes of a text in YAML, or "".
        anchor: its name for YAML's aliases, or "".
    """

    kind: Literal["scalar", "list", "map"]
    start: int
    end: int
    parts: dict[Any, Span]
    whole: bool = True
    quote: str = ""
    anchor: str = ""


def spans_yaml(text: str) -> Span:
    """The document's value; ``text`` has been read without an error, and has no byte order mark."""
    stack: list[
        tuple[Span, list[Any]]
    ] = []  # collections, each with the key that waits for its value, if any
    span = Span("map", 0, 0, {}, whole=False)
    for event in events_of(text):
        if isinstance(event, yaml.CollectionStartEvent):
            kind: Literal["list", "map"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "map"
            start, whole = _at(event.start_mark), bool(event.flow_style)
            stack.append((Span(kind, start, start, {}, whole, anchor=event.anchor or ""), []))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            span = stack.pop()[0]._replace(end=_at(event.end_mark))
        elif isinstance(event, yaml.NodeEvent):
            span = _leaf(event)
        else:
            continue
        if stack:
            _place(*stack[-1], span, event)
    return span


def _leaf(event: Any) -> Span:
    """A scalar or an alias."""
    named = isinstance(event, yaml.ScalarEvent)
    quote = event.style if named and event.style in ("'", '"') else ""
    anchor = (event.anchor or "") if named else ""
    return Span("scalar", _at(event.start_mark), _at(event.end_mark), {}, quote=quote, anchor=anchor)


def _at(mark: Any) -> int:
    index: int = mark.index
    return index


def _place(around: Span, waiting: list[Any], span: Span, event: Any) -> None:
    if around.kind == "list":
        around.parts[len(around.parts)] = span
    elif waiting:
        around.parts[waiting.pop()] = span
    else:
        waiting.append(_key(event))


def _key(event: Any) -> Any:
    plain = not isinstance(event, yaml.AliasEvent) and event.implicit[0] and event.tag is None
    if isinstance(event, yaml.AliasEvent) or (plain and event.value == "<<"):
        return object()  # a key that no name means
    return resolve(event.value) if plain else event.value


_SPACE = re.compile(r"[ \t\r\n]*")


def spans_json(text: str) -> Span:
    """The document's value; ``text`` has been read without an error."""
    return _json(text, 0)


def _json(text: str, at: int) -> Span:
    start = at = _skip(text, at)
    opening = text[at]
    if opening not in "{[":
        _, end = JSONDecoder().raw_decode(text, at)
        return Span("scalar", start, end, {})
    parts: dict[Any, Span] = {}
    at = _skip(text, at + 1)
    while text[at] not in "]}":
        key: Any = len(parts)
        if opening == "{":
            key, at = scanstring(text, at + 1)
            at = _skip(text, at) + 1  # the colon
        parts[key] = _json(text, at)
        at = _skip(text, parts[key].end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return Span("map" if opening == "{" else "list", start, at + 1, parts)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
