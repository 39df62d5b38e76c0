"""What ``${…}`` can see: params.yaml, then each entry of ``vars``, merged deeply; one name has one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.plan.interpolate import Budget, nearest
from pinyon.plan.paths import join

DEFAULT_PARAMS = "params.yaml"


class UnreadFileError(Exception):
    """A parameter file is needed that has not been read yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Files(NamedTuple):
    """Parameter files by path relative to the root, overrides applied; None for a file that does not exist. ``budget``
    is shared by all that is resolved with them."""

    read: Mapping[str, Any]
    budget: Budget

    def get(self, path: str) -> Any:
        """Content of a file; `UnreadFileError` when nobody has read it."""
        if path not in self.read:
            raise UnreadFileError(path)
        return self.read[path]


class Scope(NamedTuple):
    """Names with values, and the files they came from: all of a file (None), or some of its keys."""

    values: Mapping[str, Any]
    loaded: Mapping[str, tuple[str, ...] | None]


def scope_of(base: str, variables: Sequence[Any], files: Files, where: str = "") -> Scope:
    """What a file in the directory ``base`` can see; ``where`` names it in errors.

    Raises:
        PlanError: a file of ``vars`` that does not exist or holds no map, or a name that is set twice.
        UnreadFileError: a file must be read first.
    """
    default = join(base, DEFAULT_PARAMS)
    empty = Scope({}, {})
    begun = empty if files.get(default) is None else extended(empty, base, (DEFAULT_PARAMS,), files, where)
    return extended(begun, base, variables, files, where)


def extended(
    scope: Scope, base: str, variables: Sequence[Any], files: Files, where: str, reserved: Sequence[str] = ()
) -> Scope:
    """A scope with entries of ``vars`` in it, their paths seen from ``base``; ``reserved`` names cannot be set."""
    values, loaded = dict(scope.values), dict(scope.loaded)
    for entry in variables:
        if isinstance(entry, Mapping):
            source, extra = "vars", entry
        else:
            file, _, picked = str(entry).partition(":")
            source = join(base, file)
            names = tuple(name for name in picked.split(",") if name)
            if source in loaded:
                known = loaded[source]
                if known is None and not names:
                    continue  # a whole file may be named as often as one likes
                if known is None or not names or set(known) & set(names):
                    raise PlanError(
                        f"vars takes {entry}, of which something is loaded already",
                        where=where,
                        why="one name must have one value"
                        if source != join(base, DEFAULT_PARAMS)
                        else f"{DEFAULT_PARAMS} is loaded without being named",
                        next="remove it from vars",
                    )
            extra = _picked(files.get(source), source, names, where)
            loaded[source] = (*(loaded.get(source) or ()), *names) or None
        for name in reserved:
            if name in extra:
                raise PlanError(
                    f"{source} sets '{name}'", where=where, why="here that is the loop's own name"
                )
        _merge(values, extra, source, where)
    return Scope(values, loaded)


def _picked(content: Any, path: str, names: Sequence[str], where: str) -> Mapping[str, Any]:
    """Of a file in ``vars`` the keys that ``file:a,b`` names; all of it when none are named."""
    if content is None:
        raise PlanError(
            f"vars names {path}, which does not exist",
            where=where,
            next=f"write {path} or remove it from vars",
        )
    if not isinstance(content, Mapping):
        raise PlanError(f"{path} holds no map", where=where, why="vars are names with values")
    for name in names:
        if name not in content:
            raise PlanError(
                f"vars asks {path} for '{name}', which it does not have",
                where=where,
                why=nearest(name, [str(key) for key in content]),
            )
    return {name: content[name] for name in names} if names else content


def _merge(target: dict[str, Any], extra: Mapping[Any, Any], source: str, where: str) -> None:
    for key, value in extra.items():
        old = target.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            deeper = dict(old)
            _merge(deeper, value, source, where)
            target[key] = deeper
        elif not isinstance(key, str):
            continue  # no expression can name it
        elif key in target:
            raise PlanError(
                f"{source} sets '{key}' a second time", where=where, why="one name must have one value"
            )
        else:
            target[key] = value
