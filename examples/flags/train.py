"""A small network on two half moons, by gradient descent; every fourth point is kept for testing."""

import argparse
import json
import math
import random

parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
parser.add_argument("--lr", type=float, default=0.1, help="step size")
parser.add_argument(
    "--optim.momentum", type=float, default=0.0, help="part of the last step that is taken again"
)
parser.add_argument("--hidden-size", type=int, default=4, help="units")
parser.add_argument("--activation", choices=["tanh", "relu"], default="tanh", help="of the units")
parser.add_argument("--noise", type=float, nargs=2, default=[0.1, 0.1], help="of the points, along x and y")
parser.add_argument("--standardize", action=argparse.BooleanOptionalAction, default=False, help="the points")
parser.add_argument("--quiet", action="store_true", help="print nothing")
parser.add_argument("--epochs", type=int, default=15, help="passes over the points")
parser.add_argument("--seed", type=int, default=0, help="of points and weights")
args = parser.parse_args()

random.seed(args.seed)
points = []
for number in range(120):
    moon, angle = number % 2, random.uniform(0, math.pi)
    x, y = (1 - math.cos(angle), 0.5 - math.sin(angle)) if moon else (math.cos(angle), math.sin(angle))
    points.append((x + random.gauss(0, args.noise[0]), y + random.gauss(0, args.noise[1]), moon))
if args.standardize:
    points = [((x - 0.5) / 0.9, (y - 0.25) / 0.5, moon) for x, y, moon in points]
train, test = [p for i, p in enumerate(points) if i % 4], points[::4]

units = [[random.gauss(0, 1) for _ in range(4)] for _ in range(args.hidden_size)]  # wx, wy, bias, output
steps = [[0.0] * 4 for _ in units]
act = math.tanh if args.activation == "tanh" else (lambda v: max(v, 0.0))
slope = (lambda h: 1 - h * h) if args.activation == "tanh" else (lambda h: float(h > 0))


def forward(x, y):
    hidden = [act(u[0] * x + u[1] * y + u[2]) for u in units]
    return hidden, 1 / (
        1 + math.exp(-max(-30, min(30, sum(u[3] * h for u, h in zip(units, hidden, strict=True)))))
    )


loss = 0.0
for epoch in range(args.epochs):
    loss = 0.0
    random.shuffle(train)
    for x, y, moon in train:
        hidden, p = forward(x, y)
        loss -= math.log(max(p if moon else 1 - p, 1e-9)) / len(train)
        for u, s, h in zip(units, steps, hidden, strict=True):
            back = (moon - p) * u[3] * slope(h)
            for i, g in enumerate((back * x, back * y, back, (moon - p) * h)):
                s[i] = getattr(args, "optim.momentum") * s[i] + args.lr * g
                u[i] += s[i]
    if not args.quiet:
        print(f"epoch {epoch + 1}: loss {loss:.3f}")

right = sum((forward(x, y)[1] > 0.5) == bool(moon) for x, y, moon in test)
with open("model.json", "w") as file:
    json.dump(units, file)
with open("metrics.json", "w") as file:
    json.dump({"accuracy": round(right / len(test), 4), "loss": round(loss, 4)}, file)
