"""Hold imports to what a room may use: import-linter sees the order of the rooms, this sees the libraries.

    python scripts/check_imports.py [SOURCE]

Two rules, each a table to edit: which modules may import which library (a library in no row is refused, so a
room in no row lives on the standard library alone), and what the pure room must not touch.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# library: the modules, with all below them, that may import it. The standard library is free except where a
# row names a part of it. `testing` ships the contract suites, so it may use what tests use.
LIBRARIES = {
    "blake3": ["store", "plan", "execute.samplers", "testing"],
    "click": ["cli"],
    "duckdb": ["query.duck"],  # lazily: it is an extra
    "huggingface_hub": ["store.backends.hub"],  # behind the extra `hub`
    "hypothesis": ["testing"],
    "keras": ["bridges.integrations.keras"],  # this and the like: who imports the module has the library
    "lightning": ["bridges.integrations.lightning"],
    "mlflow": ["bridges.mlflow", "bridges.moving.mlflowsink"],  # the first MLflow loads; the second lazily
    "obstore": ["store.backends.obstore"],  # behind the extra `cloud`
    "optuna": ["execute.samplers.tpe"],  # behind the extra `search`
    "pandas": ["session.table"],  # lazily, for who asks for a frame
    "pyarrow": ["session.table"],  # the same
    "pytest": ["testing"],
    "rich": ["cli"],
    "transformers": ["bridges.integrations.transformers"],
    "sqlite3": [
        "execute",
        "query",
        "bridges.mlflow.metrics",
        "bridges.moving.cursors",
        "bridges.moving.mlflowdb",
    ],
    "wandb": ["bridges.moving.wandbsink"],  # lazily, and only to write what its users want to have there
    "yaml": ["spec", "execute.node.metrics"],  # the second lazily, and it does without
}

# the pure room: everything it decides, it was told
PURE = "plan"
PURE_INSIDE = {"plan", "model", "errors"}
EFFECTS = """
    asyncio ctypes fileinput glob http importlib io logging mmap multiprocessing os pathlib pkgutil platform random
    secrets select shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib uuid
""".split()  # noqa: SIM905 -- a list of thirty quoted words hides the words
EFFECT_CALLS = {"open", "input", "print", "__import__", "eval", "exec"}


def imports(tree: ast.AST, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) of every import, lazy ones and those for type checkers included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            base = parents[: len(parents) - node.level + package] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{origin}.{alias.name}" for alias in node.names] if origin == "pinyon" else [origin]
            yield from ((node.lineno, name) for name in names)


def problems(path: Path, source: Path) -> Iterator[str]:
    """Yield one sentence for each thing that a file uses and may not."""
    relative = path.relative_to(source).with_suffix("").parts
    package = relative[-1] == "__init__"
    inside = relative[:-1] if package else relative
    room = inside[0] if inside else ""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for line, name in imports(tree, ".".join(["pinyon", *inside]), package=package):
        reason = _refuse(name, ".".join(inside), room)
        if reason:
            yield f"{path}:{line}: {reason}"
    if room == PURE:
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        for called in (call.func for call in calls if isinstance(call.func, ast.Name)):
            if called.id in EFFECT_CALLS:
                yield f"{path}:{called.lineno}: {PURE}/ is pure, so it cannot call {called.id}()"


def _refuse(name: str, module: str, room: str) -> str | None:
    """Say why `module` may not import `name`, or None if it may."""
    top, _, rest = name.partition(".")
    if top == "pinyon":
        if room == PURE and rest.split(".")[0] not in PURE_INSIDE:
            return f"{PURE}/ imports only {', '.join(sorted(PURE_INSIDE))}, not {name}"
        return None
    if room == PURE and top in EFFECTS:
        return f"{PURE}/ is pure, so it cannot import {name}"
    if top in LIBRARIES:
        allowed = LIBRARIES[top]
        if not any(module == home or module.startswith(f"{home}.") for home in allowed):
            return f"{top} may be imported by {', '.join(allowed)} only (table in scripts/check_imports.py)"
    elif top not in sys.stdlib_module_names:
        return f"{top} is in no row of the table in scripts/check_imports.py"
    return None


def main(arguments: list[str]) -> int:
    """Print every import that is out of place; 1 if there is one."""
    source = Path(*arguments[:1] or ["src/pinyon"])
    found = [problem for path in sorted(source.rglob("*.py")) for problem in problems(path, source)]
    print("\n".join(found) if found else "imports: every library is where it may be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
