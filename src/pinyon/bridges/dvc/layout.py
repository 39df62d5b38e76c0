"""YAML laid out as DVC's own writer does it, byte for byte, so that nobody's diff shows more than what changed.

Facts learnt from ruamel.yaml 0.18 (DVC's writer) and checked against it in tests: two columns a level, lists no deeper
than their key, text plain where YAML 1.2 reads it as text, else in single quotes, in double quotes when it holds a line
break or a single quote, and lines broken at blanks from column 80 on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WIDTH = 80
_KEY = 123  # a key this long, or one of several lines, stands behind a question mark
_BREAKS = "\n\x85\u2028\u2029"
_BLANK = "\0 \t\r" + _BREAKS
_OTHER = re.compile(  # what plain text would be read as, other than text
    r"""true|True|TRUE|false|False|FALSE|~|null|Null|NULL|<<|=
    |[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)
    |[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|(?=[-+0-9])[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+
    |[0-9]{4}-[0-9]{2}-[0-9]{2}
    |[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[\ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
     (?:[\ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9]{2})?))?""",
    re.VERBOSE,
)
_ESCAPES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e", '"': '"',
    "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def lay_out(data: Mapping[Any, Any], indent: int = 0) -> str:
    """Nested mappings, lists and scalars as lines that begin at column ``indent``; the last one is ended."""
    page = _Page()
    page.write(" " * indent)
    _mapping(page, data, indent)
    return page.text() + "\n"


class _Page:
    """Text so far, and the column it has come to."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.column = 0

    def write(self, text: str) -> None:
        self._parts.append(text)
        self.column += len(text)

    def line(self, indent: int) -> None:
        self._parts.append("\n" + " " * indent)
        self.column = indent

    def text(self) -> str:
        return "".join(self._parts)


def _mapping(page: _Page, data: Mapping[Any, Any], indent: int) -> None:
    for number, (key, value) in enumerate(data.items()):
        if number:
            page.line(indent)
        plain = key if isinstance(key, str) else _literal(key)
        if len(plain) < _KEY and not any(ch in _BREAKS for ch in plain):
            _scalar(page, key, indent + 2, is_key=True)
            page.write(":")
        else:
            page.write("? ")
            _scalar(page, key, indent + 2)
            page.line(indent)
            page.write(":" if value is None else ": ")
            _item(page, value, indent + 2)
            continue
        _value(page, value, indent)


def _value(page: _Page, value: Any, indent: int) -> None:
    if isinstance(value, Mapping) and value:
        page.line(indent + 2)
        _mapping(page, value, indent + 2)
    elif isinstance(value, (list, tuple)) and value:
        page.line(indent)
        _sequence(page, value, indent)
    elif value is not None:
        page.write(" ")
        _scalar(page, value, indent + 2)


def _sequence(page: _Page, items: list[Any] | tuple[Any, ...], indent: int) -> None:
    for number, item in enumerate(items):
        if number:
            page.line(indent)
        page.write("- ")
        _item(page, item, indent + 2)


def _item(page: _Page, value: Any, indent: int) -> None:
    if isinstance(value, Mapping) and value:
        _mapping(page, value, indent)
    elif isinstance(value, (list, tuple)) and value:
        _sequence(page, value, indent)
    else:
        _scalar(page, value, indent)


def _scalar(page: _Page, value: Any, indent: int, *, is_key: bool = False) -> None:
    if isinstance(value, (Mapping, list, tuple)):
        page.write("{}" if isinstance(value, Mapping) else "[]")
        return
    if not isinstance(value, str):
        _plain(page, _literal(value), indent, split=not is_key)
        return
    style = _style(value)
    if style == '"':
        _double(page, value, indent, split=not is_key)
    elif style == "'":
        _single(page, value, indent, split=not is_key)
    else:
        _plain(page, value, indent, split=not is_key)


def _literal(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return ".nan"
        return {float("inf"): ".inf", float("-inf"): "-.inf"}.get(value) or repr(value)
    return str(value)


def _style(text: str) -> str:
    """``"``, ``'`` or nothing for plain text."""
    if not text:
        return "'"
    several = any(ch in _BREAKS for ch in text)
    special = not all(_printable(ch) for ch in text)
    edges = text[0] in " " + _BREAKS or text[-1] in " " + _BREAKS
    bad = several or special or edges or _indicates(text)
    if not bad and not _OTHER.fullmatch(text):
        return ""
    return '"' if special or several or "'" in text else "'"


def _printable(ch: str) -> bool:
    if ch == "\n" or "\x20" <= ch <= "\x7e":
        return True
    wide = "\xa0" <= ch <= "\ud7ff" or "\ue000" <= ch <= "\ufffd" or "\U00010000" <= ch <= "\U0010ffff"
    return (ch == "\x85" or wide) and ch != "\ufeff"


def _indicates(text: str) -> bool:
    """Whether plain text would be taken for structure."""
    if text.startswith(("---", "...")) or text[0] in "#,[]{}&*!|>'\"%@`":
        return True
    if text[0] in "?:-" and (len(text) == 1 or text[1] in _BLANK):
        return True
    for index in range(1, len(text)):
        ch = text[index]
        if ch == ":" and (index + 1 == len(text) or text[index + 1] in _BLANK):
            return True
        if ch == "#" and text[index - 1] in _BLANK:
            return True
    return False


def _plain(page: _Page, text: str, indent: int, *, split: bool) -> None:
    # DVC would break a long key, too, and could not read it back.
    for part in re.findall(r" +|[^ ]+", text):
        if part[0] != " ":
            if split and page.column + len(part) > _WIDTH and page.column > indent:
                page.line(indent)
            page.write(part)
        elif len(part) == 1 and page.column >= _WIDTH and split:
            page.line(indent)
        else:
            page.write(part)


def _single(page: _Page, text: str, indent: int, *, split: bool) -> None:
    page.write("'")
    parts = re.findall(r" +|[^ ]+", text)
    for number, part in enumerate(parts):
        inner = 0 < number < len(parts) - 1
        if part == " " and inner and split and page.column > _WIDTH:
            page.line(indent)
        else:
            page.write(part.replace("'", "''"))
    page.write("'")


def _double(page: _Page, text: str, indent: int, *, split: bool) -> None:
    page.write('"')
    start = 0  # what stands before it is written
    for end in range(len(text) + 1):
        ch = text[end] if end < len(text) else None
        if ch is None or _escaped(ch):
            page.write(text[start:end])
            start = end
            if ch is not None:
                page.write(_escape(ch))
                start = end + 1
        room = page.column + end - start <= _WIDTH
        if room or not split or not 0 < end < len(text) - 1 or not (ch == " " or start >= end):
            continue
        kept = not _folds(text, start, end)  # the blank at the break has to be kept by hand
        page.write(text[start:end] + ("\\" if kept else ""))
        start = max(start, end)
        page.line(indent)
        if text[start] == " ":
            if kept:
                page.write("\\")
            else:
                start += 1  # reading joins the lines with a blank
    page.write('"')


def _folds(text: str, start: int, end: int) -> bool:
    """Whether a line break at ``end`` may stand for the blank there."""
    blank = text.find(" ", end)
    if blank < 0:
        return False
    newline = text.find("\n", end, blank)
    place = blank if newline < 0 else newline
    after = text[place + 1 : place + 2]
    if not after or (text[place] == "\n" and after != " "):
        return False
    between = text[end:place]
    doubled = text[end - 1 : end + 1] == "  "
    return '"' not in between and "'" not in between and after not in " \n" and not doubled and start != end


def _escaped(ch: str) -> bool:
    if ch in '"\\\x85\u2028\u2029\ufeff':
        return True
    wide = "\xa0" <= ch <= "\ud7ff" or "\ue000" <= ch <= "\ufffd" or "\U00010000" <= ch <= "\U0010ffff"
    return not ("\x20" <= ch <= "\x7e" or wide)


def _escape(ch: str) -> str:
    if ch in _ESCAPES:
        return "\\" + _ESCAPES[ch]
    code = ord(ch)
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
