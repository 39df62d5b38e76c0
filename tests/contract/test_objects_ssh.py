"""A directory of another host keeps the contract of objects, on a real sshd."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.objects import Objects
from pinyon.testing.objects import ObjectsContract
from pinyon.testing.processes import in_processes, in_threads
from pinyon.testing.servers import Host


def there(host: Host, path: Path, **options: str) -> Objects:
    return open_objects(f"ssh://host{path}", {"config": str(host.config), **options})


class TestSshObjects(ObjectsContract):
    """Every rule."""

    @pytest.fixture(autouse=True)
    def _host(self, ssh_host: Host) -> None:
        self.host = ssh_host

    def make_objects(self, path: Path) -> Objects:
        return there(self.host, path)


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def _cut(host: Host) -> int:
    """Kill every connection that the host has; gives how many there were."""
    found = _children(host.process.pid)
    for pid in found:
        for below in (*_children(pid), pid):
            try:
                os.kill(below, signal.SIGKILL)
            except ProcessLookupError:
                continue
    return len(found)


def test_a_connection_that_drops_is_made_again(ssh_host: Host, tmp_path: Path):
    objects, data = there(ssh_host, tmp_path / "place"), os.urandom(30 << 20)
    objects.write("large", data)
    for turn in range(2):
        assert _cut(ssh_host) >= 1
        objects.write("x", b"%d" % turn)
        assert _cut(ssh_host) >= 1
        assert objects.read("x") == b"%d" % turn
        assert _cut(ssh_host) >= 1
        assert objects.create(f"made/{turn}", b"1")


@pytest.mark.parametrize("way", ["write", "fetch"])
def test_a_transfer_that_breaks_off_ends_whole(ssh_host: Host, tmp_path: Path, way: str):
    objects, data, cuts, told = there(ssh_host, tmp_path / "place"), os.urandom(60 << 20), [0], [0]
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    if way == "fetch":
        objects.write("x", source)

    def tell(more: int) -> None:
        told[0] += more
        if told[0] > (1 + cuts[0]) * (15 << 20) and cuts[0] < 3:
            cuts[0] += bool(_cut(ssh_host))

    if way == "write":
        objects.write("x", source, tell=tell)
    objects.fetch("x", target, tell=tell if way == "fetch" else lambda _: None)
    assert target.read_bytes() == data
    assert told == [len(data)]
    assert cuts == [3]


def test_creates_under_cuts_have_one_winner_who_knows(ssh_host: Host, tmp_path: Path):
    clients, ended = [there(ssh_host, tmp_path / "place") for _ in range(4)], threading.Event()
    cuts = [0]

    def cut() -> None:
        while not ended.wait(0.15) and cuts[0] < 40:
            cuts[0] += bool(_cut(ssh_host))

    killer = threading.Thread(target=cut)
    killer.start()
    wins: Counter[str] = Counter()
    try:
        for turn in range(6):
            key = f"race/{turn}"
            made = in_threads([partial(_tried, one, key, b"%d" % n) for n, one in enumerate(clients)])
            wins[key] = sum(made)
            if True in made:
                assert (tmp_path / "place" / key).read_bytes() == b"%d" % made.index(True)
    finally:
        ended.set()
        killer.join()
    assert set(wins.values()) == {1}
    assert cuts[0] >= 2
    assert [*(tmp_path / "place/~tmp").iterdir()] == []


def _tried(objects: Objects, key: str, data: bytes) -> bool:
    while True:
        try:
            return objects.create(key, data)
        except StoreError as error:
            if "cannot be reached" not in error.what:
                raise


def test_many_calls_share_one_connection(ssh_host: Host, tmp_path: Path):
    objects = there(ssh_host, tmp_path / "place")
    before = len(_children(ssh_host.process.pid))
    in_threads([partial(objects.write, f"k/{number}", b"x") for number in range(24)])
    assert len(_children(ssh_host.process.pid)) == before + 1


def test_what_refuses_there_is_told(ssh_host: Host, tmp_path: Path):
    with pytest.raises(StoreError, match=r"No such file.*mount the disk"):
        there(ssh_host, tmp_path / "not/there").write("x", b"1")
    (tmp_path / "file").write_text("in the way")
    objects = there(ssh_host, tmp_path)
    for body in (b"1", os.urandom(3 << 20)):
        with pytest.raises(StoreError, match="a file is in the way"):
            objects.write("file/x", body)
    assert objects.read("file") == b"in the way"


def test_who_cannot_enter_is_told(ssh_host: Host, tmp_path: Path):
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    text = ssh_host.config.read_text()
    cases = {
        "ssh-add your key": text.replace(f"{ssh_host.config.parent}/mine", str(other)),
        "look at the key": text.replace(
            "UserKnownHostsFile", "StrictHostKeyChecking yes\n  UserKnownHostsFile /dev/null #"
        ),
        "correct the host's name": text.replace("127.0.0.1", "nowhere.invalid"),
    }
    for said, changed in cases.items():
        config = tmp_path / "config"
        config.write_text(changed)
        objects = open_objects(f"ssh://host{tmp_path}/place", {"config": str(config)})
        with pytest.raises(StoreError, match=said):
            objects.size("x")


def test_a_host_without_python_is_told(ssh_host: Host, tmp_path: Path):
    with pytest.raises(StoreError, match="option python"):
        there(ssh_host, tmp_path, python="python-9").size("x")


def test_a_shell_that_talks_does_no_harm(ssh_host: Host, tmp_path: Path):
    loud = tmp_path / "loud"
    loud.write_text(f'#!/bin/sh\necho Welcome to this machine\necho\nexec {sys.executable} "$@"\n')
    loud.chmod(0o755)
    objects = there(ssh_host, tmp_path / "place", python=str(loud))
    objects.write("x", b"1")
    assert objects.read("x") == b"1"


def test_what_is_sent_there_is_python_3_7():
    source = Path(open_objects.__code__.co_filename).parent
    for file in (source / "folder.py", source / "serving.py", source.parent / "disk.py"):
        ast.parse(file.read_text(), feature_version=(3, 7))
    with pytest.raises(SyntaxError):
        ast.parse("if (x := 1): pass", feature_version=(3, 7))


@pytest.mark.parametrize("url", ["ssh://", "ssh://host", "ssh://host/", "ssh:///x", "ssh://host:x/y"])
def test_urls_that_are_wrong_are_told(url: str):
    with pytest.raises(SpecError, match="names no directory of a host"):
        open_objects(url, {})


def test_children_of_a_fork_have_channels_of_their_own(ssh_host: Host, tmp_path: Path):
    objects = there(ssh_host, tmp_path / "place")
    objects.write("x", b"0" * 100_000)

    def work(number: int) -> bool:
        for turn in range(10):
            objects.write(f"k/{number}", b"%d-%d" % (number, turn))
            if objects.read(f"k/{number}") != b"%d-%d" % (number, turn):
                return False
        return objects.create("race", b"%d" % number)

    assert sum(in_processes([partial(work, number) for number in range(4)])) == 1
    assert objects.read("x") == b"0" * 100_000
