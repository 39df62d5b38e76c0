"""Keep the rows of trees.csv that can be true."""

import csv

import yaml

with open("params.yaml") as file:
    tallest = yaml.safe_load(file)["clean"]["tallest"]

with open("trees.csv") as file:
    rows = list(csv.DictReader(file))
kept = [row for row in rows if row["height"] and float(row["height"]) <= tallest]

with open("clean.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, ["age", "height"])
    writer.writeheader()
    writer.writerows(kept)
print(f"kept {len(kept)} of {len(rows)} trees")
