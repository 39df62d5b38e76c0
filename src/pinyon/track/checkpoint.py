"""Saving what it takes to go on, and finding the newest of it that verifies (docs/FORMAT.md §4, ``checkpoint``)."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.errors import StoreError, TrackError
from pinyon.model.outcome import SUCCEEDED
from pinyon.track.artifacts import blobs_of
from pinyon.track.sink import note

if TYPE_CHECKING:
    from pinyon.model.event import Event
    from pinyon.track.sink import Sink

_ZIP = b"PK"  # torch.save writes a zip file; a pickle never begins so


class Checkpoint(NamedTuple):
    """A checkpoint. ``record`` names its record, (writer, seq); ``state`` is filled by `Run.resume`: what was saved by
    name, of objects with a ``state_dict`` that."""

    step: int
    digest: str
    size: int
    attempt: str
    record: tuple[str, int]
    state: Mapping[str, Any] = {}

    @property
    def order(self) -> tuple[int, int, str, tuple[str, int]]:
        """The newest is the highest step; of one step, that of the later attempt."""
        return (self.step, _epoch(self.attempt), self.attempt, self.record)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        sink: of this process.
        started: when the attempt began (seconds since the epoch), before which it has no records.
    """

    def __init__(self, sink: Sink, started: float) -> None:
        self._sink, self._started = sink, started
        self._known: list[Checkpoint] | None = None
        self._bad: list[Checkpoint] = []

    def save(self, step: int, state: Mapping[str, Any], keep: int) -> Checkpoint | None:
        """See `pinyon.track.running.Run.checkpoint`. The blob is complete before the record names it."""
        data = pack(
            {"step": step, "state": {name: _state(one) for name, one in state.items()}, "rng": _random()}
        )
        known = self._find()
        try:
            blobs = blobs_of(self._sink)
            digest = blobs.put(data)
            ordered = sorted(known, key=lambda one: one.order, reverse=True)
            drops = [*ordered[max(0, keep - 1) :], *self._bad] if keep > 0 else self._bad
            body = {"step": step, "digest": digest, "size": len(data), "metrics": self._sink.newest()}
            body |= {"drops": [list(one.record) for one in drops]} if drops else {}
            event = self._sink.commit("checkpoint", body)
        except OSError as error:
            self._sink.once("checkpoint", f"checkpoint {step} could not be saved: {error}; training goes on")
            return None
        self._sink.harden(lambda: blobs.flush([digest]))
        saved = Checkpoint(step, digest, len(data), self._sink.attempt, (event.writer, event.seq))
        self._known = [saved, *(one for one in known if one not in drops)]
        self._bad = []
        return saved

    def load(self, objects: Mapping[str, Any], *, rng: bool) -> Checkpoint | None:
        """See `pinyon.track.running.Run.resume`. What does not verify is named, and the next one taken."""
        blobs = blobs_of(self._sink)
        for one in sorted(self._find(), key=lambda one: one.order, reverse=True):
            try:
                data = blobs.read(one.digest)
            except (OSError, StoreError) as error:
                note(
                    f"checkpoint of step {one.step} ({one.digest}, attempt {one.attempt}) is left out: {error}"
                )
                self._bad.append(one)
                self._find().remove(one)
                continue
            content = unpack(data, one)
            _restore(objects, content["state"], one)
            if rng:
                _set_random(content["rng"])
            self._sink.tell("resumed", {"step": one.step, "digest": one.digest, "from": one.attempt})
            return one._replace(state=content["state"])
        return None

    def _find(self) -> list[Checkpoint]:
        """Those of this run that no later one has dropped; read once."""
        if self._known is None:
            self._sink.flush()
            try:
                found = _recorded(self._sink.store, self._sink.attempt, self._started)
            except OSError as error:
                self._sink.once("find", f"earlier checkpoints cannot be looked for: {error}")
                found = []
            dropped = {record for _, drops in found for record in drops}
            self._known = [one for one, _ in found if one.record not in dropped]
        return self._known


def _recorded(store: str, attempt: str, started: float) -> list[tuple[Checkpoint, list[tuple[str, int]]]]:
    """Every checkpoint that this attempt may go on from, with the records that it drops.

    Those of the run's attempts count, but none from before its last success or from before it was forced to run anew:
    going on is for what did not come to its end.
    """
    found, first = [], 0
    for event in _events(store, attempt, started):
        body, epoch = event.body, _epoch(event.body["attempt"])
        if event.kind == "intent" and body.get("forced"):
            first = max(first, epoch)
        elif event.kind == "ended" and body.get("state") == SUCCEEDED:
            first = max(first, epoch + 1)
        elif event.kind == "checkpoint":
            record = (event.writer, event.seq)
            drops = [(str(writer), int(seq)) for writer, seq in body.get("drops", ())]
            one = Checkpoint(body["step"], body["digest"], body["size"], body["attempt"], record)
            found.append((one, drops))
    return [(one, drops) for one, drops in found if _epoch(one.attempt) >= first]


