"""Children whose answers come through a pipe: what was acknowledged is recorded outside the system under test."""

from __future__ import annotations

import json
import os
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any


class Child:
    """A forked process that runs ``work`` and sends what it returns (JSON-able); `tell` sends lines meanwhile."""

    def __init__(self, work: Callable[[Callable[[object], None]], object]) -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Python warns that other threads (of a test runner, of blake3) do not exist in the child; it needs none.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _run(work, writing)
        os.close(writing)
        self._pipe = open(reading, "rb")  # noqa: SIM115 - lives as long as the child

    def lines(self) -> list[Any]:
        """All that the child told until it ended, its answer last; waits for the end. Kill first to stop it."""
        with self._pipe as pipe:
            told = [json.loads(line) for line in pipe if line.endswith(b"\n")]
        os.waitpid(self.pid, 0)
        return told

    def first(self) -> Any:
        """The next line that the child tells; waits for it."""
        return json.loads(self._pipe.readline())

    def result(self) -> Any:
        """What ``work`` returned; waits for the end.

        Raises:
            AssertionError: it raised, or died.
        """
        return _result(self.lines())

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)


def _result(told: list[Any]) -> Any:
    last = told[-1] if told else {"error": "it died"}
    assert "result" in last, f"the child failed: {last}"
    return last["result"]


def _run(work: Callable[[Callable[[object], None]], object], writing: int) -> None:
    def tell(value: object) -> None:
        os.write(writing, json.dumps(value).encode() + b"\n")

    try:
        tell({"result": work(tell)})
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent must hear of it
        tell({"error": repr(error)})
    finally:
        os._exit(0)


def in_processes(works: Sequence[Callable[[], object]]) -> list[Any]:
    """Run all at the same time, each in its own process; what they returned."""
    children = [Child(lambda _, work=work: work()) for work in works]  # type: ignore[misc]
    told = [child.lines() for child in children]  # of all, before one is found to have failed
    return [_result(lines) for lines in told]


def in_threads(works: Sequence[Callable[[], object]]) -> list[Any]:
    """Run all at the same time, each in its own thread; what they returned.

    Raises:
        BaseException: the first that one of them raised.
    """
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(index: int) -> None:
        try:
            gate.wait()
            results[index] = works[index]()
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
