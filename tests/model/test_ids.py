"""Names of processes, and the proof that they live."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pinyon.model import ids
from pinyon.model.ids import ProcessId, attempt_id, new_id, process_id, run_id, this_process


def test_the_own_process_is_alive():
    assert this_process().alive() is True
    assert this_process() == process_id(os.getpid())
    assert this_process().start > 0
    assert this_process().boot


def test_a_child_is_alive_until_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = process_id(child.pid)
    assert name.alive() is True
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert name.alive() is False, "a zombie has ended"
    assert process_id(child.pid) == name, "and keeps its name until it is waited for"
    child.wait()
    assert name.alive() is False


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({"host": "elsewhere"}, None),
        ({"host": "elsewhere", "boot": "another"}, None),
        ({"boot": "another"}, False),
        ({"start": 1}, False),
        ({"pid": 2**22 + 1}, False),
        ({"pid": 2**70}, False),
    ],
)
def test_what_is_not_this_process_is_not_it(change: dict, alive: bool | None):
    assert this_process()._replace(**change).alive() is alive


def test_without_proc_nobody_is_called_dead(monkeypatch: pytest.MonkeyPatch):
    name = this_process()
    monkeypatch.setattr(ids, "_stat", lambda pid: ids._NO_STAT)
    assert name.alive() is None


def test_a_process_hidden_by_hidepid_is_not_called_dead(monkeypatch: pytest.MonkeyPatch):
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    other = this_process()._replace(pid=1)
    sound = ids._stat
    monkeypatch.setattr(ids, "_stat", lambda pid: ids._NO_STAT if pid == 1 else sound(pid))
    monkeypatch.setattr(os, "kill", refuse)
    assert other.alive() is None


def test_without_a_boot_id_nobody_is_called_dead(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ids, "boot_id", lambda: "")
    assert ProcessId(ids.host_name(), "", os.getpid(), 1).alive() is None


def test_ids_do_not_repeat():
    key = "0123456789abcdef" * 4
    assert len({new_id("x") for _ in range(1000)}) == len({attempt_id(key, 1) for _ in range(1000)}) == 1000
    assert run_id(key) == "r-0123456789abcdef"
    assert attempt_id(key, 7).startswith("a-0123456789ab-7-")
