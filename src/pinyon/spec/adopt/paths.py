"""What an expression of Python names, as far as that can be told without running it."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from pinyon.spec.adopt.draft import Entry


class Names(NamedTuple):
    """What names stand for in one script: variables with one value, and arguments with what the user gave or a default.

    ``folder`` is the script's own directory, relative to where it runs.
    """

    values: Mapping[str, ast.expr]
    arguments: Mapping[str, Entry]
    folder: str = "."


def path_of(node: ast.expr, names: Names, depth: int = 0) -> Entry | None:
    """The path that an expression means; None when that depends on more than the file says."""
    if depth > 20:  # x = x / "a" and the like
        return None
    match node:
        case ast.Constant(value=str(text)):
            return Entry(text)
        case ast.Name(id=name):
            if name in names.values:
                return path_of(names.values[name], names, depth + 1)
            given = names.arguments.get(
                name
            )  # click hands options to parameters of their name, and people do, too
            return given and given._replace(doubt=given.doubt or f"taken for the argument {name}")
        case ast.Attribute(value=ast.Name(), attr=name) if name in names.arguments:
            return names.arguments[name]
        case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=str(name))) if name in names.arguments:
            return names.arguments[name]
        case ast.Attribute(attr="parent", value=inside):
            found = path_of(inside, names, depth + 1)
            return found and found._replace(path=posixpath.dirname(found.path) or ".")
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined([path_of(left, names, depth + 1), path_of(right, names, depth + 1)], "/")
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([path_of(left, names, depth + 1), path_of(right, names, depth + 1)], "")
        case ast.JoinedStr(values=parts):
            return _joined([_part(part, names, depth) for part in parts], "")
        case ast.Call(func=function, args=arguments):
            return _call(function, arguments, names, depth)
    return None


def _part(node: ast.expr, names: Names, depth: int) -> Entry | None:
    if isinstance(node, ast.FormattedValue):
        return path_of(node.value, names, depth + 1) if node.format_spec is None else None
    return path_of(node, names, depth + 1)


def _call(function: ast.expr, arguments: list[ast.expr], names: Names, depth: int) -> Entry | None:
    called = last_name(function)
    if called in ("Path", "PurePath", "PosixPath", "join", "joinpath", "str", "fspath", "dirname"):
        own = [function.value] if called == "joinpath" and isinstance(function, ast.Attribute) else []
        if [last_name(argument) for argument in arguments] == ["__file__"]:
            return Entry(names.folder if called == "dirname" else f"{names.folder}/script")
        found = _joined([path_of(argument, names, depth + 1) for argument in (*own, *arguments)], "/")
        return found and (
            found._replace(path=posixpath.dirname(found.path)) if called == "dirname" else found
        )
    if called in ("resolve", "absolute", "expanduser", "as_posix", "abspath", "realpath"):
        inside = function.value if isinstance(function, ast.Attribute) and not arguments else None
        return path_of(inside or arguments[0], names, depth + 1) if inside or arguments else None
    return None


def _joined(parts: list[Entry | None], between: str) -> Entry | None:
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or not found:
        return None
    if between:
        text = posixpath.join(*(part.path for part in found))
    else:
        text = "".join(part.path for part in found)
    return Entry(text, next((part.doubt for part in found if part.doubt), ""))


def last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c`` and of ``c``; "" for other expressions."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as text; "" for what is not only names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""
