"""Which calls of a Python script open files, and which files those are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pinyon.spec.adopt.draft import Entry
from pinyon.spec.adopt.paths import Names, dotted, last_name, path_of

_READS = frozenset(
    " ".join(
        (
            "read_csv safe_open read_parquet read_json read_excel read_table read_feather read_pickle read_hdf read_orc",
            "loadtxt genfromtxt fromfile imread load_from_disk load_file scan_csv scan_parquet load_model listdir",
            "scandir",
        )
    ).split()
)
_WRITES = frozenset(
    " ".join(
        (
            "to_csv to_parquet to_json to_pickle to_excel to_feather to_hdf to_orc savez savez_compressed savetxt",
            "savefig imsave imwrite save_to_disk save_pretrained save_model tofile write_csv write_parquet",
        )
    ).split()
)
_SECOND = frozenset(("dump", "save_file", "copy", "copyfile", "copy2", "copytree", "move"))  # f(what, path)
_LOADERS = frozenset(" ".join(("np numpy torch joblib jnp cloudpickle",)).split())
_PATH_METHODS = {"read_text": "r", "read_bytes": "r", "write_text": "w", "write_bytes": "w"}
_PATH = re.compile(r"/|\.[A-Za-z0-9]{1,5}$|\.safetensors$")
_DEEP = 4  # functions that hand a path on to each other


class Touch(NamedTuple):
    """A file that the code opens; ``mode`` is r, w, or rw."""

    entry: Entry
    mode: str


Openers = dict[str, list[tuple[str, int, str]]]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in a piece of code."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def touches_of(tree: ast.AST, names: Names, openers: Openers) -> tuple[tuple[Touch, ...], tuple[str, ...]]:
    """The files that code opens, and what can be said of those that cannot be told."""
    found: dict[Touch, None] = {}
    unsure: dict[str, None] = {}
    for call in calls(tree):
        direct = list(_opened(call))
        for node, mode in (*direct, *_handed_on(call, openers)):
            sure = (node, mode) in direct  # a function of the same name elsewhere may open nothing
            entry = path_of(node, names)
            if entry is None:
                if not isinstance(node, (ast.Name, ast.Call)):  # a stream, or a file opened elsewhere
                    unsure[f"line {call.lineno} {_VERB[mode]} {ast.unparse(node)[:60]}"] = None
            elif "://" not in entry.path and (sure or _PATH.search(entry.path)):
                found[Touch(entry, mode)] = None
    return tuple(found), tuple(unsure)


def openers_of(tree: ast.AST) -> Openers:
    """Found again with what was found, so that a function that hands its parameter to an opener is one, too."""
    found: Openers = {}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for _ in range(_DEEP):
        before = found
        found = {}
        for function in functions:
            if rows := list(_opens(function, before)):
                found[function.name] = rows
        if found == before:
            break
    return found


def _opens(function: ast.FunctionDef, openers: Openers) -> Iterator[tuple[str, int, str]]:
    parameters = [parameter.arg for parameter in (*function.args.args, *function.args.kwonlyargs)]
    for call in calls(function):
        for opened, mode in (*_opened(call), *_handed_on(call, openers)):
            node = opened
            while (
                isinstance(node, ast.Call) and last_name(node.func) in ("Path", "str") and len(node.args) == 1
            ):
                node = node.args[0]
            if isinstance(node, ast.Name) and node.id in parameters:
                yield node.id, parameters.index(node.id), mode


def _handed_on(call: ast.Call, openers: Openers) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name):
        return  # a method of something, not a function of a module
    for name, position, mode in openers.get(last_name(call.func), ()):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if position < len(call.args):
            yield call.args[position], mode
        elif name in keywords:
            yield keywords[name], mode


_VERB = {"r": "reads", "w": "writes", "rw": "reads and writes"}


def _opened(call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    """What a call opens, and how."""
    name, arguments = last_name(call.func), call.args
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    first = arguments[0] if arguments else keywords.get("path") or keywords.get("file")
    if name in _PATH_METHODS and owner is not None:
        yield owner, _PATH_METHODS[name]
    elif (
        name == "open"
        and owner is not None
        and dotted(owner).lower() not in ("gzip", "bz2", "lzma", "io", "image")
    ):
        yield owner, _mode(arguments[:1], keywords)
    elif name in ("open", "File", "ZipFile") and first is not None:
        yield first, _mode(arguments[1:2], keywords)
    elif name in _READS and first is not None:
        yield first, "r"
    elif name in _WRITES and first is not None:
        yield first, "w"
    elif name in _SECOND and len(arguments) > 1:
        yield arguments[1], "w"
        if name.startswith("copy"):
            yield arguments[0], "r"
    elif name == "save" and first is not None:
        torch = owner is not None and dotted(owner) == "torch" and len(arguments) > 1
        yield (arguments[1] if torch else first), "w"
    elif name == "load" and owner is not None and dotted(owner) in _LOADERS and first is not None:
        yield first, "r"


def _mode(arguments: Sequence[ast.expr], keywords: Mapping[str | None, ast.expr]) -> str:
    node = arguments[0] if arguments else keywords.get("mode")
    mode = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "r"
    return "rw" if "+" in mode or "a" in mode else "w" if set(mode) & set("wx") else "r"
