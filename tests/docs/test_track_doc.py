"""The Python of docs/track.md is that of its example, every script of which the page runs."""

from __future__ import annotations

import re

from transcripts import ROOT, commands

PAGE = (ROOT / "docs/track.md").read_text()
SCRIPTS = {path.name: path.read_text() for path in (ROOT / "examples/track").glob("*.py")}


def test_every_block_stands_in_a_script_that_the_page_runs() -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} == {"python", "console"}
    python = [text for language, text in blocks if language == "python"]
    assert len(python) >= 6
    for text in python:
        assert any(text in script for script in SCRIPTS.values()), text


def test_every_script_is_run() -> None:
    typed = " ".join(command.text for command in commands(PAGE))
    stage = (ROOT / "examples/track/pinyon.yaml").read_text()
    assert all(f"python {name}" in typed or f"python {name}" in stage for name in SCRIPTS)
