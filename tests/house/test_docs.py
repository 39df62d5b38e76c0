"""What the papers promise is there, and what is there stands in the papers."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_readme_promises_what_make_does(target):
    assert f"make {target}" in (ROOT / "README.md").read_text()
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert f"scripts/{target}" in result.stdout.split(), result.stderr


def test_make_offers_every_script():
    verbs = re.search(r"^VERBS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(verbs[1].split()) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_contributors_are_told_of_every_script(script):
    assert f"`scripts/{script}" in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_run_and_says_what_it_is_for(script):
    path = ROOT / "scripts" / script
    shebang, purpose = path.read_text().splitlines()[:2]
    assert path.stat().st_mode & 0o111
    assert shebang.startswith("#!/usr/bin/env ")
    assert purpose[0] in '#"'


@pytest.mark.parametrize("script", [s for s in SCRIPTS if s != "changelog"] + ["../.ci/run"])
def test_a_shell_script_parses_and_stops_at_errors(script):
    path = ROOT / "scripts" / script
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    assert re.search(r"^set -e?uo pipefail$", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_hashes_and_no_host(lock):
    text = lock.read_text()
    pins = re.findall(r"^[\w.-]+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[\w.-]+[=<>@ ]", text, re.MULTILINE)) > 0
    assert not re.search(
        r"://|--(index|extra-index|find-links|trusted-host)|^torch\b|^nvidia", text, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("012.feature.md", "`pinyon plan` says why.", 0),
        ("README.md", "anything", 0),
        ("12.feature.md", "Too short a number.", 1),
        ("012.wish.md", "No such type.", 1),
        ("012.fix.rst", "No such format.", 1),
        ("012.fix.md", " \n", 1),
        ("012.fix.md", "One.\n\nTwo.", 1),
    ],
)
def test_a_changelog_fragment_is_named_well_and_says_one_thing(name, text, found, tmp_path):
    (tmp_path / name).write_text(text)
    assert len(runpy.run_path(str(ROOT / "scripts" / "changelog"))["problems"](tmp_path)) == found


def test_the_changelog_holds():
    result = subprocess.run([sys.executable, ROOT / "scripts" / "changelog"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
