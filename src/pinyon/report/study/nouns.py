"""What a report knows, before it is put into words: every statistic with the runs behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pinyon.model.condition import Comparison
from pinyon.model.experiment import Cell, Expected, Experiment, Promotion, Selection, Standing
from pinyon.model.outcome import Attempt
from pinyon.model.registry import Change, Checked, ModelVersion
from pinyon.model.study import PhaseStudy, Replicate

Curves = Mapping[str, Mapping[str, list[tuple[int, float]]]]
"""By attempt and metric: (step, value)."""


class Mean(NamedTuple):
    """A mean over replicates. ``value`` is None where one of them lacks the number, ``error`` (the standard error) with
    fewer than two. ``values`` are the replicates', as far as they are numbers, and ``runs`` theirs in the same order.
    ``own`` is the interval that the only replicate gave itself."""

    value: float | None = None
    error: float | None = None
    values: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()
    of: int = 0  # replicates, with those that lack it
    own: tuple[float, float] | None = None


class Sample(NamedTuple):
    """One replicate. ``run`` is "" as long as there is no result.

    ``state``: ``run`` for this experiment; ``reused``, made before for something else; ``shared``, the run of a replicate
    that stands before it; ``failed``; ``missing``. ``note`` says of which, from where, or why not.
    """

    cell: Cell
    replicate: Replicate
    run: str
    state: Literal["run", "reused", "shared", "failed", "missing"]
    note: str = ""
    attempt: Attempt | None = None
    expected: float | None = None

    @property
    def name(self) -> str:
        """Such as ``architecture/3, train.seed=0``."""
        return ", ".join(
            [cell_name(self.cell), *(f"{name}={plain(value)}" for name, value in self.replicate.seed)]
        )


class Limit(NamedTuple):
    """A constraint, and how a cell stands to it."""

    clause: Comparison
    mean: Mean
    margin: float | None
    holds: bool


class CellView(NamedTuple):
    """One cell. ``rank`` counts from 1; 0 is for what cannot win, for the reason ``why``. ``stated`` is what somebody
    expected of it beforehand."""

    cell: Cell
    samples: tuple[Sample, ...]
    rank: int
    verdict: Literal["winner", "tied", "", "out"]
    why: str
    objective: Mean
    limits: tuple[Limit, ...]
    prefer: Mean | None
    seconds: Mean
    expected: Mean
    stated: Expected
    standing: Standing | None = None


class PhaseView(NamedTuple):
    """One phase with its cells, best first. ``selection`` is None while nothing was chosen. ``varied`` are the parameters
    of its cells."""

    number: int
    study: PhaseStudy
    cells: tuple[CellView, ...]
    selection: Selection | None
    varied: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the experiment calls it."""
        return self.study.phase.name

    @property
    def winner(self) -> CellView | None:
        """The chosen cell."""
        return next((cell for cell in self.cells if cell.verdict == "winner"), None)


class RunView(NamedTuple):
    """A run behind the numbers; ``uses`` names the replicates, or what needed it."""

    id: str
    attempt: Attempt
    expected: float | None
    reused: bool
    uses: tuple[str, ...]


class Final(NamedTuple):
    """A stage of ``then`` on one replicate of the winner."""

    stage: str
    seed: str
    run: str
    attempt: Attempt | None
    why: str = ""


class Counts(NamedTuple):
    """Cells, replicates, and the distinct runs behind these: made for this experiment, before it, not at all."""

    cells: int
    replicates: int
    distinct: int
    run: int
    reused: int
    failed: int
    missing: int


class Stated(NamedTuple):
    """Seconds that somebody stated of replicates, summed: the lowest and the highest. ``seconds`` is how long those took
    that have a result, with all that they needed; ``runs`` are theirs. ``replicates`` counts all."""

    low: float
    high: float
    replicates: int
    seconds: float
    runs: tuple[str, ...]


class Times(NamedTuple):
    """Seconds of all distinct runs one after another, and on the critical path; of which ``reused`` were spent before.
    ``expected`` is None where nothing was expected of any run; ``compared`` are the serial seconds of those that it
    covers. ``gpu`` counts seconds times GPUs. ``stated`` counts every replicate as declared, ``distinct`` each run once;
    None where nobody stated a time."""

    serial: float
    critical: float
    reused: float
    expected: float | None
    compared: float
    gpu: float
    stated: Stated | None = None
    distinct: Stated | None = None


class Target(NamedTuple):
    """What is wanted of one metric of the model that the winner gives: by its gate, and as a goal beyond it.

    ``own`` is the interval that the run gave the number itself. ``why`` says what is wrong with the name of the metric.
    """

    metric: str
    gate: Checked | None
    stretch: Checked | None
    own: tuple[float, float] | None = None
    why: str = ""

    @property
    def checked(self) -> Checked:
        """Either of them: both are about the same number."""
        return self.gate or self.stretch  # type: ignore[return-value]  # one of them is there

    @property
    def met(self) -> bool:
        """Whether the gate holds; what has none is no obstacle."""
        return self.gate is None or self.gate.holds


class Promoted(NamedTuple):
    """How far the promotion that the experiment asks for has come.

    Attributes:
        asked: as the experiment says it.
        state: ``none`` to promote, for nobody has won; ``missed``: a clause of the gate does not hold; ``waiting`` to be
            promoted; ``promoted``: the name points at it; ``moved``: it did, and does not any more.
        version: what the winner has become; None as long as it is not registered.
        names: those that point at the version now.
        change: the last one that made the name point at the version.
        since: what took the name from it.
        now: the version that the name points at.
        changes: all that became of the model's names, oldest first.
    """

    asked: Promotion
    state: Literal["none", "missed", "waiting", "promoted", "moved"]
    version: ModelVersion | None = None
    names: tuple[str, ...] = ()
    change: Change | None = None
    since: Change | None = None
    now: int | None = None
    changes: tuple[Change, ...] = ()


class StudyView(NamedTuple):
    """All that a report says, as data."""

    experiment: Experiment
    phases: tuple[PhaseView, ...]
    winner: CellView | None
    why: str
    counts: Counts
    times: Times
    finals: tuple[Final, ...]
    promoted: Sample | None
    runs: Mapping[str, RunView]
    curves: Curves
    unlike: tuple[tuple[str, tuple[str, ...]], ...]  # runs of one key whose outs differ, with their attempts
    executions: Mapping[str, Mapping[str, Any]]
    targets: tuple[Target, ...]
    promotion: Promoted | None
    version: str

    @property
    def deciding(self) -> PhaseView | None:
        """The phase that the winner comes from."""
        won = self.winner
        return next((phase for phase in self.phases if won is not None and phase.winner is won), None)

    @property
    def seeds(self) -> int:
        """Replicates of a cell."""
        return max((len(cell.samples) for phase in self.phases for cell in phase.cells), default=0)


def cell_name(cell: Cell) -> str:
    """A cell by phase and number: ``architecture/3``."""
    return f"{cell.phase}/{cell.number}"


def plain(value: Any) -> str:
    """A parameter's value as YAML would show it: numbers and text as they are, ``true``, ``null``, lists in brackets."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(plain, value))}]"
    return str(value)
