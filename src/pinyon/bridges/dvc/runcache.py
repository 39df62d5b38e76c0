"""DVC's run cache: what stages with the same command, parameters and deps left before, whichever branch that was on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pinyon.bridges.dvc.lock import Entry, parse_entry
from pinyon.errors import SpecError
from pinyon.spec import files


def entries(folders: tuple[Path, ...], key: str) -> Iterator[Entry]:
    """What is kept under a key (`compose.run_cache_key`), the newest first; damaged ones are passed over."""
    for folder in folders:
        place = folder / "runs" / key[:2] / key
        try:
            found = sorted(os.scandir(place), key=lambda entry: -entry.stat().st_mtime_ns)
        except OSError:
            continue
        for entry in found:
            try:
                raw = files.read(Path(entry.path), entry.path, files.PROJECT_LIMIT)
                if raw is not None:
                    yield parse_entry(raw, entry.path)
            except SpecError:
                continue


def is_there(folders: tuple[Path, ...]) -> bool:
    """Whether there is a run cache at all."""
    return any((folder / "runs").is_dir() for folder in folders)
