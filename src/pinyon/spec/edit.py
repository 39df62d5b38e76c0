"""Values of a parameter file set in its text: comments, order, quotes and all else stay as they are, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pinyon.errors import SpecError
from pinyon.spec.checks import nearest
from pinyon.spec.params import parse_params
from pinyon.spec.spans import Span

_KINDS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_BOM = "\ufeff"
_LINE_END = re.compile("[\r\n]")


def edit_params(text: str, suffix: str, changes: Mapping[str, Any], *, file: str = "") -> str:
    """The text of a parameter file with dotted names set to plain values.

    Only the characters of these values change, each within its line; of a list or a mapping that keeps its size, only
    the parts that differ do. The result has been read again: it says what was asked for, and nothing else.

    Args:
        text: with the line ends that it has in the file.
        suffix: ``.yaml``, ``.yml``, ``.json`` or ``.toml``.
        changes: value by dotted name, as in ``train.lr`` or ``layers.0``.
        file: the file's name, for errors.

    Raises:
        SpecError: no such name, a value that goes over several lines, that other places of the file repeat or bring in,
            or that the file's kind cannot say; or a file that cannot be read.
    """
    file = file or f"params{suffix}"
    kind = _KINDS.get(suffix.lower())
    if kind is None:
        raise SpecError(
            f"parameters cannot be set in a file that ends in '{suffix}'",
            where=file,
            why=f"allowed are {', '.join(_KINDS)}",
            next=_by_hand(changes),
        )
    mark = _BOM if text.startswith(_BOM) else ""
    edited = text.removeprefix(_BOM)
    wanted = _read(edited, file)
    for name, value in changes.items():
        edit = _Edit(edited, kind, file, name, wanted)
        edited = edit.text_with(value)
        edit.container[edit.key] = value
    if not _same(_read(edited, file), wanted):
        what = f"{', '.join(changes)} cannot be set without a change elsewhere"
        raise SpecError(what, where=file, next=_by_hand(changes))
    return mark + edited


class _Edit:
    """One name in a text: where its value stands, and in which container of the text's data under which key.

    Raises:
        SpecError: it stands nowhere, or where it must not be changed.
    """

    def __init__(self, text: str, kind: str, file: str, name: str, data: Any) -> None:
        self._text = text
        self._kind = kind
        self._file = file
        self._name = name
        root = span = _spans(text, kind)
        for step in [name] if name in span.parts else name.split("."):
            self._refuse_anchored(span)
            self.container, self.key = data, _key(span, step)
            if self.key not in span.parts:
                raise self._missing(root, span)
            span, data = span.parts[self.key], data[self.key]
        self._refuse_anchored(span)
        self._span = span

    def text_with(self, new: Any) -> str:
        """The text with another value."""
        old = self.container[self.key]
        text = self._text
        found = sorted(_differences(self._span, old, new), key=lambda part: part[0].start, reverse=True)
        for span, value in found:
            if not span.whole or _LINE_END.search(text, span.start, span.end):
                raise self._refused(span, "goes over several lines")
            self._refuse_anchored(span)
            shown = self._shown(span, value)
            space = " " if span.start == span.end and text[: span.start][-1:] in (":", "-") else ""
            text = text[: span.start] + space + shown + text[span.end :]
        return text

    def _shown(self, span: Span, value: Any) -> str:
        if self._kind == "yaml":
            from pinyon.spec.yaml import show_yaml

            return show_yaml(value, span.quote)
        if self._kind == "json":
            return json.dumps(value, ensure_ascii=False)
        from pinyon.spec.spans_toml import show_toml

        try:
            return show_toml(value)
        except ValueError as error:
            raise self._refused(span, f"cannot be {value}", str(error)) from None

    def _refuse_anchored(self, span: Span) -> None:
        if span.anchor:
            why = f"what *{span.anchor} repeats changes, too"
            raise self._refused(span, f"stands under the anchor &{span.anchor}", why)

    def _refused(self, span: Span, what: str, why: str = "") -> SpecError:
        line = self._text.count("\n", 0, span.start) + 1
        return SpecError(
            f"{self._name} {what}", where=f"{self._file}:{line}", why=why, next="write it by hand"
        )

    def _missing(self, root: Span, span: Span) -> SpecError:
        if isinstance(self.container, dict) and self.key in self.container:
            origin = "the mapping that << brings in" if span.kind == "map" else "what an alias repeats"
            return self._refused(span, f"stands in {origin}")
        close = nearest(self._name, _names(root))
        return SpecError(f"there is no {self._name}", where=self._file, next=close or "add it by hand")


def _spans(text: str, kind: str) -> Span:
    if kind == "toml":
        from pinyon.spec.spans_toml import spans_toml

        return spans_toml(text)
    from pinyon.spec.spans import spans_json, spans_yaml

    if not text.strip():
        return Span("map", 0, 0, {}, whole=False)
    return spans_yaml(text) if kind == "yaml" else spans_json(text)


def _key(span: Span, step: str) -> Any:
    """The key or index that a step means: of keys that are no text, the one that is shown so."""
    if step in span.parts:
        return step
    return next((key for key in span.parts if not isinstance(key, str) and str(key) == step), step)


def _names(span: Span, prefix: str = "") -> Iterator[str]:
    for key, part in span.parts.items():
        yield f"{prefix}{key}"
        yield from _names(part, f"{prefix}{key}.")


def _differences(span: Span, old: Any, new: Any) -> Iterator[tuple[Span, Any]]:
    """What must be replaced, by which value; parts rather than wholes."""
    if _same(old, new):
        return
    lists = isinstance(old, list) and isinstance(new, list) and len(old) == len(new) == len(span.parts)
    maps = isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys() == span.parts.keys()
    if not (lists or maps):
        yield span, new
        return
    for key, part in span.parts.items():
        yield from _differences(part, old[key], new[key])


def _same(one: Any, other: Any) -> bool:
    """Equal and of the same types; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(part, other[key]) for key, part in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)


def _read(text: str, file: str) -> Any:
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise SpecError("half of a surrogate pair is no text", where=file) from error
    return parse_params(raw, file)


def _by_hand(changes: Mapping[str, Any]) -> str:
    return "write by hand " + ", ".join(f"{name} = {value}" for name, value in changes.items())
