"""Fit a polynomial, height over age, by least squares; every fourth tree is left out for evaluate.py."""

import csv
import json
import time

import yaml

with open("params.yaml") as file:
    params = yaml.safe_load(file)["fit"]
time.sleep(params["pause"])

with open("clean.csv") as file:
    trees = [(float(row["age"]) / 100, float(row["height"])) for row in csv.DictReader(file)]
seen = [tree for index, tree in enumerate(trees) if index % 4]

size = params["degree"] + 1
matrix = [[sum(x ** (i + j) for x, _ in seen) for j in range(size)] for i in range(size)]
right = [sum(y * x**i for x, y in seen) for i in range(size)]
for i in range(size):  # Gauss: make the matrix diagonal
    for k in range(size):
        if k != i:
            factor = matrix[k][i] / matrix[i][i]
            matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i], strict=True)]
            right[k] -= factor * right[i]

with open("model.json", "w") as file:
    json.dump([round(right[i] / matrix[i][i], 6) for i in range(size)], file)
print(f"fitted degree {params['degree']} to {len(seen)} trees")
