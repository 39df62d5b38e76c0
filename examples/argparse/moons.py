"""Two half moons that interlock, and the features a linear model needs to tell them apart."""

import csv
import math


def read(path):
    with open(path, newline="") as file:
        return [(float(row["x"]), float(row["y"]), int(row["moon"])) for row in csv.DictReader(file)]


def features(x, y, degree):
    """All products x^i y^j up to a degree, the constant among them."""
    return [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]


def probability(weights, x, y, degree):
    score = sum(w * f for w, f in zip(weights, features(x, y, degree), strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
