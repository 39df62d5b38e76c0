"""How much of a name or a text is kept, and how many metrics a process may have. What is over is cut, and said once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

NAME_MOST = 500  # characters
TEXT_MOST = 1_000_000  # characters
NAMES_MOST = 100_000  # metrics of one process
_MARK = 17  # characters at the end of a name that was cut: they tell it from others that begin alike


class Caps:
    """Keeps within the caps what one process says.

    Args:
        say: says something once: what it is about, and a line for people.
    """

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._names: set[str] = set()

    def name(self, name: str) -> str:
        """The name, at most `NAME_MOST` characters of it."""
        if len(name) <= NAME_MOST:
            return name
        self._say("a name", f"a name of {len(name):,} characters is cut to {NAME_MOST}: {name[:30]}…")
        mark = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[: _MARK - 1]
        return f"{name[: NAME_MOST - _MARK]}…{mark}"

    def text(self, text: str) -> str:
        """The text, at most `TEXT_MOST` characters of it."""
        if len(text) <= TEXT_MOST:
            return text
        self._say(
            "a text",
            f"a text of {len(text):,} characters is cut to {TEXT_MOST:,}; run.artifact keeps all of one: {text[:30]}…",
        )
        return f"{text[: TEXT_MOST - 1]}…"

    def fact(self, value: Any) -> Any:
        """What a record is to hold, with its names and texts within the caps."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.name(str(name)): self.fact(inner) for name, inner in value.items()}
        return [self.fact(inner) for inner in value] if isinstance(value, list) else value

    def metrics(self, values: dict[str, Any]) -> dict[str, Any]:
        """Numbers by name; without those whose names are new when there are `NAMES_MOST` already."""
        fresh = values.keys() - self._names
        if not fresh:
            return values
        if max(map(len, fresh)) <= NAME_MOST and len(fresh) + len(self._names) <= NAMES_MOST:
            self._names |= fresh
            return values
        found = {}
        for name, value in values.items():
            short = self.name(name)
            if short not in self._names:
                if len(self._names) >= NAMES_MOST:
                    self._say(
                        "names",
                        f"{NAMES_MOST:,} metrics are the most: '{short[:30]}' and others are left out",
                    )
                    continue
                self._names.add(short)
            found[short] = value
        return found
