"""A callback for a study of Optuna's own: ``study.optimize(objective, callbacks=[PinyonCallback()])``.

Each trial is a run inside the current one, so that trials can be compared as any runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinyon.track.current import run

if TYPE_CHECKING:
    from pinyon.track.running import Run


class PinyonCallback:
    """Called by Optuna when a trial has ended.

    Args:
        name: of the runs of trials; default: as the current run.
        metric: what objectives are called; with several objectives a name for each.
    """

    def __init__(self, name: str = "", *, metric: str | list[str] = "value") -> None:
        self._name = name
        self._metrics = [metric] if isinstance(metric, str) else list(metric)

    def __call__(self, study: Any, trial: Any) -> None:
        """See Optuna."""
        inner = run().child(
            self._name, params=trial.params, tags={"study": study.study_name, "trial": str(trial.number)}
        )
        for step, value in sorted(trial.intermediate_values.items()):
            inner.log({self._metrics[0]: value}, step=step)
        for name, value in zip(self._metrics, trial.values or (), strict=False):
            inner.summary[name] = value
        inner.finish(_error(inner, trial))


def _error(inner: Run, trial: Any) -> BaseException | None:
    """What ended a trial that has no value."""
    state = trial.state.name
    if state == "COMPLETE":
        return None
    inner.tag(optuna=state.lower())
    return KeyboardInterrupt() if state == "PRUNED" else RuntimeError(f"the trial ended as {state}")
