"""Remotes of rclone keep the contract of objects: one on this disk, one over S3, one over SFTP."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.objects import Objects
from pinyon.testing.objects import ObjectsContract
from pinyon.testing.servers import KEY, SECRET, Host


@pytest.fixture
def config(tmp_path: Path, s3_port: int, ssh_host: Host) -> Path:
    """Three remotes."""
    file, words = tmp_path / "rclone.conf", ssh_host.config.read_text().split()
    said = {name: words[words.index(name) + 1] for name in ("Port", "IdentityFile", "UserKnownHostsFile")}
    file.write_text(
        "[disk]\ntype = local\n"
        f"[bucket]\ntype = s3\nprovider = Other\nendpoint = http://127.0.0.1:{s3_port}\n"
        f"access_key_id = {KEY}\nsecret_access_key = {SECRET}\n"
        f"[host]\ntype = sftp\nhost = 127.0.0.1\nport = {said['Port']}\nkey_file = {said['IdentityFile']}\n"
        f"known_hosts_file = {said['UserKnownHostsFile']}\nshell_type = none\ndisable_hashcheck = true\n"
    )
    return file


class _Remote(ObjectsContract):
    where = ""

    @pytest.fixture(autouse=True)
    def _config(self, config: Path) -> None:
        self.config = str(config)

    def make_objects(self, path: Path) -> Objects:
        return open_objects(f"rclone://{self.where}{path}", {"config": self.config})


class TestRcloneDisk(_Remote):
    """Every rule."""

    where = "disk/"


class TestRcloneBucket(_Remote):
    """Every rule."""

    where = "bucket/contract"


class TestRcloneSftp(_Remote):
    """Every rule."""

    where = "host/"


def _rclones() -> set[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    mine = {int(pid) for pid, parent, _ in rows if int(parent) == os.getpid()}
    return {int(pid) for pid, parent, args in rows if int(parent) in mine and " rcd " in args}


def test_rclone_that_dies_is_started_again(config: Path, tmp_path: Path):
    objects = open_objects(f"rclone://disk/{tmp_path}/place", {"config": str(config)})
    before = _rclones()
    objects.write("x", b"1")
    for _ in range(3):
        (ours,) = _rclones() - before
        os.kill(ours, signal.SIGKILL)
        assert objects.read("x") == b"1"


def test_rclone_ends_with_us(config: Path, tmp_path: Path):
    before = _rclones()
    objects = open_objects(f"rclone://disk/{tmp_path}/place", {"config": str(config)})
    objects.write("x", b"1")
    assert len(_rclones() - before) == 1
    del objects
    until = time.monotonic() + 20
    while _rclones() - before:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_remote_that_is_not_configured_is_told(config: Path):
    with pytest.raises(StoreError, match="rclone config makes a remote"):
        open_objects("rclone://nowhere/x", {"config": str(config)}).write("x", b"1")


def test_a_host_that_does_not_let_in_is_told(config: Path):
    config.write_text(config.read_text().replace("key_file = ", "key_file = /not/there"))
    with pytest.raises(StoreError, match=r"rclone lsf"):
        open_objects("rclone://host//tmp", {"config": str(config)}).size("x")


def test_wrong_keys_are_told_and_not_repeated(config: Path):
    config.write_text(config.read_text().replace(SECRET, "wrong-secret"))
    with pytest.raises(StoreError, match="this remote refuses") as caught:
        open_objects("rclone://bucket/contract", {"config": str(config)}).write("x", b"1")
    assert "wrong-secret" not in repr(caught.value.as_dict())


@pytest.mark.parametrize("url", ["rclone://", "rclone:///x", "rclone://a]b/c"])
def test_urls_that_are_wrong_are_told(url: str):
    with pytest.raises(SpecError, match="names no remote"):
        open_objects(url, {})
