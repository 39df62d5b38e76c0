"""Keys and recipes (docs/FORMAT.md §9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blake3 import blake3

from pinyon.model.canonical import canonical
from pinyon.model.graph import Input, Stage

_VERSION = 1


def digest(value: object) -> str:
    """blake3 of canonical JSON, 64 hex digits."""
    return blake3(canonical(value)).hexdigest()


def key_of(stage: Stage, deps: Iterable[tuple[str, str]], env: Iterable[tuple[str, str]] = ()) -> str:
    """The key of a stage whose deps and env files have these names: (path, ``blake3:…``)."""
    return digest(
        _content(stage, sorted([path, name] for path, name in deps), sorted([p, n] for p, n in env))
    )


def recipe_of(stage: Stage, inputs: Iterable[Input], recipes: Mapping[str, str] | None = None) -> str:
    """The recipe: sources by path alone, produced deps by their producers' recipes.

    ``recipes`` maps a producer as named in the inputs to its recipe; None when inputs name recipes already.
    """
    deps = []
    for item in inputs:
        producers = item.producers if recipes is None else tuple(recipes[name] for name in item.producers)
        deps.append(["recipe", item.path, *sorted(producers)] if producers else ["source", item.path])
    return digest(_content(stage, sorted(deps), sorted(["source", path] for path in stage.env)))


def _content(stage: Stage, deps: list[list[str]], env: list[list[str]]) -> dict[str, object]:
    nonce = {"nonce": stage.adhoc.nonce} if stage.adhoc.nonce else {}
    return {
        **nonce,
        "v": _VERSION,
        "command": [stage.command.kind, *stage.command.parts],
        "wdir": stage.wdir,
        "params": sorted(([p.file, p.name, p.value] for p in stage.params), key=lambda row: row[:2]),
        "deps": deps,
        "outs": sorted(out.path for out in stage.outs),
        "env": env,
    }
