"""A folder as it lies there, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pinyon.errors import SpecError
from pinyon.spec import files
from pinyon.spec.params import parse_params


class Look:
    """The folder as it lies there. Reads each file once.

    Args:
        root: the directory that pinyon.yaml will stand in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str | None] = {}
        self._params: Any = None

    def text(self, path: str) -> str | None:
        """A file's text by its path from the root; None when there is no such file, or none that can be read as text."""
        if path not in self._texts:
            try:
                raw = files.read(self.root / path, path, files.CODE_LIMIT)
                self._texts[path] = None if raw is None else files.decode(raw, path, files.CODE_LIMIT)
            except SpecError:
                self._texts[path] = None
        return self._texts[path]

    def there(self, path: str) -> bool:
        """Whether anything lies at a path."""
        try:
            return (self.root / path).exists()
        except (OSError, ValueError):  # a name that is too long, or holds a NUL
            return False

    @property
    def params(self) -> Any:
        """The content of params.yaml, an empty map without one."""
        if self._params is None:
            try:
                raw = files.read(self.root / "params.yaml", "params.yaml", files.PARAMS_LIMIT)
                self._params = {} if raw is None else parse_params(raw, "params.yaml")
            except SpecError:
                self._params = {}
        return self._params
