"""tests/conftest.py, run for real in a pytest of its own."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = """
import pytest

@pytest.mark.skip(reason={reason!r})
def test_left_out():
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_expected_to_fail():
    raise AssertionError

def test_passes():
    pass
"""


def run(folder, text, *arguments, ci):
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(text)
    env = {**os.environ, "CI": "true" if ci else "", "PYTEST_ADDOPTS": ""}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        f"--rootdir={folder}",
    ]
    return subprocess.run([*command, *arguments, "."], cwd=folder, env=env, capture_output=True, text=True)


def test_a_reason_of_the_right_form_is_believed(tmp_path):
    result = run(tmp_path, SKIPS.format(reason="needs tape-robot: nobody has one"), ci=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_any_other_reason_fails_the_run(tmp_path, workers):
    result = run(tmp_path, SKIPS.format(reason="flaky today"), *workers, ci=False)
    assert result.returncode == 1
    assert (
        "FAILED test_it.py::test_left_out - skipped without an excuse: Skipped: flaky today" in result.stdout
    )


def test_a_module_that_skips_itself_is_seen(tmp_path):
    (tmp_path / "test_other.py").write_text("def test_passes(): pass\n")
    result = run(tmp_path, "import pytest\npytest.importorskip('no_such_library')\n", "-n", "1", ci=False)
    assert result.returncode == 1
    assert "no_such_library" in result.stdout


def test_ci_on_linux_believes_no_one_that_linux_is_missing(tmp_path):
    result = run(tmp_path, SKIPS.format(reason="needs linux: cgroups"), ci=True)
    assert (result.returncode == 1) == (sys.platform == "linux")


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("reason", ["needs root: mounts a file system", "needs strace: injects errors"])
def test_only_root_in_ci_can_run_everything(reason, root):
    excused = runpy.run_path(str(CONFTEST))["excused"]  # by path: other rooms have a conftest, too
    assert excused(reason, ci=True, linux=True, root=root) is not root
    assert excused(reason, ci=False, linux=True, root=root)
    assert excused(reason, ci=True, linux=False, root=root)
