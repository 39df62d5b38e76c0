"""Stage 2: teach the encoder how arms move, without labels, by filling in steps it cannot see."""

from __future__ import annotations

from collections.abc import Callable

import torch
from study.augment import time_warp
from study.network import CHANNELS, Encoder, new_encoder, save_weights, shuffled
from study.stage import read_params, say, write_metrics
from study.windows import load
from torch import Tensor, nn

import pinyon

LOOK = 5  # epochs between two looks at the unseen people, which cost about as much as an epoch


class MaskedAutoencoder(nn.Module):
    """The encoder with a linear read-out that is thrown away afterwards."""

    def __init__(self, encoder: Encoder, mask_fraction: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.mask_fraction = mask_fraction
        self.decode = nn.Linear(encoder.config["hidden_size"], CHANNELS)

    def mask(self, batch: int, steps: int) -> Tensor:
        """(batch, steps) of bool, True where hidden: the same number in each window, at least one."""
        hidden = max(1, round(self.mask_fraction * steps))
        order = torch.rand(batch, steps).argsort(dim=1)
        return order < hidden

    def loss(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Mean squared error on the hidden steps of x (batch, steps, 6), in channel variances.

        Only hidden steps count: copying what is visible would teach the encoder nothing.
        """
        clean = self.encoder.standardise(x)
        states, _ = self.encoder.lstm(clean.masked_fill(hidden.unsqueeze(-1), 0.0))
        return (self.decode(states) - clean)[hidden].square().mean()


def pretrain(
    model: MaskedAutoencoder,
    x: Tensor,
    epochs: int,
    windows_per_epoch: int,
    batch_size: int,
    learning_rate: float,
    sigma: float,
    after_epoch: Callable[[int, float], None],
) -> None:
    """Train on x (n, steps, 6); an epoch is a fresh draw of `windows_per_epoch` windows.

    `after_epoch` is told its number, from 1, and its loss.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    for epoch in range(1, epochs + 1):
        drawn = x[torch.randperm(len(x))[:windows_per_epoch]]
        total = 0.0
        for rows in shuffled(len(drawn), batch_size):
            batch = time_warp(drawn[rows], sigma)
            loss = model.loss(batch, model.mask(*batch.shape[:2]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        after_epoch(epoch, total / len(drawn))


def main() -> None:
    params = read_params("augment.time_warp_sigma", "model.hidden_size", "model.num_layers", "pretrain")
    x = torch.from_numpy(load("data/windows.npz", "train").x)
    unseen = torch.from_numpy(load("data/windows.npz", "validation").x)
    epochs, learning_rate = params["pretrain.epochs"], params["pretrain.learning_rate"]
    encoder = new_encoder(x, params["model.hidden_size"], params["model.num_layers"], params["pretrain.seed"])
    model = MaskedAutoencoder(encoder, params["pretrain.mask_fraction"])

    # One mask for all looks at people not trained on: they compare like with like, and the first
    # and the last exist even for 0 epochs, the control.
    mask = model.mask(*unseen.shape[:2])

    @torch.no_grad()
    def error() -> float:
        return model.loss(unseen, mask).item()

    first = error()
    with pinyon.run() as run:

        def after_epoch(epoch: int, loss: float) -> None:
            run.log(step=epoch, loss=loss, learning_rate=learning_rate)
            if epoch % LOOK == 0 or epoch == epochs:
                run.log(step=epoch, validation_loss=error())

        pretrain(
            model,
            x,
            epochs,
            params["pretrain.windows_per_epoch"],
            params["pretrain.batch_size"],
            learning_rate,
            params["augment.time_warp_sigma"],
            after_epoch,
        )
    last = error()
    say(f"hidden steps of unseen people: error {first:.3f} before, {last:.3f} after (1 = guessing the mean)")
    save_weights(encoder, "encoder.safetensors")
    write_metrics("pretrain.json", {"loss_first": first, "loss_last": last})


if __name__ == "__main__":
    main()
