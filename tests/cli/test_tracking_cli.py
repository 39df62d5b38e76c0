"""What commands say of points that were dropped, could have been lost, or lie in a ring that is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pinyon.store.rings import found

FULL = """
import os, pinyon
from pinyon.store import ringfile
ringfile.SIZE = 1 << 14
run = pinyon.run(name="full")
run.log(x=0)
run.flush()
real = os.write
def write(fd, data):
    if b'"flush"' in data:
        raise OSError(28, "No space left on device")
    return real(fd, data)
os.write = write
for step in range(1000): run.log(x=step)
os.write = real
"""


def call(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
    return subprocess.run(
        [sys.executable, *argv], cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def script(root: Path, text: str, *wrapper: str) -> subprocess.CompletedProcess[str]:
    (root / "t.py").write_text(text)
    return call(root, *wrapper, "t.py")


def shown(root: Path, run: str) -> tuple[str, dict[str, Any]]:
    told = call(root, "-m", "pinyon.cli", "show", run)
    assert told.returncode == 0, told.stderr
    return told.stdout, json.loads(call(root, "-m", "pinyon.cli", "show", run, "--json").stdout)["tracking"]


def test_dropped_points_are_shown(tmp_path: Path) -> None:
    done = script(tmp_path, FULL)
    assert done.returncode == 0
    assert "the ring is full: new points are dropped, and counted" in done.stderr
    text, tracking = shown(tmp_path, "@full")
    assert tracking["unsafe"] == []
    assert 0 < tracking["dropped"] < 1000
    assert f"dropped   {tracking['dropped']} points" in text


def test_points_that_waited_in_memory_are_shown(tmp_path: Path) -> None:
    text = """
import pinyon
from pinyon.store import ringfile
def none(*_): raise OSError(30, "Read-only file system")
ringfile._at = none
pinyon.run(name="memory").log(x=1)
"""
    done = script(tmp_path, text)
    assert done.stderr.count("kill -9 loses up to 250 ms") == 1
    said, tracking = shown(tmp_path, "@memory")
    assert "could lose the last 250 ms of them: /dev/shm: Read-only file system; " in said
    assert (tracking["dropped"], len(tracking["unsafe"])) == (0, 1)


def test_a_run_without_either_says_nothing_of_it(tmp_path: Path) -> None:
    assert script(tmp_path, "import pinyon; pinyon.run(name='plain').log(x=1)").stderr == ""
    text, tracking = shown(tmp_path, "@plain")
    assert tracking == {"dropped": 0, "unsafe": []}
    assert "dropped" not in text
    assert "memory" not in text


def test_a_damaged_ring_is_named_once_and_hides_nothing(tmp_path: Path) -> None:
    text = """
import os, pinyon
run = pinyon.run(name="killed")
for step in range(100): run.log(x=step, step=step)
os.kill(os.getpid(), 9)
"""
    assert script(tmp_path, text).returncode == -9
    (ring,) = found(str(tmp_path / ".pinyon"))
    with open(ring, "r+b") as file:
        file.seek((1 << 16) + 36 * 50)
        file.write(b"\xff" * 4)
    first = call(tmp_path, "-m", "pinyon.cli", "runs")
    assert "is damaged (a record at byte 1800 " in first.stderr
    aside = ring.replace(".ring", ".damaged")
    assert f"50 points could be read; it is set aside as {aside}" in first.stderr
    assert "@killed" in first.stdout
    assert call(tmp_path, "-m", "pinyon.cli", "runs").stderr == ""
    query = "select count(*) as n, max(step) as last from points"
    told = call(tmp_path, "-m", "pinyon.cli", "query", query, "--json")
    assert json.loads(told.stdout)[0] == {"n": 50, "last": 49}
    os.unlink(aside)
    os.rmdir(os.path.dirname(aside))


LOGS = """
import pinyon
run = pinyon.run(params={"lr": 0.1})
for step in run.progress(range(200)):
    run.log(loss=1 / (step + 1), step=step)
run.log(seen=pinyon.Histogram([1.0, 2.0, 3.0]))
run.summary["loss"] = 0.005
run.tag("good")
run.note("it works")
run.checkpoint(200, weights=list(range(1000)))
"""


def test_an_attempt_leaves_at_most_twelve_files(tmp_path: Path) -> None:
    def there() -> set[str]:
        store = tmp_path / ".pinyon"
        files = (path.relative_to(store) for path in store.rglob("*") if path.is_file())
        return {
            str(path) for path in files if path.parts[0] not in ("cache", "locks")
        }  # which attempts share

    for wrapper in ((), ("-m", "pinyon.cli", "run", "--", sys.executable)):
        assert script(tmp_path, LOGS, *wrapper).returncode == 0
        before = there()
        assert script(tmp_path, LOGS, *wrapper).returncode == 0
        new = there() - before
        assert 2 <= len(new) <= 12, sorted(new)


KEPT = """
import pinyon
run = pinyon.run(name="kept")
for number in range(22): run.artifact(b"x" * number, f"file-{number}")
run.artifact(b"longer", "file-0", role="model")
"""


def test_what_a_run_kept_is_listed_and_the_newest_of_a_name_counts(tmp_path: Path) -> None:
    assert script(tmp_path, KEPT).returncode == 0
    told = call(tmp_path, "-m", "pinyon.cli", "show", "@kept").stdout
    lines = [line.split() for line in told.splitlines() if "file-" in line]
    assert [line[:2] for line in lines[:2]] == [["model", "file-0"], ["artifact", "file-1"]]
    assert (len(lines), lines[0][3:]) == (20, ["6", "B"])
    assert "and 2 more" in told
    kept = json.loads(call(tmp_path, "-m", "pinyon.cli", "show", "@kept", "--json").stdout)["artifacts"]
    assert [one["name"] for one in kept] == [f"file-{number}" for number in range(22)]
