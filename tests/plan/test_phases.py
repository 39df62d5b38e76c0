"""When a phase has its winner, and when it never will."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from pinyon.model.experiment import Cell, Experiment, Objective, Phase
from pinyon.model.outcome import CANCELLED, FAILED, PRUNED, SUCCEEDED, Attempt
from pinyon.model.study import PhaseStudy, Replicate, Study
from pinyon.plan.actions import Reason, Select, Verdict
from pinyon.plan.decide import Settled
from pinyon.plan.phases import step, stuck


def study(count: int, quorum: float = 1.0) -> Study:
    cells = [Cell(f"c-{n}", "p", n + 1, (("a", n),)) for n in range(count)]
    rows = tuple((cell, (Replicate((), cell.assignment, f"r-{cell.id}"),)) for cell in cells)
    phase = Phase("p", (("a", tuple(range(count))),), quorum=quorum)
    return Study(Experiment("e", "s", (phase,), Objective("acc", "maximize")), (PhaseStudy(phase, (), rows),))


def attempt(recipe: str, state: str, detail: str = "", **metrics: float) -> Attempt:
    return Attempt(f"a-{recipe}", "k", recipe, "s", "x", 1, "isolated", state, detail, metrics=metrics)


class Known(Settled):
    """What is settled, said by hand."""

    def succeed(self, *cells: int) -> Known:
        for n in cells:
            self.outputs[f"r-c-{n}"] = ()
            self.results[f"r-c-{n}"] = attempt(f"r-c-{n}", SUCCEEDED, acc=0.5)
        return self

    def end(self, n: int, state: str, detail: str) -> Known:
        reason = Reason("it ended", (), attempt(f"r-c-{n}", state, detail))
        self.failed[f"r-c-{n}"], self.verdicts[f"r-c-{n}"] = reason, Verdict("stop", reason)
        return self


@pytest.mark.parametrize("count", [7, 10, 20, 100, 300])
@pytest.mark.parametrize("part", [0.07, 0.1, 0.29, 0.55, 0.57, 0.7, 0.9])
def test_a_quorum_is_met_exactly(part: float, count: int) -> None:
    least = math.ceil(Fraction(str(part)) * count)
    for finished in (least - 1, least):
        known = Known().succeed(*range(finished))
        for n in range(finished, count):
            known.end(n, FAILED, "exit")
        found = step(study(count, part), known, 1)
        assert (isinstance(found, Select) and bool(found.selection.winner)) == (finished == least)
        assert stuck(study(count, part), known) == (finished < count)


def test_nothing_is_chosen_while_a_cell_is_at_work() -> None:
    assert step(study(3, 0.5), Known().succeed(0, 1), 1) is None
    assert not stuck(study(3, 0.5), Known().succeed(0, 1))


def test_a_failure_is_in_the_way_and_a_hopeless_cell_is_not() -> None:
    failed = Known().succeed(0).end(1, FAILED, "exit")
    assert step(study(2), failed, 1) is None
    assert stuck(study(2), failed)
    pruned = Known().succeed(0).end(1, CANCELLED, PRUNED)
    found = step(study(2), pruned, 1)
    assert isinstance(found, Select)
    assert (found.selection.winner, found.attempts) == ("c-0", {"r-c-0": "a-r-c-0"})
    assert [one.why for one in found.selection.standings if one.why] == [
        "infeasible, because it has no result: it ended"
    ]
    assert not stuck(study(2), pruned)
