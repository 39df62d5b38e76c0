"""A past: attempts that ended long ago, in journals that are closed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bench.projects import Step
from pinyon.model.ids import ProcessId, boot_id, host_name
from pinyon.store.local import LocalStore
from pinyon.store.protocol import JournalWriter

_EACH = 500  # attempts of one execution, which has a driver's journal and a supervisor's


def write(project: Path, graph: list[Step], attempts: int) -> int:
    """Give a project this many succeeded attempts of its stages, at keys that are not today's; gives the segments."""
    store = LocalStore(project / ".pinyon")
    store.prepare(project.name)
    for number, first in enumerate(range(0, attempts, _EACH)):
        _execution(store, graph, f"x-{number:016x}", range(first, min(first + _EACH, attempts)))
    return len(store.journals.segments())


def _execution(store: LocalStore, graph: list[Step], execution: str, numbers: range) -> None:
    driver, supervisor = store.journals.open_writer(user="bench"), store.journals.open_writer(user="bench")
    goal = {"stages": [], "overrides": [], "force": False, "keep_going": False, "isolated": False}
    driver.append("execution", {"execution": execution, "argv": ["run"], "goal": goal, "host": host_name()})
    for number in numbers:
        _attempt(driver, supervisor, graph[number % len(graph)], execution, number)
    supervisor.append("durable", {"through": 3 * len(numbers)})
    supervisor.close()
    counts = {"succeeded": len(numbers)}
    driver.append("finished", {"execution": execution, "state": "SUCCEEDED", "counts": counts})
    driver.close()


def _attempt(
    driver: JournalWriter, supervisor: JournalWriter, step: Step, execution: str, number: int
) -> None:
    key = blake2b(f"key {number}".encode(), digest_size=32).hexdigest()
    attempt = f"a-{key[:12]}-1-{number:08x}"
    process = ProcessId(host_name(), boot_id(), 1, 1)
    driver.append("intent", _intent(step, execution, attempt, key, process))
    for kind, body in _supervised(step, attempt, key, process):
        supervisor.append(kind, {"attempt": attempt, **body})


def _intent(step: Step, execution: str, attempt: str, key: str, process: ProcessId) -> dict[str, Any]:
    inputs = {
        "command": ["shell", step.command],
        "wdir": "",
        "params": [["params.yaml", step.param, 0]],
        "deps": [[step.dep, f"blake3:{key}"]],
        "outs": [step.name],
        "env": [],
    }
    names = {"attempt": attempt, "execution": execution, "key": key, "recipe": key, "stage": step.name}
    return {
        **names,
        "epoch": 1,
        "mode": "in place",
        "supervisor": list(process),
        "reason": "never ran before",
        "inputs": inputs,
    }


def _supervised(
    step: Step, attempt: str, key: str, process: ProcessId
) -> Iterator[tuple[str, dict[str, Any]]]:
    log = [f"logs/{attempt}/0.log", 0]
    yield "running", {"process": list(process), "log": log}
    yield "outputs", {"outs": [[step.name, f"blake3:{key}", 17, False, True]], "metrics": {}}
    ended = {"state": "SUCCEEDED", "detail": "", "exit_code": 0, "signal": None, "reusable": True}
    yield "ended", {**ended, "seconds": 0.002, "cpu_seconds": 0.001, "max_rss": 4096, "log": [*log, 0]}
