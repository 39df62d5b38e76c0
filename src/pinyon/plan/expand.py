"""``foreach`` and ``matrix``: one template becomes many stages, with DVC's names.

``foreach`` gives ``name@item``, or ``name@0`` where an item is a list or a map, or ``name@key`` over a map. Its template
sees ``${item}`` and, over a map, ``${key}``. ``matrix`` gives ``name@v1-v2`` for each combination, with ``dim0`` for a
value that is a list or a map. Its template sees ``${item.dim}`` and ``${key}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.project import StageTemplate
from pinyon.plan.interpolate import Budget, Place, is_expression, resolve

LIMIT = 100_000  # stages of one project
VALUES = 3_000_000  # values that all copies of one template may hold together
LOOPS = ("foreach", "matrix")


class Copy(NamedTuple):
    """One stage of a loop: its name, and what ``${…}`` sees beside the rest."""

    name: str
    values: Mapping[str, Any]


def is_loop(template: StageTemplate) -> bool:
    """Whether it stands for many stages, or for none."""
    return "foreach" in template.body or "matrix" in template.body


def inner(template: StageTemplate) -> StageTemplate:
    """What each copy is made from: what stands under ``do``, or beside ``matrix``."""
    if "foreach" in template.body:
        return template._replace(body=template.body["do"], lines=_Below(template.lines, "do."))
    return template._replace(body={key: value for key, value in template.body.items() if key != "matrix"})


def copies(template: StageTemplate, context: Mapping[str, Any], budget: Budget) -> list[Copy]:
    """The stages that a loop stands for, in order; of two with one name the later counts.

    Raises:
        PlanError: what is gone through is no list or map, a name that cannot be addressed, or more than `LIMIT`.
    """
    loop = "foreach" if "foreach" in template.body else "matrix"
    where = Place(template, budget, loop)
    if loop == "foreach":
        found = _foreach(template, resolve(template.body[loop], context, where))
    else:
        rows = template.body[loop].items()
        found = _matrix(
            template, [_Row(resolve(k, context, where), v, resolve(v, context, where)) for k, v in rows]
        )
    names = {key: f"{template.name}@{key}" for key in found}
    for key in names:
        if not key or "@" in key:
            raise PlanError(
                f"stage '{template.name}' gets the name '{names[key]}'",
                where=_at(template),
                why="an empty value names nothing" if not key else "only one @ can stand in a stage's name",
                next="give that item another value, or a key of its own",
            )
    return [Copy(names[key], values) for key, values in found.items()]


def refuse_many(count: int, what: str, where: str) -> None:
    """Raise `PlanError` for more stages than a project may have."""
    if count > LIMIT:
        raise PlanError(
            f"{what} makes {count:,} stages",
            where=where,
            why=f"a project has at most {LIMIT:,}",
            next="leave out values, or let one stage go through them itself",
        )


def _foreach(template: StageTemplate, data: Any) -> dict[str, dict[str, Any]]:
    written = template.body["foreach"]
    if not isinstance(data, (Mapping, list, tuple)):
        raise PlanError(
            f"foreach of stage '{template.name}' is {data!r:.60}",
            where=_at(template),
            why="a list or a map is needed",
        )
    _refuse_heavy(template, len(data))
    if isinstance(data, Mapping):
        pairs = data.items() if isinstance(written, Mapping) else _visible(data).items()
        return {key: {"item": value, "key": key} for name, value in pairs for key in (_show(name),)}
    if any(isinstance(item, (Mapping, list, tuple)) for item in data):
        return {str(place): {"item": item} for place, item in enumerate(data)}
    return {name: {"item": item} for name, item in zip(_names(written, data), data, strict=True)}


class _Row(NamedTuple):
    """One dimension of a matrix: its name, its values as written, and what they mean."""

    dim: str
    written: Any
    data: Any


def _matrix(template: StageTemplate, rows: Sequence[_Row]) -> dict[str, dict[str, Any]]:
    dims: dict[str, list[tuple[str, Any]]] = {}
    for dim, written, data in rows:
        if isinstance(data, Mapping):
            data = list(_visible(data))
        elif isinstance(data, str) and not is_expression(written):
            data = list(data)  # as DVC does: text is gone through letter by letter
        elif not isinstance(data, (list, tuple)):
            raise PlanError(
                f"{dim} in matrix of stage '{template.name}' is {data!r:.60}",
                where=str(template.at("matrix", dim)),
                why="a list is needed",
            )
        shown = [
            f"{dim}{place}" if isinstance(item, (Mapping, list, tuple)) else text
            for place, (item, text) in enumerate(zip(data, _names(written, data), strict=True))
        ]
        dims[dim] = list(zip(shown, data, strict=True))
    _refuse_heavy(template, prod(map(len, dims.values())))
    found: dict[str, dict[str, Any]] = {}
    for combination in product(*dims.values()):
        key = "-".join([text for text, _ in combination])
        item = {dim: value for dim, (_, value) in zip(dims, combination, strict=True)}
        found[key] = {"item": item, "key": key}
    return found


def _names(written: Any, data: Any) -> Iterator[str]:
    """How items are called. What comes from a parameter is shown as Python does (``True``), what stands here as text
    does (``true``); it is DVC's habit, and names are addresses."""
    literal = isinstance(written, (list, tuple))
    for place, item in enumerate(data):
        yield _show(item) if literal and not is_expression(written[place]) else str(item)


def _show(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _visible(data: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if isinstance(key, str)}


def _refuse_heavy(template: StageTemplate, count: int) -> None:
    """Refuse before memory is filled: too many copies, or copies of something too large."""
    refuse_many(count, f"stage '{template.name}'", _at(template))
    size = _size(inner(template).body)
    if count * size > VALUES:
        raise PlanError(
            f"stage '{template.name}' stands for {count:,} stages of {size:,} values each",
            where=_at(template),
            why=f"all together may hold {VALUES:,}",
            next="name a directory instead of every file in it",
        )


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, (list, tuple)) else 1


def _at(template: StageTemplate) -> str:
    return str(template.at("foreach" if "foreach" in template.body else "matrix"))


class _Below(Mapping[str, int]):
    """Lines of what stands under a key, found without it."""

    def __init__(self, lines: Mapping[str, int], prefix: str) -> None:
        self._lines = lines
        self._prefix = prefix

    def __getitem__(self, path: str) -> int:
        return self._lines[self._prefix + path]

    def __iter__(self) -> Iterator[str]:
        return (path.removeprefix(self._prefix) for path in self._lines if path.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
