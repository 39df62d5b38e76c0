"""Two Unix users in one project: the directory belongs to their group, and neither ever changes the mode of a file.

What really ran is recorded outside of the project, in a file that both may append to.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as two other users"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv: it acts as two other users"),
]

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
RACES = 100 if DEEP else 25  # in place, and as many isolated
USERS = {"ana": 4001, "bob": 4002}
GROUP = 4100
STAGES = {
    "a": {
        "cmd": "echo a $USER >> $SAID; cp raw a; mkdir -p d; cp raw d/x",
        "deps": ["raw"],
        "outs": ["a", "d"],
    },
    "b": {
        "cmd": "echo b $USER >> $SAID; cat a d/x > b; echo '{\"n\": 1}' > m.json",
        "deps": ["a", "d"],
        "outs": ["b"],
        "metrics": ["m.json"],
    },
}


class Folder:
    """A project in a directory of the group's, and calls of the command by either user."""

    def __init__(self, top: Path) -> None:
        self.top, self.root = top, top / "study"
        self.said = top / "said"
        self.said.touch()
        os.chmod(self.said, 0o666)
        self.root.mkdir()
        os.chown(self.root, USERS["ana"], GROUP)
        os.chmod(self.root, 0o2775)
        for name in USERS:
            (top / name).mkdir()
            os.chown(top / name, USERS[name], GROUP)
        self.write("ana", "pinyon.yaml", json.dumps({"stages": STAGES}))
        self.write("ana", "raw", "raw\n")

    def write(self, user: str, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        os.chown(self.root / name, USERS[user], GROUP)
        os.chmod(self.root / name, 0o664)

    def start(self, user: str, *words: str) -> subprocess.Popen[str]:
        env = {
            **{name: value for name, value in os.environ.items() if name != "CI"},  # there the actor is CI
            "HOME": str(self.top / user),
            "USER": user,
            "LOGNAME": user,
            "SAID": str(self.said),
        }
        argv = [*become(user), "sh", "-c", 'umask 022; exec "$@"', "sh", *words]
        return subprocess.Popen(
            argv, cwd=self.root, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def begin(self, user: str, *words: str) -> subprocess.Popen[str]:
        return self.start(user, sys.executable, "-m", "pinyon.cli", *words)

    def call(self, user: str, *words: str, code: int = 0) -> Any:
        process = self.begin(user, *words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, (user, words, out, err)
        assert "Traceback" not in err, err
        assert "ermission" not in err, err
        return out if code == 0 else err

    def ran(self) -> list[str]:
        return self.said.read_text().splitlines()


def become(user: str) -> list[str]:
    """A command in front of a command that runs it as this user, who is a member of the group and has no privilege."""
    uid = str(USERS[user])
    who = ["setpriv", "--reuid", uid, "--regid", uid, "--groups", str(GROUP)]
    plain = [*who, "--bounding-set=-all", "--inh-caps=-all"]
    probe = [*plain, "sh", "-c", 'exec "$0" -c "import pinyon"', sys.executable]
    if subprocess.run(probe, capture_output=True).returncode == 0:
        return plain
    # Python lies where only root may look: let them read everything, and write what they may.
    read = "=-all,+dac_read_search"
    return [*who, f"--bounding-set{read}", f"--inh-caps{read}", f"--ambient-caps{read}"]


@pytest.fixture
def folder() -> Iterator[Folder]:
    top = Path(tempfile.mkdtemp(prefix="pinyon-users-"))  # pytest's own directories are closed to others
    os.chmod(top, 0o755)
    yield Folder(top)
    shutil.rmtree(top)


def modes(folder: Folder) -> dict[str, tuple[int, int, int]]:
    """Owner, group and mode of everything in the store."""
    store = folder.root / ".pinyon"
    found = {path.relative_to(store).as_posix(): path.lstat() for path in [store, *store.rglob("*")]}
    return {name: (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) for name, info in found.items()}


def check_modes(folder: Folder) -> None:
    for name, (_, group, mode) in modes(folder).items():
        assert group == GROUP, name
        top = name.partition("/")[0]
        if stat.S_ISDIR((folder.root / ".pinyon" / name).lstat().st_mode):
            assert mode == 0o2775, (name, oct(mode))
        elif top in ("blobs", "refs"):
            assert mode == 0o444, (name, oct(mode))
        elif top != "work":
            assert mode == 0o664, (name, oct(mode))


def test_each_goes_on_where_the_other_was(folder):
    assert "2 succeeded" in folder.call("ana", "run")
    assert "nothing to do" in folder.call("bob", "run")
    before = modes(folder)
    folder.write("bob", "raw", "other\n")
    assert "2 succeeded" in folder.call("bob", "run")
    folder.write("ana", "raw", "raw\n")
    assert "2 reused" in folder.call("ana", "run")
    assert "2 reused" not in folder.call("bob", "run", "--isolated")
    folder.call("ana", "run", "-f")
    folder.call("bob", "run", "-f", "--isolated")
    folder.call("bob", "tick")
    assert Counter(folder.ran()) == {"a ana": 2, "b ana": 2, "a bob": 2, "b bob": 2}
    after = modes(folder)
    kept = {name for name in before if not name.startswith(("cache/", "tmp/", "work/", "aside/", "beats/"))}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    check_modes(folder)
    actors = {row["actor"]["name"] for row in json.loads(folder.call("bob", "runs", "--json"))}
    assert actors <= set(USERS)
    assert json.loads(folder.call("bob", "verify", "--json"))["damage"] == []


@pytest.mark.timeout(1200 if DEEP else 280)
@pytest.mark.parametrize("mode", [(), ("--isolated",)], ids=["in place", "isolated"])
def test_their_drivers_at_once(folder, mode):
    refused = 0
    for race in range(RACES):
        folder.write("ana" if race % 2 else "bob", "raw", f"{race}\n")
        drivers = {user: folder.begin(user, "run", *mode) for user in USERS}
        ended = {}
        for user, driver in drivers.items():
            err = driver.communicate(timeout=60)[1]
            assert "Traceback" not in err, err
            assert "ermission" not in err, err
            ended[user] = driver.returncode
            if driver.returncode:
                other = next(name for name in USERS if name != user)
                assert not mode, err
                assert "another run is working in this project" in err
                assert f"started by {other}" in err
                refused += 1
        assert 0 in ended.values()
        assert [line.split()[0] for line in folder.ran()[2 * race :]] == ["a", "b"], (race, folder.ran())
        if race % 8 == 0 or race == RACES - 1:
            assert json.loads(folder.call("bob", "verify", "--json"))["damage"] == []
    check_modes(folder)
    by = Counter(line.split()[1] for line in folder.ran())
    print(f"\n{RACES} races of two users, {2 * RACES} keys, made by {dict(by)}, {refused} drivers refused")


def test_a_cache_that_another_user_closed_is_done_without(folder):
    folder.call("ana", "run")
    cache = folder.root / ".pinyon/cache"
    for closed in (0o644, 0o400):
        for path in cache.iterdir():
            os.chmod(path, closed)
        assert json.loads(folder.call("bob", "status", "--json"))["last"]["state"] == "SUCCEEDED"
        assert "nothing to do" in folder.call("bob", "run")
    os.chmod(cache, 0o755)
    for path in cache.iterdir():
        os.chmod(path, 0o600)
        os.chown(path, USERS["ana"], GROUP)
    for _ in range(2):
        assert "nothing to do" in folder.call("bob", "run")
        assert len(json.loads(folder.call("bob", "runs", "--json"))) == 2
    folder.write("bob", "raw", "new\n")
    assert "2 succeeded" in folder.call("bob", "run")


def test_a_repository_of_another_user_is_no_error(folder):
    def git(*words: str) -> None:
        process = folder.start(
            "ana", "git", "-c", "user.name=ana", "-c", "user.email=ana@example.org", *words
        )
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err

    git("init", "-q")
    git("add", "pinyon.yaml")
    git("commit", "-qm", "begin")
    os.chmod(folder.root / ".git", 0o755)
    folder.call("ana", "run", "a")
    about = json.loads(folder.call("ana", "show", "a", "--json"))
    assert len(about["git"]["commit"]) == 40
    folder.call("bob", "run")
    about = json.loads(folder.call("bob", "show", "b", "--json"))
    assert about["git"] is None
    assert "belongs to another user" in about["git_note"]
    assert "commit    not recorded: git does not trust" in folder.call("bob", "show", "b")
    assert "safe.directory" in folder.call("bob", "doctor")
    folder.call("bob", "run", "--isolated", "-f")


def test_a_dead_run_of_the_other_user_is_cleaned_up(folder):
    folder.call("ana", "run")
    slow = {**STAGES, "a": {**STAGES["a"], "cmd": "echo a $USER >> $SAID; echo half > a; sleep 60"}}
    folder.write("ana", "pinyon.yaml", json.dumps({"stages": slow}))
    driver = folder.begin("ana", "run", "a")
    deadline = time.monotonic() + 30
    while len(folder.ran()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kill_all(USERS["ana"])
    driver.communicate()
    folder.write("ana", "pinyon.yaml", json.dumps({"stages": STAGES}))
    folder.call("bob", "run")
    assert (folder.root / "a").read_text() == "raw\n"
    assert len(folder.ran()) == 3
    assert json.loads(folder.call("bob", "verify", "--json"))["damage"] == []


def kill_all(uid: int) -> None:
    """SIGKILL every process of a made-up user, and wait until they are gone."""
    while True:
        found = [int(e) for e in os.listdir("/proc") if e.isdigit() and owner(e) == uid]
        if not found:
            return
        for pid in found:
            subprocess.run(["kill", "-9", str(pid)], stderr=subprocess.DEVNULL)
        time.sleep(0.02)


def owner(entry: str) -> int:
    try:
        state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
        return -1 if state == "Z" else os.stat(f"/proc/{entry}").st_uid
    except OSError:
        return -1
