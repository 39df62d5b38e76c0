"""Going on from the newest checkpoint that verifies."""

from __future__ import annotations

import io
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from tracked import KEY, Place, attempts

from pinyon.errors import TrackError
from pinyon.model.ids import attempt_id
from pinyon.sync.gc import Policy, collect
from pinyon.track import current
from pinyon.track.checkpoint import Checkpoint
from pinyon.track.running import Run

Begin = Callable[..., Run]


class Model:
    """As torch's modules are saved."""

    def __init__(self, weight: float = 0.0) -> None:
        self.weight = weight

    def state_dict(self) -> dict[str, float]:
        return {"weight": self.weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.weight = state["weight"]


@pytest.fixture
def again(place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begins the attempt of that number at the same key; the one before is over."""

    def begin(number: int, key: str = KEY) -> Run:
        current._finish()
        monkeypatch.setattr(current, "_current", None)
        return inside(PINYON_ATTEMPT=attempt_id(key, number))

    return begin


def damage(place: Place, saved: Checkpoint | None) -> None:
    assert saved is not None
    path = place.store.blobs.path(saved.digest)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_an_attempt_goes_on_where_the_last_one_was(place: Place, again: Begin) -> None:
    run, model = again(1), Model(0.5)
    assert run.resume(model=model) is None
    run.log(loss=0.25, step=9)
    saved = run.checkpoint(10, model=model, epoch=3)
    assert saved is not None
    run, other = again(2), Model()
    found = run.resume(model=other)
    assert found is not None
    assert (found.step, found.digest, other.weight, found.state["epoch"]) == (10, saved.digest, 0.5, 3)
    run.log(loss=0.125)
    run.flush()
    (body,) = place.bodies("checkpoint")
    assert (body["step"], body["metrics"], body["size"]) == (10, {"loss": 0.25}, saved.size)
    (resumed,) = place.bodies("resumed")
    assert (resumed["attempt"], resumed["from"], resumed["step"]) == (run.attempt, saved.attempt, 10)
    assert sorted(point["step"] for point in place.points()) == [9, 10]


def test_random_states_go_on_too(again: Begin) -> None:
    run = again(1)
    random.seed(1)
    numpy.random.seed(1)
    run.checkpoint(1)
    expected = [random.random(), numpy.random.random()]
    run = again(2)
    random.seed(2)
    numpy.random.seed(2)
    run.resume()
    assert [random.random(), numpy.random.random()] == expected
    random.seed(3)
    before = random.getstate()
    run.resume(rng=False)
    assert random.getstate() == before


def test_a_damaged_newest_one_is_named_and_left_out(
    place: Place, again: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    run, model = again(1), Model()
    kept = []
    for step in (10, 20, 30):
        model.weight = step / 10
        kept.append(run.checkpoint(step, model=model))
    run.finish()
    damage(place, kept[2])
    assert kept[1] is not None
    place.store.blobs.path(kept[1].digest).unlink()
    run = again(2)
    found = run.resume(model=model)
    assert found is not None
    assert (found.step, model.weight) == (10, 1.0)
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2
    assert kept[2] is not None
    assert f"checkpoint of step 30 ({kept[2].digest}" in told[0]
    assert "stored bytes differ from their name" in told[0]
    assert "checkpoint of step 20" in told[1]
    run.checkpoint(15, model=model)
    found = again(3).resume()
    assert found is not None
    assert found.step == 15
    assert capfd.readouterr().err == "", "what was found to be damaged is given up"


def test_none_that_verifies_is_none(place: Place, again: Begin) -> None:
    run = again(1)
    saved = run.checkpoint(1)
    run.finish()
    damage(place, saved)
    assert again(2).resume() is None


def test_other_runs_are_left_alone(again: Begin) -> None:
    again(1, "cd" * 32).checkpoint(5)
    assert again(1).resume() is None
    assert again(2).resume() is None


def test_a_process_started_again_in_its_attempt_goes_on(
    again: Begin, inside: Begin, monkeypatch: Any
) -> None:
    run = again(1)
    run.checkpoint(5, keep=1)
    run.finish()
    found = inside().resume()  # as a launcher starts workers anew
    assert found is None or found.step == 5
    monkeypatch.setenv("PINYON_ATTEMPT", run.attempt)
    monkeypatch.setattr(current, "_current", None)
    found = current.run().resume()
    assert found is not None
    assert found.step == 5


@pytest.mark.parametrize(("kind", "body"), [("ended", {"state": "SUCCEEDED"}), ("intent", {"forced": True})])
def test_what_came_to_its_end_is_not_gone_on_with(place: Place, again: Begin, kind: str, body: dict) -> None:
    first = again(1)
    first.checkpoint(5)
    journal = place.store.journals.open_writer()
    # A success ends what came before it; who was forced to run anew begins anew.
    about = first.attempt if kind == "ended" else attempt_id(KEY, 2)
    journal.append(kind, {"attempt": about, **body})
    journal.append("ended", {"attempt": first.attempt, "state": "FAILED"})
    run = again(2)
    assert run.resume() is None
    run.checkpoint(3)
    found = again(3).resume()
    assert found is not None
    assert found.step == 3
    journal.close()


def test_the_higher_step_goes_before_and_of_one_step_the_later_attempt(again: Begin) -> None:
    again(1).checkpoint(30, who=1)
    again(2).checkpoint(20, who=2)
    found = again(3).resume()
    assert found is not None
    assert found.step == 30
    again(3).checkpoint(30, who=3)
    found = again(4).resume()
    assert found is not None
    assert found.state["who"] == 3


def test_only_so_many_are_referred_to(place: Place, again: Begin) -> None:
    run = again(1)
    names = [run.checkpoint(step, keep=2, data=b"x" * step) for step in range(1, 5)]
    run = again(2)
    run.resume()
    names += [run.checkpoint(step, keep=2, data=b"x" * step) for step in range(5, 7)]
    run.finish()
    policy = Policy((), lambda _: set(), frozenset())
    swept = collect(place.store, policy, now=2e9, grace=0)
    digests = [saved.digest for saved in names if saved is not None]
    assert swept.condemned.keys() == set(digests[:4])
    found = again(3).resume()
    assert found is not None
    assert found.step == 6


def test_equal_states_of_two_steps_do_not_give_each_other_up(place: Place, again: Begin) -> None:
    run = again(1)
    random.seed(1)
    for step in (1, 1, 1):
        run.checkpoint(step, keep=1, same=1)
    run.finish()
    assert len({body["digest"] for body in place.bodies("checkpoint")}) == 1
    swept = collect(place.store, Policy((), lambda _: set(), frozenset()), now=2e9, grace=0)
    assert swept.condemned == {}
    assert again(2).resume() is not None


def test_a_full_disk_stops_no_training(
    place: Place, again: Begin, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = again(1)
    run.checkpoint(1, data=1)
    blobs = place.store.root / "blobs"

    def refused(*_: Any) -> str:
        raise OSError(28, "No space left on device", str(blobs))

    with monkeypatch.context() as patch:
        patch.setattr("pinyon.store.blobs.LocalBlobs.put", refused)
        assert run.checkpoint(2, data=2) is None
        assert run.checkpoint(3, data=3) is None
    assert capfd.readouterr().err.count("could not be saved") == 1
    found = again(2).resume()
    assert found is not None
    assert found.step == 1


def test_after_its_end_a_run_saves_nothing(
    place: Place, again: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    run = again(1)
    run.checkpoint(1)
    run.finish()
    assert run.checkpoint(2) is None
    assert run.artifact(b"x", "x") == ""
    assert capfd.readouterr().err.count("the run has ended") == 2
    assert len(place.events("closed")) == 1
    assert len(place.bodies("checkpoint")) == 1


def test_mistakes_are_named(again: Begin) -> None:
    run = again(1)
    with pytest.raises(TrackError, match="this state cannot be saved"):
        run.checkpoint(1, bad=lambda: 0)
    run.checkpoint(1, model=Model(0.5), epoch=1)
    model = Model(0.25)
    with pytest.raises(TrackError, match="has no 'optimizer'; it has model, epoch"):
        run.resume(model=model, optimizer=Model())
    with pytest.raises(TrackError, match="'epoch' is a int, which has no load_state_dict"):
        run.resume(model=model, epoch=1)
    assert model.weight == 0.25, "nothing is loaded if not everything can be"


def test_bytes_that_nobody_can_read_any_more_are_an_error(
    again: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(1).checkpoint(1, part=Gone())
    monkeypatch.delattr("test_checkpoints.Gone")
    with pytest.raises(TrackError, match="cannot be read: AttributeError"):
        again(2).resume()


class Torch:
    """As torch saves, as far as a checkpoint needs it: a zip file; tensors come back to the CPU."""

    def __init__(self) -> None:
        self.rng, self.loads = "state 1", [dict[str, Any]()]
        self.cuda = self
        self.gpus: list[str] = []

    def save(self, content: Any, buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("data.pkl", pickle.dumps(content))

    def load(self, buffer: io.BytesIO, **options: Any) -> Any:
        self.loads.append(options)
        with zipfile.ZipFile(buffer) as file:
            return pickle.loads(file.read("data.pkl"))

    def get_rng_state(self) -> str:
        return self.rng

    def set_rng_state(self, state: str) -> None:
        self.rng = state

    def is_available(self) -> bool:
        return bool(self.gpus)

    is_initialized = is_available

    def device_count(self) -> int:
        return len(self.gpus)

    def get_rng_state_all(self) -> list[str]:
        return list(self.gpus)

    def set_rng_state_all(self, states: list[str]) -> None:
        self.gpus = list(states)


@pytest.mark.parametrize(
    ("gpus", "later", "then"), [([], [], []), (["a", "b"], ["c", "d"], ["a", "b"]), (["a"], [], [])]
)
def test_where_torch_is_imported_it_saves(
    again: Begin, monkeypatch: pytest.MonkeyPatch, gpus: list[str], later: list[str], then: list[str]
) -> None:
    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)  # type: ignore[arg-type]
    torch.gpus = gpus
    again(1).checkpoint(1, model=Model(0.5))
    torch.rng, torch.gpus = "state 2", later
    model = Model()
    found = again(2).resume(model=model)
    assert found is not None
    assert (model.weight, torch.rng, torch.gpus) == (0.5, "state 1", then)
    assert torch.loads[-1] == {"map_location": "cpu", "weights_only": False}


class Gone:
    """Taken out of the code between two attempts."""


def test_through_the_real_supervisor(tmp_path: Path) -> None:
    """Attempts of a stage that fails twice: each goes on where the one before was."""
    place = Place(tmp_path / "project")
    (place.root / "params.yaml").write_text("train: {steps: 9}\n")
    (place.root / "pinyon.yaml").write_text(
        f"stages:\n  train:\n    cmd: {sys.executable} train.py\n    deps: [train.py]\n"
        "    params: [train]\n    outs: [out]\n    retry: {times: 3, on: [exit]}\n"
    )
    (place.root / "train.py").write_text(
        """
import pinyon
run = pinyon.run()
start = run.resume()
done = start.state["done"] if start else []
for step in run.progress(range(start.step if start else 0, run.params.train.steps)):
    run.log(loss=1 / (step + 1), step=step)
    done.append((step, run.attempt))
    run.checkpoint(step + 1, done=done)
    if step in (2, 5) and done[-1][1] != done[0][1] * (step == 5):
        raise SystemExit(1)
open("out", "w").write(repr(done))
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "run"],
        cwd=place.root,
        env=place.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = eval((place.root / "out").read_text())
    assert [step for step, _ in steps] == list(range(9))
    assert len({attempt for _, attempt in steps}) == 3
    assert len(place.bodies("resumed")) == 2
    assert sorted(point["step"] for point in place.points()) == list(range(9))


def test_ids_of_attempts_are_as_expected_here() -> None:
    first, second = attempts(2)
    assert first.split("-")[1] == second.split("-")[1] == KEY[:12]
    assert (first.split("-")[2], second.split("-")[2]) == ("1", "2")
