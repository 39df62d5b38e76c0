"""A driver small enough to be killed anywhere: runs attempts until every number has succeeded once.

``worker.py ROOT NUMBERS ACKS [PYTHON]``: reads the journals, repairs what is open, runs what is missing, and writes one
line to the pipe ACKS for each ``ended`` it heard of. Every command appends to the pipe itself and takes a lock of its own.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pinyon.errors import TargetError
from pinyon.execute.local import LocalTarget
from pinyon.execute.protocol import AttemptSpec, SpecOut
from pinyon.model.event import Event
from pinyon.model.graph import Command
from pinyon.model.ids import ProcessId, attempt_id
from pinyon.model.outcome import Attempt
from pinyon.store.local import LocalStore

# A command checks by a lock of its own that it is alone, replaces its out in two steps, and says so outside.
COMMAND = """
exec 9>>.alone; flock -n 9 || echo "overlap {number}" > {acks}
echo "ran {number} $PINYON_ATTEMPT" > {acks}
{background}
printf half > out/{number}; sleep {pause}
printf 'whole {number}' > out/{number}; exit {code}
"""


class State:
    """What the journals say: open attempts, and numbers that have succeeded."""

    def __init__(self, store: LocalStore) -> None:
        self.open: dict[str, Attempt] = {}
        self.done: set[str] = set()
        intents, running, over = {}, set(), {}
        for segment in store.journals.segments():
            for event, _ in store.journals.read(segment):
                body = event.body
                if event.kind == "intent":
                    intents[body["attempt"]] = body
                elif event.kind == "running":
                    running.add(body["attempt"])
                elif event.kind in ("ended", "lost"):
                    over[body["attempt"]] = body.get("state", "LOST")
                    if event.kind == "ended" and body["state"] == "SUCCEEDED":
                        self.done.add(body["attempt"].split("-")[1])
        for name, body in intents.items():
            if name not in over:
                state = "RUNNING" if name in running else "SUBMITTED"
                supervisor = ProcessId(*body["supervisor"])
                self.open[name] = Attempt(
                    name, "", "", "", "x", 1, "in place", state, supervisor=supervisor, inputs=body["inputs"]
                )


def main(root: Path, numbers: list[str], acks: str) -> None:
    store = LocalStore(root / ".pinyon")
    store.prepare("kill")
    journal = store.journals.open_writer()
    target = LocalTarget(root, store)
    pipe = os.open(acks, os.O_WRONLY)
    while True:
        state = State(store)
        for attempt in state.open.values():
            assert attempt.supervisor is not None
            while attempt.supervisor.alive():
                time.sleep(0.01)  # adopted: its supervisor finishes it
        for attempt in State(store).open.values():
            target.repair(attempt)
            check_old(root, attempt.inputs["outs"][0], pipe)
            journal.append("lost", {"attempt": attempt.id})
        state = State(store)
        missing = [number for number in numbers if number not in state.done]
        if not missing:
            os.write(pipe, b"finished\n")
            target.close()
            return
        try:
            one(root, missing[0], journal, target, pipe, acks)
        except TargetError:
            continue


def one(root: Path, number: str, journal, target: LocalTarget, pipe: int, acks: str) -> None:
    name = attempt_id(number, int(os.urandom(2).hex(), 16))
    out = f"out/{number}"
    # Every third number first fails: its old out has to come back.
    code = 1 if int(number) % 3 == 0 and not (root / f".tried-{number}").exists() else 0
    (root / f".tried-{number}").touch()
    background = "setsid sleep 30 &" if int(number) % 4 == 0 else ":"
    command = COMMAND.format(number=number, acks=acks, pause=0.02, code=code, background=background)
    supervisor = target.start()
    journal.append("intent", {"attempt": name, "supervisor": list(supervisor), "inputs": {"outs": [out]}})
    spec = AttemptSpec(
        name,
        "x",
        number,
        str(root),
        "in place",
        Command("shell", (command,)),
        ".",
        {},
        (),
        (SpecOut(out, "out", True, False),),
    )
    target.submit(spec)
    while True:
        for event in target.poll(10):
            if isinstance(event, Event) and event.kind == "ended" and event.body["attempt"] == name:
                os.write(pipe, f"ended {number} {name} {event.body['state']}\n".encode())
                if event.body["state"] != "SUCCEEDED":
                    check_old(root, out, pipe)
                return


def check_old(root: Path, out: str, pipe: int) -> None:
    """Say so if what lay there before anything succeeded does not lie there now."""
    number = out.rpartition("/")[2]
    found = (root / out).read_text() if (root / out).exists() else "nothing"
    if found != f"old {number}":
        os.write(pipe, f"damaged {number}: {found}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) > 4:
        sys.executable = sys.argv[4]  # what the target starts its supervisor with
    main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3])
