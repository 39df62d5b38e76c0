"""What a Python script reads, writes, imports and takes, by its syntax tree alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pinyon.spec.adopt.arguments import Argument, arguments_of, hydra_of, params_of
from pinyon.spec.adopt.draft import Entry
from pinyon.spec.adopt.opened import Openers, Touch, openers_of, touches_of
from pinyon.spec.adopt.paths import Names, last_name

_FRAMEWORKS = frozenset(" ".join(("argparse click typer fire hydra absl docopt tyro",)).split())


class Script(NamedTuple):
    """What a module says. ``runs`` tells whether it is meant to be run, ``unsure`` names files that cannot be told,
    ``openers`` functions that open what they are given: (parameter, its position, mode) by the function's name."""

    runs: bool
    touches: tuple[Touch, ...]
    unsure: tuple[str, ...]
    imports: tuple[tuple[int, str], ...]
    arguments: tuple[Argument, ...]
    hydra: str
    params: tuple[str, ...]
    openers: Openers


def read_script(
    text: str, folder: str = ".", given: Mapping[str, str] | None = None, openers: Openers | None = None
) -> Script:
    """What the source of a module says.

    Args:
        folder: where the file lies, relative to where it runs.
        given: arguments of the command that runs it, by the name its code has for them; they overrule defaults.
        openers: those of the modules that it imports.

    Raises:
        SyntaxError, ValueError, RecursionError: no Python, or none that can be read.
    """
    tree = ast.parse(text)
    arguments = arguments_of(tree)
    values = {
        argument.name: Entry(str(argument.default)) for argument in arguments if argument.default is not None
    }
    values |= {name: Entry(value) for name, value in (given or {}).items()}
    # A click command gets its options as parameters of its function.
    names = Names(_assigned(tree), values, folder)
    imports = tuple(_imports(tree))
    own = openers_of(tree)
    touches, unsure = touches_of(tree, names, {**(openers or {}), **own})
    modules = {name.split(".")[0] for level, name in imports if not level}
    runs = (
        text.startswith("#!")
        or _has_main(tree)
        or bool(modules & _FRAMEWORKS)
        or (bool(touches) and _acts(tree))
    )
    return Script(runs, touches, unsure, imports, arguments, hydra_of(tree), tuple(params_of(tree)), own)


def _assigned(tree: ast.AST) -> dict[str, ast.expr]:
    """Variables that are assigned once in the whole file: what they mean does not depend on when."""
    found: dict[str, ast.expr | None] = {}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                value = getattr(node, "value", None)
                found[target.id] = None if target.id in found else value
        if isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name):
            found[node.target.id] = None
    return {name: value for name, value in found.items() if value is not None}


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(dots before it, module) of every import, packages around it too; what is imported from one may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _around(0, alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield from _around(node.level, node.module or "")
            yield from ((node.level, f"{node.module or ''}.{alias.name}".lstrip(".")) for alias in node.names)


def _around(level: int, name: str) -> Iterator[tuple[int, str]]:
    parts = name.split(".")
    return ((level, ".".join(parts[:count])) for count in range(1, len(parts) + 1))


def _has_main(tree: ast.Module) -> bool:
    tests = [node.test for node in tree.body if isinstance(node, ast.If)]
    return any(isinstance(test, ast.Compare) and last_name(test.left) == "__name__" for test in tests)


def _acts(tree: ast.Module) -> bool:
    return any(
        isinstance(node, (ast.With, ast.For))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in tree.body
    )
