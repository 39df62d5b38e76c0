"""The claims of the example, tested small: sizes, splits, warps, losses, equal bytes, honest edges."""

from __future__ import annotations

import ast
import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

from study import augment, loss, network, quiet, scoring, stage, training, windows  # noqa: E402  (see the line above)

PROJECT: dict[str, Any] = yaml.safe_load((HERE / "pinyon.yaml").read_text())
STAGES: dict[str, dict[str, Any]] = PROJECT["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((HERE / "params.yaml").read_text())


# -- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [4, 8])
@pytest.mark.parametrize(
    ("hidden", "layers", "expected"), [(64, 1, 33_314), (64, 2, 58_402), (128, 1, 123_874), (128, 2, 223_202)]
)
def test_parameters_are_counted_and_heads_cost_none(
    hidden: int, layers: int, heads: int, expected: int
) -> None:
    assert network.count_parameters(network.SimpleLSTM(hidden, heads, layers)) == expected


def test_attention_looks_at_every_step() -> None:
    torch.manual_seed(0)
    model = network.SimpleLSTM(8, 2, 1)
    states = torch.randn(1, 5, 8, requires_grad=True)
    model.attention(states, states, states)[0][0, 0].sum().backward()
    assert states.grad is not None
    assert (states.grad.abs().sum(dim=2) > 0).all()


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "encoder.safetensors")
    network.save_weights(network.Encoder(8, 1), path)
    with pytest.raises(ValueError, match="pre-trained as"):
        network.load_encoder(path, 8, 2)


def test_a_saved_model_needs_no_parameters_and_answers_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = network.SimpleLSTM(8, 4, 2).eval()
    x = 5 + 3 * torch.randn(4, 7, 6)
    model.encoder.measure(x)
    network.save_weights(model, str(tmp_path / "model.safetensors"))
    assert torch.equal(network.load_model(str(tmp_path / "model.safetensors"))(x), model(x))


# -- augmentation and loss ------------------------------------------------------------------------


def test_time_warp_at_sigma_zero_changes_nothing() -> None:
    x = torch.randn(8, 35, 6)
    assert torch.equal(augment.time_warp(x, 0.0), x)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 1.0])
def test_warped_time_runs_forward_from_first_to_last_step(sigma: float) -> None:
    torch.manual_seed(0)
    places = augment.warp_positions(200, 35, sigma)
    assert (places.diff(dim=1) > 0).all()
    assert torch.all(places[:, 0] == 0)
    torch.testing.assert_close(places[:, -1], torch.full((200,), 34.0))
    assert not torch.allclose(places, torch.arange(35.0).expand(200, -1))


def test_time_warp_reads_between_steps() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(35.0).reshape(1, 35, 1).expand(1, 35, 6)  # a ramp returns the places themselves
    warped = augment.time_warp(ramp, 0.2)
    torch.manual_seed(0)
    torch.testing.assert_close(warped[0, :, 0], augment.warp_positions(1, 35, 0.2)[0])


def test_focal_loss_with_gamma_zero_is_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, y, weight = torch.randn(64, 2), torch.randint(2, (64,)), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(
        loss.focal_loss(logits, y, 0.0, weight), functional.cross_entropy(logits, y, weight=weight)
    )


def test_focal_loss_fades_for_easy_windows() -> None:
    y, weight = torch.tensor([1]), torch.ones(2)
    easy, hard = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, -3.0]])

    def kept(logits: torch.Tensor) -> float:
        return float(loss.focal_loss(logits, y, 2.0, weight) / loss.focal_loss(logits, y, 0.0, weight))

    assert kept(easy) < 0.01 < 0.9 < kept(hard)


# -- data -----------------------------------------------------------------------------------------


def in_folder(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    runpy.run_path(str(HERE / script), run_name="__main__")


def test_prepared_splits_share_no_person_and_repeat_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "params.yaml").write_text((HERE / "params.yaml").read_text())
        in_folder("prepare.py", tmp_path / run, monkeypatch)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")

    data = tmp_path / "a" / "data"
    splits = [
        windows.load(str(data / "windows.npz"), "train"),
        windows.load(str(data / "windows.npz"), "validation"),
        windows.load(str(data / "test.npz"), "test"),
    ]
    assert [len(split.y) for split in splits] == [1200, 946, 869]
    people = [set(split.subject.tolist()) for split in splits]
    assert people == [{1, 2, 3, 4, 5, 6}, {7, 10}, {8, 9}]
    assert splits[0].x.shape[1:] == (35, 6)
    assert splits[0].y.mean() == pytest.approx(0.158, abs=0.001)


