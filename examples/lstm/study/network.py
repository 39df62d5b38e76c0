"""The networks, and how their weights travel: safetensors that name their own architecture."""

from __future__ import annotations

import json
from collections.abc import Iterator

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

CHANNELS = 6
CLASSES = 2
HEAD_WIDTH = 32


def reproducible(seed: int) -> None:
    """Equal bytes from equal inputs: sums split over two threads would round differently."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)


class Encoder(nn.Module):
    """Standardises each channel, then reads the window in both directions.

    The channel statistics are buffers, so a saved model takes raw sensor windows.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        if hidden_size % 2:
            raise ValueError(f"model.hidden_size is shared by two directions, so even: not {hidden_size}")
        self.config = {"hidden_size": hidden_size, "num_layers": num_layers}
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))
        self.lstm = nn.LSTM(CHANNELS, hidden_size // 2, num_layers, batch_first=True, bidirectional=True)

    def measure(self, x: Tensor) -> None:
        """Take the channel statistics from x (n, steps, 6): training windows, never others."""
        self.mean = x.mean(dim=(0, 1))
        self.std = x.std(dim=(0, 1))

    def standardise(self, x: Tensor) -> Tensor:
        """Each channel with mean 0 and variance 1 over the training windows."""
        return (x - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        """Raw windows (batch, steps, 6) -> states (batch, steps, hidden_size)."""
        return self.lstm(self.standardise(x))[0]


class SimpleLSTM(nn.Module):
    """BiLSTM -> projection -> attention over all steps -> LayerNorm -> mean over steps -> MLP.

    Heads divide the hidden size among themselves, so their number leaves the parameters unchanged.
    """

    def __init__(self, hidden_size: int, num_heads: int, num_layers: int) -> None:
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(f"model.num_heads {num_heads} must divide model.hidden_size {hidden_size}")
        self.encoder = Encoder(hidden_size, num_layers)
        self.config = {**self.encoder.config, "num_heads": num_heads}
        self.project = nn.Linear(hidden_size, hidden_size)
        self.attention = nn.MultiheadAttention(hidden_size, num_heads, batch_first=True)
        self.norm = nn.LayerNorm(hidden_size)
        self.head = nn.Sequential(
            nn.Linear(hidden_size, HEAD_WIDTH), nn.ReLU(), nn.Linear(HEAD_WIDTH, CLASSES)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Raw windows (batch, steps, 6) -> logits (batch, 2)."""
        states = self.project(self.encoder(x))
        attended, _ = self.attention(states, states, states, need_weights=False)
        return self.head(self.norm(states + attended).mean(dim=1))


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers, as they are: buffers are not parameters."""
    return sum(p.numel() for p in model.parameters())


def shuffled(n: int, batch_size: int) -> Iterator[Tensor]:
    """Row numbers 0..n-1 in random order, a batch at a time; the last batch may be shorter."""
    yield from torch.randperm(n).split(batch_size)


def save_weights(model: Encoder | SimpleLSTM, path: str) -> None:
    """One metadata entry only: safetensors writes several in no fixed order, and bytes must repeat."""
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, path, metadata={"config": json.dumps(model.config, sort_keys=True)})


def new_encoder(x: Tensor, hidden_size: int, num_layers: int, seed: int) -> Encoder:
    """An encoder that has learnt nothing: random weights of `seed`, the channel statistics of x (n, steps, 6)."""
    reproducible(seed)
    encoder = Encoder(hidden_size, num_layers)
    encoder.measure(x)
    return encoder


def load_encoder(path: str, hidden_size: int, num_layers: int) -> Encoder:
    """The encoder of a file, refusing one that was pre-trained at another size."""
    tensors, config = _read(path)
    encoder = Encoder(hidden_size, num_layers)
    if config != encoder.config:
        raise ValueError(f"{path} was pre-trained as {config}, this model needs {encoder.config}")
    encoder.load_state_dict(tensors)
    return encoder


def load_model(path: str) -> SimpleLSTM:
    """The model of a file; its architecture is read from the file, so no parameter is needed."""
    tensors, config = _read(path)
    model = SimpleLSTM(**config)
    model.load_state_dict(tensors)
    return model.eval()


def _read(path: str) -> tuple[dict[str, Tensor], dict[str, int]]:
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, json.loads(file.metadata()["config"])
