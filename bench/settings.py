"""How large a benchmark is and where it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Everything follows from ``size``, the number of stages of the largest project; ``scratch`` is an empty folder."""

    scratch: Path
    size: int = 1000
    rounds: int = 9

    @property
    def sizes(self) -> tuple[int, ...]:
        """A tenth, three tenths and the whole, to see whether cost grows as the number of stages does."""
        return max(self.size // 10, 2), max(self.size * 3 // 10, 3), max(self.size, 4)

    @property
    def history(self) -> int:
        """Past attempts in the store."""
        return 10 * self.size

    def folder(self, *parts: str) -> Path:
        """A new folder under scratch."""
        path = self.scratch.joinpath(*parts)
        path.mkdir(parents=True)
        return path
