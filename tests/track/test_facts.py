"""What a run says beside its points."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tracked import Place

from pinyon.errors import DivergedError, TrackError
from pinyon.execute.tree import hash_tree
from pinyon.track.running import Run

Begin = Callable[..., Run]


def test_facts_are_recorded_as_the_format_says(place: Place, inside: Begin) -> None:
    run = inside(PINYON_RUN="r-0123456789abcdef", PINYON_ACTOR="agent:tuner")
    assert (run.id, run.stage, run.execution) == ("r-0123456789abcdef", "train", "x-1")
    run.summary["f1"] = 0.5
    run.summary.update(loss=math.nan, name="best")
    run.summary["f1"] = 0.75
    run.tag("good", model="lstm", n=3)  # type: ignore[arg-type]
    run.tag(model=None)
    run.note("looks fine")
    run.use({"lr": 0.1})
    run.flush()
    values: dict[str, Any] = {}
    for body in place.bodies("summary"):
        assert body["attempt"] == place.attempt
        values |= body["values"]
    assert values == {"f1": 0.75, "loss": "NaN", "name": "best"}
    assert dict(run.summary)["f1"] == 0.75
    assert [body["tags"] for body in place.bodies("tagged")] == [
        {"good": "", "model": "lstm", "n": "3"},
        {"model": None},
    ]
    assert place.bodies("noted") == [{"attempt": place.attempt, "text": "looks fine"}]
    assert place.bodies("params") == [{"attempt": place.attempt, "params": {"lr": 0.1}}]
    (opened,) = place.bodies("opened")
    assert (opened["actor"], opened["project"]) == ({"kind": "agent", "name": "tuner"}, "project")
    with pytest.raises(TrackError):
        del run.summary["f1"]


def test_a_fact_is_on_disk_when_the_call_returns(place: Place) -> None:
    text = """
import os, pinyon
run = pinyon.run()
run.log(x=1)
for number in range(100):
    run.summary["best"] = number
    run.tag(f"t{number}")
    run.note(str(number))
os.kill(os.getpid(), 9)
"""
    assert place.script(text).returncode == -9
    assert [body["values"]["best"] for body in place.bodies("summary")] == list(range(100))
    assert len(place.bodies("tagged")) == len(place.bodies("noted")) == 100


def test_summaries_that_a_disk_refused_become_one(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real, full = inside(), os.write, True
    run.log(x=1)

    def write(fd: int, data: bytes) -> int:
        return real(fd, data[: len(data) // 2] if full and b'"summary"' in data else data)

    monkeypatch.setattr(os, "write", write)
    for number in range(1_000):
        run.summary["best"] = number
    full = False
    run.flush()
    assert [body["values"] for body in place.bodies("summary")] == [{"best": 999}]


def test_without_its_name_the_run_is_called_by_its_key(place: Place, inside: Begin) -> None:
    assert inside().id == "r-" + "ab" * 6


def test_declared_parameters_go_before_a_scripts_own(inside: Begin) -> None:
    rows = [["params.yaml", "train.lr", 0.5], ["model.yaml", "", {"size": 8}], ["", "flag", True]]
    run = inside(PINYON_PARAMS=json.dumps(rows))
    assert run.params.to_dict() == {"size": 8, "flag": True, "train": {"lr": 0.5}}
    params = run.use({"train": {"lr": 9, "steps": 3}})
    assert params.train.to_dict() == {"lr": 0.5, "steps": 3}
    assert run.params.train.steps == 3


def test_parameters_too_many_for_the_environment_come_from_the_intent(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = place.store.journals.open_writer()
    rows = [["params.yaml", "train.lr", 0.5]]
    inputs = {"params": rows, "flags": [["steps", 3]]}
    journal.append("intent", {"attempt": place.attempt, "inputs": inputs})
    journal.append("intent", {"attempt": f"{place.attempt}0", "inputs": {"params": []}})
    journal.close()
    env = place.of(place.attempt)
    del env["PINYON_PARAMS"]
    monkeypatch.setattr(place, "of", lambda _: env)
    assert inside().params.to_dict() == {"train": {"lr": 0.5}, "steps": 3}


@pytest.mark.parametrize("text", ["{", "[1]", '[["a"]]', "7"])
def test_parameters_that_nobody_can_read_are_said(
    place: Place, inside: Begin, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert inside(PINYON_PARAMS=text).params.to_dict() == {}
    assert capfd.readouterr().err.count("parameters cannot be read") == 1


def test_artifacts_are_blobs_with_a_name(place: Place, inside: Begin) -> None:
    run = inside()
    folder = place.root / "plots"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "inner/run.sh").write_text("b")
    (folder / "inner/run.sh").chmod(0o755)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/x.pyc").write_text("c")
    run.artifact(b"some bytes", "notes.txt", kind="words", n=3)
    run.artifact(folder / "a.txt")
    run.artifact(str(folder), name="all", role="model")
    first, second, third = place.bodies("artifact")
    assert place.store.blobs.read(first["digest"]) == b"some bytes"
    assert (first["name"], first["size"], first["role"]) == ("notes.txt", 10, "artifact")
    assert first["about"] == {"kind": "words", "n": 3}
    assert (second["name"], second["path"]) == ("a.txt", str(folder / "a.txt"))
    assert (third["digest"], third["size"]) == (hash_tree(str(folder)).name, 2)
    assert third["role"] == "model"


@pytest.mark.parametrize(("source", "name"), [("absent.txt", ""), (b"", ""), (b"x", "")])
def test_nothing_to_keep_is_a_mistake(inside: Begin, source: str | bytes, name: str) -> None:
    with pytest.raises(TrackError):
        inside().artifact(source, name)


class Figure:
    """As matplotlib's figures are saved."""

    def savefig(self, target: io.BytesIO, **options: str) -> None:
        target.write(f"figure as {options['format']}".encode())


