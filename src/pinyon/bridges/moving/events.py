"""Folders of TensorBoard's: each with event files in it is a run, as TensorBoard itself counts them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pinyon.bridges.moving.gathered import Gathered
from pinyon.bridges.moving.nouns import Heading, Left, MovedRun, MovedVersion
from pinyon.bridges.tensorboard.follow import EventSource
from pinyon.errors import ForeignFileError

_MARK = "tfevents"


class EventFolder:
    """See `pinyon.bridges.moving.nouns.Source`. TensorBoard's runs have no ids: the name of the first event file (moment,
    host and process), with the two folders above, stands for one, so that a folder can be moved.

    Raises:
        ForeignFileError: there are no event files.
    """

    kind, identity = "tensorboard", ""

    def __init__(self, path: str) -> None:
        self.left = Left()
        self._top = os.path.realpath(path)
        self._folders: dict[str, tuple[str, list[str]]] = {}
        for folder, folders, names in os.walk(self._top):
            folders.sort()
            if events := sorted((name for name in names if _MARK in name), key=_moment):
                above = folder.split(os.sep)[-2:]
                self._folders["/".join([*above, events[0]])] = (
                    folder,
                    [os.path.join(folder, one) for one in events],
                )
        if not self._folders:
            raise ForeignFileError("there are no event files of TensorBoard's in it", where=path)

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return (Heading(run) for run in self._folders)

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`. How a run ended TensorBoard does not say."""
        folder, files = self._folders[run]
        found, begun = Gathered(), list[float]()
        for file in files:
            source = EventSource(file)
            try:
                found.read(source)
            finally:
                source.close()
            begun += [source.begun] if source.begun is not None else []
        for kind, count in found.left.items():
            self.left[f"{kind} of TensorBoard's"] += count
        name = os.path.relpath(folder, self._top)
        name = os.path.basename(folder) if name == os.curdir else name.replace(os.sep, "/")
        return MovedRun(
            id=run,
            name=name,
            experiment=os.path.basename(self._top),
            started=min(begun, default=found.first),
            ended=found.last,
            params=found.params,
            tags={"name": name},
            curves=found.curves,
            objects=tuple(found.objects),
        )

    def models(self) -> Iterator[MovedVersion]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def _moment(name: str) -> tuple[int, str]:
    """When an event file was begun, as its name says."""
    digits = name.partition("tfevents.")[2].partition(".")[0]
    return (int(digits) if digits.isdecimal() else 0, name)
