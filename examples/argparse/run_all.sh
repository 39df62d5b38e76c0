#!/bin/bash
# From nothing to a picture.
set -euo pipefail
DATA=moons.csv

mkdir -p logs
# 400 points are enough
python make_data.py --points 400 --out $DATA
# a straight line cannot tell the moons apart; a cubic can
python train.py --data $DATA --degree 3 --epochs 30 2>&1 | tee logs/train.log
python evaluate.py
