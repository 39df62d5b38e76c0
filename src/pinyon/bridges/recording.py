"""Runs that are recorded on behalf of others: of another tracker that writes through us, or of one that is imported.

    told = begin(store, key=key_of("wandb", "3x9k2"), stage="@lstm", params={"lr": 0.1}, started=1.7e9)
    told.log([(1.7e9 + 1, 0, {"loss": 0.5})])
    told.end("SUCCEEDED", ended=1.7e9 + 60)

Each has a journal and a stream of points of its own, as a process has, so that a reader finds the points of a run in files
that hold no others. Those of one import share a `Pen`, and so do those that one process logs through MLflow. Whatever a
call was given is process-durable when it returns, and power-durable after `Recorder.end`, or `flush` of a shared pen.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import pinyon
from pinyon.bridges.said import Object, apart, inline
from pinyon.model.actor import Actor, current_actor
from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, attempt_id, host_name, new_id, run_id
from pinyon.model.outcome import SUCCEEDED
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

MODE = "recorded"
_LARGE, _MANY = 4 << 20, 20_000  # bytes of points, and records, after which a pen that rolls takes new files
OVERRULES_NOTHING = 2**62  # a step that no run reaches: the step of `resumed` of an attempt that only adds


def key_of(*parts: str) -> str:
    """The key (64 hex digits) of a run that another tool knows by these names: the same each time it is imported."""
    return blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=32).hexdigest()


class Pen:
    """A journal and a stream of points, for one attempt or for many that are told one after the other. Any
    thread may write.

    Args:
        project: for which the records are.
        actor: whose doing they are.
        rolls: whether it goes on in new files when these are large, so that one that lives for months leaves files that can
            be compacted.
    """

    def __init__(
        self, store: LocalStore, project: str = "", actor: Actor | None = None, *, rolls: bool = False
    ) -> None:
        self._directory, self._lock, self._rolls = f"{store.root}/journals", threading.Lock(), rolls
        self._open = partial(store.journals.open_writer, actor=actor, project=project)
        self._journal, self._records = self._open(), 0
        self._points: PointsWriter | None = None

    def points(self, batch: Sequence[Point], attempt: str) -> None:
        """Write points of an attempt as one batch.

        Raises:
            OSError: the disk refuses; nothing of the batch counts.
        """
        with self._lock:
            self._stream().write(batch, attempt)
            self._roll()

    def object(self, t: float, step: int, objects: dict[str, Any], attempt: str) -> None:
        """Write what is no number, as `points` does."""
        with self._lock:
            self._stream().write_object(t, step, objects, attempt)
            self._roll()

    def _stream(self) -> PointsWriter:
        if self._points is None:
            self._journal.begin()  # so that whoever reads the points can tell whose they are
            self._points = PointsWriter(self._directory, self._journal.writer)
        return self._points

    def record(self, kind: str, body: Mapping[str, Any]) -> Event:
        """Write a record.

        Raises:
            OSError: the disk refuses.
        """
        with self._lock:
            self._records += 1
            event = self._journal.append(kind, dict(body))
            self._roll()
            return event

    def flush(self) -> None:
        """Make what was written power-durable.

        Raises:
            OSError: it may not survive a loss of power.
        """
        with self._lock:
            if self._points is not None:
                self._points.sync()
            self._journal.flush()

    def _roll(self) -> None:
        large = self._records > _MANY or (self._points is not None and self._points.size > _LARGE)
        if self._rolls and large:
            self._leave()

    def close(self) -> None:
        """Let go of the files, and make what is in them power-durable.

        Raises:
            OSError: it may not survive a loss of power.
        """
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        """Let go of the files; what is told next begins others, of a writer of their own."""
        points, self._points = self._points, None
        journal, self._journal, self._records = self._journal, self._open(), 0
        try:
            if points is not None:
                points.sync()
        finally:
            if points is not None:
                points.close()
            journal.close()


class Recorder:
    """One attempt that is being recorded. Any thread may call it; a forked child makes one of its own by `join`.

    Attributes:
        attempt, run, key: its ids.
        started: seconds since the epoch; points are kept relative to it.
    """

    def __init__(
        self, store: LocalStore, attempt: str, key: str, started: float,
        project: str = "", actor: Actor | None = None, pen: Pen | None = None,
    ) -> None:  # fmt: skip
        self.attempt, self.key, self.run, self.started = attempt, key, run_id(key), started
        self.pid = os.getpid()
        self._store, self._numbers = store, count()
        self._pen, self._shared = pen or Pen(store, project, actor), pen is not None
        self._intent: dict[str, Any] | None = None  # kept back until the end of what is told afterwards
        self._execution = ""

    # What a run says

    def log(self, points: Iterable[tuple[float, int, Mapping[str, float]]]) -> None:
        """Write points, (seconds since the epoch, step, value by metric) each, as one batch.

        Raises:
            OSError: the disk refuses; nothing of the batch counts.
        """
        batch = [
            Point(next(self._numbers), at - self.started, step, dict(values)) for at, step, values in points
        ]
        if batch:
            self._pen.points(batch, self.attempt)

    def object(self, at: float, one: Object) -> None:
        """Keep what is no number (``at`` seconds since the epoch): in a line of points where it is small, else as a blob.

        Raises:
            OSError: the disk refuses.
        """
        value, t = inline(one), round(at - self.started, 6)
        if value is not None:
            self._pen.object(t, one.step, {one.name: value}, self.attempt)
            return
        data, format = apart(one)
        about = {"step": one.step, "t": t, "format": format}
        body = {
            "name": one.name,
            "path": f"{one.name}.{format}",
            "digest": self._store.blobs.put(data),
            "size": len(data),
        }
        self.tell("artifact", {**body, "role": one.type, "about": about})

    def tell(self, kind: str, body: Mapping[str, Any]) -> Event:
        """Write a record about the attempt.

        Raises:
            OSError: the disk refuses.
        """
        return self._tell(kind, {"attempt": self.attempt, **body})

    def params(self, params: Mapping[str, Any]) -> None:
        """More parameters, leaves by dotted name."""
        self.tell("params", {"params": dict(params)})

    def tags(self, tags: Mapping[str, str | None]) -> None:
        """Tags; None takes one away."""
        self.tell("tagged", {"tags": dict(tags)})

    def note(self, text: str) -> None:
        """A note for people."""
        self.tell("noted", {"text": text})

    def summary(self, values: Mapping[str, Any]) -> None:
        """Final numbers or texts, which go before the last point of the same name."""
        self.tell("summary", {"values": dict(values)})

    def artifact(
        self, name: str, source: Path | bytes, *, role: str = "artifact", about: Mapping[str, Any] = {}
    ) -> str:
        """Keep a file or bytes with the run; the digest.

        Args:
            name: relative posix path.
            role: artifact, figure, model, or a type of object (docs/FORMAT.md §5).

        Raises:
            OSError: it cannot be read, or the disk refuses.
        """
        digest = self._store.blobs.put(source)
        self.kept(name, digest, self._store.blobs.size(digest), role=role, about=about)
        return digest

    def kept(
        self, name: str, digest: str, size: int, *, role: str = "artifact", about: Mapping[str, Any] = {}
    ) -> None:
        """The same of bytes that are in the store already, a folder's manifest (then ``digest`` ends in ``/``) too."""
        body = {"name": name, "path": name, "digest": digest, "size": size, "role": role}
        self.tell("artifact", {**body, "about": dict(about)})

    # The end

    def end(
        self, state: str, ended: float, *, detail: str = "", message: str = "", exit_code: int | None = None,
        metrics: Mapping[str, Any] = {},
    ) -> None:  # fmt: skip
        """Say how and when (seconds since the epoch) it ended, make all of it power-durable, and let go.

        Args:
            state: SUCCEEDED, FAILED or CANCELLED (`pinyon.model.outcome`).
            metrics: final values, as those of a metrics file.
        """
        self.tell("outputs", {"outs": [], "metrics": dict(metrics), "skipped_metrics": []})
        self.tell(
            "ended",
            {
                "state": state, "detail": detail, "exit_code": exit_code, "signal": None,
                "reusable": state == SUCCEEDED, "seconds": round(max(0.0, ended - self.started), 6),
                "cpu_seconds": None, "max_rss": None, "message": message,
            },
        )  # fmt: skip
        if self._intent is not None:
            self._tell("intent", self._intent)
        if self._execution:
            counts = {state.lower(): 1}
            self._tell("finished", {"execution": self._execution, "state": state, "counts": counts})
        self.close()

    def flush(self) -> None:
        """Make what was told power-durable.

        Raises:
            OSError: it may not survive a loss of power.
        """
        self._pen.flush()

    def close(self) -> None:
        """Let go of the files, and make what is in them power-durable, but of a pen that others use, too. The attempt goes
        on, if it has not ended.

        Raises:
            OSError: it may not survive a loss of power.
        """
        if not self._shared:
            self._pen.close()

    def _tell(self, kind: str, body: Mapping[str, Any]) -> Event:
        return self._pen.record(kind, body)


