"""Two noisy rings, and a classifier over random features: small enough to train in a tenth of a second."""

import json
import math
import random


def draw(count: int, seed: int) -> list[tuple[float, float, int]]:
    """Points of an inner ring (1, one in five) and an outer one (0)."""
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        ring = int(dice.random() < 0.2)
        radius, angle = dice.gauss(0.6 if ring else 2.0, 0.45), dice.uniform(0, 2 * math.pi)
        rows.append((radius * math.cos(angle), radius * math.sin(angle), ring))
    return rows


def read(path: str) -> list[tuple[float, float, int]]:
    """What `draw` made and somebody wrote as JSON."""
    with open(path) as file:
        return [(x, y, ring) for x, y, ring in json.load(file)]


def features(x: float, y: float, net: list[list[float]]) -> list[float]:
    """One number per row of the net, and a constant."""
    return [1.0, *(math.tanh(a * x + b * y + c) for a, b, c in net)]


def probability(weights: list[float], values: list[float]) -> float:
    """Of the inner ring."""
    total = sum(w * v for w, v in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def score(
    weights: list[float], net: list[list[float]], rows: list[tuple[float, float, int]]
) -> dict[str, float]:
    """Accuracy over all, and over the rare class alone."""
    right = [(probability(weights, features(x, y, net)) > 0.5) == bool(ring) for x, y, ring in rows]
    rare = [ok for ok, (_, _, ring) in zip(right, rows, strict=True) if ring]
    return {"accuracy": sum(right) / len(right), "class_1_accuracy": sum(rare) / len(rare)}
