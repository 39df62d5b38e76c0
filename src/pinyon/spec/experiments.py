"""The ``experiments:`` of a `pinyon.yaml`: every mistake that can be seen without the stages ends in one message.

Whether the stage, its parameters and the stages in ``then`` are there is seen where the graph is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pinyon.model.experiment import Experiment, Objective, Phase
from pinyon.model.project import Origin, Project
from pinyon.spec.checks import Path, SchemaError, anything, closed, list_of, name, named, text, wrong
from pinyon.spec.conditions import clauses_of
from pinyon.spec.load import line_of, told
from pinyon.spec.phases import EXAMPLE, phase_of
from pinyon.spec.promotion import promotion_of
from pinyon.spec.space import Axes, axes_of, pairs_of

_SECTION = "experiments"
_shape = closed(
    dict.fromkeys(("stage", "set", "objective", "seeds", "phases", "then", "promote"), anything),
    required=("stage", "phases"),
    hints=dict.fromkeys(("grid", "search"), "put it into a phase: phases: {NAME: {grid: …}}")
    | dict.fromkeys(("maximize", "minimize"), "write objective: {maximize: accuracy}")
    | {"expect": "put it into a phase", "gate": "write promote: {model: NAME, alias: staging, gate: […]}"},
)
_objective_shape = closed(dict.fromkeys(("maximize", "minimize", "subject_to", "prefer"), anything))
_stages = list_of(text, "a list of stages", "evaluate")


def experiments_of(project: Project) -> dict[str, Experiment]:
    """The experiments of a project by name, in written order; none where it has no such section.

    Raises:
        SpecError: the first mistake in them, with file and line.
    """
    found: dict[str, Experiment] = {}
    for file, sections in project.sections.items():
        if sections.get(_SECTION) is None:
            continue
        lines = project.lines.get(file, {})
        with told(file, lines):
            found |= _read(sections[_SECTION], file, lines)
    return found


def _read(section: Mapping[str, Any], file: str, lines: Mapping[str, int]) -> dict[str, Experiment]:
    if not section:
        next = f"write for example {_SECTION}: {{sweep: {{stage: train, phases: {{lr: {EXAMPLE}}}}}}}"
        raise SchemaError((_SECTION,), f"{_SECTION} is empty", next=next)
    return {key: _Reader(file, lines).experiment(body, (_SECTION, key)) for key, body in section.items()}


class _Reader:
    """Reads an experiment; knows which line a path of keys stands on."""

    def __init__(self, file: str, lines: Mapping[str, int]) -> None:
        self._file = file
        self._lines = lines

    def experiment(self, value: Any, path: Path) -> Experiment:
        _name(path)
        _shape(value, path)
        _refuse_templates(value, path)
        _word(value["stage"], (*path, "stage"))
        seeds = (
            axes_of(value["seeds"], (*path, "seeds"), "{train.seed: [0, 1, 2]}") if "seeds" in value else ()
        )
        then = value.get("then", [])
        _stages(then, (*path, "then"))
        at = (*path, "promote")
        promote = promotion_of(value["promote"], at, self._at(at)) if "promote" in value else None
        found = Experiment(
            path[-1],
            value["stage"],
            self._phases(value["phases"], (*path, "phases"), seeds),
            objective=_objective(value["objective"], (*path, "objective")) if "objective" in value else None,
            seeds=seeds,
            then=tuple(then),
            promote=promote,
            fixed=pairs_of(value["set"], (*path, "set")) if "set" in value else (),
            origin=self._at(path),
        )
        _refuse_aimless(found, path)
        return found

    def _phases(self, value: Any, path: Path, seeds: Axes) -> tuple[Phase, ...]:
        next = f"write for example phases: {{lr: {EXAMPLE}}}"
        if not isinstance(value, dict):
            raise wrong(value, path, "a mapping of names to phases", next)
        if not value:
            raise SchemaError(path, f"{named(path)} is empty", next=next)
        for key in value:
            _name((*path, key))
        return tuple(
            phase_of(body, (*path, key), seeds, self._at((*path, key))) for key, body in value.items()
        )

    def _at(self, path: Path) -> Origin:
        return Origin(self._file, line_of(self._lines, path))


def _objective(value: Any, path: Path) -> Objective:
    if not isinstance(value, dict):
        metric = value if isinstance(value, str) and re.fullmatch(r"[\w.]{1,60}", value) else "accuracy"
        next = f"write objective: {{maximize: {metric}}}, or minimize"
        raise wrong(value, path, "a mapping", next)
    _objective_shape(value, path)
    goals: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
    said = [goal for goal in goals if goal in value]
    if len(said) != 1:
        what = "says both maximize and minimize" if said else "says neither maximize nor minimize"
        raise SchemaError(path, f"{named(path)} {what}", next="write objective: {maximize: accuracy}")
    for key in (*said, "prefer"):
        if key in value:
            _word(value[key], (*path, key))
    clauses = clauses_of(value.get("subject_to", []), (*path, "subject_to"))
    return Objective(value[said[0]], said[0], clauses, value.get("prefer", ""))


def _refuse_aimless(found: Experiment, path: Path) -> None:
    """Whoever goes on with a winner has to say what wins."""
    if found.objective is not None:
        return
    wants = {
        "several phases": len(found.phases) > 1,
        "then": bool(found.then),
        "promote": found.promote is not None,
        "a search by tpe": any(phase.space and phase.sampler == "tpe" for phase in found.phases),
    }
    for want, true in wants.items():
        if true:
            raise SchemaError(
                path,
                f"{named(path)} has {want}, but no objective",
                why="nothing says which cell wins",
                next="add objective: {maximize: METRIC}, or minimize",
            )


def _word(value: Any, path: Path) -> None:
    text(value, path)
    if not value.strip():
        raise SchemaError(path, f"{named(path)} is empty")


def _name(path: Path) -> None:
    """A name that can be typed after a verb and stand in a ref."""
    name(path[-1], path[:-1])
    better = re.sub(r"[/\s]+", "-", path[-1])
    if better != path[-1]:
        what = f"'{path[-1]}' is no name in {named(path[:-1])}"
        raise SchemaError(path, what, why="a name has no / and no spaces", next=f"write {better}")


def _refuse_templates(value: Any, path: Path) -> None:
    if isinstance(value, str) and "${" in value:
        why = "what an experiment varies is written out"
        raise SchemaError(path, f"{named(path)} holds ${{…}}", why=why, next="write the value itself")
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            _refuse_templates(part, (*path, key))
