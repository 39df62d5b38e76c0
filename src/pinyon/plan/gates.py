"""What a promotion asks for, as far as a plan can tell whether it can be measured."""

from __future__ import annotations

from pinyon.errors import PlanError
from pinyon.model.experiment import Experiment
from pinyon.model.project import Project


def refuse_unmeasured(experiment: Experiment, project: Project) -> None:
    """Refuse a clause on a stage that the winner does not run through. A metric may have dots in its own name, so only what
    begins with the name of a stage of the project is taken for one.

    Raises:
        PlanError: names the clause, and what to do.
    """
    promote = experiment.promote
    if promote is None:
        return
    measured = (experiment.stage, *experiment.then)
    known = [template.name for template in project.stages]
    for said, clauses in (("gate", promote.gate), ("stretch", promote.stretch)):
        for clause in clauses:
            if clause.metric.startswith(tuple(f"{name}." for name in measured)):
                continue
            named = (name for name in known if clause.metric.startswith((f"{name}.", f"{name}@")))
            if stage := max(named, key=len, default=""):
                raise PlanError(
                    f"{said} of experiment '{experiment.name}': '{clause}' asks stage '{stage}'",
                    where=str(promote.origin),
                    why=f"the winner is measured by {' and '.join(measured)}",
                    next=f"add {stage} to then",
                )
