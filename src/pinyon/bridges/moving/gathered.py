"""What a file of TensorBoard's or W&B's says in all, by the readers that also follow such files while they are written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pinyon.bridges.moving.nouns import Curves
from pinyon.bridges.said import Fact, Numbers, Object, Said, Source


class Gathered:
    """Points and records of one run.

    Attributes:
        left: kinds of things that have no place here, and how many of them there were.
        first, last: of the moments that stand beside the numbers; None without any.
    """

    def __init__(self) -> None:
        self.curves = Curves()
        self.params: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.finals: dict[str, Any] = {}
        self.notes: list[str] = []
        self.objects: list[Object] = []
        self.left: Counter[str] = Counter()
        self.first: float | None = None
        self.last: float | None = None

    def read(self, source: Source) -> None:
        """Everything that one file says.

        Raises:
            ForeignFileError: it is damaged.
        """
        self._take(source.read())
        self._take(source.rest())
        if source.passed:
            self.left["large record"] += source.passed

    def _take(self, said: Iterable[Said]) -> None:
        for one in said:
            if isinstance(one, Numbers):
                self._numbers(one)
            elif isinstance(one, Fact):
                self._fact(one)
            elif isinstance(one, Object):
                self.objects.append(one)
            else:
                self.left[one.kind] += 1

    def _numbers(self, one: Numbers) -> None:
        wall = math.nan
        if one.wall is not None:
            wall = one.wall
            self.first = wall if self.first is None else min(self.first, wall)
            self.last = wall if self.last is None else max(self.last, wall)
        for name, value in one.values.items():
            self.curves.add(name, one.step, wall, float(value))

    def _fact(self, one: Fact) -> None:
        if one.kind == "params":
            self.params |= one.body["params"]
        elif one.kind == "tagged":
            self.tags |= one.body["tags"]
        elif one.kind == "summary":
            self.finals |= one.body["values"]
        elif one.kind == "noted":
            self.notes.append(one.body["text"])
