"""Logistic regression on two half moons, configured by Hydra; every fourth point is kept for testing."""

import json
import math
import random

import hydra
from omegaconf import DictConfig


def moons(points: int, noise: float) -> list[tuple[float, float, int]]:
    found = []
    for number in range(points):
        moon, angle = number % 2, random.uniform(0, math.pi)
        x, y = (1 - math.cos(angle), 0.5 - math.sin(angle)) if moon else (math.cos(angle), math.sin(angle))
        found.append((x + random.gauss(0, noise), y + random.gauss(0, noise), moon))
    return found


@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg: DictConfig) -> None:
    random.seed(cfg.seed)
    rows = moons(cfg.data.points, cfg.data.noise)
    train, test = [row for i, row in enumerate(rows) if i % 4], rows[::4]
    powers = [(i, j) for i in range(cfg.model.degree + 1) for j in range(cfg.model.degree + 1 - i)]
    weights, steps = [0.0] * len(powers), [0.0] * len(powers)

    def probability(x: float, y: float) -> tuple[list[float], float]:
        features = [x**i * y**j for i, j in powers]
        score = sum(w * f for w, f in zip(weights, features, strict=True))
        return features, 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))

    loss = 0.0
    for epoch in range(cfg.trainer.epochs):
        loss = 0.0
        random.shuffle(train)
        for x, y, moon in train:
            features, p = probability(x, y)
            loss -= math.log(max(p if moon else 1 - p, 1e-9)) / len(train)
            for i, feature in enumerate(features):
                slope = (moon - p) * feature - cfg.optimizer.weight_decay * weights[i]
                steps[i] = cfg.optimizer.get("momentum", 0.0) * steps[i] + cfg.optimizer.lr * slope
                weights[i] += steps[i]
        if epoch % cfg.trainer.check_every == cfg.trainer.check_every - 1:
            print(f"{cfg.model.name_of_run}, epoch {epoch + 1}: loss {loss:.3f}")

    right = sum((probability(x, y)[1] > 0.5) == bool(moon) for x, y, moon in test)
    with open("model.json", "w") as file:
        json.dump({"powers": powers, "weights": weights}, file)
    with open("metrics.json", "w") as file:
        json.dump({"accuracy": round(right / len(test), 4), "loss": round(loss, 4)}, file)


if __name__ == "__main__":
    main()
