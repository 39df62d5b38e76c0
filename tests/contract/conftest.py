"""Servers for whoever asks, one of each for a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinyon.testing.servers import Host, rclone_http, seaweed, sshd


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as port:
        yield port


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with sshd(tmp_path_factory.mktemp("sshd")) as host:
        yield host


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("web")
    with rclone_http(folder) as port:
        yield port, folder
