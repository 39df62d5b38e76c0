"""Stage 3: tell one exercise from six others; everything is judged on the validation people only."""

from __future__ import annotations

from study.network import count_parameters, load_encoder, reproducible, save_weights
from study.scoring import balance, in_words, judge, predict
from study.stage import read_params, say, write_metrics
from study.training import fit, new_model
from study.windows import load

import pinyon


def main() -> None:
    params = read_params("augment.time_warp_sigma", "model", "train")
    train, validation = (load("data/windows.npz", name) for name in ("train", "validation"))
    encoder = load_encoder("encoder.safetensors", params["model.hidden_size"], params["model.num_layers"])
    reproducible(params["train.seed"])
    model = new_model(encoder, params["model.num_heads"])
    say(f"{count_parameters(model):,} parameters")
    say(f"train:      {balance(train.y)}")
    say(f"validation: {balance(validation.y)}")

    with pinyon.run() as run:
        fitted = fit(model, train, validation, params, run.log)
    scores = judge(predict(fitted.model, validation), validation)
    save_weights(fitted.model, "model.safetensors")
    write_metrics(
        "metrics.json",
        {
            **scores,
            "n_parameters": count_parameters(model),
            "epochs": fitted.epochs,
            "train_class_1_share": float(train.y.mean()),
            "validation_class_1_share": float(validation.y.mean()),
        },
    )
    say(f"validation: {in_words(scores)}")


if __name__ == "__main__":
    main()