def _events(store: str, attempt: str, started: float) -> Iterator[Event]:
    """Records about attempts of the same run; only files that name one are parsed."""
    from pinyon.store.journal import LocalJournals

    journals = LocalJournals(Path(store))
    alone, run = _epoch(attempt) <= 1, _run(attempt)
    mark = f'"attempt":"a-{run}-'.encode()
    for segment in journals.segments():
        path = os.path.join(store, "journals", segment)
        try:
            if alone and os.stat(path).st_mtime < started - 1:
                continue  # of a first attempt only its own processes can have said anything
            with open(path, "rb") as file:
                if mark not in file.read():
                    continue
        except OSError:
            continue
        for event, _ in journals.read(segment):
            if _run(str(event.body.get("attempt", ""))) == run:
                yield event


def _run(attempt: str) -> str:
    """What attempts of one run have in common: the beginning of their key (`pinyon.model.ids.attempt_id`)."""
    return attempt.split("-", 2)[1] if attempt.count("-") > 1 else attempt


def _epoch(attempt: str) -> int:
    parts = attempt.split("-")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 0


# What is in a checkpoint


def pack(content: dict[str, Any]) -> bytes:
    """As bytes: by torch where it has been imported, else a pickle.

    Raises:
        TrackError: something in it cannot be pickled.
    """
    buffer = io.BytesIO()
    torch = sys.modules.get("torch")
    try:
        if torch is not None:
            torch.save(content, buffer)
        else:
            pickle.dump(content, buffer, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TrackError(
            "this state cannot be saved", why=str(error), next="pass what has a state_dict, or plain data"
        ) from error
    return buffer.getvalue()


def unpack(data: bytes, which: Checkpoint) -> dict[str, Any]:
    """The inverse; tensors come to the CPU. The bytes are this run's own, and have been verified.

    Raises:
        TrackError: something that is needed to read it is not there any more.
    """
    try:
        if data[:2] == _ZIP:
            # Whoever saved it had imported torch; it is no dependency of ours.
            torch = importlib.import_module("torch")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
        else:
            content = pickle.loads(data)
    except Exception as error:
        raise TrackError(
            f"the checkpoint of step {which.step} cannot be read: {type(error).__name__}: {error}",
            where=which.digest,
            why="its bytes are sound, so the code or a library has changed",
            next="undo that change, or run with pinyon run -f to begin anew",
        ) from error
    if not isinstance(content, dict):
        raise TrackError("this is no checkpoint of ours", where=which.digest)
    return content


def _state(value: Any) -> Any:
    own = getattr(value, "state_dict", None)
    return own() if callable(own) else value


def _restore(objects: Mapping[str, Any], state: Mapping[str, Any], which: Checkpoint) -> None:
    """Load each object's part; nothing is loaded if one of them cannot be."""
    for name, value in objects.items():
        if name not in state:
            raise TrackError(
                f"the checkpoint of step {which.step} has no '{name}'",
                where=which.digest,
                why=f"it has {', '.join(state) or 'nothing'}",
                next=f"save it: run.checkpoint(step, {name}={name})",
            )
        if not callable(getattr(value, "load_state_dict", None)):
            raise TrackError(
                f"'{name}' is a {type(value).__name__}, which has no load_state_dict",
                next=f'leave it out and take run.resume(…).state["{name}"]',
            )
    for name, value in objects.items():
        value.load_state_dict(state[name])


def _random() -> dict[str, Any]:
    """Random states of the libraries that have been imported."""
    found: dict[str, Any] = {"python": random.getstate()}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        found["numpy"] = numpy.random.get_state()
    if torch is not None:
        found["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found["cuda"] = torch.cuda.get_rng_state_all()
    return found


def _set_random(found: Mapping[str, Any]) -> None:
    random.setstate(found["python"])
    if "numpy" in found:
        importlib.import_module("numpy").random.set_state(found["numpy"])
    if "torch" in found:
        torch = importlib.import_module("torch")
        torch.set_rng_state(found["torch"])
        if "cuda" in found and torch.cuda.device_count() == len(found["cuda"]):
            torch.cuda.set_rng_state_all(found["cuda"])
