"""Which rate is too high? Nothing of this stands in a file of Pinyon's."""

import pinyon

for rate in (0.1, 0.9, 1.1):
    with pinyon.run(name="explore", params={"rate": rate}, tags={"why": "too-high"}) as run:
        x = 4.0
        for step in run.progress(range(20)):
            x -= rate * 2 * x
            run.log(loss=x * x, step=step)
        run.summary["loss"] = round(x * x, 3)
        run.figure(f"<svg xmlns='http://www.w3.org/2000/svg'><text>{x:.3f}</text></svg>", "end")
        run.artifact(repr(x).encode(), "x.txt")
        run.note("a parabola, from 4")
