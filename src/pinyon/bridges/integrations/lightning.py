"""A logger for Lightning: ``Trainer(logger=PinyonLogger())``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from pinyon.bridges.integrations.numbers import scalars
from pinyon.track.current import run
from pinyon.track.running import Run


class PinyonLogger(Logger):
    """What a module logs goes to the current run, or to one that begins with the first call. Only the first rank logs.

    Checkpoints stay Lightning's own business; `pinyon run` keeps what a stage declares as its outs.

    Args:
        name: of a run that is begun; in an attempt the run has one.
        params, tags: as for `pinyon.run`.
    """

    def __init__(
        self,
        name: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._name, self._params, self._tags = name, params, tags
        self._run: Run | None = None

    @property
    @rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> Run:
        """The run."""
        if self._run is None:
            self._run = run(name=self._name)
            if self._params:
                self._run.use(self._params)
            if self._tags:
                self._run.tag(**self._tags)
        return self._run

    @property
    def name(self) -> str:
        """The stage of the run."""
        return str(self.experiment.stage)

    @property
    def version(self) -> str:
        """The id of the run."""
        return str(self.experiment.id)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """See Lightning."""
        self.experiment.use(params)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """See Lightning."""
        self.experiment.log(scalars(metrics), step=step)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def save(self) -> None:
        """Have everything on disk."""
        self.experiment.flush()

    @rank_zero_only  # type: ignore[untyped-decorator]
    def finalize(self, status: str) -> None:
        """The run goes on: a script may test after it has trained. How training went is a tag where it was no success."""
        if status != "success":
            self.experiment.tag(lightning=status)
        self.experiment.flush()
