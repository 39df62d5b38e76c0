"""Find the line behind noisy points, one step of gradient descent after the other."""

import json
import os
import random

import pinyon

run = pinyon.run()
params = run.params.train
random.seed(params.seed)
line = {"slope": 0.0, "height": 0.0}
stop = pinyon.EarlyStopping(patience=5, min_delta=0.001)

start = run.resume(stop=stop)
if start:
    line = start.state["line"]
    print(f"went on from step {start.step}, loss was {stop.best:.3f}")

for step in run.progress(range(start.step if start else 0, params.steps)):
    points = [(x / 10, 3 * x / 10 + 1 + random.gauss(0, 0.1)) for x in range(-10, 11)]
    errors = [(line["slope"] * x + line["height"] - y, x) for x, y in points]
    loss = run.guard(sum(error**2 for error, _ in errors) / len(errors))
    line["slope"] -= params.lr * 2 * sum(error * x for error, x in errors) / len(errors)
    line["height"] -= params.lr * 2 * sum(error for error, _ in errors) / len(errors)
    run.log(loss=loss, slope=line["slope"])
    if stop(loss):
        break
    if step % 5 == 4:
        run.checkpoint(step + 1, stop=stop, line=line)
    if step == 16 and not start and "CRASH" in os.environ:
        os.kill(os.getpid(), 9)

with open("model.json", "w") as file:
    json.dump(line, file)
run.summary.update(loss=round(loss, 4), slope=round(line["slope"], 2))
print(f"slope {line['slope']:.2f}, height {line['height']:.2f} after {step + 1} steps")
