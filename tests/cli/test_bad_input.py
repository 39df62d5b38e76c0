"""What users get wrong: each mistake has its own message and exit code, no traceback, and nothing on disk has changed."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SPEC, PLAN, EXECUTE, USAGE = 2, 3, 4, 2


class Case(NamedTuple):
    """Files over those of the project, and what the call must say."""

    code: int
    says: tuple[str, ...]
    files: dict[str, str]
    call: tuple[str, ...] = ("run",)
    gone: tuple[str, ...] = ()


def stages(**bodies: str) -> dict[str, str]:
    return {"pinyon.yaml": "stages:\n" + "".join(f"  {name}: {body}\n" for name, body in bodies.items())}


CASES = {
    "unknown key of a stage": Case(SPEC, ("pinyon.yaml:2", "unknown key 'dep'", "deps"), stages(a="{cmd: x, dep: [s]}")),
    "unknown key at the top": Case(SPEC, ("pinyon.yaml:1", "'stage'", "stages"), {"pinyon.yaml": "stage: {}\n"}),
    "no cmd": Case(SPEC, ("pinyon.yaml:2", "has no cmd"), stages(a="{deps: [raw.txt]}")),
    "deps is text": Case(SPEC, ("pinyon.yaml:2", "must be a list of paths"), stages(a="{cmd: x, deps: raw.txt}")),
    "a list at the top": Case(SPEC, ("pinyon.yaml", "must be a mapping"), {"pinyon.yaml": "- a\n"}),
    "broken yaml": Case(SPEC, ("pinyon.yaml:3", "not YAML"), {"pinyon.yaml": "stages:\n  a: {cmd: [x\n"}),
    "a tab": Case(SPEC, ("pinyon.yaml:2",), {"pinyon.yaml": "stages:\n\ta: {cmd: x}\n"}),
    "one stage twice": Case(SPEC, ("pinyon.yaml:3", "'a'", "twice"), {"pinyon.yaml": "stages:\n  a: {cmd: x}\n  a: {cmd: y}\n"}),
    "one stage in two files": Case(SPEC, ("dvc.yaml:2", "'side'", "twice"), {"dvc.yaml": "stages:\n  side: {cmd: x}\n"}),
    "foreach without do": Case(SPEC, ("pinyon.yaml:2", "has no do"), stages(a="{foreach: [1]}")),
    "a matrix of a million": Case(
        PLAN, ("pinyon.yaml:2", "stage 'a' makes 1,000,000 stages", "at most 100,000"),
        stages(a=f"{{cmd: x, matrix: { {key: list(range(10)) for key in 'abcdef'} }}}"),
    ),
    "what the shell means": Case(PLAN, ("pinyon.yaml:2", "${V:-x}", "write \\${"), stages(a="{cmd: 'echo ${V:-x}'}")),
    "one out of two dvc.yaml": Case(
        PLAN, ("sub/dvc.yaml:a", "sub/dvc.yaml:b", "both write sub/out"),
        {"sub/dvc.yaml": "stages:\n  a: {cmd: x, outs: [out]}\n  b: {cmd: x, outs: [./out]}\n", ".dvc/config": ""},
    ),
    "data that a stage writes": Case(
        PLAN, ("clean.txt.dvc keeps clean.txt, which stage 'prepare' writes",),
        {"clean.txt.dvc": "outs:\n- path: clean.txt\n", ".dvc/config": ""},
    ),
    "a dep elsewhere": Case(
        PLAN, ("pinyon.yaml:2", "'a' depends on s3://b/x", "cannot look at what lies elsewhere"), stages(a="{cmd: x, deps: ['s3://b/x']}"),
    ),
    "no cause": Case(SPEC, ("'exti'", "did you mean exit?"), stages(a="{cmd: x, retry: {times: 1, on: [exti]}}")),
    "no duration": Case(SPEC, ("timeout of stage 'a'",), stages(a="{cmd: x, timeout: soon}")),
    "broken params.yaml": Case(SPEC, ("params.yaml:",), {"params.yaml": "train: {lr: [\n"}),
    "params of no known kind": Case(SPEC, ("p.ini",), {**stages(a="{cmd: x, params: [p.ini: [a]]}"), "p.ini": "a=1"}),
    "no params.yaml": Case(PLAN, ("params.yaml", "does not exist", "pinyon.yaml:"), {}, gone=("params.yaml",)),
    "no such parameter": Case(PLAN, ("'train'", "'train.lr'", "params.yaml"), {"params.yaml": "train: {rate: 1}\n"}),
    "no such name in ${}": Case(PLAN, ("lrr", "pinyon.yaml:2"), stages(a="{cmd: 'echo ${train.lrr}'}")),
    "an expression": Case(PLAN, ("expression",), stages(a="{cmd: 'echo ${1 + 1}'}")),
    "-S of another type": Case(PLAN, ("train.lr", "a map", "number"), {"params.yaml": "train: {lr: {a: 1}}\n"}, ("run", "-S", "train.lr=3")),
    "-S without =": Case(PLAN, ("train.lr", "KEY=VALUE"), {}, ("run", "-S", "train.lr")),
    "-S of nothing known": Case(PLAN, ("train.lrr",), {}, ("run", "-S", "train.lrr=1")),
    "a cycle": Case(PLAN, ("wait for each other", "a → b → a"), stages(a="{cmd: x, deps: [y], outs: [z]}", b="{cmd: x, deps: [z], outs: [y]}")),
    "a stage that needs itself": Case(PLAN, ("'a' depends on z, which it writes itself",), stages(a="{cmd: x, deps: [z], outs: [z]}")),
    "one out of two stages": Case(PLAN, ("'a'", "'b'", "out"), stages(a="{cmd: x, outs: [out]}", b="{cmd: x, outs: [out]}")),
    "an out inside another": Case(PLAN, ("'a'", "'b'", "out/in"), stages(a="{cmd: x, outs: [out]}", b="{cmd: x, outs: [out/in]}")),
    "an out outside": Case(PLAN, ("'a' writes ../out",), stages(a="{cmd: x, outs: [../out]}")),
    "an out in the store": Case(PLAN, ("'a' writes .pinyon/out",), stages(a="{cmd: x, outs: [.pinyon/out]}")),
    "a missing dep": Case(PLAN, ("'prepare' depends on raw.txt, which does not exist", "pinyon.yaml:2"), {}, gone=("raw.txt",)),
    "an unknown goal": Case(PLAN, ("no stage is called 'trian'", "train"), {}, ("run", "trian")),
    "an unknown goal to plan": Case(PLAN, ("no stage is called 'trian'", "train"), {}, ("plan", "trian")),
    "an unknown verb": Case(USAGE, ("no command 'rnu'", "did you mean 'run'?"), {}, ("rnu",)),
    "an unknown option": Case(USAGE, ("--jbos",), {}, ("run", "--jbos", "2")),
    "no jobs": Case(USAGE, ("-j",), {}, ("run", "-j", "0")),
    "an unknown run": Case(PLAN, ("'nobody'", "pinyon runs"), {}, ("show", "nobody")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_told_and_changes_nothing(project: Any, name: str) -> None:
    case = CASES[name]
    project.fill(case.files)
    for gone in case.gone:
        (project.root / gone).unlink()
    before = project.snapshot()
    ended = project(*case.call)
    assert ended.code == case.code, ended
    for words in case.says:
        assert words in ended.err
    assert "error: " in ended.err.lower()
    assert ended.out == ""
    assert project.snapshot() == before
    assert project.all_ran() == []


def test_errors_are_data_for_programs(project: Any) -> None:
    ended = project("run", "trian", "--json")
    assert ended.code == PLAN
    error = ended.json()
    assert "trian" in str(error)
    assert "train" in str(error)


def test_no_project(empty: Any) -> None:
    for call in ("run", "plan", "runs", "status", "verify", "doctor"):
        ended = empty(call)
        assert ended.code == SPEC, (call, ended)
        assert "no pinyon.yaml and no dvc.yaml here or above" in ended.err
        assert str(empty.root) in ended.err
    assert list(empty.root.iterdir()) == []


def test_a_stage_that_does_not_write_its_out(empty: Any) -> None:
    empty.write(
        pinyon_yaml="stages: {a: {cmd: 'echo new > other', deps: [s], outs: [out, other]}}\n",
        s="s",
        other="old",
    )
    ended = empty("run")
    assert ended.code == EXECUTE
    assert "did not write out" in ended.out + ended.err or "out" in ended.err
    assert "missing_out" in empty("runs", "--json").out
    assert empty.read("other") == "old"
    assert not (empty.root / "out").exists()


def test_not_a_git_repository_works_and_doctor_says_so(finished: Any) -> None:
    assert "not a git repository" in finished("doctor").out


def bound_by_modes() -> None:
    """Root without the capabilities that pass over file modes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    for capability in (1, 2) if os.geteuid() == 0 else ():
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs linux: root reads everything elsewhere")
@pytest.mark.parametrize("name", ["raw.txt", "params.yaml", "pinyon.yaml"])
def test_an_unreadable_file_is_named(project: Any, name: str) -> None:
    (project.root / name).chmod(0)
    before = project.snapshot()
    ended = project("run", preexec_fn=bound_by_modes)
    assert ended.code == (EXECUTE if name == "raw.txt" else SPEC), ended
    assert name in ended.err
    assert "permission denied" in ended.err.lower()
    assert project.snapshot() == before
    assert project.all_ran() == []


