"""The parameters of a run: typed, nested, read by attribute, item or dotted name."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_DEFAULT = "params.yaml"


class Params(Mapping[str, Any]):
    """``params.train.lr``, ``params["train"]["lr"]`` and ``params["train.lr"]`` are the same value.

    A name that is a method's (``items``, ``keys``, ``get``, …) is read by item. Groups are `Params`, lists stay lists.

    Args:
        values: names with values; nested maps become groups.
        path: dotted name of this group, for error messages.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, values: Mapping[str, Any] = {}, path: str = "") -> None:
        self._path = path
        self._values = {
            str(name): _wrap(value, f"{path}.{name}" if path else str(name)) for name, value in values.items()
        }

    def __getitem__(self, name: object) -> Any:
        key = str(name)
        if key in self._values:
            return self._values[key]
        # A name may hold dots itself, so every way to part it is tried, the longest first part first.
        at = key.rfind(".")
        while at > 0:
            group = self._values.get(key[:at])
            if isinstance(group, Params) and key[at + 1 :] in group:
                return group[key[at + 1 :]]
            at = key.rfind(".", 0, at)
        raise KeyError(self._missing(key))

    def __getattr__(self, name: str) -> Any:
        if (
            name.startswith("__") or name in Params.__slots__
        ):  # asked by copy and pickle, before there are values
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return f"Params({self.to_dict()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Params, (self.to_dict(), self._path)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain nested maps and lists, the caller's own."""
        return {name: _unwrap(value) for name, value in self._values.items()}

    def flat(self) -> dict[str, Any]:
        """Values by dotted name; an empty group is a value."""
        found: dict[str, Any] = {}
        for name, value in self._values.items():
            if isinstance(value, Params) and value:
                found.update({f"{name}.{rest}": inner for rest, inner in value.flat().items()})
            else:
                found[name] = _unwrap(value)
        return found

    def _missing(self, name: str) -> str:
        import difflib  # only who is wrong pays for it

        known = list(self._values)
        near = difflib.get_close_matches(name, known, 1)
        where = f" in {self._path}" if self._path else ""
        if near:
            return f"no parameter '{name}'{where}; did you mean '{near[0]}'?"
        return f"no parameter '{name}'{where}; there are: {', '.join(known) or 'none'}"


def nest(rows: Iterable[tuple[str, str, Any]]) -> dict[str, Any]:
    """Nested maps of declared parameters.

    Args:
        rows: (file, dotted name, value) as records hold them; the name "" is a whole file. Where two files have one name,
            that of ``params.yaml`` counts, else the later one's.
    """
    tree: dict[str, Any] = {}
    ordered = sorted(rows, key=lambda row: posixpath.basename(row[0]) == _DEFAULT)
    for _, name, value in ordered:
        if name:
            _put(tree, name.split("."), value)
        elif isinstance(value, Mapping):
            merge(tree, value)
    return tree


def merge(tree: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested maps over others, in place: what ``more`` has counts."""
    for name, value in more.items():
        _put(tree, [str(name)], value)
    return tree


def _put(tree: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return  # a part of a list that is there as a whole
        tree = inner
    old = tree.get(steps[-1])
    if isinstance(value, Mapping):
        tree[steps[-1]] = merge(old if isinstance(old, dict) else {}, value)
    else:
        tree[steps[-1]] = value


def _wrap(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return Params(value, path)
    if isinstance(value, (list, tuple)):
        return [_wrap(item, f"{path}.{number}") for number, item in enumerate(value)]
    return value


def _unwrap(value: Any) -> Any:
    if isinstance(value, Params):
        return value.to_dict()
    if isinstance(value, list):
        return [_unwrap(item) for item in value]
    return value
