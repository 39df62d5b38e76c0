"""What adoption writes down: an attempt of mode ``adopted`` for each stage, in an execution of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pinyon
from pinyon.bridges.dvc.keep import Kept
from pinyon.capture import facts
from pinyon.model.event import Event
from pinyon.model.graph import Graph, Task
from pinyon.model.ids import attempt_id, host_name, new_id, this_process
from pinyon.model.outcome import SUCCEEDED, next_epoch
from pinyon.plan.reasons import inputs_of
from pinyon.query.state import ProjectState
from pinyon.store.protocol import JournalWriter, Store

VOUCHES = "dvc.lock vouches for it"
KNOWS = "DVC's run cache has it"


class Records:
    """Tells the state, and writes unless dry.

    The journal begins with the first attempt. An attempt's intent comes last: without it the rest is nothing, so that
    a kill in between leaves no attempt open.
    """

    def __init__(self, root: Path, store: Store, graph: Graph, state: ProjectState, *, dry: bool) -> None:
        self._root, self._store, self._graph, self._state, self._dry = root, store, graph, state, dry
        self._execution = new_id("x")
        self._journal: JournalWriter | None = None
        self._through = -1
        self.count = 0

    def adopted(
        self, task: Task, key: str, deps: Iterable[tuple[str, str]], kept: Iterable[Kept], why: str
    ) -> None:
        """One stage is finished."""
        epoch = next_epoch(self._state.at(key))
        # A plan shows it as what made the outs, so it is called by the name of who did.
        name = f"DVC ({task.stage.name})" if self._dry else attempt_id(key, epoch)
        rows = list(kept)
        numbers: dict[str, Any] = {}
        for one in rows:
            numbers |= one.metrics
        outs = [list(one.output) for one in rows]
        self._tell("outputs", {"attempt": name, "outs": outs, "metrics": numbers, "skipped_metrics": []})
        self._through = self._tell("ended", {"attempt": name, **_ENDED, "message": why}).seq
        intent = {
            "attempt": name,
            "execution": self._execution,
            "key": key,
            "recipe": task.recipe,
            "stage": task.stage.name,
            "epoch": epoch,
            "mode": "adopted",
            "supervisor": None if self._dry else list(this_process()),
            "reason": why,
            "inputs": inputs_of(task.stage, deps),
        }
        self._tell("intent", intent)
        self.count += 1

    def _tell(self, kind: str, body: dict[str, Any]) -> Event:
        if self._dry:
            event = Event("", 0, kind, time.time(), body)
        else:
            if self._journal is None:
                self._journal = self._store.journals.open_writer(user=facts.user())
                self._journal.append("execution", self._described())
            event = self._journal.append(kind, body)
        self._state.apply(event)
        return event

    def _described(self) -> dict[str, Any]:
        goal = self._graph.goal
        return {
            "execution": self._execution,
            "actor": {"kind": "person", "name": facts.user()},
            "argv": sys.argv[1:],
            "goal": {
                **goal._asdict(),
                "stages": list(goal.stages),
                "overrides": [list(pair) for pair in goal.overrides],
            },
            "project": self._root.name,
            "root": str(self._root),
            "host": host_name(),
            "pinyon": pinyon.__version__,
            "git": facts.git(self._root),
            "stages": len(self._graph.tasks),
        }

    def close(self, blobs: Iterable[str]) -> None:
        """Make all of it survive a power cut: these blobs first, then the records that name them."""
        if self._journal is None:
            return
        self._store.blobs.flush(blobs)
        self._journal.flush()
        self._journal.append("durable", {"through": self._through})
        self._journal.append(
            "finished", {"execution": self._execution, "state": SUCCEEDED, "counts": {"adopted": self.count}}
        )
        self._journal.close()


_ENDED: Mapping[str, Any] = {
    "state": SUCCEEDED,
    "detail": "",
    "exit_code": None,
    "signal": None,
    "reusable": True,
    "seconds": 0.0,
    "cpu_seconds": 0.0,
    "max_rss": 0,
    "log": None,
}
