"""What the documentation shows is what happens."""

import re
from pathlib import Path

import pytest
import yaml
from transcripts import ROOT, Shell, commands, normal


@pytest.mark.parametrize(
    ("document", "least"),
    [
        ("README.md", 7),
        ("docs/adopting.md", 16),
        ("docs/dvc.md", 8),
        ("docs/track.md", 18),
        ("docs/logbook.md", 8),
        ("docs/capture.md", 9),
        ("docs/unchanged.md", 5),
        ("docs/moving.md", 8),
        ("docs/watch.md", 5),
        ("docs/tables.md", 14),
        ("docs/experiments.md", 11),
        ("docs/registry.md", 16),
        ("docs/arguments.md", 9),
        ("docs/hydra.md", 4),
        pytest.param("docs/guide.md", 25, marks=pytest.mark.slow),
    ],
)
def test_every_command_prints_what_the_document_says(document: str, least: int, tmp_path: Path) -> None:
    text = (ROOT / document).read_text()
    found = commands(text)
    assert len(found) >= least
    shell = Shell(tmp_path)
    for command in found:
        printed = normal(shell.run(command.text, command.example), command.unordered)
        expected = normal(command.output, command.unordered)
        assert printed == expected, f"{document}:{command.line}: $ {command.text}"


def within(part: object, whole: object) -> bool:
    """Whether all that a part says stands in the whole: keys of maps and items of lists may be left out."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(within(one, other) for other in whole) for one in part)
    return part == whole


def test_the_yaml_of_the_readme_is_that_of_the_study() -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    study = yaml.safe_load((ROOT / "examples/lstm/pinyon.yaml").read_text())
    part = yaml.safe_load(shown)
    assert within(part, study)
    experiment = part["experiments"]["lstm-optimization"]
    assert list(experiment["phases"]) == list(study["experiments"]["lstm-optimization"]["phases"])
    assert not within({"then": ["nothing"]}, study["experiments"]["lstm-optimization"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("done      fit  0.1 s", "done      fit  12.0 s", True),
        ("done      fit  0.1 s", "FAILED    fit  0.1 s", False),
        ("rmse 1.316", "rmse 1.317", False),
        ("dep a changed: 7a4ee5fb → c5ea3fa7", "dep a changed: 00000000 → 11111111", True),
        ("dep a changed: 7a4ee5fb → c5ea3fa7", "dep b changed: 7a4ee5fb → c5ea3fa7", False),
        ("x-20ff581cf55ceca4  2026-01-02 03:04:05", "x-4d42680708758e04  2027-11-12 13:14:15", True),
        ("r-20ff581cf55ceca4", "x-20ff581cf55ceca4", False),
        ("3 stages: 3 run", "3 stages: 2 run", False),
    ],
)
def test_only_what_cannot_repeat_is_overlooked(one: str, other: str, same: bool) -> None:
    assert (normal(one) == normal(other)) is same
