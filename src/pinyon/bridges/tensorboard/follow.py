"""What an event file says, in Pinyon's words."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.bridges.said import Fact, LeftOut, Numbers, Object, Said, encoded, histogram
from pinyon.bridges.tensorboard.events import Event, EventFile, Histogram, Value


class EventSource:
    """See `pinyon.bridges.said.Source`. Its label is no matter: runs of TensorBoard are told apart by their folders."""

    tool, label = "tensorboard", ""

    def __init__(self, path: str) -> None:
        self._file = EventFile(path)
        self._begun: float | None = None

    @property
    def begun(self) -> float | None:
        """When the first event of the file was written."""
        return self._begun

    @property
    def passed(self) -> int:
        """See `pinyon.bridges.said.Source`."""
        return self._file.passed

    def read(self) -> Iterator[Said]:
        """See `pinyon.bridges.said.Source`."""
        for event in self._file.read():
            if self._begun is None:
                self._begun = event.wall
            yield from _said(event)

    def rest(self) -> Iterator[Said]:
        """Nothing."""
        return iter(())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _said(event: Event) -> Iterator[Said]:
    numbers: dict[str, float | int] = {}
    for value in event.values:
        if value.kind == "scalar":
            numbers[value.tag] = value.data
        elif value.kind == "hparams":
            if value.data:  # else it says something about the plugin's table
                yield Fact("params", {"params": value.data})
        else:
            yield _object(event, value)
    if numbers:
        yield Numbers(event.wall, event.step, numbers)


def _object(event: Event, value: Value) -> Said:
    wall, step, name, data = event.wall, event.step, value.tag, value.data
    if isinstance(data, Histogram):
        return histogram(wall, step, name, data.edges, data.counts)
    if value.kind == "text" and data:
        return Object(wall, step, name, "text", {"text": "\n".join(data)})
    if value.kind in ("image", "audio") and data:
        return encoded(wall, step, name, value.kind, data)
    return LeftOut(value.kind)
