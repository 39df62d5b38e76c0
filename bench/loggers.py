"""A training that only logs, in the words of each tool; run by that tool's own Python, so nothing of ours is imported.

loggers.py TOOL pace|flood|ack FOLDER CALLS SECONDS     prints what its calls cost, or the number of each call
loggers.py TOOL read FOLDER                             prints what can be read afterwards
"""

from __future__ import annotations

import glob
import json
import os
import sqlite3
import struct
import sys
import time

VALUES = {f"metric_{number}": 0.1 * number for number in range(10)}


class Floor:
    """Logs nothing: what a loop costs that waits two milliseconds each time."""

    def begin(self):
        """Nothing."""

    def log(self, step):
        """Nothing."""

    end = begin


class Pack(Floor):
    """Puts ten numbers into bytes and forgets them: what ten numbers cost after a wait, whoever takes them."""

    layout = struct.Struct("=dq10d")

    def log(self, step):
        self.layout.pack(time.monotonic(), step, *VALUES.values())


class Pinyon:
    """`run.log`; what is read is what the next call of `pinyon` finds."""

    def begin(self):
        import pinyon

        self.run = pinyon.run(name="bench")

    def log(self, step):
        self.run.log(VALUES, step=step)

    def fact(self, number):
        self.run.summary["fact"] = number

    def end(self):
        self.run.finish()

    def read(self):
        command = os.path.join(os.path.dirname(sys.executable), "pinyon")
        (run,) = self._asked(command, "runs")
        rows = self._asked(command, "query", "select step from points where metric = 'metric_9'")
        return [row["step"] for row in rows], run["metrics"].get("fact", -1), run["status"]

    def _asked(self, *command):
        import subprocess

        return json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)


class Wandb:
    """Offline: there is no server here, and none is waited for."""

    def begin(self):
        os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=os.getcwd())
        os.environ.update(WANDB__DISABLE_STATS="true", WANDB_DISABLE_GIT="true", WANDB_CONSOLE="off")
        import wandb

        self.run = wandb.init(project="bench")

    def log(self, step):
        self.run.log(VALUES, step=step)

    def fact(self, number):
        self.run.summary["fact"] = number

    def end(self):
        self.run.finish()

    def read(self):
        from wandb.proto import wandb_internal_pb2

        steps, fact = [], -1
        (path,) = glob.glob("wandb/offline-run-*/*.wandb")
        with open(path, "rb") as file:
            data = file.read()
        for said in _records(data):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(said)
            if record.WhichOneof("record_type") == "history":
                items = {
                    item.key or "/".join(item.nested_key): item.value_json for item in record.history.item
                }
                if "metric_0" in items:
                    steps.append(record.history.step.num)
            if record.WhichOneof("record_type") == "summary":
                for item in record.summary.update:
                    if (item.key or "/".join(item.nested_key)) == "fact":
                        fact = int(item.value_json)
        return steps, fact, ""


def _records(data):
    """Records of a log in LevelDB's format: blocks of 32 KiB, pieces with crc, length and type; whole ones only."""
    at, pieces = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if left < 7 or kind == 0:
            at += left
            continue
        piece = data[at + 7 : at + 7 + length]
        if len(piece) < length:
            return
        pieces = piece if kind in (1, 2) else pieces + piece
        if kind in (1, 4):
            yield pieces
        at += 7 + length


class Trackio:
    """Its local database."""

    def begin(self):
        os.environ.update(TRACKIO_DIR=os.getcwd())
        import trackio

        self.trackio = trackio
        trackio.init(project="bench", embed=False)

    def log(self, step):
        self.trackio.log(VALUES, step=step)

    def fact(self, number):
        """It knows none."""

    def end(self):
        self.trackio.finish()

    def read(self):
        (path,) = glob.glob("bench*.db")
        database = sqlite3.connect(path)
        return [step for (step,) in database.execute("select step from metrics")], None, ""


