"""Parameters in a Python file, as DVC reads them: assignments of literals, found in the syntax tree, never executed."""

from __future__ import annotations

import ast
import warnings
from typing import Any

from pinyon.errors import SpecError


def literals(text: str, file: str) -> dict[str, Any]:
    """Names to values: assignments at the top, classes as nested mappings, and ``self.name = …`` in ``__init__``.

    What is not a literal is passed over, as DVC does.

    Raises:
        SpecError: not Python, or nested deeper than Python can parse; with file and line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in the user's code is not ours to report
            return _names(ast.parse(text).body, of_self=False)
    except SyntaxError as error:
        raise SpecError(f"not Python: {error.msg}", where=f"{file}:{error.lineno or 1}") from None
    except (RecursionError, MemoryError):
        raise SpecError("this Python is nested too deeply to be read", where=file) from None
    except ValueError as error:  # a NUL character, an endless integer
        raise SpecError(f"not Python: {error}", where=file) from None


def _names(body: list[ast.stmt], *, of_self: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            _assign(found, statement.targets[0], statement.value, of_self)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            _assign(found, statement.target, statement.value, of_self)
        elif isinstance(statement, ast.ClassDef):
            found[statement.name] = _names(statement.body, of_self=False)
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            found |= _names(statement.body, of_self=True)
    return found


def _assign(found: dict[str, Any], target: ast.expr, value: ast.expr, of_self: bool) -> None:
    if isinstance(target, ast.Name) and not of_self:
        name = target.id
    elif (
        isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    ):
        name = target.attr
    else:
        return
    try:
        found[name] = ast.literal_eval(value)
    except (ValueError, TypeError):  # a call, a name; an unhashable key
        return
