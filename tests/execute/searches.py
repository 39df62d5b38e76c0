"""Spaces, and what must hold of points in them, told independently of the samplers."""

import json
from decimal import Decimal
from math import prod

from hypothesis import strategies as st

from pinyon.execute.samplers import Trial
from pinyon.model.experiment import Choice, Range

VALUES = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(-2, 2, width=16), st.sampled_from(["a", "b", ""]), st.none(),
    st.lists(st.integers(0, 3), max_size=2),
)  # fmt: skip
LOW = st.integers(-50, 50).map(lambda n: n / 10)
WIDTH = st.integers(1, 80).map(lambda n: n / 10)


def _wide(low, width, **rest):
    return Range(low, float(Decimal(str(low)) + Decimal(str(width))), **rest)


CHOICES = st.builds(Choice, st.lists(VALUES, min_size=1, max_size=4).map(tuple))
RASTERS = st.one_of(
    st.builds(_wide, LOW, WIDTH, step=st.sampled_from([0.1, 0.3, 0.7, 2.5])),
    st.builds(lambda low, width: Range(low, low + width, integer=True), st.integers(-5, 5), st.integers(0, 9)),
    st.builds(
        lambda low, width, step: Range(low, low + width, step=step, integer=True),
        st.integers(-5, 5), st.integers(0, 9), st.integers(1, 4),
    ),
    st.builds(lambda low, width: Range(low, low + width, log=True, integer=True), st.integers(1, 9), st.integers(0, 40)),
)  # fmt: skip
CONTINUA = st.one_of(
    st.builds(_wide, LOW, WIDTH),
    st.builds(
        lambda power, width: Range(10.0**power, 10.0 ** (power + width), log=True), st.integers(-6, 2), st.integers(1, 5)
    ),
)  # fmt: skip
NAMES = st.sampled_from(["a", "b.c", "train.lr", "z", "params/m.yaml:x"])


def spaces(axes, most=4):
    return st.dictionaries(NAMES, axes, min_size=1, max_size=most).map(lambda axes: tuple(axes.items()))


SPACES = spaces(st.one_of(CHOICES, RASTERS, CONTINUA))


def same(a, b):
    """Whether two values are one in a record: 1 is 1.0 there, and true is no number."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def values_of(axis):
    """All values of a finite axis, in order; None if it is endless."""
    if isinstance(axis, Choice):
        found = []
        for value in axis.values:
            if not any(same(value, other) for other in found):
                found.append(value)
        return found
    if axis.step is None and not axis.integer:
        return None
    low, high, step = (Decimal(str(number)) for number in (axis.low, axis.high, axis.step or 1))
    kind = int if axis.integer else float
    return [kind(low + i * step) for i in range(int((high - low) // step) + 1)]


FINITE = spaces(st.one_of(CHOICES, RASTERS), most=2).filter(
    lambda space: prod(len(values_of(axis)) for _, axis in space) <= 30
)


def check(space, pairs):
    """Assert that an assignment is a point, typed as declared and in written order."""
    assert [name for name, _ in pairs] == [name for name, _ in space]
    for (name, axis), (_, value) in zip(space, pairs, strict=True):
        listed = values_of(axis)
        if listed is None:
            assert type(value) is float, name
            assert axis.low <= value <= axis.high, name
        else:
            assert any(type(value) is type(one) and value == one for one in listed), (name, value)


def recorded(trials):
    """The trials as a journal gives them back, in another order, with their assignments in another order."""
    return [
        trial._replace(
            assignment=tuple((n, json.loads(json.dumps(_plain(v)))) for n, v in reversed(trial.assignment))
        )
        for trial in reversed(trials)
    ]


def _plain(value):
    return int(value) if isinstance(value, float) and value.is_integer() else value


OUTCOMES = st.one_of(
    st.tuples(st.just("complete"), st.floats(-9, 9)),
    st.tuples(st.just("complete"), st.floats(-9, 9)),
    st.tuples(st.just("complete"), st.one_of(st.floats(), st.none())),
    st.tuples(st.sampled_from(["running", "failed", "pruned"]), st.none()),
)
POINTS = st.lists(st.tuples(st.integers(0, 99), st.floats()), max_size=2).map(tuple)
MARGINS = st.lists(st.one_of(st.none(), st.floats()), max_size=2).map(tuple)


def outcome(data, number, pairs):
    state, value = data.draw(OUTCOMES)
    return Trial(number, pairs, value, state, data.draw(POINTS), data.draw(MARGINS))


def finished(number, pairs, value, **rest):
    return Trial(number, pairs, value, "complete", **rest)


def search(sampler, objective, count, trials=()):
    """Trials one after the other."""
    trials = list(trials)
    for number in range(len(trials), len(trials) + count):
        pairs = sampler.ask(trials)
        if pairs is None:
            break
        trials.append(finished(number, pairs, objective(dict(pairs))))
    return trials
