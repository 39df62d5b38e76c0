"""Trees to fit and trees to test: split.py SHARE SEED."""

import random
import sys

share, seed = float(sys.argv[1]), int(sys.argv[2])
with open("trees.csv") as file:
    head, *rows = file.read().splitlines()
rows = [row for row in rows if 0 < float(row.split(",")[1] or 0) < 15]  # the rest are slips of the pen
random.Random(seed).shuffle(rows)
cut = round(len(rows) * share)
for name, some in (("fit.csv", rows[:cut]), ("test.csv", rows[cut:])):
    with open(name, "w") as file:
        file.write("\n".join([head, *some]) + "\n")
