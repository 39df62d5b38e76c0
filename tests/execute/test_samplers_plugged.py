"""Samplers of other packages, found by their entry points and looked at before they are believed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pinyon.errors import ExecuteError, PlanError
from pinyon.execute.samplers import Points, Trial, for_phase, make, names
from pinyon.model.experiment import Choice, Experiment, Phase, Range
from pinyon.model.project import Origin

SAMPLE = Path(__file__).parents[2] / "docs" / "plugins" / "pinyon-sampler-halton"
SPACE = (("lr", Range(1e-4, 1e-2, log=True)), ("dim", Choice((8, 16, 32))), ("n", Range(1, 4, integer=True)))
MODULE = """
class Fixed:
    def __init__(self, space, goal, seed):
        self.said = (space, goal, seed)
    def ask(self, trials):
        return {answer}
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Puts a package on the path as if it were installed."""

    def install(name, answer, plugs="fixed", text=MODULE):
        folder = tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(text.format(answer=answer))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pinyon.samplers]\n{plugs} = {name}:Fixed\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


def test_a_package_plugs_a_sampler_in(package):
    package("one_sampler", "(('n', 2), ('dim', 16), ('lr', 0.01)) if len(trials) < 3 else None")
    assert names() == ["tpe", "random", "grid", "fixed"]
    sampler = make("fixed", SPACE, "maximize", 7)
    assert sampler.ask([]) == (("lr", 0.01), ("dim", 16), ("n", 2))
    assert sampler.ask([None] * 3) is None
    assert sys.modules["one_sampler"].Fixed(SPACE, "maximize", 7).said == (SPACE, "maximize", 7)


def test_what_it_proposes_gets_the_declared_type(package):
    package("typed_sampler", "(('n', 2.0), ('dim', 16.0), ('lr', 1e-3))")
    values = [value for _, value in make("fixed", SPACE, "maximize", 7).ask([])]
    assert values == [1e-3, 16, 2]
    assert [type(value) for value in values] == [float, int, int]


@pytest.mark.parametrize(
    "answer",
    ["(('lr', 0.5), ('dim', 16), ('n', 2))", "(('lr', 0.01),)", "(('lr', 0.01), ('dim', 16), ('n', 2.5))"],
)
def test_what_is_no_point_of_the_space_is_refused(package, answer):
    package("bad_sampler", answer)
    with pytest.raises(ExecuteError, match=r"'fixed' proposed \{'lr': .*no point of the space"):
        make("fixed", SPACE, "maximize", 7).ask([])


def test_nobody_replaces_a_built_in_one(package):
    package("grid_sampler", "None", plugs="grid")
    assert names() == ["tpe", "random", "grid"]
    assert make("grid", SPACE[1:], "minimize", 0).ask([]) == (("dim", 8), ("n", 1))


def test_two_packages_with_one_name_are_an_error(package):
    package("a_sampler", "None")
    package("b_sampler", "None")
    with pytest.raises(
        ExecuteError, match="two packages plug in a sampler 'fixed'; a_sampler:Fixed and b_sampler:Fixed"
    ):
        make("fixed", SPACE, "minimize", 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import not_there_at_all", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "AttributeError"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(package, text, said):
    package("broken_sampler", "None", text=text)
    with pytest.raises(
        ExecuteError, match=f"^broken_sampler:Fixed: the sampler 'fixed' cannot be loaded; {said}"
    ):
        make("fixed", SPACE, "minimize", 0)
    phase = Phase("tune", space=SPACE, trials=3, sampler="fixed", origin=Origin("pinyon.yaml", 3))
    with pytest.raises(ExecuteError, match=r"^broken_sampler:Fixed: "):
        for_phase(Experiment("hpo", "train", (phase,)), phase)


def test_a_name_that_nobody_plugs_in_is_told_with_those_that_are_there(package):
    package("one_sampler", "None")
    with pytest.raises(
        PlanError, match="no sampler 'fixd'; installed are tpe, random, grid, fixed → did you mean fixed"
    ):
        make("fixd", SPACE, "minimize", 0)


@pytest.fixture(scope="module")
def halton(tmp_path_factory):
    """The sample package, built and installed as pip does it."""
    folder = tmp_path_factory.mktemp("halton")
    shutil.copytree(SAMPLE, folder / "source")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*command, "--target", folder / "site", folder / "source"], check=True)
    return folder / "site"


def test_the_sample_package_of_the_documentation_installs_and_works(halton, monkeypatch):
    monkeypatch.syspath_prepend(halton)
    assert "halton" in names()
    sampler = make("halton", SPACE, "minimize", 7)
    trials = []
    for number in range(48):
        pairs = sampler.ask(trials)
        assert pairs == make("halton", SPACE, "minimize", 7).ask(trials[::-1])
        assert Points(SPACE).read(pairs) is not None
        trials.append(Trial(number, pairs, None, "running"))
    lows = sum(dict(trial.assignment)["lr"] < 1e-3 for trial in trials)
    assert lows == 24, "evenly spread, where points at random are only so on average"
    assert make("halton", SPACE, "minimize", 8).ask([]) != trials[0].assignment