def test_folds_divide_no_pair_and_test_everybody_once() -> None:
    everyone = set(range(1, 11))
    folds = [windows.split_subjects(fold) for fold in range(5)]
    for fold in folds:
        assert fold["train"] | fold["validation"] | fold["test"] == everyone
        assert sum(map(len, fold.values())) == len(everyone)
        assert all(any({a, b} <= people for people in fold.values()) for a, b in windows.PAIRS)
    for name in ("validation", "test"):
        assert sorted(subject for fold in folds for subject in fold[name]) == sorted(everyone)


@pytest.mark.parametrize("fold", [-1, 5, None])
def test_a_fold_that_is_none_is_refused(fold: Any) -> None:
    with pytest.raises(ValueError, match="the 5 folds are 0 to 4"):
        windows.split_subjects(fold)


# -- training -------------------------------------------------------------------------------------


def tiny(**train: Any) -> dict[str, Any]:
    """params.yaml with a network of width 8 and little of everything."""
    return {
        **PARAMS,
        "data": {**PARAMS["data"], "window": 9, "pool": 1},
        "model": {"hidden_size": 8, "num_heads": 2, "num_layers": 1},
        "pretrain": {**PARAMS["pretrain"], "epochs": 2, "windows_per_epoch": 16, "batch_size": 8},
        "train": {**PARAMS["train"], "epochs": 2, "batch_size": 8, **train},
    }


def noise() -> windows.Windows:
    """40 windows of 9 steps in 10 recordings, half of them class 1, in which there is nothing to learn."""
    y, recording = np.arange(40) % 2, np.arange(40) // 4
    x = np.random.default_rng(0).normal(size=(40, 9, 6)).astype(np.float32)
    return windows.Windows(x, y, y, recording)


def tiny_project(folder: Path, params: dict[str, Any]) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    windows.save(str(folder / "data/windows.npz"), train=noise(), validation=noise())
    windows.save(str(folder / "data/test.npz"), test=noise())


