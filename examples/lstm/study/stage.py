"""A stage's edges: the parameters it reads and the metrics it writes. No torch, so it imports fast."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML speaks YAML 1.1, where `1e-3` is a string; a learning rate must be a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_params(*names: str, path: Path = Path("params.yaml")) -> dict[str, Any]:
    """The named parameters and no others, as {"train.epochs": 12, ...}.

    A name may be a leaf ("model.hidden_size") or a whole section ("train"). Reading a parameter
    that the stage did not name is a KeyError, so the list a stage declares cannot fall behind.
    """
    tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader: plain data only
    leaves = dict(_leaves(tree))
    picked: dict[str, Any] = {}
    for name in names:
        found = {key: leaves[key] for key in leaves if key == name or key.startswith(name + ".")}
        if not found:
            raise ValueError(f"{path}: no parameter named {name!r}")
        picked.update(found)
    return picked


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def write_metrics(path: str, metrics: Mapping[str, Any]) -> None:
    """Metrics as JSON. Times stay out: equal inputs must write equal bytes. NaN is refused."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def say(text: str) -> None:
    """One line of progress, at once: behind a pipe Python would hold it back."""
    print(text, flush=True)
