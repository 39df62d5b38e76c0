"""What isolated attempts are made from, frozen when the execution starts: nobody's later edit can reach them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.execute import bundle as bundles
from pinyon.execute.statcache import StatCache
from pinyon.model.graph import Graph
from pinyon.model.outcome import Output
from pinyon.plan import overlay
from pinyon.spec.params import write_params
from pinyon.store.protocol import Store

if TYPE_CHECKING:
    from pinyon.model.experiment import Pairs


class Frozen(NamedTuple):
    """The code tree by name, the parameter files with overrides that lie over it, and all parameter files with their
    overrides, for cells to be laid over."""

    bundle: str
    overlays: tuple[Output, ...]
    files: Mapping[str, Any] = {}


def freeze(graph: Graph, params: Mapping[str, Any], root: Path, store: Store, stats: StatCache) -> Frozen:
    """Put the project's files into the store, without the outs that the graph makes, and with its overrides."""
    stages = [task.stage for task in graph.tasks.values()]
    kept = {out.path for stage in stages if stage.frozen for out in stage.outs}
    made = {out.path for stage in stages for out in stage.outs} - kept
    name = bundles.freeze(root, store, stats, exclude=sorted(made), extra=[*graph.sources, *sorted(kept)])
    in_files, _ = overlay.parted(params, graph.goal.overrides)
    files = overlay.apply(params, in_files)
    laid = tuple(_overlay(store, file, files[file]) for file in overlay.files_of(in_files))
    return Frozen(name, laid, files)


def lay(frozen: Frozen, store: Store, pairs: Pairs) -> tuple[Output, ...]:
    """The parameter files that a cell's task finds, with its values in them."""
    laid = overlay.apply({file: frozen.files[file] for file in overlay.files_of(pairs)}, pairs)
    return tuple(_overlay(store, file, content) for file, content in laid.items())


def _overlay(store: Store, file: str, content: Any) -> Output:
    data = write_params(content, os.path.splitext(file)[1])
    return Output(file, store.blobs.put(data), len(data))
