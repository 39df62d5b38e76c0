"""The project's logbook as Markdown: what data there is, what everything stands on, what was decided and found. Pure.

Every text that comes from a person is escaped: it can hold no heading, no link and no HTML, and nothing of it ends its
place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pinyon.model.units import show_bytes
from pinyon.report.text import clean, markdown, markdown_line

TOPICS = ("decision", "data", "dependency", "analysis", "problem")  # as `pinyon note` takes them
_SECTIONS = (
    ("Data", "data"), ("Dependencies", "dependency"), ("Decisions", "decision"), ("Analysis", "analysis"),
    ("Problems", "problem"), ("Notes", ""),
)  # fmt: skip
_SHORT = 12  # hex digits of a digest


class Note(NamedTuple):
    """What somebody wrote. ``about`` is what it is about, such as ``stage train``; ``topic`` one of `TOPICS`, or ""."""

    ts: float
    text: str
    topic: str = ""
    about: str = ""
    who: str = ""


class Data(NamedTuple):
    """Data that was added, with what its pointer says."""

    ts: float
    path: str
    digest: str
    size: int
    source: str = ""
    licence: str = ""
    date: str = ""
    note: str = ""
    who: str = ""


class Lock(NamedTuple):
    """A file that says which packages are used, as it is now."""

    path: str
    digest: str
    ts: float


class Environment(NamedTuple):
    """What an execution found around it, when that was not what the one before had found; ``run`` is its first."""

    ts: float
    run: str
    text: str


class Chosen(NamedTuple):
    """The winner of a phase; ``winner`` "" for none."""

    ts: float
    experiment: str
    phase: str
    objective: str
    winner: str
    why: str


class Moved(NamedTuple):
    """A change of a model's names."""

    ts: float
    model: str
    what: str
    why: str
    who: str


class Logbook(NamedTuple):
    """Everything, each in order of time."""

    project: str
    data: Sequence[Data] = ()
    locks: Sequence[Lock] = ()
    environments: Sequence[Environment] = ()
    chosen: Sequence[Chosen] = ()
    moved: Sequence[Moved] = ()
    notes: Sequence[Note] = ()

    def since(self, ts: float) -> Logbook:
        """Only what is not older. Lock files stay: they are as they are now."""
        parts = ("data", "environments", "chosen", "moved", "notes")
        kept: dict[str, Any] = {part: [one for one in getattr(self, part) if one.ts >= ts] for part in parts}
        return self._replace(**kept)

    def of(self, topic: str) -> Logbook:
        """Only one topic."""
        notes = [note for note in self.notes if note.topic == topic]
        found = Logbook(self.project, notes=notes)
        if topic == "data":
            return found._replace(data=self.data)
        if topic == "dependency":
            return found._replace(locks=self.locks, environments=self.environments)
        return found._replace(chosen=self.chosen, moved=self.moved) if topic == "analysis" else found

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            name: value if isinstance(value, str) else [one._asdict() for one in value]
            for name, value in self._asdict().items()
        }


def logbook_markdown(book: Logbook) -> str:
    """The whole of it in CommonMark with tables; sections without anything in them are left out."""
    lines = [f"# Logbook of {markdown(book.project)}", ""]
    for title, topic in _SECTIONS:
        part = [*_facts(book, topic), *_notes([note for note in book.notes if note.topic == topic])]
        if part:
            lines += [f"## {title}", "", *part]
    if len(lines) == 2:
        lines += ["Nothing is noted yet.", ""]
    return "\n".join(lines)


def _facts(book: Logbook, topic: str) -> Iterator[str]:
    """What the records say by themselves."""
    if topic == "data":
        about = ("source", "licence", "date", "note")
        rows = [
            (
                _day(d.ts),
                d.path,
                _short(d.digest),
                show_bytes(d.size),
                *(getattr(d, one) for one in about),
                d.who,
            )
            for d in book.data
        ]
        yield from _table(("added", "what", "digest", "size", *about, "who"), rows)
    elif topic == "dependency":
        yield from _table(
            ("lock file", "changed", "digest"), [(k.path, _day(k.ts), _short(k.digest)) for k in book.locks]
        )
        yield from _table(
            ("since", "environment", "run"), [(_when(e.ts), e.text, e.run) for e in book.environments]
        )
    elif topic == "analysis":
        rows = [
            (_when(c.ts), c.experiment, c.phase, c.objective, c.winner or "none", c.why) for c in book.chosen
        ]
        yield from _table(("when", "experiment", "phase", "objective", "winner", "why"), rows)
        rows = [(_when(m.ts), m.model, m.what, m.why, m.who) for m in book.moved]
        yield from _table(("when", "model", "change", "why", "who"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table without the columns in which nothing stands; nothing at all where there are no rows."""
    if not rows:
        return
    kept = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    yield f"| {' | '.join(columns[at] for at in kept)} |"
    yield f"|{' --- |' * len(kept)}"
    for row in rows:
        yield f"| {' | '.join(markdown(row[at]) for at in kept)} |"
    yield ""


def _notes(notes: Sequence[Note]) -> Iterator[str]:
    for note in notes:
        about = f", about {markdown(note.about)}" if note.about else ""
        who = f", {markdown(note.who)}" if note.who else ""
        yield f"**{_when(note.ts)}**{who}{about}:"
        yield ""
        lines = [_line(line) for line in note.text.strip().splitlines() or [""]]
        for number, line in enumerate(lines):
            broken = line and number + 1 < len(lines) and lines[number + 1]
            yield f"> {line}\\" if broken else f"> {line}".rstrip()
        yield ""


def _line(text: str) -> str:
    """A line of a note; spaces at its beginning, which would mean something, become hard ones."""
    flat = clean(text.expandtabs(4)).rstrip()
    bare = flat.lstrip()
    return "\N{NO-BREAK SPACE}" * (len(flat) - len(bare)) + markdown_line(bare)


def _short(digest: str) -> str:
    return digest.removeprefix("blake3:")[:_SHORT]


def _day(ts: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(ts))


def _when(ts: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(ts))
