"""A search over two parameters with scikit-learn, tracked: each candidate is a run inside this one, with a score for each
fold; the best one's confusion matrix and the fitted model are kept.

    pip install scikit-learn
    python digits.py
"""

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import ParameterGrid, StratifiedKFold, cross_val_score, train_test_split
from sklearn.svm import SVC

import pinyon

GRID = {"C": [0.1, 1.0, 10.0], "gamma": [0.0001, 0.001]}

images, labels = load_digits(return_X_y=True)
train, test, train_labels, test_labels = train_test_split(images, labels, stratify=labels, random_state=0)
folds = StratifiedKFold(3, shuffle=True, random_state=0)

with pinyon.run(name="digits", params={"grid": GRID}) as run:
    candidates = []
    for number, params in enumerate(ParameterGrid(GRID)):
        with run.child("candidate", params=params) as one:
            scores = cross_val_score(SVC(**params), train, train_labels, cv=folds)
            for fold, score in enumerate(scores):
                one.log(accuracy=score, step=fold)
            one.summary["accuracy"] = scores.mean()
        candidates.append((scores.mean(), params))
        run.log(accuracy=scores.mean(), step=number)

    score, best = max(candidates, key=lambda pair: pair[0])
    model = SVC(**best).fit(train, train_labels)
    guessed = model.predict(test)
    run.log(guesses=pinyon.ConfusionMatrix(test_labels, guessed))
    run.summary.update(best, accuracy=(guessed == test_labels).mean())
    joblib.dump(model, "model.joblib")
    run.artifact("model.joblib", "model.joblib")

for row in pinyon.runs(
    "accuracy > 0.9", stage="@candidate", sort="-accuracy", columns="params.C,params.gamma,accuracy"
):
    print(row)
