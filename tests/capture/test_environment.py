"""The environment is that of the command, found by looking; nothing that is not on the list is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from captures import Place

from pinyon.capture.differences import differences
from pinyon.capture.environment import environment
from pinyon.model.graph import Command


def venv(folder: Path, packages: dict[str, str]) -> Path:
    """A virtual environment with some packages, as pip leaves their names; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    for name, version in packages.items():
        install(folder, name, version)
    return folder / "bin/python"


def install(folder: Path, name: str, version: str) -> None:
    (site,) = folder.glob("lib/python*/site-packages")
    (site / f"{name}-{version}.dist-info").mkdir()


def look(root: Path, *parts: str, kind: str = "shell") -> dict[str, Any]:
    command = Command(kind, parts)  # type: ignore[arg-type]
    return environment(root, [command], str(root / "cache"))


@pytest.mark.parametrize(
    "command",
    ["{venv} train.py", "cd x && {venv} -m train | tee log", ".venv/bin/python train.py", "uv run train.py"],
)
def test_the_interpreter_is_the_commands_own(tmp_path: Path, command: str) -> None:
    mine = venv(tmp_path / ".venv", {"my_pkg": "1.2", "Torch": "2.3.0+cu121"})
    (found,) = look(tmp_path, command.format(venv=mine))["pythons"]
    assert found["executable"] == str(mine)
    assert found["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["prefix"] == str(tmp_path / ".venv")
    assert found["packages"] == {"my-pkg": "1.2", "torch": "2.3.0+cu121"}


def test_what_path_has_where_the_command_says_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = venv(tmp_path / "v", {"a": "1"})
    monkeypatch.setenv("PATH", f"{mine.parent}{os.pathsep}{os.environ['PATH']}")
    for parts in (("python train.py",), ("./train.sh",)):
        (found,) = look(tmp_path, *parts)["pythons"]
        assert found["executable"] == str(mine)
    (found,) = look(tmp_path, "python", "train.py", kind="exec")["pythons"]
    assert found["executable"] == str(mine)


def test_it_is_asked_once_and_a_new_package_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = venv(tmp_path / "v", {"a": "1"})
    before = look(tmp_path, f"{mine} x.py")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("an interpreter was asked again"))
    install(tmp_path / "v", "b", "2")
    after = look(tmp_path, f"{mine} x.py")
    assert after["pythons"][0]["packages"] == {"a": "1", "b": "2"}
    assert differences(before, after) == ["b absent → 2"]


def test_an_interpreter_that_does_not_run_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    assert look(tmp_path, "./python x.py")["pythons"] == []


def test_only_variables_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("MY_PRIVATE_THING", "canary-of-the-environment")
    found = look(tmp_path, "true")
    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert "canary-of-the-environment" not in json.dumps(found)
    assert found["os"]
    assert found["kernel"] == os.uname().release


def test_conda_and_containers_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c/conda-meta").mkdir(parents=True)
    (tmp_path / "c/conda-meta/python-dateutil-2.9.0-pyhd8ed1ab_0.json").touch()
    (tmp_path / "c/conda-meta/history").touch()
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "c"))
    monkeypatch.setenv("APPTAINER_CONTAINER", "/images/train.sif")
    found = look(tmp_path, "true")
    assert found["conda"]["packages"] == {"python-dateutil": "2.9.0"}
    assert found["container"] == {"kind": "apptainer", "image": "/images/train.sif", "name": ""}


def test_what_differs_is_said_in_words() -> None:
    one = {
        "pythons": [{"version": "3.11.2", "packages": {"torch": "2.3", "a": "1"}}],
        "os": "x",
        "variables": {},
    }
    other = {
        "pythons": [{"version": "3.12.0", "packages": {"torch": "2.4", "a": "1"}}],
        "os": "x",
        "variables": {"TZ": "UTC"},
    }
    assert differences(one, other) == ["python 3.11.2 → 3.12.0", "torch 2.3 → 2.4", "TZ unset → UTC"]
    assert differences(one, one) == []


