"""A script that knows nothing of Pinyon."""

import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=1)
depth = parser.parse_args().depth
with open("metrics.json", "w") as file:
    json.dump({"accuracy": 1 - 0.5**depth, "leaves": 2**depth}, file)
