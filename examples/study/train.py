"""Logistic regression on the features, with jittered copies of the training points."""

import json
import random

import yaml
from rings import features, probability, read, score

with open("params.yaml") as file:
    params = yaml.safe_load(file)
with open("net.json") as file:
    net = json.load(file)
train, dice = read("data/train.json"), random.Random(params["train"]["seed"])
weights, sigma, rate = [0.0] * (len(net) + 1), params["augment"]["sigma"], params["train"]["rate"]
for _ in range(params["train"]["epochs"]):
    dice.shuffle(train)
    for x, y, ring in train:
        values = features(x + dice.gauss(0, sigma), y + dice.gauss(0, sigma), net)
        step = rate * (ring - probability(weights, values)) * (params["train"]["rare_weight"] if ring else 1)
        weights = [w + step * v for w, v in zip(weights, values, strict=True)]

metrics = score(weights, net, read("data/validation.json")) | {"n_parameters": len(weights) + 3 * len(net)}
with open("model.json", "w") as file:
    json.dump({"net": net, "weights": weights}, file)
with open("metrics.json", "w") as file:
    json.dump(metrics, file)
