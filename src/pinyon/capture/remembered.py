"""What was found out about the project's files, kept from call to call in a file of the cache."""

from __future__ import annotations

import marshal
import os
from typing import Any

from pinyon.store.place import make_cache

_VERSION = 1


def load(path: str) -> dict[str, Any]:
    """What was kept; nothing where the file is absent, damaged or of another version."""
    try:
        with open(path, "rb") as file:
            version, known = marshal.load(file)
    except (OSError, ValueError, EOFError, TypeError):
        return {}
    return known if version == _VERSION and isinstance(known, dict) else {}


def keep(path: str, known: dict[str, Any]) -> bool:
    """Replace the file; False where the cache takes none, and the next call finds it all out again."""
    temporary = f"{path}.{os.getpid()}"
    try:
        make_cache(os.path.dirname(path))
        with open(temporary, "wb") as file:
            marshal.dump((_VERSION, known), file)
        os.replace(temporary, path)
    except OSError:
        return False
    return True