@pytest.fixture
def mounted(project: Any) -> Iterator[Any]:
    """The project on a small file system of its own."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root: it mounts a small file system")
    files = {name: project.read(name) for name in ("pinyon.yaml", "raw.txt", "other.txt", "params.yaml")}
    argv = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(project.root)]
    if subprocess.run(argv, capture_output=True).returncode:
        pytest.skip("needs root: it mounts a small file system")
    project.fill(files)
    yield project
    project.close()
    subprocess.run(["umount", "-l", str(project.root)], check=True)


def test_a_full_disk_is_told_and_the_next_call_goes_on(mounted: Any) -> None:
    filler = mounted.root / "filler"
    mounted.good("run", "prepare")
    clean = mounted.read("clean.txt")
    shutil.rmtree(
        mounted.root / ".pinyon/cache"
    )  # a full disk throws it away, and that alone may make room enough
    fill_up(filler)
    ended = mounted("run")
    assert ended.code == EXECUTE, ended
    assert "no space left on device" in (ended.out + ended.err).lower()
    assert mounted.read("clean.txt") == clean
    filler.unlink()
    ran = mounted.stages()
    assert "prepare" not in ran
    assert mounted.read("model.txt") == "RAW\n" + mounted.read("params.yaml")
    assert mounted.stages() == []
    assert mounted.good("verify", "--json").json()["damage"] == []


def test_a_disk_that_is_full_from_the_start(mounted: Any) -> None:
    filler = mounted.root / "filler"
    fill_up(filler)
    ended = mounted("run")
    assert ended.code in (EXECUTE, 5), ended
    assert "no space left on device" in (ended.out + ended.err).lower()
    filler.unlink()
    mounted.good("run")
    assert mounted.read("side.txt") == "other\n"


def test_a_stage_that_fills_the_disk_keeps_its_old_outs(mounted: Any) -> None:
    mounted.good("run")
    old = mounted.read("side.txt")
    text = mounted.read("pinyon.yaml")
    mounted.fill({"pinyon.yaml": text.replace("cp other.txt side.txt", "cat /dev/zero > side.txt")})
    ended = mounted("run")
    assert ended.code == EXECUTE, ended
    assert mounted.read("side.txt") == old
    mounted.fill({"pinyon.yaml": text})
    mounted.good("run")
    assert mounted.good("verify", "--json").json()["damage"] == []


def fill_up(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


def test_a_read_only_project_is_told_and_can_still_be_read(mounted: Any) -> None:
    mounted.good("run")
    mounted.fill({"raw.txt": "new\n"})
    before = mounted.snapshot()
    subprocess.run(["mount", "-o", "remount,ro", str(mounted.root)], check=True)
    ended = mounted("run")
    assert ended.code == EXECUTE, ended
    assert "read-only" in ended.err.lower()
    assert mounted.snapshot() == before
    assert len(mounted.good("runs", "--json").json()) == 4
    assert mounted.plan()["prepare"][0] == "run"
    assert "SUCCEEDED" in mounted.good("status").out
    subprocess.run(["mount", "-o", "remount,rw", str(mounted.root)], check=True)
    assert mounted.stages() == ["prepare", "train", "report"]


SLOW = "{cmd: 'echo a >> $RAN; touch $HERE/began; while [ ! -e $HERE/go ]; do sleep 0.02; done; cp s out', deps: [s], outs: [out]}"  # fmt: skip


def test_a_second_driver_in_place_is_refused_and_the_first_unhurt(empty: Any) -> None:
    empty.fill({**stages(a=SLOW), "s": "s"})
    first = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    before = empty.wait_for(lambda: settled(empty))
    second = empty("run")
    assert second.code == EXECUTE
    assert "another run is working in this project" in second.err
    assert f"process {first.pid}" in second.err
    assert f"kill {first.pid}" in second.err
    assert unmeasured(empty.snapshot()) == unmeasured(before)
    (empty.root.parent / "go").touch()
    out, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert "1 succeeded" in out
    assert empty.all_ran() == ["a"]
    assert empty.stages() == []


def unmeasured(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without the points of the stage that goes on, which come when their time has come."""
    folder = ".pinyon/journals"  # in which a file more appears
    return {name: what for name, what in snapshot.items() if ".points." not in name and name != folder}


def settled(project: Any) -> dict[str, Any] | None:
    """What lies there once the supervisor's next `durable` is written."""
    before = project.snapshot()
    time.sleep(0.4)
    return before if project.snapshot() == before else None


def test_the_refusal_ends_with_its_holder(empty: Any) -> None:
    empty.fill({**stages(a=SLOW), "s": "s"})
    first = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (empty.root.parent / "go").touch()
    assert empty.good("run")
    assert empty.all_ran() == ["a"]