def begin(
    store: LocalStore, *, key: str, stage: str, started: float, process: ProcessId | None = None,
    params: Mapping[str, Any] = {}, tags: Mapping[str, str] = {}, parent: str = "", group: str = "",
    project: str = "", root: str = "", execution: str = "", epoch: int = 1, origin: Mapping[str, Any] = {},
    reason: str = "it was recorded", argv: Sequence[str] = (), git: Mapping[str, Any] | None = None,
    host: str = "", actor: Actor | None = None, resumes: str = "", pen: Pen | None = None,
) -> Recorder:  # fmt: skip
    """Begin to record an attempt. The store is there (`LocalStore.prepare`).

    Args:
        key: 64 hex digits, see `key_of`; the run's id is `pinyon.model.ids.run_id` of it.
        stage: what was run, such as ``@lstm``.
        started: seconds since the epoch.
        process: that carries it, whose death makes it LOST. None: it is over already and told afterwards. Then its intent
            comes last, with the end: until then, and after a kill on the way, no such attempt is known.
        params: leaves by dotted name, typed.
        parent: id of the run inside which it began.
        execution: one that the caller has recorded and will finish; "" makes one for this run alone.
        epoch: one more than that of the run's newest attempt.
        origin: of the intent (docs/FORMAT.md §4): who told it, ``{"tool": "mlflow", …}``.
        git: ``{"commit", "dirty"}`` of the code, where it is known; dirty is None where only the commit is.
        resumes: id of the run's attempt that this one adds to; its points overrule none of that one's.
        pen: that writes for other attempts, too, so that a thousand of them are no thousand files; who made it closes it.

    Raises:
        OSError: the disk refuses.
    """
    attempt = attempt_id(key, epoch)
    recorder = Recorder(store, attempt, key, started, project, actor, pen)
    about = {"execution": execution or new_id("x"), "project": project, "root": root}
    if not execution:
        recorder._execution = about["execution"]
        goal = {"stages": [stage], "overrides": [], "force": False, "keep_going": False, "isolated": False}
        who = (actor or current_actor()).as_dict()
        recorder._tell("execution", {
            **about, "actor": who, "argv": list(argv), "goal": goal, "host": host or host_name(),
            "git": dict(git) if git else None, "stages": 1, "pinyon": pinyon.__version__,
        })  # fmt: skip
    inputs = {
        "command": ["exec", *argv], "wdir": ".", "params": [], "deps": [], "outs": [], "env": [],
        "flags": [[name, value] for name, value in params.items()],
    }  # fmt: skip
    kin = {name: text for name, text in (("parent", parent), ("group", group)) if text}
    intent = {
        **about, **kin, "attempt": attempt, "key": key, "recipe": key, "stage": stage, "epoch": epoch, "mode": MODE,
        "supervisor": list(process) if process else None, "reason": reason, "inputs": inputs,
        "began": round(started, 6), "origin": dict(origin),
    }  # fmt: skip
    if process is None:
        recorder._intent = intent
    else:
        recorder._tell("intent", intent)
        recorder.tell("running", {"pid": process.pid})
    if resumes:
        recorder.tell("resumed", {"step": OVERRULES_NOTHING, "from": resumes})
    if tags:
        recorder.tags(tags)
    return recorder


def join(
    store: LocalStore, *, attempt: str, key: str, started: float,
    project: str = "", actor: Actor | None = None, pen: Pen | None = None,
) -> Recorder:  # fmt: skip
    """Add to an attempt that another process, or this one before, has begun."""
    return Recorder(store, attempt, key, started, project, actor, pen)
