"""Servers that stores lie at: started on loopback for whoever is inside, and ended with it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

KEY, SECRET = "contract-key", "contract-secret"  # of nothing that exists
_ports = Random(os.getpid())


def program(name: str) -> str:
    """A program that a package brought, or the system's."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin")
    assert found, f"{name} is not here: scripts/setup and scripts/setup-services bring it"
    return found


def free_port(above: tuple[int, ...] = (0,)) -> int:
    """A port that is free on loopback, and those that lie so far above it, too."""
    while True:
        port = _ports.randrange(12_000, 30_000)
        try:
            for more in above:
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port + more))
        except OSError:
            continue
        return port


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it is ready; fails when the process ends before."""
    until = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < until, f"not ready: {log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.05)


@contextmanager
def running(command: list[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A server in the background."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()  # what it holds goes with it
        process.wait()


@contextmanager
def seaweed(folder: Path) -> Iterator[int]:
    """An S3 server with a bucket `contract`; gives its port. Who signs nothing may do everything, too, so that a proxy may
    change requests."""
    may = ["Admin", "Read", "Write", "List", "Tagging"]
    keys = [{"accessKey": KEY, "secretKey": SECRET}]
    identities = [
        {"name": "contract", "credentials": keys, "actions": may},
        {"name": "anonymous", "actions": may},
    ]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    s3, master, volume, filer = (free_port((0, 10_000)) for _ in range(4))
    command = [
        program("weed"), "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer",
        f"-s3.port={s3}", f"-s3.config={config}", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", "-master.volumeSizeLimitMB=256", "-volume.max=100",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip

    def ready() -> bool:
        put = urllib.request.Request(f"http://127.0.0.1:{s3}/contract/ready", data=b"is", method="PUT")
        try:
            return bool(urllib.request.urlopen(put, timeout=5).status == 200)
        except OSError:  # nobody listens, or not yet in full
            return False

    log = folder / "weed.log"
    with running(command, log, cwd=folder) as process:
        wait_for(ready, process, log)
        yield s3


class Host(NamedTuple):
    """An sshd of our own: a configuration for ssh in which it is called ``host``, and its process."""

    config: Path
    process: subprocess.Popen[bytes]


@contextmanager
def sshd(folder: Path) -> Iterator[Host]:
    """A host on loopback, which one may enter with one key, as oneself."""
    folder.chmod(0o700)
    for name in ("host", "mine"):
        make = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    port = free_port()
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}\n")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/mine.pub\n"
        f"PidFile none\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"PermitRootLogin prohibit-password\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    config = folder / "ssh_config"
    config.write_text(
        f"Host host\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/mine\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks its unprivileged half in

    def ready() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    log = folder / "sshd.log"
    with running([program("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")], log) as process:
        wait_for(ready, process, log)
        yield Host(config, process)


@contextmanager
def rclone_http(folder: Path) -> Iterator[int]:
    """A web server of the files below a folder; gives its port."""
    port, config = free_port(), folder.parent / f"{folder.name}.conf"
    config.touch()
    command = [
        program("rclone"),
        "serve",
        "http",
        f"--addr=127.0.0.1:{port}",
        "--dir-cache-time=0s",
        "--config",
    ]

    def ready() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    log = folder.parent / f"{folder.name}.log"
    with running([*command, str(config), str(folder)], log) as process:
        wait_for(ready, process, log)
        yield port
