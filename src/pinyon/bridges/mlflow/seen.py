"""One run as the records tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pinyon.model.event import Event
from pinyon.model.outcome import CANCELLED, FAILED, FINAL, LOST, RUNNING, SUCCEEDED, Attempt
from pinyon.query.fold import Document, attempt_of, join, params_of

TOOL = "mlflow"
RUN_NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"

_STATUS = {
    SUCCEEDED: "FINISHED",
    FAILED: "FAILED",
    LOST: "FAILED",  # its process died, so it will never end
    CANCELLED: "KILLED",
    RUNNING: "RUNNING",
}


def now(attempt: Attempt) -> str:
    """Its state; LOST where its process is provably dead. Of another host's process the record is believed."""
    if attempt.state in FINAL:
        return attempt.state
    alive = attempt.supervisor.alive() if attempt.supervisor else False
    return LOST if alive is False else attempt.state


def is_ours(origin: Any) -> bool:
    """Whether the origin of an intent is that of a run that MLflow made through this plugin."""
    return isinstance(origin, dict) and origin.get("tool") == TOOL and "experiment_id" in origin


def mlflow_id(key: str) -> str:
    """What MLflow calls the run at a key."""
    return key[:32]


class Seen:
    """The attempts of a run with everything that was told of them; `View` adds to it.

    Attributes:
        key: of the run.
        version: another one each time when something about it has changed; `View` counts.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.documents: dict[str, Document] = {}
        self.told: dict[tuple[float, str, int], Event] = {}
        self.version = 0
        self._attempts: list[Attempt] | None = None
        self._origin: dict[str, Any] | None = None

    def add(self, event: Event) -> None:
        """Join one record about one of its attempts."""
        self._attempts, self._origin = None, None
        if event.kind in _FOLDED:
            join(self.documents.setdefault(event.body["attempt"], {}), event)
        else:
            self.told[event.ts, event.writer, event.seq] = event

    @property
    def attempts(self) -> list[Attempt]:
        """In their order, oldest first."""
        if self._attempts is None:
            found = (attempt_of(name, told) for name, told in self.documents.items())
            self._attempts = sorted((one for one in found if one is not None), key=lambda one: one.order)
        return self._attempts

    @property
    def newest(self) -> Attempt:
        """The last attempt, to which is logged."""
        return self.attempts[-1]

    @property
    def origin(self) -> dict[str, Any]:
        """What its first intent says of who told it; empty for a run of Pinyon's own."""
        if self._origin is None:
            found = self.documents[self.attempts[0].id]["intent"][3].get("origin")
            self._origin = found if isinstance(found, dict) else {}
        return self._origin

    @property
    def ours(self) -> bool:
        """Whether MLflow made it through this plugin."""
        return is_ours(self.origin)

    @property
    def counting(self) -> Attempt:
        """The attempt whose state and outs count: of Pinyon's own the newest success, else the newest."""
        good = [] if self.ours else [one for one in self.attempts if one.state == SUCCEEDED]
        return (good or self.attempts)[-1]

    @property
    def open(self) -> bool:
        """Whether its state can change without a record, by the death of its process."""
        return self.counting.state not in FINAL

    @property
    def status(self) -> str:
        """As MLflow spells it."""
        one = self.counting
        said = [event for event in self.of("mlflow_status") if event.body["attempt"] == one.id]
        ended = self.documents[one.id].get("ended")
        if said and (ended is None or said[-1].ts >= ended[2]):
            return str(said[-1].body.get("status"))
        return _STATUS.get(now(one), "SCHEDULED")

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; None while it never has."""
        said = [
            event.body["ended"] for event in self.of("mlflow_status") if event.body.get("ended") is not None
        ]
        if said:
            return float(said[-1])
        for one in reversed(self.attempts):
            if "ended" in self.documents[one.id]:
                return float(one.started + one.seconds)
        return None

    @property
    def deleted(self) -> bool:
        """Whether MLflow's user has deleted it, and not restored."""
        said = list(self.of("mlflow_lifecycle"))
        return bool(said) and said[-1].body.get("stage") == "deleted"

    def of(self, *kinds: str) -> Iterator[Event]:
        """What was told of these kinds, oldest first."""
        return (self.told[at] for at in sorted(self.told) if self.told[at].kind in kinds)

    def params(self) -> dict[str, Any]:
        """Typed leaves; what a stage declares goes before what its script told."""
        found = _merged(event.body.get("params") for event in self.of("params"))
        return {**found, **params_of(self.counting)}

    def tags(self) -> dict[str, str]:
        """The user's and MLflow's own."""
        found = _merged(event.body.get("tags") for event in self.of("tagged", "mlflow_tagged"))
        return {name: str(text) for name, text in found.items() if text is not None}

    def finals(self) -> dict[str, Any]:
        """Final values that no point says: of metrics files and of ``run.summary``. MLflow's runs have points only."""
        if self.ours:
            return {}
        found = _merged(event.body.get("values") for event in self.of("summary"))
        return {**found, **self.counting.metrics}

    def artifacts(self) -> dict[str, tuple[str, int]]:
        """Outs and what was logged, by name: digest (of a folder with ``/`` at its end) and size."""
        found = {out.path: (out.digest, out.size) for out in self.counting.outputs if out.stored}
        for event in self.of("artifact", "mlflow_removed"):
            body = event.body
            if event.kind == "artifact":
                found[str(body["name"])] = (str(body["digest"]), int(body["size"]))
            else:
                gone = str(body.get("path") or "")
                for name in [
                    name for name in found if not gone or name == gone or name.startswith(f"{gone}/")
                ]:
                    del found[name]
        return found


def _merged(parts: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, dict):
            found.update(part)
    return found


_FOLDED = frozenset({"intent", "submitted", "setup", "running", "outputs", "ended", "lost"})
