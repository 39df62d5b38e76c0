"""SIGKILL for the driver, the supervisor, a command or all of an experiment's run, inside phases and between them.

However often it is killed, no finished run is repeated, the winners are those of an undisturbed run, and what was told as
done stays done.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from test_run_kill import FAR, WHO, Harness, shoot

from pinyon.store.local import LocalStore

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 120 if DEEP else 16
SAY = 'printf "%s:{stage} $PINYON_ATTEMPT\\n" {word} >> "$SAID"'
SIGMAS, HIDDEN, EPOCHS = [1, 2, 3, 4], [64, 128], [50, 75, 100]


def project() -> dict[str, object]:
    """Seed 003 in small: 4 + 8 + 3 cells, of which one stands in two phases, with two seeds each."""

    def stage(name: str, nap: int, work: str, **more: object) -> dict[str, object]:
        begin, end = (SAY.format(stage=name, word=word) for word in ("start", "end"))
        return {"cmd": f"set -e; {begin}; sleep 0.0{nap}; {work}; {end}", **more}

    score = "$(( 1000 - (${sigma} - 2) * (${sigma} - 2) * 10 - ${layers} * 5 - ${seed} ))"
    return {
        "stages": {
            "pretrain": stage("pretrain", 3, "echo ${sigma} ${hidden} ${layers} ${epochs} > encoder",
                              deps=["data"], params=["sigma", "hidden", "layers", "epochs"], outs=["encoder"]),
            "train": stage("train", 5, f'cp encoder model; echo "{{\\"accuracy\\": {score}}}" > metrics.json',
                           deps=["encoder"], params=["sigma", "hidden", "heads", "layers", "seed"],
                           outs=["model"], metrics=["metrics.json"]),
            "evaluate": stage("evaluate", 2, "cp metrics.json test.json",
                              deps=["metrics.json"], metrics=["test.json"]),
        },
        "experiments": {
            "study": {
                "stage": "train",
                "objective": {"maximize": "accuracy"},
                "seeds": {"seed": [0, 1]},
                "phases": {
                    "warp": {"grid": {"sigma": SIGMAS}},
                    "shape": {"grid": {"hidden": HIDDEN, "heads": [4, 8], "layers": [1, 2]}},
                    "depth": {"grid": {"epochs": EPOCHS}},
                },
                "then": ["evaluate"],
                "promote": {"model": "m", "alias": "staging", "gate": ["evaluate.accuracy > 900"]},
            }
        },
    }  # fmt: skip


class Study(Harness):
    """A project with an experiment, and calls of `pinyon run` on it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "study")
        (root / "pinyon.yaml").write_text(json.dumps(project()))
        (root / "params.yaml").write_text("sigma: 1\nhidden: 64\nheads: 4\nlayers: 1\nepochs: 50\nseed: 0\n")
        (root / "data").write_text("data")
        for name in ("s0", "s1", "s2"):
            (root / name).unlink()

    def attempts(self) -> dict[str, tuple[str, str]]:
        """Attempt → (key, state), straight from the journals; a success outranks everything."""
        keys: dict[str, str] = {}
        states: dict[str, str] = {}
        journals = LocalStore(self.root / ".pinyon").journals
        for segment in journals.segments():
            for event, _ in journals.read(segment):
                if event.kind == "intent":
                    keys[event.body["attempt"]] = event.body["key"]
                elif event.kind == "ended":
                    states[event.body["attempt"]] = event.body["state"]
        return {name: (key, states.get(name, "")) for name, key in keys.items()}

    def winners(self) -> dict[str, object]:
        found = json.loads(self.call("plan", "study", "--json").stdout)
        return {phase["phase"]: phase["winner"] for phase in found["phases"]}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The winners of an undisturbed run."""
    study = Study(tmp_path_factory.mktemp("clean-study") / "p")
    assert study.start().wait(FAR) == 0, study.output()
    # 4 pre-trainings, 3 more shapes (heads do not matter to them), 2 more depths; 4 + 7 + 2 cells with two seeds.
    assert Counter(stage for stage, _ in study.said("start")) == {"pretrain": 9, "train": 26, "evaluate": 2}
    winners = study.winners()
    assert all(winners.values())
    return winners


def check(study: Study, clean: dict[str, object]) -> None:
    attempts = study.attempts()
    succeeded = Counter(key for key, state in attempts.values() if state == "SUCCEEDED")
    assert set(succeeded.values()) == {1}, "a finished run was repeated"
    assert len(succeeded) == 9 + 26 + 2
    seen: set[str] = set()
    for _, attempt in study.said("start"):
        key, state = attempts[attempt]
        assert key not in seen, "something began after its key was finished"
        if state == "SUCCEEDED":
            seen.add(key)
    assert study.winners() == clean
    again = study.call("run", "study")
    assert again.returncode == 0
    promoted = json.loads(study.call("model", "show", "m", "--json").stdout)
    assert (promoted["aliases"], len(promoted["versions"])) == ({"staging": 1}, 1)
    assert [change["by"]["experiment"] for change in promoted["changes"]] == ["study"]
    assert "nothing to do: 15 cells, 26 distinct runs" in again.stdout, again.stdout
    assert sorted(os.listdir(study.root)) == [".pinyon", "data", "params.yaml", "pinyon.yaml"]


@pytest.mark.timeout(1200 if DEEP else 200)
def test_a_study_killed_anywhere_goes_on(tmp_path: Path, clean: dict[str, object]) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice, kills, rounds = random.Random(seed), Counter[str](), 0
    while kills.total() < KILLS or not all(kills[what] for what in WHO):
        rounds += 1
        study = Study(tmp_path / f"p{rounds}")
        for _ in range(6):
            if shoot(study, dice, kills):
                break
        else:
            assert study.start().wait(FAR) == 0, study.output()
        check(study, clean)
        shutil.rmtree(study.root)
    print(f"{kills.total()} kills in {rounds} studies: {dict(kills)}")


@pytest.mark.timeout(200)
def test_two_drivers_of_one_study_share_the_work(tmp_path: Path, clean: dict[str, object]) -> None:
    study = Study(tmp_path / "p")
    drivers = [study.start() for _ in range(2)]
    for number, driver in enumerate(drivers, 1):
        assert driver.wait(FAR) == 0, study.output(number)
    assert len(study.said("start")) == 9 + 26 + 2
    check(study, clean)


class Search(Study):
    """64 trials, eight at once, of a command that takes no time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        begin = SAY.format(stage="train", word="start")
        phase = {
            "search": {"sigma": {"uniform": [-4.0, 4.0]}, "hidden": [8, 16, 32]},
            "trials": 64, "parallel": 8, "sampler": "tpe",
        }  # fmt: skip
        train = {
            "cmd": f'set -e; {begin}; echo "{{\\"loss\\": ${{sigma}}}}" > metrics.json',
            "deps": ["data"], "params": ["sigma", "hidden"], "metrics": ["metrics.json"],
        }  # fmt: skip
        experiment = {"stage": "train", "objective": {"minimize": "loss"}, "phases": {"tune": phase}}
        document = {"stages": {"train": train}, "experiments": {"study": experiment}}
        (root / "pinyon.yaml").write_text(json.dumps(document))
        (root / "params.yaml").write_text("sigma: 1.0\nhidden: 8\n")

    def proposed(self) -> list[int]:
        """Numbers of the trials that are on record."""
        journals = LocalStore(self.root / ".pinyon").journals
        records = (event for segment in journals.segments() for event, _ in journals.read(segment))
        return sorted(event.body["trial"] for event in records if event.kind == "proposed")


@pytest.mark.timeout(200)
def test_a_search_killed_three_times_loses_no_trial(tmp_path: Path) -> None:
    dice, search, kills = random.Random(5), Search(tmp_path / "p"), 0
    for enough in (8, 24, 44):
        driver = search.start()
        while driver.poll() is None and len(search.said("start")) < enough:
            time.sleep(0.005)
        kills += driver.poll() is None and search.kill(dice.choice(["driver", "all"]), dice)
        driver.wait(FAR)
    assert search.start().wait(FAR) == 0, search.output()
    assert kills == 3
    assert search.proposed() == list(range(64))
    succeeded = Counter(key for key, state in search.attempts().values() if state == "SUCCEEDED")
    assert set(succeeded.values()) == {1}, "a finished trial was repeated"
    found = json.loads(search.call("plan", "study", "--json").stdout)
    assert (found["cells"], len(succeeded)) == (64, found["distinct"])
    assert found["phases"][0]["winner"]
