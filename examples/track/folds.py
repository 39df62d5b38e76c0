"""How far does the mean of a third of the numbers lie from that of the others?"""

import pinyon

numbers = [x * x % 17 for x in range(30)]
with pinyon.run(name="folds", group="first-look") as run:
    distances = []
    for fold in range(3):
        with run.child(f"fold-{fold}", params={"fold": fold}) as inner:
            held, others = numbers[fold::3], [x for at, x in enumerate(numbers) if at % 3 != fold]
            distances.append(abs(sum(held) / len(held) - sum(others) / len(others)))
            inner.summary["distance"] = distances[-1]
    run.summary["distance"] = sum(distances) / 3
