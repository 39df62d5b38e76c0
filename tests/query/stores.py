"""Stores on disk with journals as trainings, experiments and supervisors write them (docs/FORMAT.md §4 and §5)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pinyon.model.ids import this_process
from pinyon.query.index import Index
from pinyon.query.sql import ask
from pinyon.query.tables import Tables
from pinyon.store.local import LocalStore

Batch = Sequence[dict[str, Any]]


def key_of(number: int) -> str:
    return f"{number:08x}" * 8


def run_of(number: int) -> str:
    return f"r-{key_of(number)[:16]}"


def point(attempt: str, step: int | None, t: float = 0.0, **metrics: Any) -> dict[str, Any]:
    return {"v": 1, "attempt": attempt, "t": t, "step": step, "m": metrics}


def spelled(*batches: Batch, tail: Batch = (), torn: str = "", first: int = 0) -> bytes:
    """A segment of points: batches with their flush lines, points that were not flushed, half a line."""
    whole = b""
    for number, batch in enumerate(batches, first):
        data = _lines(batch)
        flush = {
            "v": 1,
            "flush": number,
            "crc": f"{zlib.crc32(data):08x}",
            "lines": len(batch),
            "writer": "w-1",
        }
        whole += data + _lines([flush])
    return whole + _lines(tail) + torn.encode()


def _lines(records: Iterable[Any]) -> bytes:
    return b"".join(
        json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for one in records
    )


class Told:
    """A store, and what is told to it."""

    def __init__(self, root: Path, project: str = "p") -> None:
        self.store = LocalStore(root / ".pinyon")
        self.store.prepare(project)
        self.project = project
        self.writer = self.store.journals.open_writer(user="u", project=project)
        self.index = Index(root / "cache" / "index.sqlite", self.store.journals)
        self._segments = 0

    def tell(self, kind: str, **body: Any) -> None:
        self.writer.append(kind, body)

    def execution(self, name: str = "x-1", **more: Any) -> None:
        goal = {"stages": ["train"]}
        actor = {"kind": "person", "name": "u"}
        body = {
            "execution": name,
            "actor": actor,
            "argv": [],
            "goal": goal,
            "project": self.project,
            "host": "h",
        }
        self.tell("execution", **body, **more)

    def attempt(
        self, number: int, name: str = "", *, epoch: int = 1, state: str | None = "SUCCEEDED", **more: Any
    ) -> str:
        """A whole attempt of run ``number``; gives its id."""
        name = name or f"a-{number}-{epoch}"
        inputs = {"command": ["exec", "python", "train.py"], "wdir": "", "deps": [["train.py", "blake3:" + "d" * 64]],
                  "params": [["params.yaml", "lr", 0.1 / (number + 1)]], "outs": ["model"], "env": []}  # fmt: skip
        inputs.update(more.pop("inputs", {}))
        metrics, seconds = more.pop("metrics", {}), more.pop("seconds", 1.5)
        outs = more.pop("outs", [["model", f"blake3:{key_of(number)}", 10, False, True]])
        body = {"attempt": name, "execution": "x-1", "project": self.project, "root": "/r", "key": key_of(number),
                "recipe": f"recipe-{number}", "stage": "train", "epoch": epoch, "mode": "isolated",
                "supervisor": list(this_process()), "reason": "never run", "inputs": inputs}  # fmt: skip
        self.tell("intent", **{**body, **more})
        self.tell("submitted", attempt=name, target="box", handle="1")
        self.tell("running", attempt=name, pid=1, log=["l", 0])
        if state == "SUCCEEDED":
            self.tell("outputs", attempt=name, outs=outs, metrics=metrics, skipped_metrics=[])
        if state:
            self.tell("ended", attempt=name, state=state, detail="" if state == "SUCCEEDED" else "oom",
                      exit_code=int(state != "SUCCEEDED"), signal=None, reusable=True, seconds=seconds, cpu_seconds=1.25,
                      max_rss=2**33, log=["l", 0, 10], message="")  # fmt: skip
        return name

    def points(
        self, *batches: Batch, tail: Batch = (), torn: str = "", segment: str = "", first: int = 0
    ) -> Path:
        """One more segment of points."""
        self._segments += 1
        path = self.store.root / "journals" / (segment or f"w-{self._segments:04}.points.0.jsonl")
        path.write_bytes(spelled(*batches, tail=tail, torn=torn, first=first))
        return path

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        self.index.catch_up()
        with ask(self.store, self.index, sql) as answer:
            return list(answer.rows)

    def tables(self, *names: str) -> dict[str, list[tuple[Any, ...]]]:
        """Whole tables, their rows sorted, NaN as text so that it equals itself."""
        self.index.catch_up()
        with ExitStack() as stack:
            connection = Tables(self.store, self.index, names, stack).connection
            found = {name: connection.execute(f"from {name}").fetchall() for name in names}
        return {name: sorted(map(repr, rows)) for name, rows in found.items()}

    def notes(self, *names: str) -> list[str]:
        self.index.catch_up()
        with ExitStack() as stack:
            return Tables(self.store, self.index, names, stack).notes

    def close(self) -> None:
        self.index.close()
        self.writer.close()
