"""What a scheduler leaves in the environment of what it has started, and what that says about an end."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

_JOBS = {"SLURM_JOB_ID": "slurm", "PBS_JOBID": "pbs", "LSB_JOBID": "lsf", "FLUX_JOB_ID": "flux"}
_MOST = 100  # characters of a job's name


def job_of(environment: Mapping[str, str]) -> dict[str, str]:
    """``{kind, job}`` of the scheduler's job that a process is part of; empty where it is part of none."""
    for name, kind in _JOBS.items():
        if job := environment.get(name, "").strip():
            return {"kind": kind, "job": job[:_MOST]}
    return {}


def preempted(scheduler: Mapping[str, Any], detail: str, number: int | None, code: int | None) -> bool:
    """Whether an end is the scheduler's doing: it asked the supervisor to leave, or ended the command by SIGTERM.

    Args:
        scheduler: what `job_of` said when the attempt began.
        detail: of the recorded end.
        number: the signal that ended the command.
        code: its exit code; a shell's or launcher's 143 is a SIGTERM, too.
    """
    if not scheduler:
        return False
    ended = number == signal.SIGTERM or code == 128 + signal.SIGTERM
    return detail == "shutdown" or (detail in ("signal", "exit") and ended)
