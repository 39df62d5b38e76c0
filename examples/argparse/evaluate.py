"""Draw which moon the model sees where."""

import json

from moons import probability, read

with open("model.json") as file:
    model = json.load(file)
rows = read("moons.csv")
left, right = min(x for x, _, _ in rows), max(x for x, _, _ in rows)
low, high = min(y for _, y, _ in rows), max(y for _, y, _ in rows)
with open("map.txt", "w") as file:
    for line in range(12):
        y = high - (high - low) * line / 11
        xs = [left + (right - left) * column / 39 for column in range(40)]
        seen = (probability(model["weights"], x, y, model["degree"]) for x in xs)
        file.write("".join("#" if p > 0.5 else "." for p in seen) + "\n")