class Image:
    """As PIL's images are saved."""

    mode = "RGB"

    def save(self, target: io.BytesIO, **options: str) -> None:
        target.write(f"image as {options['format']}".encode())


@pytest.mark.parametrize(
    ("figure", "name", "path", "data"),
    [
        (Figure(), "roc", "roc.png", b"figure as png"),
        (Figure(), "roc.svg", "roc.svg", b"figure as svg"),
        (Image(), "cat", "cat.png", b"image as png"),
        (Image(), "cat.jpg", "cat.jpg", b"image as jpeg"),
        ("<svg xmlns='x'></svg>", "tree", "tree.svg", b"<svg xmlns='x'></svg>"),
        ("picture.webp", "mine", "mine.webp", b"webp"),
        ("picture.webp", "mine.bin", "mine.bin.webp", b"webp"),
    ],
)
def test_pictures_are_kept_in_the_format_of_their_name(
    place: Place,
    inside: Begin,
    figure: Any,
    name: str,
    path: str,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place.root)
    (place.root / "picture.webp").write_bytes(b"webp")
    digest = inside().figure(figure, name, step=7)
    (body,) = place.bodies("artifact")
    assert (body["name"], body["path"], body["role"]) == (name, path, "figure")
    assert (body["about"]["step"], body["about"]["format"]) == (7, path.rpartition(".")[2])
    assert place.store.blobs.read(digest) == data


def test_what_is_no_picture_is_a_mistake(inside: Begin) -> None:
    with pytest.raises(TrackError, match="a int is no picture"):
        inside().figure(3, "x")


def test_the_guard_ends_a_run_that_diverges(inside: Begin) -> None:
    run = inside()
    assert run.guard(0.5) == 0.5
    run.log(loss=0.5, step=41)
    for value in (math.nan, 0.5, math.inf, math.nan):
        run.guard(value)
    run.guard(math.nan, name="other", times=2)
    with pytest.raises(DivergedError, match=r"step 41: loss was nan 3 times in a row; training has diverged"):
        run.guard(math.nan)
    with pytest.raises(TrackError, match="loss is a str"):
        run.guard("x")


# Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("tty", "lines"), [(True, 1), (False, 0)])
def test_a_line_on_a_terminal_and_nothing_in_a_log(
    place: Place, inside: Begin, tty: bool, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if tty else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    run = inside()
    assert list(run.progress(range(2, 5), label="train")) == [2, 3, 4]
    assert list(run.progress(iter("ab"))) == ["a", "b"]
    assert stream.getvalue().count("\n") == 2 * lines
    if tty:
        assert stream.getvalue().split("\n")[0].rpartition("\r")[2].startswith("train 5/5  100 %")
        assert stream.getvalue().rstrip().rpartition("\r")[2].startswith("2")
    run.flush()
    told = [{k: v for k, v in body.items() if k != "attempt"} for body in place.bodies("progress")]
    assert told == [
        {"step": 2, "total": 5, "label": "train"},
        {"step": 5, "total": 5, "label": "train"},
        {"step": 0, "total": None},
        {"step": 2, "total": None},
    ]


def test_a_loop_tells_soon_how_far_it_is_and_then_every_ten_seconds(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, clock = inside(), itertools.count(0)
    monkeypatch.setattr("pinyon.track.progress.time", SimpleNamespace(monotonic=lambda: next(clock) / 2))
    for _ in run.progress(range(100)):
        pass
    run.flush()
    seconds = [body["step"] / 2 for body in place.bodies("progress")]
    assert seconds == [0, 1, 3, 7, 15, 25, 35, 45, 50]


def test_a_loop_says_where_its_points_stand(place: Place, inside: Begin) -> None:
    run = inside()
    for step in run.progress(range(10, 13)):
        run.log(loss=step)
        run.log(other=step)
    for _ in run.progress("ab"):
        run.log(outer=0)
        for _ in run.progress("cd"):
            run.log(inner=0)
    run.log(last=0)
    run.flush()
    steps = [(next(iter(point["m"])), point["step"]) for point in place.points()]
    assert steps[:6] == [(name, step) for step in (10, 11, 12) for name in ("loss", "other")]
    # Of loops in each other none says where; then calls are counted.
    assert steps[6:] == [
        ("outer", 0),
        ("inner", 1),
        ("inner", 2),
        ("outer", 1),
        ("inner", 2),
        ("inner", 3),
        ("last", 4),
    ]


def test_leaving_a_loop_is_recorded_where_it_was(place: Place, inside: Begin) -> None:
    run = inside()
    for step in run.progress(range(10)):
        if step == 4:
            break
    run.log(x=1)
    run.flush()
    assert place.bodies("progress")[-1]["step"] == 4
    assert place.points()[0]["step"] == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("train", 30, 100, 30, 3.0), "train 30/100  30 %  10/s  7 s left"),
        (("", 5, None, 5, 2.0), "5  2.5/s"),
        (("", 0, 10, 0, 0.0), "0/10  0 %"),
        (("", 0, 0, 0, 1.0), "0/0"),
    ],
)
def test_the_line_says_how_far_and_how_long(arguments: tuple, text: str) -> None:
    from pinyon.track.progress import line

    assert line(*arguments) == text


def test_the_environment_is_what_the_supervisor_makes(place: Place) -> None:
    """The names that `Place.of` sets are those that a real attempt gets."""
    (place.root / "pinyon.yaml").write_text(
        "stages: {s: {cmd: 'env | grep ^PINYON_ > out', params: [a.b], outs: [out]}}\n"
    )
    (place.root / "params.yaml").write_text("a: {b: 3}\n")
    outer = {"PINYON_PARAMS": "outer", "PINYON_STOP_WHEN": "x > 1", "PINYON_RUN": "r-outer"}
    place.env = {**{k: v for k, v in place.env.items() if not k.startswith("PINYON_")}, **outer}
    assert place.cli("run")["counts"]["succeeded"] == 1
    env = dict(line.split("=", 1) for line in (place.root / "out").read_text().splitlines())
    assert place.of("a-1").keys() <= env.keys()
    assert json.loads(env["PINYON_PARAMS"]) == [["params.yaml", "a.b", 3]]
    assert env["PINYON_PROJECT"] == "project"
    assert env["PINYON_STORE"] == str(place.store.root)
    assert abs(float(env["PINYON_STARTED"]) - os.stat(place.root / "out").st_mtime) < 60
    assert "PINYON_STOP_WHEN" not in env
    assert env.get("PINYON_RUN") != "r-outer"


def test_many_parameters_reach_the_script_all_the_same(place: Place) -> None:
    (place.root / "params.yaml").write_text(json.dumps({"words": ["word"] * 30_000, "lr": 0.5}))
    (place.root / "pinyon.yaml").write_text(
        json.dumps(
            {
                "stages": {
                    "s": {"cmd": [sys.executable, "train.py"], "params": ["words", "lr"], "outs": ["out"]}
                }
            }
        )
    )
    (place.root / "train.py").write_text(
        "import os, pinyon\np = pinyon.run().params\nassert 'PINYON_PARAMS' not in os.environ\n"
        "open('out', 'w').write(f'{len(p.words)} {p.lr}')"
    )
    place.env = {name: value for name, value in place.env.items() if not name.startswith("PINYON_")}
    assert place.cli("run")["counts"]["succeeded"] == 1
    assert (place.root / "out").read_text() == "30000 0.5"
