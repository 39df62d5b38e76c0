"""scripts/check_caps.py holds for this source, and breaks where it should."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = '"""Tiny."""\n\n\ndef double(x: int) -> int:\n    """Twice x."""\n    return 2 * x\n'


def function(lines, name="f", docstring=True):
    head = [f"def {name}():"] + ['    """Says so."""'] * docstring
    return "\n".join(head + ["    x = 1"] * (lines - 1)) + "\n"


BREAKS = {
    "longest module": "x = 1\n" * 501,
    "median module": "x = 1\n" * 151,
    "longest function": function(81),
    "90 % of functions": "\n\n".join(function(31, f"f{i}") for i in range(4)),
    "public, documented": function(3, docstring=False),
}
HOLDS = {
    "a long docstring": 'def f():\n    """Long.\n' + "\n    more\n" * 60 + '    """\n    return 1\n',
    "a private function without a docstring": TINY + "\n\n" + function(3, "_f", docstring=False),
    "a function inside a function": TINY + "\n\ndef f():\n    '''Says.'''\n    def g(): pass\n    return g\n",
    "a method of a private class": TINY + "\n\nclass _C:\n    def f(self): pass\n",
    "functions of exactly the cap": function(80)
    + "\n\n"
    + "\n\n".join(function(30, f"f{i}") for i in range(2)),
    "an empty module": "",
}


def check(source, tests):
    command = [sys.executable, ROOT / "scripts" / "check_caps.py", source, tests]
    return subprocess.run(command, capture_output=True, text=True)


def test_this_source_keeps_its_caps():
    result = check(ROOT / "src" / "pinyon", ROOT / "tests")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("row", BREAKS)
def test_a_broken_cap_is_named(row, tmp_path):
    (tmp_path / "module.py").write_text(BREAKS[row])
    result = check(tmp_path, tmp_path)
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert result.returncode == 1
    assert any(line.startswith(row) for line in broken), result.stdout


@pytest.mark.parametrize("what", HOLDS)
def test_what_is_no_breach(what, tmp_path):
    (tmp_path / "module.py").write_text(HOLDS[what])
    result = check(tmp_path, tmp_path)
    assert result.returncode == 0, result.stdout


def test_the_one_that_is_too_long_is_named_with_its_line(tmp_path):
    (tmp_path / "module.py").write_text("x = 1\n\n\n" + function(90, "endless"))
    assert f"too long: {tmp_path}/module.py:4 endless: 90 lines" in check(tmp_path, tmp_path).stdout
