"""Draws training, validation and test data."""

import json
import os

from rings import draw

os.makedirs("data", exist_ok=True)
for seed, (name, count) in enumerate({"train": 240, "validation": 400, "test": 400}.items()):
    with open(f"data/{name}.json", "w") as file:
        json.dump(draw(count, seed), file)
