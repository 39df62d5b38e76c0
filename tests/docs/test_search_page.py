"""docs/search.md: its Python prints what it says, its YAML is the space that the Python searches, its TOML plugs in."""

import doctest
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from pinyon.execute.samplers import for_phase, names
from pinyon.model.experiment import Choice, Experiment, Objective, Phase, Range

PAGE = Path(__file__).parents[2] / "docs" / "search.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def ran():
    """The names that the page's Python leaves behind, and what doctest says of it."""
    space, said = {}, []
    test = doctest.DocTestParser().get_doctest("".join(blocks("pycon")), space, PAGE.name, str(PAGE), 0)
    result = doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    return test.globs, result, "".join(said)


def test_the_python_prints_what_the_page_says(ran):
    _, result, said = ran
    assert result.failed == 0, said
    assert result.attempted >= 8


def test_the_yaml_is_the_space_that_the_python_searches(ran):
    (text,) = blocks("yaml")
    body = yaml.safe_load(text)["experiments"]["gat-hpo"]
    tune = body["phases"]["tune"]
    space = tuple((name, _axis(axis)) for name, axis in tune["search"].items())
    assert space == ran[0]["space"]
    phase = Phase("tune", space=space, trials=tune["trials"], sampler=tune["sampler"])
    experiment = Experiment("gat-hpo", body["stage"], (phase,), Objective("f1", "maximize"))
    assert for_phase(experiment, phase).ask([]) == ran[0]["whole"][0].assignment


def _axis(written):
    if isinstance(written, list):
        return Choice(tuple(written))
    ((kind, (low, high)),) = ((kind, ends) for kind, ends in written.items() if kind != "step")
    return Range(low, high, log=kind == "log", step=written.get("step"), integer=kind == "int")


def test_the_samplers_of_the_table_are_those_that_there_are():
    assert re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE) == names()[:3]


def test_the_toml_names_the_group_that_is_looked_into():
    (text,) = blocks("toml")
    sample = PAGE.parent / "plugins" / "pinyon-sampler-halton" / "pyproject.toml"
    groups = [tomllib.loads(written)["project"]["entry-points"] for written in (text, sample.read_text())]
    assert [list(group) for group in groups] == [["pinyon.samplers"]] * 2
