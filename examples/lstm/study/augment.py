"""Time warping: the same movement, at times a little faster and at times a little slower."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

KNOTS = 4  # a speed that changes a few times in a window is human; one that changes each step is noise


def warp_positions(batch: int, steps: int, sigma: float) -> Tensor:
    """(batch, steps) places to read from: strictly increasing, from 0 to steps - 1.

    The log of the speed is a smooth curve through random knots of standard deviation `sigma`. As
    a speed is positive, time never runs backwards; at sigma 0 the places are exactly 0, 1, 2, ...
    """
    knots = sigma * torch.randn(batch, 1, KNOTS)
    speed = functional.interpolate(knots, size=steps - 1, mode="linear", align_corners=True).exp()
    travelled = functional.pad(speed.squeeze(1).cumsum(dim=1), (1, 0))
    return travelled * ((steps - 1) / travelled[:, -1:])


def time_warp(x: Tensor, sigma: float) -> Tensor:
    """x (batch, steps, channels) read at warped places, each window with a warp of its own."""
    batch, steps, channels = x.shape
    places = warp_positions(batch, steps, sigma).clamp(max=steps - 1)
    left = places.floor().long().clamp(max=steps - 2)
    share = (places - left).unsqueeze(-1)
    rows = left.unsqueeze(-1).expand(-1, -1, channels)
    return torch.lerp(x.gather(1, rows), x.gather(1, rows + 1), share)
