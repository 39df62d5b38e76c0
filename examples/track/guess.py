"""Name flowers by guessing, and keep what numbers do not tell."""

import random

import pinyon

random.seed(0)
flowers = ["iris", "rose", "tulip"]
with pinyon.run(name="guess") as run:
    for step in run.progress(range(3)):
        true = random.choices(flowers, k=60)
        guessed = [one if random.random() < 0.6 + step / 10 else random.choice(flowers) for one in true]
        wrong = [(one, other) for one, other in zip(true, guessed, strict=True) if one != other]
        run.log(
            accuracy=1 - len(wrong) / 60,
            guesses=pinyon.ConfusionMatrix(true, guessed),
            wrong=pinyon.Table(["flower", "guess"], wrong),
            petals=pinyon.Histogram([random.gauss(step, 1) for _ in range(500)], bins=16),
            remark=pinyon.Text(f"most often wrong: *{max(wrong)[0]}*"),
        )
    run.summary["accuracy"] = 1 - len(wrong) / 60
