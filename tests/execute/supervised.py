"""A project with a store, and a bench that runs attempts through a real supervisor."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

from pinyon.execute.local import LocalTarget
from pinyon.execute.protocol import AttemptSpec, SpecOut, StatNote
from pinyon.model.event import Event
from pinyon.model.graph import Command
from pinyon.model.outcome import Attempt
from pinyon.store.local import LocalStore

FAR = 30.0  # seconds after which a test gives up waiting


class Bench:
    """A project directory, its store, and one target."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.store = LocalStore(root / ".pinyon")
        self.store.prepare(root.name)
        self.target = LocalTarget(root, self.store)
        self.supervisor = self.target.start()
        self.heard: list[Event | StatNote] = []
        self._numbers = itertools.count(1)

    def spec(self, *lines: str, outs: Any = (), deps: Any = (), **fields: Any) -> AttemptSpec:
        """A spec of shell lines, or of a whole command; ``outs`` are paths or `SpecOut`."""
        values: dict[str, Any] = {
            # Its mark in the environment tells an attempt's processes from those of tests that run beside this one.
            "attempt": f"a-{os.getpid()}-{next(self._numbers)}",
            "execution": "x-1",
            "stage": "stage",
            "root": str(self.root),
            "mode": "in place",
            "command": Command("shell", lines),
            "wdir": ".",
            "env": {},
            "deps": tuple((path, "blake3:0") for path in deps),
            "outs": tuple(out(item) if isinstance(item, str) else item for item in outs),
            **fields,
        }
        return AttemptSpec(**values)

    def run(self, *lines: str, **fields: Any) -> dict[str, Any]:
        """Run one attempt and give the body of its ``ended``."""
        spec = self.spec(*lines, **fields)
        self.target.submit(spec)
        return self.ended(spec.attempt)

    def forgotten(self, pattern: str) -> None:
        """Nothing of the store matches, at the latest a moment after the outcome was told."""
        deadline = time.monotonic() + FAR
        while found := list((self.root / ".pinyon").glob(pattern)):
            assert time.monotonic() < deadline, found
            time.sleep(0.005)

    def ended(self, attempt: str) -> dict[str, Any]:
        return self.wait("ended", attempt)

    def wait(self, kind: str, attempt: str) -> dict[str, Any]:
        """The body of an attempt's record of this kind, heard already or soon."""
        deadline = time.monotonic() + FAR
        while time.monotonic() < deadline:
            for event in self.heard:
                if isinstance(event, Event) and event.kind == kind and event.body.get("attempt") == attempt:
                    return event.body
            self.heard += self.target.poll(0.5)
        raise AssertionError(f"no {kind} of {attempt}")

    def records(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind, from the journals."""
        journals = self.store.journals
        events = [event for segment in journals.segments() for event, _ in journals.read(segment)]
        return [event.body for event in events if event.kind == kind]

    def write(self, path: str, text: str) -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
        return full

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


def out(
    path: str, role: str = "out", cache: bool = True, persist: bool = False, seen: str | None = None
) -> SpecOut:
    """An out with the usual fields."""
    return SpecOut(path, role, cache, persist, seen)


def open_attempt(spec: AttemptSpec, state: str = "RUNNING", **fields: Any) -> Attempt:
    """What the fold would say of an attempt that has not ended."""
    return Attempt(
        id=spec.attempt,
        key="0" * 64,
        recipe="0" * 64,
        stage=spec.stage,
        execution=spec.execution,
        epoch=1,
        mode=spec.mode,  # type: ignore[arg-type]
        state=state,
        inputs={"outs": [item.path for item in spec.outs]},
        **fields,
    )
