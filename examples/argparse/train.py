"""Logistic regression by stochastic gradient descent; the last quarter of the data is kept for testing."""

import argparse
import json
import math
import random

from moons import features, probability, read

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="moons.csv")
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--degree", type=int, default=1)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--model", default="model.json")
args = parser.parse_args()

rows = read(args.data)
train, test = rows[: len(rows) * 3 // 4], rows[len(rows) * 3 // 4 :]
random.seed(args.seed)
weights = [0.0] * len(features(0, 0, args.degree))
for epoch in range(args.epochs):
    random.shuffle(train)
    loss = 0.0
    for x, y, moon in train:
        p = probability(weights, x, y, args.degree)
        loss -= math.log(p if moon else 1 - p) / len(train)
        weights = [
            w + args.lr * (moon - p) * f for w, f in zip(weights, features(x, y, args.degree), strict=True)
        ]
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {loss:.3f}")

right = sum((probability(weights, x, y, args.degree) > 0.5) == bool(moon) for x, y, moon in test)
with open(args.model, "w") as file:
    json.dump({"degree": args.degree, "weights": weights}, file)
with open("metrics.json", "w") as file:
    json.dump({"loss": round(loss, 4), "accuracy": right / len(test)}, file)