def contents(folder: Path) -> dict[str, bytes]:
    """All but what Pinyon remembers, which has times in it."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".pinyon/")}


def test_two_runs_write_the_same_bytes_and_all_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeatable = ("pretrain", "train", "evaluate", "control")
    for run in ("a", "b"):
        tiny_project(tmp_path / run, tiny(epochs=5, patience=1, min_epochs=2))
        for name in repeatable:
            in_folder(f"{name}.py", tmp_path / run, monkeypatch)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    promised = {
        path for name in repeatable for path in STAGES[name].get("outs", []) + STAGES[name]["metrics"]
    }
    assert promised <= set(first)


def fit(**train: Any) -> tuple[training.Fitted, list[dict[str, float]]]:
    """A tiny training, and what it logged."""
    logged: list[dict[str, float]] = []
    params = {
        f"{section}.{name}": value
        for section, values in tiny(**train).items()
        for name, value in values.items()
    }
    model = training.new_model(network.new_encoder(torch.from_numpy(noise().x), 8, 1, seed=0), 2)
    found = training.fit(model, noise(), noise(), params, lambda **numbers: logged.append(numbers))
    return found, logged


def test_every_epoch_tells_the_class_balance_of_the_answers() -> None:
    fitted, logged = fit(epochs=3)
    assert [point["step"] for point in logged] == [1, 2, 3]
    predicted = scoring.predict(fitted.model, noise())
    for name, value in scoring.accuracies(predicted, noise().y).items():
        assert logged[-1].get(name, value) == value
    assert logged[-1]["says_class_1"] == predicted.mean()
    assert all({"loss", "validation_loss", "learning_rate"} <= set(point) for point in logged)


def test_training_tells_its_run_of_the_class_balance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project(tmp_path, tiny())
    for script in ("pretrain.py", "train.py"):
        in_folder(script, tmp_path, monkeypatch)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["train_class_1_share"], metrics["validation_class_1_share"]) == (0.5, 0.5)
    recorded = [path.read_bytes() for path in (tmp_path / ".pinyon").rglob("*") if path.is_file()]
    for name in (b"says_class_1", b"class_0_accuracy", b"class_1_accuracy", b"learning_rate"):
        assert any(name in file for file in recorded)


@pytest.mark.parametrize(("patience", "min_epochs", "epochs"), [(0, 0, 6), (2, 0, 3), (2, 5, 5), (9, 0, 6)])
def test_training_stops_when_the_validation_loss_does(patience: int, min_epochs: int, epochs: int) -> None:
    """With a learning rate of nothing, no epoch after the first is better."""
    fitted, logged = fit(epochs=6, patience=patience, min_epochs=min_epochs, learning_rate=0.0)
    assert fitted.epochs == len(logged) == epochs


def test_the_weights_of_the_last_epoch_are_scored_and_not_the_best() -> None:
    fitted, logged = fit(epochs=30, patience=2, min_epochs=0, learning_rate=0.05, ema_decay=0.5)
    losses = [point["validation_loss"] for point in logged]
    assert fitted.epochs < 30
    assert losses[-1] > min(losses)
    weight = torch.tensor([1.0, PARAMS["train"]["class_1_weight"]])
    again = training.look(fitted.model, noise(), PARAMS["train"]["focal_gamma"], weight)
    assert again["validation_loss"] == losses[-1]


def test_the_control_is_the_training_without_pre_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tiny()
    tiny_project(tmp_path, {**params, "pretrain": {**params["pretrain"], "epochs": 0}})
    for script in ("pretrain.py", "train.py", "evaluate.py"):
        in_folder(script, tmp_path, monkeypatch)
    (tmp_path / "encoder.safetensors").unlink()
    in_folder("control.py", tmp_path, monkeypatch)
    found = {
        name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("control", "metrics", "test")
    }
    seen = found["control"].pop("validation")
    assert found["control"].pop("epochs") == found["metrics"]["epochs"]
    for ours, stage_found in ((seen, found["metrics"]), (found["control"], found["test"])):
        assert ours.items() <= stage_found.items()
        assert "accuracy_low" in ours


def test_the_interval_knows_that_windows_of_a_recording_are_not_independent() -> None:
    recording = np.repeat(np.arange(10), 20)
    right = recording < 8
    low, high = scoring.interval(right, recording)
    alone_low, alone_high = scoring.interval(right, np.arange(200))
    assert low < alone_low < right.mean() < alone_high < high
    assert scoring.interval(np.ones(200), recording) == (1.0, 1.0)


# -- latency --------------------------------------------------------------------------------------


def ticking(step: float = 0.001) -> Callable[[], float]:
    """A clock that goes on by `step` seconds with each look."""
    return (i * step for i in count()).__next__


def test_a_disturbed_batch_is_thrown_away_with_the_one_after_it() -> None:
    switched = [0, 0, 0, 1, 1, 1, 1, 1]  # before and after each of four batches: the second is disturbed
    timed = quiet.undisturbed(lambda: None, 8, 60.0, iter(switched).__next__, ticking())
    assert len(timed.seconds) == 2 * quiet.BATCH
    assert timed.share == 0.5
    assert timed.seconds == pytest.approx([0.001] * 8)


def test_too_little_undisturbed_is_an_error_and_no_number() -> None:
    with pytest.raises(quiet.BusyError, match=r"in 0.5 s, 0 of \d+ calls ran undisturbed, and 8 are needed"):
        quiet.undisturbed(lambda: None, 8, 0.5, count().__next__, ticking())


def test_a_wait_is_a_switch() -> None:
    before = quiet.switches()
    time.sleep(0.001)
    assert quiet.switches() > before


def test_idle_cpus() -> None:
    before, after = {0: (5, 10), 1: (0, 10)}, {0: (15, 20), 1: (5, 20)}
    assert quiet.idle_share(before, after, {0}) == 1.0
    assert quiet.idle_share(before, after, {0, 1}) == 0.75
    assert quiet.idle_share(before, after, set()) == quiet.idle_share(before, after, {7}) == 1.0
    assert all(0 <= idle <= everything for idle, everything in quiet.cpu_ticks().values())


def test_latency_is_measured_on_one_cpu_and_refused_when_it_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project(tmp_path, tiny())
    network.save_weights(network.SimpleLSTM(8, 2, 1), str(tmp_path / "model.safetensors"))
    allowed = os.sched_getaffinity(0)
    seen: list[set[int]] = []

    def busy(*_: Any) -> quiet.Timed:
        seen.append(os.sched_getaffinity(0))
        raise quiet.BusyError("nothing ran")

    with monkeypatch.context() as patched:
        patched.setattr(quiet, "undisturbed", busy)
        with pytest.raises(SystemExit, match=r"latency was not measured: nothing ran\. Run it again"):
            in_folder("latency.py", tmp_path, monkeypatch)
    assert [len(cpus) for cpus in seen] == [1]
    assert os.sched_getaffinity(0) == allowed
    assert not (tmp_path / "latency.json").exists()

    in_folder("latency.py", tmp_path, monkeypatch)
    found = json.loads((tmp_path / "latency.json").read_text())
    assert 0 < found["latency_p50"] <= found["latency_p95"] < 60
    assert 0 < found["share_undisturbed"] <= 1
    assert found["calls"] >= 2000
    assert found["model_bytes"] == (tmp_path / "model.safetensors").stat().st_size


# -- what pinyon.yaml says is what the code does --------------------------------------------------


def local_imports(file: str) -> set[str]:
    """The file and every file of the example that importing it runs."""
    found = {file}
    for node in ast.walk(ast.parse((HERE / file).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("study."):
            found |= {"study/__init__.py"} | local_imports(f"{node.module}.py".replace(".", "/", 1))
    return found


@pytest.mark.parametrize("name", STAGES)
def test_deps_name_every_file_the_stage_imports(name: str) -> None:
    made = {out for other in STAGES.values() for out in other.get("outs", [])}
    assert set(STAGES[name]["deps"]) - made == local_imports(STAGES[name]["cmd"][1])


@pytest.mark.parametrize("name", STAGES)
def test_params_name_what_the_stage_reads(name: str) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse((HERE / STAGES[name]["cmd"][1]).read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "read_params"
    ]
    assert [ast.literal_eval(arg) for call in calls for arg in call.args] == STAGES[name].get("params", [])


def test_only_what_follows_the_choice_sees_the_test_people() -> None:
    seeing = {name for name, stage in STAGES.items() if "data/test.npz" in stage["deps"]}
    assert seeing == {"evaluate", "control"}
    for name in ("lstm-optimization", "lstm-optimization-full"):
        assert seeing <= set(PROJECT["experiments"][name]["then"])


def expected(phase: str, name: str) -> list[Any]:
    """What the study expects of `name`, row by row."""
    return [row[name] for row in PROJECT["experiments"]["lstm-optimization"]["phases"][phase]["expect"]]


def test_what_was_expected_of_each_cell_stands_there() -> None:
    assert expected("time-warp", "augment.time_warp_sigma") == [0.10, 0.12, 0.15, 0.20]
    assert expected("time-warp", "accuracy") == [[0.72, 0.75], [0.73, 0.76], [0.74, 0.77], [0.72, 0.75]]
    assert expected("time-warp", "time") == [["60m", "90m"]] * 4
    names = [f"model.{name}" for name in ("hidden_size", "num_heads", "num_layers")]
    shapes = zip(*(expected("architecture", name) for name in names), strict=True)
    assert list(shapes) == [(h, n, k) for h in (64, 128) for n in (4, 8) for k in (1, 2)]
    thousands = [45, 55, 50, 60, 90, 110, 100, 120]
    assert expected("architecture", "n_parameters") == [1000 * n for n in thousands]
    assert expected("architecture", "time") == ["60m", "70m", "65m", "75m", "80m", "90m", "85m", "95m"]
    assert expected("pre-training", "pretrain.epochs") == [50, 75, 100]
    assert expected("pre-training", "time") == ["90m", "105m", "120m"]


def test_the_targets_are_gates() -> None:
    promote = PROJECT["experiments"]["lstm-optimization"]["promote"]
    assert promote["gate"] == [
        "evaluate.accuracy > 0.75",
        "evaluate.class_1_accuracy > 0.30",
        "evaluate.class_0_accuracy > 0.80",
        "n_parameters < 150000",
        "latency.latency_p50 < 0.010",
    ]
    assert promote["stretch"] == [
        "evaluate.accuracy > 0.80",
        "evaluate.class_1_accuracy > 0.40",
        "evaluate.class_0_accuracy > 0.85",
        "n_parameters < 100000",
        "latency.latency_p50 < 0.005",
    ]


def test_params_are_numbers_and_nothing_undeclared_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("train: {rate: 1e-3, seed: 0}\nmodel: {hidden: 8, heads: 2}\n")
    assert stage.read_params("train", "model.hidden", path=path) == {
        "train.rate": 0.001,
        "train.seed": 0,
        "model.hidden": 8,
    }
    with pytest.raises(ValueError, match="no parameter"):
        stage.read_params("trian", path=path)
