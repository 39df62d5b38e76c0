"""How well does the model guess the trees that it has not seen?"""

import csv
import json
import math

with open("model.json") as file:
    model = json.load(file)
with open("clean.csv") as file:
    trees = [(float(row["age"]) / 100, float(row["height"])) for row in csv.DictReader(file)]

errors = [y - sum(c * x**i for i, c in enumerate(model)) for x, y in trees[::4]]
rmse = math.sqrt(sum(error**2 for error in errors) / len(errors))
with open("metrics.json", "w") as file:
    print(json.dumps({"rmse": round(rmse, 4), "trees": len(errors)}), file=file)
print(f"off by {rmse:.2f} m on {len(errors)} trees")
