"""What `pinyon.yaml` and `dvc.yaml` may say, from the top.

Both follow the closed schema of DVC 3.67 (https://dvc.org/doc/user-guide/project-structure/dvcyaml-files);
`pinyon.yaml` has sections more, which are accepted as they are: the rooms that use them read them. ``${…}`` may stand
wherever text may.
"""

from __future__ import annotations

from typing import Any

from pinyon.spec.checks import (
    Check,
    Path,
    SchemaError,
    anything,
    closed,
    flag,
    kind_of,
    list_of,
    location,
    map_of,
    mapping,
    named,
    text,
)
from pinyon.spec.stage import ANNOTATIONS, AXES, Dialect, labels, paths, stage_of, variables
from pinyon.spec.stores import store_shape


def _columns(value: Any, path: Path) -> None:
    if isinstance(value, list):
        labels(value, path)
    else:
        text(value, path)


def _per_file(columns: Check) -> Check:
    def check(value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            columns(value, path)
            return
        for file, below in value.items():
            columns(below, (*path, str(file)))

    return check


_plot = closed({**AXES, "x": _per_file(text), "y": _per_file(_columns)})


def _top_plot(value: Any, path: Path) -> None:
    if not isinstance(value, dict):
        location(value, path)
        return
    if not value:
        raise SchemaError(
            path, f"{named(path)} names no plot", next="write for example - loss.csv: {x: step}"
        )
    for key, options in value.items():
        location(key, (*path, str(key)))
        if options is not None:
            _plot(options, (*path, key))


def _top_of(dialect: Dialect) -> Check:
    table: dict[str, Check] = {
        "stages": map_of(stage_of(dialect)),
        "vars": variables,
        "params": paths,
        "metrics": paths,
        "plots": list_of(_top_plot, "a list of plots", "loss.csv"),
        "artifacts": map_of(closed({"path": location, **ANNOTATIONS}, required=("path",))),
        "datasets": anything,
    }
    ours: dict[str, Check] = {
        "meta": anything,
        "experiments": mapping,
        "targets": mapping,
        "stores": map_of(store_shape),
        "rules": list_of(mapping, "a list of rules", "{name: idle, when: gpu_utilization < 5, do: release}"),
        "project": _project,
        "dvc": closed({"lock": flag}),
    }
    if dialect == "pinyon":
        return closed(table | ours)
    return closed(table, hints=dict.fromkeys(ours, "write it in a pinyon.yaml beside this file"))


def _project(value: Any, path: Path) -> None:
    mapping(value, path)
    if "name" in value:
        text(value["name"], (*path, "name"))
        if not value["name"].strip():
            raise SchemaError((*path, "name"), f"{named((*path, 'name'))} is empty")


_CHECKS: dict[Dialect, Check] = {"pinyon": _top_of("pinyon"), "dvc": _top_of("dvc")}


def check_document(data: Any, dialect: Dialect) -> None:
    """Check the data of a whole file.

    Raises:
        SchemaError: the first mistake, with its path of keys.
    """
    if not isinstance(data, dict):
        raise SchemaError(
            (), f"the file must be a mapping, not {kind_of(data)}", next="begin it with stages:"
        )
    _CHECKS[dialect](data, ())