class Tensorboard:
    """tensorboardX, which writes what TensorBoard reads."""

    def begin(self):
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter("runs")

    def log(self, step):
        for name, value in VALUES.items():
            self.writer.add_scalar(name, value, step)

    def fact(self, number):
        """It knows none."""

    def end(self):
        self.writer.close()

    def read(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator("runs", size_guidance={"scalars": 0})
        found.Reload()
        tags = found.Tags()["scalars"]
        return [one.step for one in found.Scalars("metric_9")] if "metric_9" in tags else [], None, ""


class Mlflow:
    """sqlite without a server; ``synchronous`` as it is by default."""

    synchronous = True

    def begin(self):
        os.environ.update(MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING="false", GIT_PYTHON_REFRESH="quiet")
        import mlflow

        self.mlflow = mlflow
        mlflow.set_tracking_uri(f"sqlite:///{os.getcwd()}/mlflow.db")
        mlflow.start_run()

    def log(self, step):
        self.mlflow.log_metrics(VALUES, step=step, synchronous=self.synchronous)

    def fact(self, number):
        self.mlflow.log_param(f"fact_{number}", number, synchronous=self.synchronous)

    def end(self):
        self.mlflow.end_run()

    def read(self):
        database = sqlite3.connect("mlflow.db")
        steps = [step for (step,) in database.execute("select step from metrics where key = 'metric_9'")]
        facts = [
            int(value) for (value,) in database.execute("select value from params where key like 'fact_%'")
        ]
        ((status,),) = database.execute("select status from runs")
        return steps, max(facts, default=-1), status


class MlflowAsync(Mlflow):
    """``synchronous=False``."""

    synchronous = False


TOOLS = {
    "floor": Floor, "pack": Pack, "pinyon": Pinyon, "wandb": Wandb, "trackio": Trackio, "tensorboard": Tensorboard,
    "mlflow": Mlflow, "mlflow-async": MlflowAsync,
}  # fmt: skip


def cpu():
    """CPU seconds of this process and of all that it has started."""
    parents, used = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.split("/")[2])
        parents[pid], used[pid] = (
            int(fields[1]),
            (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )
    ours, more = set(), {os.getpid()}
    while more:
        ours |= more
        more = {pid for pid, parent in parents.items() if parent in ours} - ours
    return time.process_time() + sum(used[pid] for pid in ours if pid != os.getpid())


def pace(tool, calls, seconds):
    """A call every two milliseconds, then two hundred in a row: microseconds of each."""
    tool.begin()
    tool.log(0)
    time.sleep(0.5)  # what it still does to begin
    took, until, before = [], time.perf_counter() + seconds, cpu()
    for step in range(1, calls + 1):
        begun = time.perf_counter()
        tool.log(step)
        ended = time.perf_counter()
        took.append((ended - begun) * 1e6)
        if ended > until:
            break
        time.sleep(0.002)
    time.sleep(0.3)  # what it does behind the caller's back
    used, tight = cpu() - before, []
    for step in range(calls + 1, calls + 201):
        begun = time.perf_counter()
        tool.log(step)
        tight.append((time.perf_counter() - begun) * 1e6)
    begun = time.perf_counter()
    tool.end()
    end = time.perf_counter() - begun
    print(json.dumps({"took": took, "tight": tight, "cpu": used, "end": end}), flush=True)


def flood(tool, calls, seconds):
    """As fast as it goes, to the end of all writing."""
    tool.begin()
    tool.log(0)
    begun, step = time.perf_counter(), 0
    while step < calls and time.perf_counter() < begun + seconds:
        step += 1
        tool.log(step)
    tool.end()
    print(json.dumps({"calls": step, "seconds": time.perf_counter() - begun}), flush=True)


def ack(tool, _calls, _seconds):
    """Tell the number of each call that has returned, until somebody ends this."""
    tool.begin()
    for step in range(10**9):
        tool.log(step)
        os.write(1, b"p %d\n" % step)
        if step % 50 == 0:
            tool.fact(step)
            os.write(1, b"f %d\n" % step)
        time.sleep(0.002)


def main():
    name, what, folder = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    tool = TOOLS[name]()
    if what == "read":
        steps, fact, status = tool.read()
        print(json.dumps({"steps": steps, "fact": fact, "status": status}), flush=True)
    else:
        {"pace": pace, "flood": flood, "ack": ack}[what](tool, int(sys.argv[4]), float(sys.argv[5]))


if __name__ == "__main__":
    main()
