"""The model on data that nobody has chosen anything by."""

import json

from rings import read, score

with open("model.json") as file:
    model = json.load(file)
with open("test.json", "w") as file:
    json.dump(score(model["weights"], model["net"], read("data/test.json")), file)
