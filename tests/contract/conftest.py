"""Servers for whoever asks, one of each for a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import Host, seaweed, sshd


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as port:
        yield port


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with sshd(tmp_path_factory.mktemp("sshd")) as host:
        yield host
