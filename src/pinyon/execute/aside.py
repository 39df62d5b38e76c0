"""Old outs, out of the way while an attempt writes new ones in place, and back again if it fails.

``aside/ATTEMPT`` holds them while the attempt runs. Putting them back begins by renaming it to ``aside/ATTEMPT.back``
once every partial out is gone: from then on nothing is removed that is not about to be replaced. So every step can be
interrupted anywhere and done again. ``.back`` stays, empty, until the outcome is recorded: it says "already done".
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b

from pinyon.execute import files
from pinyon.store.disk import rename


class Aside:
    """What was moved aside for one attempt.

    Args:
        place: the project's ``.pinyon``.
        root: what the paths of outs are relative to.
    """

    def __init__(self, place: str, attempt: str, root: str) -> None:
        self._there = f"{place}/aside/{attempt}"
        self._back = f"{self._there}.back"
        self._rubbish = f"{place}/tmp/aside-{attempt}"
        self._root = root

    def take(self, path: str, *, copied: bool = False) -> None:
        """Move an out aside, by rename; ``copied`` leaves it in place too."""
        os.makedirs(self._there, exist_ok=True)
        source, target = os.path.join(self._root, path), f"{self._there}/{_name(path)}"
        if copied:
            files.copy_whole(source, target)
        else:
            files.move(source, target)

    def put_back(self, paths: Iterable[str], *, started: bool) -> None:
        """Remove what the attempt left of these outs and put the old ones back.

        Args:
            paths: all outs of the attempt.
            started: its command ran, so that every old out had been moved and what lies there now is the attempt's.
                If not, what was not moved yet is still the old one.
        """
        paths = list(paths)
        if not os.path.isdir(self._back):
            for path in paths:
                if started or os.path.lexists(f"{self._there}/{_name(path)}"):
                    files.remove(os.path.join(self._root, path))
            if not os.path.isdir(self._there):
                return
            rename(self._there, self._back)
        for path in paths:
            source, target = f"{self._back}/{_name(path)}", os.path.join(self._root, path)
            if os.path.lexists(source):
                files.remove(target)
                files.make_parents([target])
                files.move(source, target)

    def drop(self) -> None:
        """Forget what was set aside, once the outcome is recorded. It goes to ``tmp/`` first, at one stroke, so that an
        interrupted removal never looks like something to put back."""
        for folder in (self._there, self._back):
            if not os.path.isdir(folder):
                continue
            os.makedirs(os.path.dirname(self._rubbish), exist_ok=True)
            rename(folder, self._rubbish)
            files.remove(self._rubbish)


def _name(path: str) -> str:
    # Readable for somebody who looks for a lost file, and still a function of the whole path.
    return f"{blake2b(path.encode(), digest_size=6).hexdigest()}-{os.path.basename(path)[-40:]}"
