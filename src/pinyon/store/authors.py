"""Who wrote a segment of a journal, and for which project: its first record says so for all of them."""

from __future__ import annotations

from typing import NamedTuple

from pinyon.model.actor import Actor, actor_of
from pinyon.store.protocol import Journals


class Author(NamedTuple):
    """Whose doing the records of a segment are, and whose project's ("" for none, or from before there were several)."""

    actor: Actor
    project: str


def author_of(journals: Journals, segment: str) -> Author:
    """The author of every record of ``segment``; nobody's while it has no sound ``opened``."""
    for event, _ in journals.read(segment):
        if event.kind == "opened":
            user = str(event.body.get("user") or "")
            return Author(actor_of(event.body.get("actor"), user), str(event.body.get("project") or ""))
        break
    return Author(Actor("person", ""), "")
