"""What a file of W&B's says, in Pinyon's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pinyon.bridges.said import Fact, LeftOut, Numbers, Object, Said, flat, histogram
from pinyon.bridges.wandb.records import Begun, Config, History, Record, RunFile, Summary, TooLarge


class RunSource:
    """See `pinyon.bridges.said.Source`. What W&B adds by itself begins with ``_`` and is left out.

    Attributes:
        run: what the run is, as it was said last.
        exit: its exit code; None where it has not come to an end of its own.
    """

    tool = "wandb"

    def __init__(self, path: str) -> None:
        self._file = RunFile(path)
        self.run: Begun | None = None
        self.exit: int | None = None
        self._told: dict[str, Any] = {}  # of the run, as it was said last
        self._summary: dict[str, Any] = {}

    @property
    def begun(self) -> float | None:
        """When the run began, as W&B says."""
        return None if self.run is None or not self.run.start else self.run.start

    @property
    def label(self) -> str:
        """Its name."""
        return self.run.name if self.run is not None else ""

    @property
    def passed(self) -> int:
        """See `pinyon.bridges.said.Source`."""
        return self._file.passed

    def read(self) -> Iterator[Said]:
        """See `pinyon.bridges.said.Source`."""
        for record in self._file.read():
            yield from self._said(record)

    def rest(self) -> Iterator[Said]:
        """The summary: W&B writes it anew with every step."""
        if self._summary:
            yield Fact("summary", {"values": dict(self._summary)})

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _said(self, record: Record) -> Iterator[Said]:
        if isinstance(record, History):
            yield from _history(record)
        elif isinstance(record, Summary):
            for path in record.removed:
                self._summary.pop(".".join(path), None)
            for name, value in _own(record.values):
                if isinstance(value, (bool, int, float, str)):
                    self._summary[name] = value
        elif isinstance(record, Config):
            yield from _params(record.values)
        elif isinstance(record, Begun):
            self.run = record
            yield from _params(record.config)
            yield from self._about(record)
        else:
            self.exit = record.code

    def _about(self, run: Begun) -> Iterator[Said]:
        """Tags and notes that were not told before: W&B repeats what a run is when something about it changes."""
        tags = dict.fromkeys(run.tags, "")
        tags |= {
            name: text for name, text in (("name", run.name), ("group", run.group), ("job", run.job)) if text
        }
        if tags and tags != self._told.get("tags"):
            self._told["tags"] = tags
            yield Fact("tagged", {"tags": tags})
        if run.notes and run.notes != self._told.get("notes"):
            self._told["notes"] = run.notes
            yield Fact("noted", {"text": run.notes})


def _history(record: History) -> Iterator[Said]:
    numbers: dict[str, float | int] = {}
    told = record.values.get("_timestamp")
    wall = told if isinstance(told, float) else None
    for name, value in _own(record.values):
        if isinstance(value, (bool, int, float)):
            numbers[name] = value if isinstance(value, float) else int(value)
        elif isinstance(value, str):
            yield Object(wall, record.step, name, "text", {"text": value})
        elif isinstance(value, dict) and _is_histogram(value):
            yield histogram(wall, record.step, name, value["bins"], value["values"])
        elif value is not None:
            yield LeftOut(_kind(value))
    if numbers:
        yield Numbers(wall, record.step, numbers)


def _params(values: dict[str, Any]) -> Iterator[Said]:
    params = {name: value for name, value in _own(values) if not isinstance(value, (dict, TooLarge))}
    if params:
        yield Fact("params", {"params": params})


def _own(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return flat({name: value for name, value in values.items() if not name.startswith("_")})


def _is_histogram(value: dict[str, Any]) -> bool:
    lists = isinstance(value.get("bins"), list) and isinstance(value.get("values"), list)
    return lists and value.get("_type") == "histogram"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("_type", "map"))[:40]
    return "list" if isinstance(value, list) else "large value"
