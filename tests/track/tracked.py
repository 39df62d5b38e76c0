"""Projects, scripts and records for the tests of tracking."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from pinyon.model.event import Event
from pinyon.model.ids import attempt_id
from pinyon.store.local import LocalStore
from pinyon.store.recover import recover

KEY = "ab" * 32


class Place:
    """A directory with a store, scripts that run in it, and what they recorded.

    Args:
        attempt: what the environment of scripts says; "" for scripts that nobody started.
    """

    def __init__(self, root: Path, attempt: str = "") -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.store = LocalStore(root / ".pinyon")
        self.store.prepare(root.name)
        self.attempt = attempt
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
        self.env["GIT_CEILING_DIRECTORIES"] = str(root)
        if attempt:
            self.env |= self.of(attempt)

    def of(self, attempt: str) -> dict[str, str]:
        """What a supervisor tells an attempt."""
        return {
            "PINYON_ATTEMPT": attempt,
            "PINYON_EXECUTION": "x-1",
            "PINYON_STAGE": "train",
            "PINYON_STORE": str(self.store.root),
            "PINYON_PROJECT": "project",
            "PINYON_PARAMS": "[]",
        }

    def script(self, text: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run Python code as a script of a user's."""
        return subprocess.run(
            self._command(text, arguments), cwd=self.root, env={**self.env, **env}, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    def start(self, text: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """The same, not waiting for it; what it prints comes through a pipe."""
        return subprocess.Popen(
            self._command(text, arguments), cwd=self.root, env={**self.env, **env}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _command(self, text: str, arguments: tuple[str, ...]) -> list[str]:
        script = self.root / "train.py"
        if not script.exists() or script.read_text() != text:  # one that is just starting may be reading it
            script.write_text(text)
        return [sys.executable, "train.py", *arguments]

    def cli(self, *arguments: str) -> Any:
        """What a verb prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "pinyon.cli", *arguments, "--json"],
            cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def events(self, *kinds: str) -> list[Event]:
        """Records of these kinds, sound ones only; every segment must verify."""
        journals, found = self.store.journals, []
        for segment in journals.segments():
            assert [damage for damage in journals.verify(segment) if not damage.torn] == []
            found += [event for event, _ in journals.read(segment) if event.kind in kinds]
        return found

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [event.body for event in self.events(kind)]

    def segments(self) -> list[Path]:
        return sorted((self.store.root / "journals").glob("*.points.*.jsonl"))

    def points(self) -> list[dict[str, Any]]:
        """Every point that counts, each segment held to docs/FORMAT.md §5; what the dead have left is taken in first.
        Without system metrics: how many there are hangs on how long a script takes on this machine."""
        assert [one.why for one in recover(str(self.store.root)) if one.why] == []
        found: dict[str, list[dict[str, Any]]] = {}
        for segment in self.segments():
            points, first = read_points(segment)
            mine = found.setdefault(segment.name.split(".")[0], [])
            if first is not None:  # this batch, all behind it and what was not flushed stands here again
                mine[:] = [point for point in mine if point["batch"] is not None and point["batch"] < first]
            mine += points
        every = [point for points in found.values() for point in points]
        return [point for point in every if not all(name.startswith("system.") for name in point["m"])]

    def objects(self) -> list[dict[str, Any]]:
        """Every line of what is no number, held to the same."""
        return [line for segment in self.segments() for line in read_points(segment, "o")[0]]

    def sound(self) -> None:
        """Every segment verifies, of facts and of points, and every blob that was named is there."""
        journals = self.store.journals
        for segment in (*journals.segments(), *journals.points()):
            assert [damage for damage in journals.verify(segment) if not damage.torn] == []
        for body in self.bodies("artifact"):
            assert len(self.store.blobs.read(body["digest"])) == body["size"]


def read_points(segment: Path, key: str = "m") -> tuple[list[dict[str, Any]], int | None]:
    """The points of one segment, or with ``o`` its objects, by the letter of the format, each with the number of its batch
    (None where it was not flushed), and the number of the first batch; a torn end is left out."""
    found: list[dict[str, Any]] = []
    batch, flushes, first = b"", -1, None
    for line in segment.read_bytes().split(b"\n")[:-1]:
        record = json.loads(line)
        assert record["v"] == 1
        if "flush" not in record:
            kind = "o" if "o" in record else "m"
            assert set(record) == {"v", "attempt", "t", "step", kind}
            found += [{**record, "batch": None}] if kind == key else []
            batch += line + b"\n"
            continue
        assert record["writer"] == segment.name.split(".")[0]
        assert record["crc"] == f"{zlib.crc32(batch):08x}"
        assert record["lines"] == batch.count(b"\n")
        assert record["flush"] == flushes + 1 or flushes < 0  # it goes on over segments
        for point in found[len(found) - record["lines"] :]:
            point["batch"] = record["flush"]
        batch, flushes = b"", record["flush"]
        first = flushes if first is None else first
    return found, first


def attempts(count: int) -> list[str]:
    """Ids of attempts of one run, in order."""
    return [attempt_id(KEY, number) for number in range(1, count + 1)]
