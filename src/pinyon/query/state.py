"""The state that `decide` asks: the index, and over it what this driver has seen since it opened it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pinyon.model.event import Event
from pinyon.model.ids import boot_id
from pinyon.model.outcome import FAILED, FINAL, LOST, SUCCEEDED, Attempt
from pinyon.query.fold import Document, attempt_of, join, merge, subject
from pinyon.query.index import Index


class ProjectState:
    """See `pinyon.plan.state.State`.

    Args:
        verify: whether all stored outputs of an attempt still hash to their names; asked only of attempts that a power
            cut may have touched.
        present: whether they are in the store at all; asked where outs cannot lie anywhere else.
        ours: whether an attempt worked in this project's directory, so that what it left there is ours to look after.
    """

    def __init__(
        self,
        index: Index,
        verify: Callable[[Attempt], bool],
        present: Callable[[Attempt], bool] = lambda _: True,
        ours: Callable[[Attempt], bool] = lambda _: True,
    ) -> None:
        self.ours = ours
        self._index = index
        self._verify = verify
        self._present = present
        self._believed: dict[str, bool] = {}
        self._documents: dict[str, Document] = {}
        self._live: dict[str, Attempt] = {}
        self._by_key: dict[str, set[str]] = {}
        self._by_task: dict[tuple[str, str], set[str]] = {}
        self._failures: dict[str, dict[str, Attempt]] = {}
        self._latest: dict[str, str] = {}
        self._open: dict[str, Attempt] | None = None

    def apply(self, event: Event) -> None:
        """Take in a record that was written after the index was brought up to date."""
        about = subject(event)
        if about is None or about[0] != "attempt":
            return
        name = about[1]
        if name not in self._documents:
            self._documents[name] = self._index.document(name)
        attempt = attempt_of(name, join(self._documents[name], event))
        if attempt is None:
            return
        self._keep(attempt)
        if event.kind == "intent":
            self._latest[attempt.stage] = name

    def _keep(self, attempt: Attempt) -> None:
        name, opened = attempt.id, self._open_attempts()
        self._live[name] = attempt
        self._by_key.setdefault(attempt.key, set()).add(name)
        self._by_task.setdefault((attempt.execution, attempt.recipe), set()).add(name)
        failures = self._failures.setdefault(attempt.execution, {})
        failures.pop(name, None)
        if attempt.state in FINAL and attempt.state != SUCCEEDED:
            failures[name] = attempt
        if attempt.state in FINAL:
            opened.pop(name, None)
        else:
            opened[name] = attempt

    def refresh(self, *, own: bool = True) -> None:
        """Take in what has been written meanwhile.

        Args:
            own: also of attempts whose records `apply` brings, in case one of those got lost.
        """
        self._index.catch_up()
        self._open = None  # whoever folded it, we or another process
        if not own:
            return
        for name, document in self._documents.items():
            if "ended" not in document and (
                attempt := attempt_of(name, merge(document, self._index.document(name)))
            ):
                self._keep(attempt)

    def attempt(self, name: str) -> Attempt | None:
        """One attempt by id."""
        if name in self._live:
            return self._live[name]
        return next(iter(self._index.attempts("id = ?", name)), None)

    def at(self, key: str) -> tuple[Attempt, ...]:
        """See `pinyon.plan.state.State.at`."""
        live = [self._live[name] for name in self._by_key.get(key, ())]
        folded = self._index.attempts("key = ?", key)
        return (*live, *(attempt for attempt in folded if attempt.id not in self._live))

    def answer(self, attempts: Iterable[Attempt], *, stored: bool = False) -> Attempt | None:
        """See `pinyon.plan.state.State.answer`."""
        good = [
            a
            for a in attempts
            if a.state == SUCCEEDED
            and a.reusable
            and (all(out.stored for out in a.outputs) or (not stored and self.ours(a)))
        ]
        good.sort(key=lambda a: (not a.forced, -a.epoch if a.forced else a.epoch, a.id))
        return next((a for a in good if self._believe(a) and (not stored or self._present(a))), None)

    def latest(self, stage: str) -> Attempt | None:
        """See `pinyon.plan.state.State.latest`."""
        if stage in self._latest:
            return self._live[self._latest[stage]]
        own, values = self._index.seen_by(None)
        found = self._index.attempts(
            f"stage = ? and {own} and ts = (select max(ts) from attempts where stage = ? and {own})",
            *(stage, *values) * 2,
        )
        return found[-1] if found else None

    def durations(
        self, by: Literal["key", "stage", "group"], names: Iterable[str]
    ) -> Mapping[str, list[float]]:
        """See `pinyon.plan.state.State.durations`. Asked of the index alone: what this driver ran was not the past."""
        return self._index.durations(by, names)

    def baseline(self, stage: str) -> Attempt | None:
        """See `pinyon.plan.state.State.baseline`. Asked of the index alone: a stage runs once in an execution."""
        return self._index.baseline(stage)

    def tried(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """See `pinyon.plan.state.State.tried`."""
        known = list(attempts)
        if any(attempt.state == SUCCEEDED for attempt in known):
            return []
        tries = [a for a in known if a.state in (FAILED, LOST) and self.ours(a)]
        return sorted(tries, key=lambda attempt: attempt.order)

    def of_execution(self, execution: str, recipe: str) -> list[Attempt]:
        """See `pinyon.plan.state.State.of_execution`. An execution's attempts are all of this driver's making."""
        names = self._by_task.get((execution, recipe), ())
        return sorted((self._live[name] for name in names), key=lambda attempt: attempt.order)

    def failures(self, execution: str) -> Iterable[Attempt]:
        """See `pinyon.plan.state.State.failures`. Like `of_execution`, for executions of this driver's making."""
        return list(self._failures.get(execution, {}).values())

    def open(self) -> list[Attempt]:
        """See `pinyon.plan.state.State.open`."""
        return list(self._open_attempts().values())

    def _open_attempts(self) -> dict[str, Attempt]:
        if self._open is None:
            found = {attempt.id: attempt for attempt in self._index.attempts("open")} | self._live
            self._open = {name: attempt for name, attempt in found.items() if attempt.state not in FINAL}
        return self._open

    def _believe(self, attempt: Attempt) -> bool:
        # Written under this boot, it is process-durable; announced durable, it is more. Else hash it again, once.
        if attempt.durable or attempt.boot == boot_id():
            return True
        if attempt.id not in self._believed:
            self._believed[attempt.id] = self._verify(attempt)
        return self._believed[attempt.id]
