"""Beside the winner: the same model and the same seeds, trained from scratch. What did pre-training bring?

With `pretrain.epochs: 0` the stages `pretrain` and `train` give exactly this; as a stage of its own
it cannot win.
"""

from __future__ import annotations

import torch
from study.network import new_encoder, reproducible
from study.scoring import in_words, judge, predict
from study.stage import read_params, say, write_metrics
from study.training import fit, new_model
from study.windows import load

import pinyon


def main() -> None:
    params = read_params("augment.time_warp_sigma", "model", "pretrain.seed", "train")
    train, validation = (load("data/windows.npz", name) for name in ("train", "validation"))
    test = load("data/test.npz", "test")
    encoder = new_encoder(
        torch.from_numpy(train.x),
        params["model.hidden_size"],
        params["model.num_layers"],
        params["pretrain.seed"],
    )
    reproducible(params["train.seed"])
    model = new_model(encoder, params["model.num_heads"])
    with pinyon.run() as run:
        model, epochs = fit(model, train, validation, params, run.log)

    tested, seen = (judge(predict(model, windows), windows) for windows in (test, validation))
    # On the test people under the names of evaluate, so that the report sets the two side by side.
    write_metrics("control.json", {**tested, "validation": seen, "epochs": epochs})
    say(f"from scratch, test: {in_words(tested)}")
    say(f"from scratch, validation: {in_words(seen)}")


if __name__ == "__main__":
    main()
