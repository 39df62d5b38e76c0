"""The error of each model on trees that it has not seen."""

import json

with open("params.yaml") as file:  # one number, and no library for it
    digits = int(next(line for line in file if line.startswith("compare")).split("digits:")[1].strip(" }\n"))
with open("test.csv") as file:
    trees = [tuple(map(float, line.split(","))) for line in file.read().splitlines()[1:]]
found = {}
for degree in (1, 2, 3):
    with open(f"model-{degree}.json") as file:
        weights = json.load(file)
    errors = [sum(w * (x / 100) ** i for i, w in enumerate(weights)) - y for x, y in trees]
    found[f"rmse_{degree}"] = round((sum(e * e for e in errors) / len(errors)) ** 0.5, digits)
with open("metrics.json", "w") as file:
    json.dump(found, file)
print(found)
