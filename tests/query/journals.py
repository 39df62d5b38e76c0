"""Journals in memory that count what is asked of them, and generated histories to put into them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, boot_id, host_name, this_process

ALIVE = this_process()
DEAD = ProcessId(host_name(), boot_id(), 2**22 + 1, 1)  # no kernel hands out such a pid
AWAY = ProcessId("another-host", "another-boot", 7, 7)


class MemoryJournals:
    """`pinyon.store.protocol.Journals` over lists; an offset is a number of records."""

    def __init__(self) -> None:
        self.records: dict[str, list[Event]] = {}
        self.calls: Counter[str] = Counter()
        self.born = 0  # the directory's mtime, in ns; old by default

    def segments(self) -> list[str]:
        self.calls["segments"] += 1
        return sorted(self.records)

    def stamp(self) -> tuple[int, ...]:
        return (len(self.records), self.born)

    def size(self, segment: str) -> int:
        self.calls["size"] += 1
        return len(self.records.get(segment, ()))

    def read(self, segment: str, offset: int = 0, rotten: Any = None) -> Iterator[tuple[Event, int]]:
        self.calls["read"] += 1
        for event in self.records[segment][offset:]:
            offset += 1
            yield event, offset

    def open_writer(self, **about: Any) -> Any:
        raise NotImplementedError

    def verify(self, segment: str) -> Iterator[Any]:
        raise NotImplementedError

    # -- for tests --------------------------------------------------------------------------------------------------

    def add(self, *events: Event) -> None:
        for event in events:
            self.records.setdefault(f"{event.writer}.facts.0.jsonl", []).append(event)


class Writer:
    """Numbers its records, as one process does."""

    def __init__(self, name: str, process: ProcessId = ALIVE) -> None:
        self.name, self._seq, self._process = name, -1, process

    def __call__(self, kind: str, ts: float = 0.0, **body: Any) -> Event:
        self._seq += 1
        return Event(self.name, self._seq, kind, ts, body)

    def opened(self) -> Event:
        return self("opened", process=list(self._process), user="u", pinyon="0")


def intent(writer: Writer, attempt: str, key: str = "k1", ts: float = 0.0, **more: Any) -> Event:
    body = {
        "attempt": attempt, "execution": "x-1", "key": key, "recipe": f"recipe-{key}", "stage": "train", "epoch": 1,
        "mode": "in place", "supervisor": list(ALIVE), "reason": "r", "inputs": {"command": ["exec", "x"]},
    }  # fmt: skip
    return writer("intent", ts, **{**body, **more})


def ended(writer: Writer, attempt: str, state: str = "SUCCEEDED", **more: Any) -> list[Event]:
    outs = [["out", "blake3:" + "a" * 64, 1, False, True]]
    outputs = [writer("outputs", attempt=attempt, outs=more.pop("outs", outs), metrics={"m": 1})]
    body = {
        "attempt": attempt,
        "state": state,
        "detail": "",
        "exit_code": 0,
        "reusable": True,
        "seconds": 1.5,
        **more,
    }
    return [*(outputs if state == "SUCCEEDED" else []), writer("ended", **body)]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[Event]]:
    """Segments by name: drivers that write intents, supervisors that write the rest, in any state of completion."""
    drivers = [Writer(f"w-d{n}") for n in range(draw(st.integers(1, 2)))]
    hosts = [
        Writer(f"w-{'sz'[n]}{n}", draw(st.sampled_from([ALIVE, DEAD, AWAY])))
        for n in range(draw(st.integers(1, 2)))
    ]
    events = [writer.opened() for writer in (*drivers, *hosts)]
    for number in range(draw(st.integers(0, 5))):
        name, key = f"a-{number}", draw(st.sampled_from(["k1", "k2"]))
        driver, host = draw(st.sampled_from(drivers)), draw(st.sampled_from(hosts))
        supervisor = list(draw(st.sampled_from([ALIVE, DEAD, AWAY])))
        epoch, forced = draw(st.integers(1, 3)), draw(st.booleans())
        ts = draw(st.sampled_from([1.0, 2.0]))
        told = draw(
            st.sets(
                st.sampled_from(
                    ["no intent", "setup", "running", "lost", "ended", "failed", "again", "durable"]
                )
            )
        )
        if "no intent" not in told:
            events.append(intent(driver, name, key, ts, epoch=epoch, forced=forced, supervisor=supervisor))
        events += [
            host(kind, 5.0, attempt=name, log=["f", 1]) for kind in ("setup", "running") if kind in told
        ]
        if "lost" in told:
            events.append(driver("lost", attempt=name, reason="gone"))
        if "ended" in told or "failed" in told:
            events += ended(host, name, "FAILED" if "failed" in told else "SUCCEEDED")
        if "again" in told:  # a second supervisor that says something else: a zombie
            events += ended(draw(st.sampled_from(hosts)), name, reusable=False)
        if "durable" in told:
            events.append(host("durable", through=draw(st.integers(0, 9))))
    for driver in drivers:
        if draw(st.booleans()):
            events.append(driver("execution", execution="x-1", actor={}, goal={}))
            events.append(driver("from the future", what="?"))
            events.append(driver("closed"))
    segments: dict[str, list[Event]] = {}
    for event in events:
        segments.setdefault(f"{event.writer}.facts.0.jsonl", []).append(event)
    return segments