def test_a_run_names_its_environment_and_a_bundle_has_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "project")
    place.write(
        {
            "requirements.txt": "numpy==1.26\n",
            "uv.lock": "version = 1\n",
            "poetry.lock": "u = 'https://a:hunter2@x/'\n",
        }
    )
    place.commit()
    body = place.run()
    told = json.loads(place.store.blobs.read(body["environment"]))
    assert set(told["locks"]) == {"requirements.txt", "uv.lock"}
    assert told["left_out"] == ["poetry.lock"]
    assert place.store.blobs.read(told["locks"]["uv.lock"]) == b"version = 1\n"
    assert body["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert body["hardware"]["memory"] > 1e8
    assert place.run("-f")["environment"] == body["environment"]
    assert place.call("bundle", "make", "-o", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out/.pinyon-environment/uv.lock").read_bytes() == b"version = 1\n"


def test_show_compare_and_plan_name_what_differs(tmp_path: Path) -> None:
    place = Place(tmp_path / "project")
    mine = venv(tmp_path / "v", {"torch": "2.3.0"})
    path = f"{mine.parent}{os.pathsep}{place.env['PATH']}"
    place.run(PATH=path)
    shown = place.call("show", "make", PATH=path).stdout
    assert "python    " in shown
    assert f"{mine}, 1 packages" in shown
    assert "machine   " in shown
    assert "since the last" not in place.call("plan", "--why", PATH=path).stdout
    (site,) = (tmp_path / "v").glob("lib/python*/site-packages")
    (site / "torch-2.3.0.dist-info").rename(site / "torch-2.4.0.dist-info")
    planned = place.call("plan", "--why", PATH=path).stdout
    assert "since the last execution: torch 2.3.0 → 2.4.0" in planned
    assert "1 unchanged" in planned, "the environment is in no key"
    assert "since the last" not in place.call("plan", PATH=path).stdout
    place.run("-f", PATH=path)
    first, second = (one["id"] for one in place.json("show", "make")["history"])
    compared = place.call("compare", first, second).stdout
    assert f"environment of {second}, compared with {first}: torch 2.3.0 → 2.4.0" in compared
    assert place.json("compare", first, second)["environments"] == {second: ["torch 2.3.0 → 2.4.0"]}
    assert place.json("show", "make")["captured"]["environment"]["pythons"][0]["packages"] == {
        "torch": "2.4.0"
    }


def test_a_script_of_its_own_records_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", git=False)
    place.write({"own.py": "import time, pinyon\nrun = pinyon.run()\ntime.sleep(1.6)\nrun.log(x=1)\n"})
    done = subprocess.run(
        [sys.executable, "own.py"], cwd=place.root, env=place.env, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    (body,) = place.captured()
    assert body["code"]["files"] == 3
    told = json.loads(place.store.blobs.read(body["environment"]))
    assert told["pythons"][0]["executable"] == sys.executable
    lines = [
        json.loads(line)
        for path in place.store.root.glob("journals/*.points.*")
        for line in path.read_text().splitlines()
    ]
    sampled = [line for line in lines if "system.memory" in line.get("m", {})]
    assert len(sampled) == 1
    assert {"system.cpu", "system.memory"} <= sampled[0]["m"].keys()
    assert place.call("bundle", "@own", "-o", str(tmp_path / "out")).returncode == 0
    assert set(place.files(tmp_path / "out")) == {"make.py", "own.py", "pinyon.yaml"}


def test_runs_from_before_are_shown_without(tmp_path: Path) -> None:
    """A run whose execution has no such record: nothing is claimed, and bundle says so."""
    place = Place(tmp_path / "project")
    place.run()
    for path in (place.root / ".pinyon/journals").glob("*.facts.*"):
        text = path.read_text()
        if '"captured"' in text:
            path.write_text(
                "".join(line for line in text.splitlines(True) if '"kind":"captured"' not in line)
            )
    for path in (place.root / ".pinyon/cache").glob("index-*"):
        path.unlink()
    assert "code      {" in place.call("show", "make").stdout
    done = place.call("bundle", "make")
    assert done.returncode == 3
    assert "was not captured" in done.stderr
