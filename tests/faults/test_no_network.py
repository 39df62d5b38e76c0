"""No network, or one that swallows everything: nothing of Pinyon's ever asks for it, and nothing waits for it."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_points_kill import read

PINYON = [sys.executable, "-m", "pinyon.cli"]
SPEC = f"""
stages:
  train: {{cmd: '{sys.executable} t.py', deps: [t.py], outs: [model]}}
"""
VERBS = (
    ("run",), ("run", "--isolated", "-f"), ("runs",), ("watch", "--once"), ("logs", "train"), ("compact",), ("gc",),
    ("query", "select count(*) from points"), ("verify",), ("doctor",),
)  # fmt: skip

# Names and proxies that never answer. The script shows, as a tracker that is online would, that they hang.
HOLE = """
import os, socket, sys, threading, time, urllib.request
import pinyon
def online():
    began = time.monotonic()
    try:
        if sys.argv[1] == "name":
            socket.getaddrinfo("api.example.com", 443)
        else:
            urllib.request.urlopen("http://api.example.com/", timeout=60)
    except OSError:
        print("answered", time.monotonic() - began, flush=True)
threading.Thread(target=online, daemon=True).start()
took = []
run = pinyon.run()
for step in range(500):
    began = time.perf_counter()
    run.log(loss=1 / (step + 1), step=step)
    took.append(time.perf_counter() - began)
    time.sleep(0.002)
print("slowest but five", sorted(took)[-6], flush=True)
run.finish()
print("over", flush=True)
"""
# In a network and a file system of its own: who resolves names asks 127.0.0.1, where nobody ever says anything.
ALONE = ["unshare", "-n", "-m", "sh", "-c", 'mount --bind resolv.conf /etc/resolv.conf && exec "$@"', "sh"]
SILENT = """
import fcntl, os, socket, struct, subprocess, sys
with socket.socket() as control:  # the loopback goes up
    fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x49))
names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
proxy = socket.create_server(("127.0.0.1", 8080), backlog=100)
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@pytest.fixture(autouse=True)
def needed() -> None:
    if os.geteuid():
        pytest.skip("needs root: for a network of its own")
    if shutil.which("strace") is None:
        pytest.skip("needs strace: it tells of every call")


def environment(tmp_path: Path) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
    return {**mine, "GIT_CEILING_DIRECTORIES": str(tmp_path)}


def test_a_script_asks_for_no_network(tmp_path: Path) -> None:
    """Nothing that logs ever asks for one: no call of sockets at all, and all points are there."""
    (tmp_path / "t.py").write_text("import pinyon\nfor i in range(500): pinyon.run().log(loss=i, step=i)\n")
    trace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        str(tmp_path / "trace"),
        "-esignal=none",
        "-etrace=%network",
    ]
    ended = subprocess.run(
        ["unshare", "-n", *trace, sys.executable, "t.py"], cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "trace").read_text() == ""
    (segment,) = (tmp_path / ".pinyon" / "journals").glob("*.points.*")
    assert len(read(segment)) == 500


def test_no_command_asks_for_a_network(tmp_path: Path) -> None:
    """A command, its supervisor, what it captures and its tables: no socket that could leave this machine."""
    (tmp_path / "t.py").write_text(
        "import pinyon\nfor i in range(50): pinyon.run().log(loss=i, step=i)\nopen('model', 'w').write('m')\n"
    )
    (tmp_path / "pinyon.yaml").write_text(SPEC)
    for git in (
        ["init", "-q"],
        ["add", "t.py"],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *git], cwd=tmp_path, check=True)
    trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-esignal=none", "-etrace=%network", "-o"]
    asked = []
    for number, verb in enumerate(VERBS):
        said = tmp_path.parent / f"trace-{number}"
        ended = subprocess.run(
            ["unshare", "-n", *trace, str(said), *PINYON, *verb], cwd=tmp_path, env=environment(tmp_path),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, (verb, ended.stdout, ended.stderr)
        asked += re.findall(r".*(?:AF_INET|AF_NETLINK|sin_addr).*", said.read_text())
    print(f"\n{len(VERBS)} commands")
    assert asked == []


@pytest.mark.parametrize("what", ["name", "proxy"])
def test_a_network_that_swallows_everything_delays_nothing(tmp_path: Path, what: str) -> None:
    (tmp_path / "t.py").write_text(HOLE)
    (tmp_path / "silent.py").write_text(SILENT)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    proxies = {f"{scheme}_proxy": "http://127.0.0.1:8080" for scheme in ("http", "https", "all")}
    if what == "name":
        proxies = {}
    with subprocess.Popen(
        [*ALONE, sys.executable, "silent.py", sys.executable, "t.py", what], cwd=tmp_path,
        env={**environment(tmp_path), **proxies}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as script:  # fmt: skip
        assert script.stdout is not None
        said = []
        while (line := script.stdout.readline()) not in ("over\n", ""):
            said.append(line)
        over = time.monotonic()
        assert script.wait(60) == 0, said
    waited = time.monotonic() - over
    print(f"\n{what}: 500 points; {said[0].strip()}; over {waited:.2f} s after its last word")
    assert [line.split()[0] for line in said] == ["slowest"], said  # what hangs hung to the end
    assert waited < 10  # a third of what the resolver takes to give up
    (segment,) = (tmp_path / ".pinyon" / "journals").glob("*.points.*")
    assert [point["step"] for point in read(segment) if "loss" in point["m"]] == list(range(500))
