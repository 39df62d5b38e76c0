"""Where every value stands in a TOML file that has been read without an error (https://toml.io/en/v1.0.0)."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from pinyon.spec.spans import Span

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_TEXT = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE = re.compile(r"[^,\]}#\r\n]+")


def spans_toml(text: str) -> Span:
    """The whole file as a map."""
    return _Scanner(text).document()


class _Scanner:
    """Goes through the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> Span:
        root = table = _table(0)
        while self._skip(_BLANK) < len(self._text):
            if self._take("[["):
                *path, last = self._keys()
                tables = (
                    _descend(root, path).parts.setdefault(last, Span("list", 0, 0, {}, whole=False)).parts
                )
                table = tables[len(tables)] = _table(self._at)
                self._take("]]")
            elif self._take("["):
                table = _descend(root, self._keys())
                self._take("]")
            else:
                self._pair(table)
        return root

    def _pair(self, table: Span) -> None:
        *path, last = self._keys()
        self._take("=")
        self._skip(_SPACE)
        _descend(table, path).parts[last] = self._value()

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._take("."):
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        self._skip(_SPACE)
        start = self._at
        if self._text[start] in "'\"":
            quoted: str = tomllib.loads(f"x = {self._text[start : self._skip(_TEXT)]}")["x"]
            key = quoted
        else:
            key = self._text[start : self._skip(_BARE_KEY)]
        self._skip(_SPACE)
        return key

    def _value(self) -> Span:
        start, opening = self._at, self._text[self._at]
        if opening in "'\"":
            return Span("scalar", start, self._skip(_TEXT), {})
        if opening not in "[{":
            end = start + len(self._text[start : self._skip(_BARE)].rstrip())
            return Span("scalar", start, end, {})
        self._at += 1
        found = Span("map" if opening == "{" else "list", start, start, {})
        while self._skip(_BLANK) >= 0 and not self._take("]" if opening == "[" else "}"):
            if opening == "{":
                self._pair(found)
            else:
                found.parts[len(found.parts)] = self._value()
            self._skip(_BLANK)
            self._take(",")
        return found._replace(end=self._at)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found


def _table(at: int) -> Span:
    return Span("map", at, at, {}, whole=False)


def _descend(table: Span, path: list[str]) -> Span:
    """The table at a path of keys, made where it is not there; of several in an array, the last."""
    for key in path:
        table = table.parts.setdefault(key, _table(table.start))
        if table.kind == "list":
            table = table.parts[len(table.parts) - 1]
    return table


def show_toml(value: Any) -> str:
    """A value as TOML writes it in one line.

    Raises:
        ValueError: TOML has nothing for None.
    """
    import json

    if value is None:
        raise ValueError("TOML has no null")
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        pairs = (f"{show_toml(key)} = {show_toml(part)}" for key, part in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(show_toml, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
