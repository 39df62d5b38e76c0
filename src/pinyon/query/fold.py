"""The fold: from records to attempts. A join, so that every interleaving of the same journals gives the same state.

A *document* holds, for each kind of record about one attempt, the record itself as ``[writer, seq, ts, body]``; where two
records of one kind exist, the smaller (writer, seq) stays. What the attempt *is* follows from the document alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pinyon.model.event import Event
from pinyon.model.ids import read_process
from pinyon.model.leaves import flatten
from pinyon.model.outcome import FAILED, FINAL, LOST, RUNNING, SUBMITTED, Attempt, Output

Document = dict[str, list[Any]]

_ATTEMPT_KINDS = frozenset({"intent", "submitted", "setup", "running", "outputs", "ended", "lost"})
_EXECUTION_KINDS = frozenset({"execution", "captured", "finished"})
# Kinds of which every record counts, not only the first: what of the body says what they are about.
_TOLD_OF = {
    **dict.fromkeys(("summary", "tagged", "noted", "artifact", "checkpoint", "resumed", "params"), "attempt"),
    **dict.fromkeys(("tracked", "dropped"), "attempt"),
    **dict.fromkeys(("cells", "selected", "proposed"), "experiment"),
    "refused": "model",
    "added": "path",
}

_PLAIN = ("params.yaml", "")  # files whose parameters are named without them; "" is the command itself


def subject(event: Event) -> tuple[str, str] | None:
    """What a record is about: ("attempt" or "execution", id); None for what the fold does not keep."""
    about = (
        "attempt" if event.kind in _ATTEMPT_KINDS else "execution" if event.kind in _EXECUTION_KINDS else ""
    )
    name = event.body.get(about)
    return (about, name) if isinstance(name, str) else None


def told_of(event: Event) -> str | None:
    """The attempt, experiment, model or path that a record tells of, beside others; "" for a note about none of these,
    None for other records."""
    name = event.body.get(_TOLD_OF.get(event.kind, ""), "" if event.kind == "noted" else None)
    return name if isinstance(name, str) else None


def join(document: Document, event: Event) -> Document:
    """The document with one more record in it; commutative, associative and idempotent."""
    old = document.get(event.kind)
    if old is None or (event.writer, event.seq) < (old[0], old[1]):
        document[event.kind] = [event.writer, event.seq, event.ts, event.body]
    return document


def merge(document: Document, other: Document) -> Document:
    """The document with everything of another one about the same in it."""
    for kind, (writer, seq, ts, body) in other.items():
        join(document, Event(writer, seq, kind, ts, body))
    return document


def attempt_of(name: str, document: Document, *, durable: bool = True) -> Attempt | None:
    """The attempt that a document tells of; None without its intent (a journal is missing: nothing to act on), and where
    its records are not of a form we know: one such attempt hides no other."""
    try:
        return _attempt(name, document, durable) if "intent" in document else None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def fold(events: Iterable[Event]) -> dict[str, Attempt]:
    """All attempts of some records, in memory; what `pinyon.query.index.Index` does on disk."""
    documents: dict[str, Document] = {}
    through: dict[str, int] = {}
    for event in events:
        if event.kind == "durable":
            through[event.writer] = max(through.get(event.writer, -1), int(event.body["through"]))
        about = subject(event)
        if about and about[0] == "attempt":
            join(documents.setdefault(about[1], {}), event)
    found: dict[str, Attempt] = {}
    for name, document in sorted(documents.items()):
        ended = document.get("ended")
        attempt = attempt_of(name, document, durable=ended is None or through.get(ended[0], -1) >= ended[1])
        if attempt is not None:
            found[name] = attempt
    return found


def _attempt(name: str, document: Document, durable: bool) -> Attempt:
    intent = document["intent"][3]
    running = document.get("running")
    outputs = document["outputs"][3] if "outputs" in document else {}
    ended = document["ended"][3] if "ended" in document else None
    supervisor = read_process(intent["supervisor"]) if intent.get("supervisor") else None
    state, detail = _state(document, ended)
    log = (ended or {}).get("log") or (
        (running[3]["log"] + [-1]) if running and running[3].get("log") else None
    )
    return Attempt(
        id=name,
        key=intent["key"],
        recipe=intent["recipe"],
        stage=intent["stage"],
        execution=intent["execution"],
        epoch=intent["epoch"],
        mode=intent["mode"],
        state=state,
        detail=detail,
        exit_code=(ended or {}).get("exit_code"),
        outputs=tuple(Output(*row[:5]) for row in outputs.get("outs", ())),
        reusable=bool((ended or {}).get("reusable", True)),
        durable=durable,
        boot=supervisor.boot if supervisor else "",
        supervisor=supervisor,
        started=_began(intent, running[2] if running else document["intent"][2]),
        seconds=(ended or {}).get("seconds") or 0.0,
        inputs=intent.get("inputs", {}),
        metrics=outputs.get("metrics", {}),
        unread=tuple((str(file), str(why)) for file, why in outputs.get("skipped_metrics", ())),
        signal=(ended or {}).get("signal"),
        scheduler=dict((running[3].get("scheduler") if running else None) or {}),
        log=tuple(log) if log else None,
        message=(ended or {}).get("message")
        or ("" if ended else document["lost"][3].get("reason", "") if "lost" in document else ""),
        forced=bool(intent.get("forced")),
        project=intent.get("project", ""),
        root=intent.get("root", ""),
        resources=intent.get("resources", {}),
        estimate=intent.get("estimate"),
        parent=str(intent.get("parent") or ""),
        group=str(intent.get("group") or ""),
    )


def _began(intent: Mapping[str, Any], ts: float) -> float:
    """When: what was told of it goes before the clock of who wrote it down, who may have done so years later."""
    told = intent.get("began")
    return float(told) if isinstance(told, int | float) else ts


def _state(document: Document, ended: Mapping[str, Any] | None) -> tuple[str, str]:
    # The supervisor's record outranks the driver's inference, whichever came first.
    if ended is not None:
        if ended["state"] not in FINAL:  # a newer release's; whatever it means, we cannot call it a success
            return FAILED, str(ended["state"])
        return ended["state"], ended.get("detail") or ""
    if "lost" in document:
        return LOST, "lost"
    return (
        (RUNNING, "") if "running" in document else (SUBMITTED, "setup" if "setup" in document else "queued")
    )


def params_of(attempt: Attempt) -> dict[str, Any]:
    """Leaves of all its parameters by the name that a person writes; of another file than params.yaml as ``FILE:NAME``."""
    found = {}
    for file, name, value in attempt.inputs.get("params", ()):
        where = "" if file in _PLAIN else f"{file}:"
        found.update({f"{where}{leaf}" or file: held for leaf, held in _leaves(value, name).items()})
    return {**found, **dict(attempt.inputs.get("flags", ()))}


def _leaves(value: Any, name: str) -> dict[str, Any]:
    try:
        return flatten(value, name) or {name: value}
    except RecursionError:
        return {name: value}
