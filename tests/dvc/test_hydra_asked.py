"""What we compose of Hydra configurations and write as overrides, beside what Hydra does with the same.

Hydra lives in the environment that DVC has, since DVC itself is built on it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.plan.arguments import composed
from pinyon.plan.grammar import override
from pinyon.plan.params import dotted_names
from pinyon.spec.hydra import read_hydra

EXAMPLE = Path(__file__).parents[2] / "examples" / "hydra"
SERVER = """
import json, sys
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
parser = OverridesParser.create()
for line in sys.stdin:
    folder, name, overrides = json.loads(line)
    try:
        if folder is None:
            found = [parser.parse_override(text) for text in overrides]
            assert not any(one.is_sweep_override() for one in found)
            values = [OmegaConf.to_container(OmegaConf.create({"v": one.value()}))["v"] for one in found]
            answer = [[one.key_or_group, value] for one, value in zip(found, values)]
        else:
            with initialize_config_dir(folder, version_base="1.3"):
                answer = OmegaConf.to_container(compose(name, overrides), resolve=False)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""
examples = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # each question takes Hydra a tenth of a second, and shrinking asks hundreds
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)


class Hydra:
    """A process that answers."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, folder: Path | None, name: str = "", overrides: list[str] | None = None) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        question = [folder and str(folder), name, overrides or []]
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def hydra(dvc_python: str) -> Iterator[Hydra]:
    asked = Hydra(dvc_python)
    yield asked
    asked.close()


def ours(root: Path, overrides: list[tuple[str, Any]], said: tuple[str, ...] = ()) -> Any:
    config = read_hydra(root, "train.py", said)
    values = composed(config, said, overrides)[0].values
    return json.loads(json.dumps(values))


# -- one repository that is like many ----------------------------------------------------------------------------------

CHOICES: list[list[tuple[str, Any]]] = [
    [],
    [("model", "cubic")],
    [("optimizer", "momentum")],
    [("experiment", "strong")],
    [("logger", "csv")],
    [("experiment", "strong"), ("model", "linear")],
    [("trainer", "debug"), ("logger", "csv")],
    [("trainer", None)],
]


@pytest.mark.parametrize("choices", CHOICES)
def test_the_example_is_composed_as_hydra_does(
    hydra: Hydra, choices: list[tuple[str, Any]], tmp_path: Path
) -> None:
    theirs = hydra(
        EXAMPLE / "configs",
        "train",
        [f"~{name}" if value is None else override(name, value) for name, value in choices],
    )
    config = read_hydra(EXAMPLE, "src/train.py")
    assert composed(config, (), choices)[0].values == theirs
    assert "error" not in theirs


# -- repositories that nobody wrote ------------------------------------------------------------------------------------

GROUPS = ("a", "b", "a/c")
OPTIONS = ("x", "y")
words = st.sampled_from(
    [
        "yes",
        "1_000",
        "1e-3",
        "010",
        "on",
        "~",
        ".5",
        "2020-01-01",
        "0x1f",
        "x: 1",
        "'1'",
        "12:30:45",
        "${seed}",
    ]
)
contents = st.dictionaries(
    st.sampled_from(["p", "q", "r", "a", "c"]),
    st.integers(0, 9)
    | st.dictionaries(st.sampled_from("pqr"), st.integers(0, 9), max_size=2)
    | st.lists(st.integers(0, 3), max_size=2)
    | st.none(),
    max_size=3,
)
headers = st.sampled_from(["", "", "", "# @package _global_\n", "# @package q.r\n", "#@package p\n"])
entries = st.one_of(
    st.just("_self_"),
    st.builds(
        lambda g, o: {g: o},
        st.sampled_from(["a", "b", "c", "/a", "/b", "/a/c", "a/c"]),
        st.sampled_from([*OPTIONS, None]),
    ),
    st.builds(
        lambda g, p, o: {f"{g}@{p}": o},
        st.sampled_from(["a", "/b"]),
        st.sampled_from(["p", "_global_", "q.r", "_here_"]),
        st.sampled_from(OPTIONS),
    ),
    st.builds(
        lambda g, o: {g: o},
        st.sampled_from(["a", "b"]),
        st.lists(st.sampled_from(OPTIONS), max_size=2, unique=True),
    ),
    st.builds(lambda o: {"optional b": o}, st.sampled_from(["x", "missing"])),
    st.sampled_from(["x", "y", "/b/x", "/a/c/y", "b/x", "/b/y@p"]),
    st.just({"b": "${a}"}),
)
overriding = st.builds(
    lambda g, o: {f"override {g}": o},
    st.sampled_from(["/a", "/b", "/a/c", "b"]),
    st.sampled_from([*OPTIONS, None]),
)
files = st.builds(
    lambda header, defaults, last, content: (header, [*defaults, *last], content),
    headers,
    st.lists(entries, max_size=3, unique_by=repr),
    st.lists(overriding, max_size=1),
    contents,
)
chosen = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a/c"]), st.sampled_from(OPTIONS)),
    max_size=2,
    unique_by=lambda one: one[0],
)


@examples
@given(st.data())
def test_any_repository_is_composed_as_hydra_does(hydra: Hydra, data: st.DataObject) -> None:
    paths = [f"{group}/{option}" for group in GROUPS for option in OPTIONS]
    depth = {path: place for place, path in enumerate(paths)}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        root.joinpath("train.py").write_text('@hydra.main("conf", "train")\ndef main(cfg): pass\n')
        for path in ["train", *paths]:
            header, defaults, content = data.draw(files, label=path)
            if path != "train" and depth[path] > 1:
                defaults = [
                    one for one in defaults if one == "_self_"
                ]  # or files would name each other for ever
            file = root / "conf" / f"{path}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            body = {"defaults": defaults, **content} if defaults else content
            file.write_text(header + yaml.safe_dump(body, sort_keys=False))
        choices = data.draw(chosen)
        theirs = hydra(root / "conf", "train", [override(*one) for one in choices])
        assume("error" not in theirs)
        assert ours(root, choices) == theirs


@examples
@given(st.lists(words | st.text("0123456789._eE+-:xo", min_size=1, max_size=6), min_size=1, max_size=4))
def test_plain_words_have_the_values_that_hydra_gives_them(hydra: Hydra, found: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        root.joinpath("train.py").write_text(
            '@hydra.main(config_path="conf", config_name="train.yaml")\ndef main(cfg): pass\n'
        )
        root.joinpath("conf").mkdir()
        text = "".join(f"w{place}: {word}\n" for place, word in enumerate(found))
        root.joinpath("conf/train.yaml").write_text(f"seed: 1\n{text}")
        theirs = hydra(root / "conf", "train")
        assume("error" not in theirs)
        mine = ours(root, [])
        assert json.dumps(mine) == json.dumps(theirs)


# -- overrides ---------------------------------------------------------------------------------------------------------

PIECES = [
    "a",
    "/",
    "\\",
    "'",
    '"',
    " ",
    ",",
    "=",
    ":",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "$(id)",
    "\n",
    "\t",
    "-",
    "é",
    "1e5",
    "null",
    "true",
    "#",
    "~",
    "@",
    "`",
]
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(
    st.characters(codec="utf-8"), max_size=8
)
scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = scalars | st.lists(scalars, max_size=3) | st.lists(st.lists(scalars, max_size=2), max_size=2)


@examples
@given(st.sampled_from(["lr", "model.net.size", "a-b", "xs.0"]), values)
def test_every_value_arrives_as_it_is(hydra: Hydra, name: str, value: Any) -> None:
    assume("\0" not in json.dumps(value))
    found = hydra(None, "", [override(name, value)])
    assert found == [[name, value]]
    assert [type(one) for one in (found[0][1] if isinstance(value, list) else [found[0][1]])] == [
        type(one) for one in (value if isinstance(value, list) else [value])
    ]


def test_a_name_that_hydra_cannot_override_is_refused() -> None:
    for name in ("a b", "=", "1x", "", "a..b", "+a"):
        with pytest.raises(PlanError, match="cannot override"):
            override(name, 1)


def test_names_are_those_of_the_composed_configuration(hydra: Hydra) -> None:
    theirs = hydra(EXAMPLE / "configs", "train")
    values = composed(read_hydra(EXAMPLE, "src/train.py"), (), [])[0].values
    assert {"optimizer.lr", "model.degree", "trainer.epochs"} <= set(dotted_names(values))
    assert dotted_names(values) == dotted_names(theirs)


def test_the_example_gets_its_overrides_from_pinyon(dvc_python: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "hydra", ignore=shutil.ignore_patterns("out", ".pinyon"))
    spec = tmp_path / "hydra" / "pinyon.yaml"
    spec.write_text(spec.read_text().replace("[python,", f"[{dvc_python},"))
    overrides = {
        "experiment": "strong",
        "optimizer.momentum": 0.5,
        "task_name": "it's $(mine)",
        "tags": ["a b", "c"],
    }
    sets = [word for name, value in overrides.items() for word in ("-S", f"{name}={json.dumps(value)}")]
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "run", *sets], cwd=spec.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    model = json.loads(next(spec.parent.glob(".pinyon/work/*/*/model.json")).read_text())
    assert len(model["powers"]) == 10  # cubic, as the experiment chooses
    log = next(spec.parent.glob(".pinyon/logs/*/*.log")).read_text()
    assert "it's $(mine)-cubic, epoch 5" in log
