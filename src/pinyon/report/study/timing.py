"""How long it took: one run after another, and with room for all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pinyon.report.study.nouns import Final, PhaseView, RunView, Sample, Stated, Times


def times_of(phases: Sequence[PhaseView], finals: Sequence[Final], runs: Mapping[str, RunView]) -> Times:
    """Sums over distinct runs, upstream ones included. Phases wait for each other, so the critical path is the longest
    chain of each phase, of runs that no earlier phase has made, and that of the final stages."""
    needs = _needs(runs)
    made: set[str] = set()
    critical = 0.0
    steps = [
        [sample.run for cell in phase.cells for sample in cell.samples if sample.run] for phase in phases
    ]
    for step in [*steps, [final.run for final in finals if final.run]]:
        chains = _Chains(runs, needs, made)
        critical += max((chains.seconds(run) for run in step), default=0.0)
        made |= chains.seen
    expected = [(value, one.attempt.seconds) for one in runs.values() if (value := one.expected) is not None]
    return Times(
        sum(one.attempt.seconds for one in runs.values()),
        critical,
        sum(one.attempt.seconds for one in runs.values() if one.reused),
        sum(value for value, _ in expected) if expected else None,
        sum(seconds for _, seconds in expected),
        sum(one.attempt.seconds * gpus(one) for one in runs.values()),
        _stated(phases, runs, once=False),
        _stated(phases, runs, once=True),
    )


def _stated(phases: Sequence[PhaseView], runs: Mapping[str, RunView], *, once: bool) -> Stated | None:
    """The stated times of all replicates summed, each as declared, or each distinct run ``once``; beside them what was
    measured, with all that the replicates needed. None where nobody stated a time."""
    low = high = seconds = 0.0
    seen: dict[str, Sample] = {}
    counted: set[str] = set()
    replicates = 0
    behind = behind_of(runs)
    for cell in (cell for phase in phases for cell in phase.cells):
        for sample in cell.samples if cell.stated.seconds else ():
            if once and sample.replicate.recipe in seen:
                continue
            seen[sample.replicate.recipe] = sample
            replicates += 1
            low, high = (a + b for a, b in zip((low, high), cell.stated.seconds or (), strict=True))
            needed = behind.get(sample.run, frozenset()) - (counted if once else set())
            counted |= needed
            seconds += sum(runs[run].attempt.seconds for run in needed)
    ids = tuple(dict.fromkeys(one.run for one in seen.values() if one.run))
    return Stated(low, high, replicates, seconds, ids) if replicates else None


def behind_of(runs: Mapping[str, RunView]) -> dict[str, frozenset[str]]:
    """By run, itself and all that it needs."""
    needs = _needs(runs)
    found = {}
    for run in runs:
        seen, left = {run}, [run]
        while left:
            more = needs[left.pop()] - seen
            seen |= more
            left += more
        found[run] = frozenset(seen)
    return found


def gpus(run: RunView) -> int:
    """How many GPUs it had."""
    devices = run.attempt.resources.get("devices")
    return len(devices) if isinstance(devices, (list, tuple)) else 0


def _needs(runs: Mapping[str, RunView]) -> dict[str, set[str]]:
    """By run, those that made a dep of its: the same path with the same digest."""
    makers = {(out.path, out.digest): run for run, view in runs.items() for out in view.attempt.outputs}
    return {
        run: {
            makers[path, digest]
            for path, digest in (row[:2] for row in view.attempt.inputs.get("deps", ()) if len(row) >= 2)
            if makers.get((path, digest), run) != run
        }
        for run, view in runs.items()
    }


class _Chains:
    """Lengths of chains that end in a run; what was ``made`` before takes no time."""

    def __init__(self, runs: Mapping[str, RunView], needs: Mapping[str, set[str]], made: set[str]) -> None:
        self._runs, self._needs, self._made = runs, needs, made
        self._known: dict[str, float] = {}

    @property
    def seen(self) -> set[str]:
        return set(self._known)

    def seconds(self, run: str) -> float:
        if run in self._made:
            return 0.0
        if run not in self._known:
            self._known[run] = 0.0  # two runs that made each other's deps are no chain
            before = max((self.seconds(one) for one in self._needs[run]), default=0.0)
            self._known[run] = self._runs[run].attempt.seconds + before
        return self._known[run]
