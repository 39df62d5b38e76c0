"""Draw points from two half moons."""

import argparse
import csv
import math
import random

parser = argparse.ArgumentParser()
parser.add_argument("--points", type=int, default=400)
parser.add_argument("--noise", type=float, default=0.15)
parser.add_argument("--out", default="moons.csv")
args = parser.parse_args()

random.seed(1)
with open(args.out, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["x", "y", "moon"])
    for number in range(args.points):
        moon, angle = number % 2, random.uniform(0, math.pi)
        x = (1 - math.cos(angle) if moon else math.cos(angle)) + random.gauss(0, args.noise)
        y = (0.5 - math.sin(angle) if moon else math.sin(angle)) + random.gauss(0, args.noise)
        writer.writerow([round(x, 4), round(y, 4), moon])
