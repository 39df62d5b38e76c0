"""What a Python script reads, writes, imports and takes, by its syntax tree alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
_FRAMEWORKS = frozenset(" ".join(("argparse click typer fire hydra absl docopt tyro",)).split())


class Argument(NamedTuple):
    """One of a script's arguments. ``name`` is how its code calls it, ``default`` a literal or None."""

    name: str
    flags: tuple[str, ...]
    default: Any

    @property
    def positional(self) -> bool:
        """Whether it has no dashes."""
        return not self.flags[0].startswith("-")


class Touch(NamedTuple):
    """A file that the code opens; ``mode`` is r, w, or rw."""

    entry: Entry
    mode: str


Openers = dict[str, list[tuple[str, int, str]]]


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


def arguments_of(tree: ast.AST) -> tuple[Argument, ...]:
    """Every ``add_argument`` or ``option``, in the order of the text."""
    found = []
    for call in _calls(tree):
        flags = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if last_name(call.func) not in ("add_argument", "option", "argument") or not flags:
            continue
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        default: Any = options.get("default")
        value = default.value if isinstance(default, ast.Constant) else None
        if "default" not in options and last_name(options.get("action", call.func)) == "":
            value = False if getattr(options["action"], "value", "") == "store_true" else value
        longest = max(flags, key=lambda flag: flag.startswith("--"))
        named = getattr(options.get("dest"), "value", None) or longest.lstrip("-").replace("-", "_")
        found.append(Argument(str(named), tuple(flags), value))
    return tuple(found)


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
    own = _openers(tree)
    touches, unsure = _touches(tree, names, {**(openers or {}), **own})
    modules = {name.split(".")[0] for level, name in imports if not level}
    runs = (
        text.startswith("#!")
        or _has_main(tree)
        or bool(modules & _FRAMEWORKS)
        or (bool(touches) and _acts(tree))
    )
    return Script(runs, touches, unsure, imports, arguments, _hydra(tree), tuple(_params(tree)), own)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


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


def _touches(tree: ast.AST, names: Names, openers: Openers) -> tuple[tuple[Touch, ...], tuple[str, ...]]:
    found: dict[Touch, None] = {}
    unsure: dict[str, None] = {}
    for call in _calls(tree):
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


def _openers(tree: ast.AST) -> Openers:
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
    for call in _calls(function):
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


def _hydra(tree: ast.AST) -> str:
    """The directory of a Hydra configuration, as written."""
    for call in _calls(tree):
        if dotted(call.func) == "hydra.main":
            for keyword in call.keywords:
                if keyword.arg == "config_path" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value or "")
    return ""


def _params(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are looked up in something called ``params``, or in what was read from params.yaml."""
    holders = {"params": ""}
    named = any(isinstance(node, ast.Constant) and node.value == "params.yaml" for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = ast.unparse(node.value)
            if (named and _loads(node.value)) or "params.yaml" in text or "params_show" in text:
                keys = _keys(node.value)
                holders[node.targets[0].id] = ".".join(keys[1:])
    for _ in range(3):  # cfg = params["train"]; opt = cfg["optimizer"]
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                keys = _keys(node.value)
                if len(keys) > 1 and keys[0] in holders:
                    holders[node.targets[0].id] = ".".join(filter(None, [holders[keys[0]], *keys[1:]]))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Subscript, ast.Call)):
            keys = _keys(node)
            if len(keys) > 1 and named and _loads(node):
                yield ".".join(keys[1:])
            elif len(keys) > 1 and keys[0] in holders:
                yield ".".join(filter(None, [holders[keys[0]], *keys[1:]]))


def _loads(node: ast.expr) -> bool:
    """Whether this is what a YAML file holds, or something in it."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Call) and last_name(node.func) in ("safe_load", "load")


def _keys(node: ast.expr) -> list[str]:
    """``["p", "a", "b"]`` of ``p["a"].get("b")``; of another expression with keys behind it, "" and the keys."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            return [*_keys(value), key]
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            return [*_keys(value), key]
    return [""]
