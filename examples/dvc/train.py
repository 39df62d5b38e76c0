"""Least squares of a polynomial, height over age: train.py DEGREE OUT."""

import json
import sys

degree, out = int(sys.argv[1]), sys.argv[2]
with open("fit.csv") as file:
    trees = [tuple(map(float, line.split(","))) for line in file.read().splitlines()[1:]]
size = degree + 1
matrix = [[sum((x / 100) ** (i + j) for x, _ in trees) for j in range(size)] for i in range(size)]
right = [sum(y * (x / 100) ** i for x, y in trees) for i in range(size)]
for i in range(size):  # Gauss: make the matrix diagonal
    for k in range(size):
        if k != i:
            factor = matrix[k][i] / matrix[i][i]
            matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i], strict=True)]
            right[k] -= factor * right[i]
with open(out, "w") as file:
    json.dump([round(right[i] / matrix[i][i], 6) for i in range(size)], file)
print(f"degree {degree}: {len(trees)} trees")
