"""What a Python script can be given: arguments, a configuration of Hydra, keys of params.yaml."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from pinyon.spec.adopt.opened import calls
from pinyon.spec.adopt.paths import dotted, last_name


class Argument(NamedTuple):
    """One of a script's arguments. ``name`` is how its code calls it, ``default`` a literal or None."""

    name: str
    flags: tuple[str, ...]
    default: Any

    @property
    def positional(self) -> bool:
        """Whether it has no dashes."""
        return not self.flags[0].startswith("-")


def arguments_of(tree: ast.AST) -> tuple[Argument, ...]:
    """Every ``add_argument`` or ``option``, in the order of the text."""
    found = []
    for call in calls(tree):
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


def hydra_of(tree: ast.AST) -> str:
    """The directory of a Hydra configuration, as written."""
    for call in calls(tree):
        if dotted(call.func) == "hydra.main":
            for keyword in call.keywords:
                if keyword.arg == "config_path" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value or "")
    return ""


def params_of(tree: ast.AST) -> Iterator[str]:
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
