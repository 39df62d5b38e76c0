"""Hold the code to its caps: small modules, short functions, documented public names.

    python scripts/check_caps.py [SOURCE [TESTS]]

A module's lines are all its lines. A function's lines run from `def` to its end without its docstring, so that
explaining a function never makes it too long. Public is what no underscore hides, `@overload` stubs aside.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_MAX = 500
MODULE_MEDIAN = 150
FUNCTION_MAX = 80
FUNCTION_P90 = 30
DOCUMENTED = 0.90
TESTS_PER_SOURCE = 1.3  # the aim; shown, and not yet enforced

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """One function: where it stands, its lines without the docstring, and whether a public one says what it does."""

    where: str
    lines: int
    public: bool
    documented: bool


@dataclass(frozen=True)
class Module:
    """One file: its path, its lines and its functions, inner ones too."""

    path: Path
    lines: int
    functions: tuple[Function, ...]


def read(path: Path) -> Module:
    """Measure one file."""
    text = path.read_text(encoding="utf-8")
    functions = tuple(_functions(ast.parse(text, str(path)), path, public=True))
    return Module(path, len(text.splitlines()), functions)


def _functions(node: ast.AST, path: Path, *, public: bool) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, AnyFunction):
            shown = public and not child.name.startswith("_") and not _is_overload(child)
            documented = ast.get_docstring(child) is not None
            yield Function(f"{path}:{child.lineno} {child.name}", _lines(child), shown, documented)
            yield from _functions(child, path, public=False)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, path, public=public and not child.name.startswith("_"))
        else:
            yield from _functions(child, path, public=public)


def _is_overload(node: AnyFunction) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def _lines(node: AnyFunction) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return lines
    docstring = node.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


@dataclass(frozen=True)
class Row:
    """One cap: what is measured, its value, the cap in words, and whether it holds."""

    what: str
    value: str
    cap: str
    holds: bool


def measure(modules: list[Module]) -> list[Row]:
    """Compare the modules with every cap; an empty module, such as a bare `__init__.py`, counts in no median."""
    lines = [module.lines for module in modules if module.lines] or [0]
    functions = [function for module in modules for function in module.functions]
    lengths = sorted(function.lines for function in functions) or [0]
    public = [function for function in functions if function.public]
    documented = sum(function.documented for function in public) / max(len(public), 1) if public else 1.0
    median, p90 = statistics.median(lines), lengths[int(0.9 * (len(lengths) - 1))]
    return [
        Row("longest module", f"{max(lines)}", f"<= {MODULE_MAX} lines", max(lines) <= MODULE_MAX),
        Row("median module", f"{median:g}", f"<= {MODULE_MEDIAN} lines", median <= MODULE_MEDIAN),
        Row("longest function", f"{lengths[-1]}", f"<= {FUNCTION_MAX} lines", lengths[-1] <= FUNCTION_MAX),
        Row("90 % of functions", f"{p90}", f"<= {FUNCTION_P90} lines", p90 <= FUNCTION_P90),
        Row("public, documented", f"{documented:.0%}", f">= {DOCUMENTED:.0%}", documented >= DOCUMENTED),
    ]


def offenders(modules: list[Module]) -> list[str]:
    """Name every module and function that is too long by itself."""
    long_modules = [f"{m.path}: {m.lines} lines" for m in modules if m.lines > MODULE_MAX]
    functions = [function for module in modules for function in module.functions]
    return long_modules + [f"{f.where}: {f.lines} lines" for f in functions if f.lines > FUNCTION_MAX]


def main(arguments: list[str]) -> int:
    """Print the table; 1 if a cap is broken."""
    source, tests = (*map(Path, arguments), *(Path("src/pinyon"), Path("tests"))[len(arguments) :])
    modules = [read(path) for path in sorted(source.rglob("*.py"))]
    rows = measure(modules)
    for row in rows:
        print(f"{row.what:20} {row.value:>8}   {row.cap:15} {'' if row.holds else 'BROKEN'}".rstrip())
    tested = sum(read(path).lines for path in tests.rglob("*.py"))
    ratio = tested / max(sum(module.lines for module in modules), 1)
    print(f"{'test lines : source':20} {ratio:>8.2f}   aim {TESTS_PER_SOURCE}")
    for line in offenders(modules):
        print(f"too long: {line}")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
