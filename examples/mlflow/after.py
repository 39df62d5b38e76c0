"""The slope of a noisy line by gradient descent."""

import argparse
import json
import random

import pinyon

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, default=0.1)
parser.add_argument("--steps", type=int, default=20)
args = parser.parse_args()

random.seed(0)
points = [(x / 50, 3 * x / 50 + random.gauss(0, 0.1)) for x in range(50)]
run = pinyon.run(params=args, tags={"data": "made up"})
slope = 0.0
for step in range(args.steps):
    errors = [slope * x - y for x, y in points]
    slope -= (
        args.rate * sum(2 * error * x for error, (x, _) in zip(errors, points, strict=True)) / len(points)
    )
    loss = sum(error**2 for error in errors) / len(points)
    run.log(loss=loss, step=step)

with open("model.json", "w") as file:
    json.dump({"slope": round(slope, 4)}, file)
run.artifact("model.json", role="model")
run.summary["loss"] = loss
