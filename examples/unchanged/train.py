"""A training that knows nothing of Pinyon."""

import argparse
import time

from events import SummaryWriter  # in your script: from torch.utils.tensorboard import SummaryWriter

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()

train, validation = SummaryWriter("runs/train"), SummaryWriter("runs/validation")
x = 4.0
for step in range(20):
    x -= args.lr * 2 * x
    train.add_scalar("loss", x * x, step)
    if step % 5 == 4:
        validation.add_scalar("loss", x * x + 0.01, step)
    time.sleep(0.02)
train.close()
validation.close()
print(f"x is {x:.4f}")
