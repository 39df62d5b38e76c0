"""The error tree: every failure that Pinyon reports on purpose.

::

    PinyonError                      exit 1
     ├─ SpecError                    exit 2   a file of the user's says something wrong
     ├─ PlanError                    exit 3   the files are fine, together they make no plan
     │   ├─ UnknownGoalError                  a stage that nobody declared
     │   ├─ UnknownModelError                 a model that nobody registered
     │   ├─ CycleError                        stages that wait for each other
     │   └─ OutputConflictError               two stages that write one place
     ├─ ExecuteError                 exit 4   something that ran, or should have
     │   ├─ WorkspaceLockedError              another driver works here
     │   ├─ StageFailedError                  a stage failed; the rest was not tried
     │   ├─ LeaseLostError                    somebody else does this job now
     │   ├─ TrackError                        a call of a training script's that cannot be carried out
     │   ├─ DivergedError                     a loss is no number any more
     │   └─ TargetError                       the place that runs attempts is unwell
     ├─ StoreError                   exit 5   bytes or records are not what they should be
     │   ├─ CorruptError                      stored bytes differ from their name
     │   ├─ MissingBlobError                  a name whose bytes are not here
     │   ├─ MissingObjectError                a place that a store lies in lacks an object
     │   ├─ ForeignFileError                  a file of another tool's is damaged
     │   ├─ RefConflictError                  somebody else wrote this ref version first
     │   └─ FormatVersionError                written by a newer major format
     └─ GateError                    exit 6   a gate refused, or no cell won
         └─ NoWinnerError                     a phase of an experiment has no winner

Every error says *what* is wrong, *where*, *why* it matters, and the *next* command to type.
"""

from __future__ import annotations


class PinyonError(Exception):
    """Base of all errors that are told to the user in one line, without a traceback.

    Args:
        what: what is wrong, one clause, no full stop.
        where: file, file:line, stage or store the fault is in; empty when the message names it.
        why: the reason or what is allowed instead; empty when obvious.
        next: the command or edit that helps.
        result: what became of the goal so far (`pinyon.report.plan.Result`), where one was not reached.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", why: str = "", next: str = "", result: object = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next = next
        self.result = result

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f"; {self.why}"
        if self.next:
            text += f" → {self.next}"
        return text

    def as_dict(self) -> dict[str, object]:
        """The same for ``--json``: kind, what, where, why, next and exit code; and what `run --json` prints of a goal."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "next": self.next,
            "exit_code": self.exit_code,
            **getattr(self.result, "as_dict", dict)(),
        }


class SpecError(PinyonError):
    """A file of the user's says something wrong; nothing on disk has changed."""

    exit_code = 2


class PlanError(PinyonError):
    """The files are well formed, yet no plan can be made of them."""

    exit_code = 3


class UnknownGoalError(PlanError, KeyError):
    """A goal names a stage that nobody declared."""

    __str__ = PinyonError.__str__


class UnknownModelError(PlanError, KeyError):
    """A name that no model has."""

    __str__ = PinyonError.__str__


class CycleError(PlanError):
    """Stages that wait for each other."""


class OutputConflictError(PlanError):
    """Two stages write one place, or one writes inside another's out."""


class ExecuteError(PinyonError):
    """Something that ran, or should have run, failed."""

    exit_code = 4


class WorkspaceLockedError(ExecuteError):
    """Another driver works in this project in place; ``where`` names the holder."""


class StageFailedError(ExecuteError):
    """One or more stages failed; ``what`` names them, ``result`` says what became of all."""


class LeaseLostError(ExecuteError):
    """The lease was taken over while its holder showed no sign of life."""


class TrackError(ExecuteError):
    """A training script asks for something that cannot be done."""


class DivergedError(ExecuteError):
    """A number that training depends on was NaN or infinite too many times in a row."""


class TargetError(ExecuteError):
    """The place that runs attempts cannot be used."""


class StoreError(PinyonError):
    """Bytes or records in a store are not what they should be."""

    exit_code = 5


class CorruptError(StoreError):
    """Stored bytes differ from the digest or checksum that names them."""


class MissingBlobError(StoreError, FileNotFoundError):
    """A digest whose bytes are not in this store."""

    __str__ = PinyonError.__str__


class MissingObjectError(StoreError, FileNotFoundError):
    """A place of objects has none of this key."""

    __str__ = PinyonError.__str__


class ForeignFileError(StoreError):
    """A file that another tool wrote is not what its format says. It is left as it is."""


class RefConflictError(StoreError):
    """Somebody else wrote this version of the ref first."""


class FormatVersionError(StoreError):
    """The store was written by a newer major format; it is read, never written."""


class GateError(PinyonError):
    """A gate refused, or no cell satisfied the constraints."""

    exit_code = 6


class NoWinnerError(GateError):
    """A phase of an experiment is done and has no winner; ``why`` says what was closest."""
