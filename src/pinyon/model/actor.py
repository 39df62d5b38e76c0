"""Who does something: a person, a process, an agent or a rule (docs/FORMAT.md §4)."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

KINDS = ("person", "process", "agent", "rule")
_LONGEST = 200  # characters of a name


class Actor(NamedTuple):
    """``kind`` is one of `KINDS`; as text ``kind:name``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def shown(self) -> str:
        """For people: a person's name alone, others with their kind."""
        return self.name if self.kind == "person" else str(self)

    def as_dict(self) -> dict[str, str]:
        """As records hold it."""
        return self._asdict()


def parse_actor(text: str) -> Actor:
    """``agent:name`` as an actor; a text that names no kind is a person's name."""
    kind, colon, name = text.strip().partition(":")
    if colon and kind in KINDS and name:
        return Actor(kind, name[:_LONGEST])
    return Actor("person", text.strip()[:_LONGEST])


def actor_of(data: Any, user: str = "") -> Actor:
    """What a record says of its actor; records of before there were actors only have a user."""
    if isinstance(data, dict) and data.get("name"):
        return Actor(str(data.get("kind") or "person"), str(data["name"]))
    return Actor("person", user)


def current_actor() -> Actor:
    """Who calls us: what ``PINYON_ACTOR`` says, else the process ``ci`` under ``CI=true``, else the user."""
    text = os.environ.get("PINYON_ACTOR", "")
    if text.strip():
        return parse_actor(text)
    if os.environ.get("CI", "").lower() in ("true", "1"):
        return Actor("process", "ci")
    return Actor("person", user_name())


def user_name() -> str:
    """The user's name as the environment tells it, else the number."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"
