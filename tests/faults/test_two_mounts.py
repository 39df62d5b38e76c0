"""Two hosts, each with a mount of its own of one project (FUSE). Each believes for seconds what it saw last, and answers to
links and renames get lost. One trains while the other looks, runs, compacts and collects; both run the same stages at once.

What was logged and what ran is recorded outside of the mounts, by what the commands themselves append to files.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
TIMEOUT = 3.0  # seconds for which attributes and names are believed
LOST = 3  # of so many links and renames one answer gets lost
LOOKS = 40 if DEEP else 1
RACES = 20 if DEEP else 1
FAR = 60
PINYON = [sys.executable, "-m", "pinyon.cli"]
ELSEWHERE = ["unshare", "--uts", "sh", "-c", 'echo elsewhere > /proc/sys/kernel/hostname; exec "$@"', "sh"]
SPEC = f"""
stages:
  prep: {{cmd: 'echo prep >> $SAID/ran; cp s p', deps: [s], outs: [p]}}
  train: {{cmd: '{sys.executable} train.py', deps: [p, train.py], outs: [model]}}
  eval: {{cmd: 'echo eval >> $SAID/ran; cp model score', deps: [model], outs: [score]}}
"""
TRAIN = """
import os, time, pinyon
def say(name, text):
    with open(os.environ["SAID"] + "/" + name, "a") as file:
        file.write(text + chr(10))
say("ran", "train")
with pinyon.run() as run:
    step = 0
    while not os.path.exists(os.environ["SAID"] + "/enough"):
        run.log(loss=1 / (step + 1), step=step)
        say("steps", str(step))
        step += 1
        time.sleep(0.02)
open("model", "w").write("model")
"""


class Host:
    """A host: its mount of the project, and a cache on a disk of its own."""

    def __init__(self, root: Path, name: str, prefix: list[str]) -> None:
        self.project, self._prefix = root / name, prefix
        self.project.mkdir()
        mine = {"SAID": str(root / "said"), "XDG_CACHE_HOME": str(root / f"cache-{name}")}
        self._env = {**os.environ, **mine, "PYTHONUNBUFFERED": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._prefix, *PINYON, *arguments],
            cwd=self.project, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def call(self, *arguments: str) -> str:
        code, said = self.ask(*arguments)
        assert code == 0, (arguments, said)
        return said

    def ask(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=FAR)
        return process.returncode, said


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """This host and another one."""
    if os.geteuid():
        pytest.skip("needs root: it mounts")
    if not os.path.exists("/dev/fuse") or not shutil.which("fusermount3"):
        pytest.skip("needs fuse3: it mounts")
    if importlib.util.find_spec("mfusepy") is None:
        pytest.skip("needs mfusepy: it mounts")
    both = Host(tmp_path, "here", []), Host(tmp_path, "there", ELSEWHERE)
    for folder in ("source", "said"):
        (tmp_path / folder).mkdir()
    script = str(Path(__file__).with_name("passthrough.py"))
    servers = []
    try:
        for host in both:
            shown = [str(tmp_path / "source"), str(host.project), str(TIMEOUT), str(LOST)]
            servers.append(subprocess.Popen([sys.executable, script, *shown], start_new_session=True))
            deadline = time.monotonic() + 30
            while not os.path.ismount(host.project):
                assert servers[-1].poll() is None, "it did not mount"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        yield both
    finally:
        (tmp_path / "said" / "enough").touch()  # nothing trains for ever, whatever has failed
        for host, server in zip(both, servers, strict=False):
            subprocess.run(["umount", "-l", host.project], check=False)
            server.kill()  # or it would wait for the last file that somebody has open
            server.wait()


def test_one_host_trains_while_the_other_does_everything_else(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    here, there = hosts
    source, said = tmp_path / "source", tmp_path / "said"
    (source / "pinyon.yaml").write_text(SPEC)
    (source / "train.py").write_text(TRAIN)
    (source / "s").write_text("s\n")
    driver = here.start("run")
    while not (said / "steps").exists():
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    seen: Counter[tuple[str, str]] = Counter()
    began = time.monotonic()
    while listed(there.project) == listed(source):  # so the other host does see old sizes
        assert time.monotonic() < began + 30
        time.sleep(0.05)
    for _ in range(LOOKS):
        for run in json.loads(there.call("runs", "--json")):
            seen[run["stage"], run["status"]] += 1
        there.call("watch", "--once")
        code, refused = there.ask("run")
        assert (code, "another run is working in this project" in refused) == (4, True), refused
        for verb in ("compact", "gc", "verify"):
            there.call(verb)
    second = there.start("run", "--isolated")
    assert second.stdout is not None
    first_word = second.stdout.readline()
    assert first_word.startswith("wait      another execution is at work on it"), first_word
    (said / "enough").touch()
    for one in (driver, second):
        output, _ = one.communicate(timeout=FAR)
        assert one.returncode == 0, output
    ended = time.monotonic()
    while [run["status"] for run in json.loads(there.call("runs", "--json"))] != ["SUCCEEDED"] * 3:
        assert time.monotonic() < ended + 30
    slowest = time.monotonic() - ended
    steps = list(map(int, (said / "steps").read_text().split()))
    print(f"\n{len(steps)} steps, {6 * LOOKS} calls from the other host meanwhile")
    print(f"all seen {slowest:.1f} s after the end; {dict(seen)}")
    assert (said / "ran").read_text().split() == ["prep", "train", "eval"]
    assert len(steps) >= 20
    assert steps == list(range(len(steps)))
    assert {status for stage, status in seen if stage == "train"} <= {"RUNNING", "UNKNOWN"}
    for host in hosts:
        points = host.call(
            "query", "--csv", "select step, value from points where metric = 'loss' order by step"
        )
        assert points.split()[1:] == [f"{step},{1 / (step + 1)}" for step in steps]
        host.call("verify")
        assert "nothing to do" in host.call("run")
    assert not (source / ".pinyon" / "cache").exists()


def test_drivers_of_two_hosts_make_each_key_once(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    names = "abcdef"
    source, said = tmp_path / "source", tmp_path / "said"
    for race in range(RACES):
        (source / "s").write_text(f"{race}\n")
        stages = {
            name: {"cmd": f"echo {name}{race} >> $SAID/ran; sleep 0.1; cat s > {name}", "deps": ["s"], "outs": [name]}
            for name in names
        }  # fmt: skip
        (source / "pinyon.yaml").write_text(json.dumps({"stages": stages}))
        time.sleep(TIMEOUT if race else 0)  # until both hosts have heard of the new sources
        drivers = [host.start("run", "--isolated") for host in hosts]
        for driver in drivers:
            output, _ = driver.communicate(timeout=FAR)
            assert driver.returncode == 0, output
    ran = (said / "ran").read_text().split()
    print(f"\n{RACES} races, {len(ran)} keys")
    assert sorted(ran) == sorted(f"{name}{race}" for race in range(RACES) for name in names)
    for host in hosts:
        host.call("verify")


def listed(project: Path) -> dict[str, int]:
    """The size of each journal, as a mount tells it."""
    return {entry.name: entry.stat().st_size for entry in os.scandir(project / ".pinyon" / "journals")}
