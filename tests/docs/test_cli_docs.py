"""docs/cli.md is what the verbs say of themselves, and they say enough."""

import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pinyon.cli.group import group

ROOT = Path(__file__).parents[2]
CLI = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))
VERBS = CLI["verbs"]()
OPTIONS = [
    pytest.param(verb, option, id=f"{name}{option.opts[-1]}")
    for name, verb in VERBS.items()
    for option in verb.params
    if isinstance(option, click.Option)
]


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == CLI["page"](), "run scripts/cli_docs.py"


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    main = CLI["main"]
    main.__globals__["PAGE"] = tmp_path / "cli.md"
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "cli.md").write_text("old")
    assert main(["--check"]) == 1


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_documented_and_listed_in_the_readme(name: str) -> None:
    assert VERBS[name].help
    assert f"\n## {name}\n" in (ROOT / "docs" / "cli.md").read_text()
    assert f"| `pinyon {name.partition(' ')[0]}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", VERBS)
def test_a_help_has_an_example_that_can_be_parsed(name: str) -> None:
    verb = VERBS[name]
    start = f"Example: pinyon {name}"
    assert (verb.epilog or "").startswith(start)
    words = shlex.split(verb.epilog[len(start) :])
    # As the group says it; click keeps the help option that a command is first asked with.
    with verb.make_context(name, words, help_option_names=["-h", "--help"]) as context:
        assert context.params or isinstance(verb, click.Group)


@pytest.mark.parametrize("name", VERBS)
def test_the_summary_of_a_verb_fits_on_a_line_of_80_columns(name: str) -> None:
    verb = VERBS[name]
    summary = verb.get_short_help_str(limit=1000)
    assert summary.endswith(".")
    assert len(summary) <= 64
    page = CLI["help_of"](verb, name).partition("\n")[2]  # the usage has dots of its own
    assert "…" not in page
    assert "..." not in page


def test_every_verb_stands_in_one_section_of_the_help() -> None:
    lines = CLI["help_of"](group, "pinyon").splitlines()
    heads = [line.rstrip(":") for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert [head for head in heads if head not in ("Options", "Data")] == ["Run", "Look", "Models", "Keep"]
    for name in VERBS:
        if " " not in name:
            assert sum(line.startswith(f"  {name} ") for line in lines) == 1, name


@pytest.mark.parametrize(("verb", "option"), OPTIONS)
def test_an_option_says_what_it_does(verb: click.Command, option: click.Option) -> None:
    assert option.help
    assert option.help.endswith((".", ")."))
    assert all(spelling in CLI["help_of"](verb, verb.name) for spelling in option.opts)


def test_the_real_command_says_the_same() -> None:
    real = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "run", "--help"],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "102"},
    )  # fmt: skip
    assert real.stdout.split() == CLI["help_of"](VERBS["run"], "run").split()
