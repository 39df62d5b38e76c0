"""What is to be plotted, as data: series by side, from the files that stages and the project declare as plots."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.report.sections import declared
from pinyon.report.sides import Side
from pinyon.spec.params import parse_params

IMAGES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".svg": "image/svg+xml",
    ".webp": "image/webp",
}  # fmt: skip
_ROWS = (".csv", ".tsv", ".json", ".yaml", ".yml")
_TEMPLATES = {
    "linear": "linear", "simple": "linear", "smooth": "linear", "default": "linear",
    "scatter": "scatter", "scatter_jitter": "scatter",
    "bar": "bar", "bar_horizontal": "bar", "bar_horizontal_sorted": "bar",
    "confusion": "confusion", "confusion_normalized": "confusion",
}  # fmt: skip
_MOST = 200_000  # rows of one file
Value = float | str


class Series(NamedTuple):
    """One line of a plot: ``side`` is the state that it was read from, ``name`` the column (with its file where a plot
    has several). ``points`` are (x, y); for a confusion matrix (actual, predicted). A ``muted`` line is grey and behind."""

    side: str
    name: str
    points: tuple[tuple[Value, Value], ...]
    muted: bool = False


class Plot(NamedTuple):
    """One picture. ``kind`` is linear, scatter, bar, confusion or image; ``images`` are (side, media type, bytes)."""

    title: str
    kind: str
    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    images: tuple[tuple[str, str, bytes], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; of images only where they come from and how large they are."""
        return {
            "title": self.title,
            "kind": self.kind,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "series": [{"side": s.side, "name": s.name, "points": s.points} for s in self.series],
            "images": [{"side": side, "type": kind, "bytes": len(data)} for side, kind, data in self.images],
        }


class _Wanted(NamedTuple):
    """One plot as declared: columns by file, for y; x is a column for all files, or one by file."""

    title: str
    template: str
    x: Mapping[str, str]
    y: Mapping[str, tuple[str, ...]]
    x_label: str
    y_label: str

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the file is said."""
        return self.template == "linear" and not any(self.x.values()) and not any(self.y.values())


def plots_of(sides: Sequence[Side]) -> list[Plot]:
    """Every plot that any side declares, with the series of all of them; sides grow notes about what cannot be read."""
    wanted: dict[str, _Wanted] = {}
    for side in reversed(sides):  # the newest says how it is to look
        for one in _declared(side):
            known = wanted.setdefault(one.title, one)
            if (
                known.is_plain and not one.is_plain
            ):  # a stage names the file, and the project how it is to look
                wanted[one.title] = one
    return [plot for one in wanted.values() for plot in _plots(one, sides)]


def _declared(side: Side) -> Iterator[_Wanted]:
    for stage in side.stages:
        for out in stage.outs:
            if out.role == "plot":
                for file in side.files(out.path) or [out.path]:
                    yield _one(file, {**out.axes, "title": out.axes.get("title", file)})
    if side.project is None or side.run is not None:
        return
    for entry in declared(side.project, "plots"):
        for name, axes in entry.items() if isinstance(entry, dict) else [(entry, None)]:
            axes = axes or {}
            if isinstance(axes.get("y"), dict):
                yield _one(name, axes)
                continue
            for file in side.files(name) or [name]:
                yield _one(file, {**axes, "title": axes.get("title", file)})


def _one(name: str, axes: Mapping[str, Any]) -> _Wanted:
    y = axes.get("y")
    by_file = y if isinstance(y, dict) else {name: y}
    columns = {
        file: (() if some is None else (some,) if isinstance(some, str) else tuple(map(str, some)))
        for file, some in by_file.items()
    }
    x = axes.get("x")
    if isinstance(x, dict):
        x_of = {file: x.get(file, next(iter(x.values()), "")) for file in columns}
    else:
        x_of = dict.fromkeys(columns, x or "")
    names = list(dict.fromkeys(column for some in columns.values() for column in some))
    return _Wanted(
        str(axes.get("title") or name), str(axes.get("template") or "linear"), x_of, columns,
        str(axes.get("x_label") or next(iter(x_of.values()), "") or "step"),
        str(axes.get("y_label") or (names[0] if len(names) == 1 else "")),
    )  # fmt: skip


def _plots(one: _Wanted, sides: Sequence[Side]) -> Iterator[Plot]:
    images = [
        (side.name, IMAGES[_ending(file)], raw)
        for file in one.y
        for side in sides
        if _ending(file) in IMAGES and (raw := side.read(file)) is not None
    ]
    if images:
        yield Plot(one.title, "image", "", "", images=tuple(images))
    kind = _TEMPLATES.get(one.template, "")
    if not kind:
        sides[-1].notes.append(f"{one.title}: no template '{one.template}' here; drawn as linear")
    series = tuple(s for side in sides for file in one.y for s in _series(side, file, one))
    if series and kind != "confusion" and not any(finite(y) for s in series for _, y in s.points):
        sides[-1].notes.append(f"{one.title}: {series[0].name} holds no numbers, so there is nothing to draw")
        return
    if series:
        label = one.y_label or (series[0].name if len({s.name for s in series}) == 1 else "")
        yield Plot(one.title, kind or "linear", one.x_label, label, series)


def _series(side: Side, file: str, one: _Wanted) -> Iterator[Series]:
    if _ending(file) not in _ROWS:
        return
    raw = side.read(file)
    rows = _rows(side, file, raw) if raw is not None else []
    if not rows:
        return
    x = one.x[file]
    columns = one.y[file] or tuple([name for name in rows[0] if name != x][-1:])
    for column in columns:
        points = tuple(
            (_value(row[x]) if x else float(place), _value(row[column]))
            for place, row in enumerate(rows)
            if column in row and (not x or x in row) and row[column] not in ("", None)
        )
        if points:
            yield Series(side.name, f"{file}: {column}" if len(one.y) > 1 else column, points)
        else:
            there = ", ".join(list(rows[0])[:8])
            side.notes.append(
                f"{file} of {side.name}: no column '{column if not x or x in rows[0] else x}'; it has {there}"
            )


def _rows(side: Side, file: str, raw: bytes) -> list[dict[str, Any]]:
    ending = _ending(file)
    try:
        if ending in (".csv", ".tsv"):
            text = raw.decode("utf-8-sig", errors="replace")
            found: Any = list(csv.DictReader(io.StringIO(text), delimiter="\t" if ending == ".tsv" else ","))
        else:
            found = _first_list(parse_params(raw, file))
    except (SpecError, csv.Error) as error:
        side.notes.append(f"{file} of {side.name} cannot be plotted: {error}")
        return []
    rows = [row for row in found or () if isinstance(row, dict)][:_MOST]
    if not rows:
        side.notes.append(f"{file} of {side.name} cannot be plotted: it holds no rows of columns")
    return rows


def _first_list(data: Any) -> Any:
    """The first list of mappings in nested data."""
    if isinstance(data, list):
        return data if any(isinstance(row, dict) for row in data) else None
    if isinstance(data, dict):
        return next(filter(None, map(_first_list, data.values())), None)
    return None


def _value(cell: Any) -> Value:
    """A number where it is one; NaN and infinities too, which are not drawn."""
    if isinstance(cell, bool) or cell is None:
        return str(cell)
    try:
        return float(cell)
    except (TypeError, ValueError):
        return str(cell)


def _ending(file: str) -> str:
    name = file.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def finite(value: Value) -> bool:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, float) and math.isfinite(value)
