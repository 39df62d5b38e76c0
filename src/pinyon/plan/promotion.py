"""What a promotion asks for, as far as a plan can tell: what becomes the model, and whether its gate can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import splitext

from pinyon.errors import PlanError
from pinyon.model.experiment import Experiment, Promotion
from pinyon.model.graph import Stage
from pinyon.model.project import Project
from pinyon.plan.interpolate import nearest

# Suffixes of files that hold a model; what is inside, `look` finds out.
_LIKELY = frozenset({
    ".safetensors", ".onnx", ".gguf", ".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".skops", ".h5",
    ".hdf5", ".keras", ".ubj", ".npz",
})  # fmt: skip


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


def model_path(stage: Stage, asked: Promotion) -> str:
    """The out of an experiment's stage that becomes a model.

    Raises:
        PlanError: there is no such out, or there are several; before anything runs.
    """
    paths = [out.path for out in stage.outs if out.role == "out"]
    try:
        return chosen(paths, asked.path, stage.name, "add path: OUT to promote")
    except PlanError as error:
        raise PlanError(error.what, where=str(asked.origin), why=error.why, next=error.next) from None


def chosen(paths: Sequence[str], path: str, stage: str, next: str) -> str:
    """``path`` if it is one of these; without one, the only path that looks like a model by its name, or the only one.

    Args:
        next: the command or edit that names one, with ``OUT`` for it.

    Raises:
        PlanError: there is none, or there are several.
    """
    if path in paths:
        return path
    likely = [one for one in paths if splitext(one)[1] in _LIKELY] or list(paths)
    if not path and len(likely) == 1:
        return likely[0]
    if not paths:
        raise PlanError(f"{stage} has no out that could be a model", next="declare one under outs")
    what = f"{stage} has no out '{path}'" if path else f"which out of {stage} is the model?"
    why = nearest(path, paths) if path else f"there are {', '.join(likely)}"
    raise PlanError(what, why=why, next=next.replace("OUT", likely[0]))
