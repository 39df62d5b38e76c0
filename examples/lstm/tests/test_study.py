"""The claims of the example, tested small: sizes, splits, warps, losses, equal bytes, honest edges."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

from study import augment, loss, network, stage, windows  # noqa: E402  (found through the line above)

STAGES: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "pinyon.yaml").read_text())["stages"]
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
        network.load_encoder(network.Encoder(8, 2), path)


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


@pytest.mark.parametrize(("validation", "test"), [([7, 10], [10, 8]), ([7, 8], [9, 10]), ([7, 10], [8])])
def test_a_split_that_leaks_is_refused(validation: list[int], test: list[int]) -> None:
    with pytest.raises(ValueError, match="subjects"):
        windows.split_subjects(validation, test)


# -- training -------------------------------------------------------------------------------------


def tiny_project(folder: Path) -> None:
    """A project of 40 noisy windows and a network of width 8."""
    (folder / "data").mkdir(parents=True)
    overlay = {
        **PARAMS,
        "model": {"hidden_size": 8, "num_heads": 2, "num_layers": 1},
        "pretrain": {**PARAMS["pretrain"], "epochs": 2, "windows_per_epoch": 16, "batch_size": 8},
        "train": {**PARAMS["train"], "epochs": 2, "batch_size": 8},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(overlay))
    rng, y = np.random.default_rng(0), np.arange(40) % 2
    made = windows.Windows(rng.normal(size=(40, 9, 6)).astype(np.float32), y, y, y)
    windows.save(str(folder / "data/windows.npz"), train=made, validation=made)
    windows.save(str(folder / "data/test.npz"), test=made)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_write_the_same_bytes_and_all_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a", "b"):
        tiny_project(tmp_path / run)
        for script in ("pretrain.py", "train.py", "evaluate.py"):
            in_folder(script, tmp_path / run, monkeypatch)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    promised = {
        path
        for name in STAGES
        if name != "prepare"
        for path in STAGES[name].get("outs", []) + STAGES[name]["metrics"]
    }
    assert promised <= set(first)


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
