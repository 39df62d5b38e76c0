"""What isolated attempts are made from, frozen when the execution starts: nobody's later edit can reach them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.execute import bundle as bundles
from pinyon.execute.statcache import StatCache
from pinyon.model.graph import Graph
from pinyon.model.outcome import Output
from pinyon.plan import overlay
from pinyon.spec.params import write_params
from pinyon.store.protocol import Store


class Frozen(NamedTuple):
    """The code tree by name, and the parameter files with overrides that lie over it."""

    bundle: str
    overlays: tuple[Output, ...]


def freeze(graph: Graph, params: Mapping[str, Any], root: Path, store: Store, stats: StatCache) -> Frozen:
    """Put the project's files into the store, without the outs that the graph makes, and with its overrides."""
    stages = [task.stage for task in graph.tasks.values()]
    kept = {out.path for stage in stages if stage.frozen for out in stage.outs}
    made = {out.path for stage in stages for out in stage.outs} - kept
    name = bundles.freeze(root, store, stats, exclude=sorted(made), extra=[*graph.sources, *sorted(kept)])
    in_files, _ = overlay.parted(params, graph.goal.overrides)
    laid = overlay.apply({file: params[file] for file in overlay.files_of(in_files)}, in_files)
    return Frozen(name, tuple(_overlay(store, file, content) for file, content in laid.items()))


def _overlay(store: Store, file: str, content: Any) -> Output:
    data = write_params(content, os.path.splitext(file)[1])
    return Output(file, store.blobs.put(data), len(data))
