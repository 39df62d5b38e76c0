"""The registry of a store: models, versions and names, over refs and nothing else.

Every change is a durable record first and a version of a ref then, made by compare-and-swap: of two who change one name at
once, one wins and the other is told. What reads never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pinyon.errors import (
    CorruptError,
    GateError,
    MissingBlobError,
    PlanError,
    RefConflictError,
    UnknownModelError,
)
from pinyon.model.actor import Actor, current_actor
from pinyon.model.registry import STAGES, Change, Checked, Model, ModelVersion, bad_name, spelled
from pinyon.model.text import printable
from pinyon.plan.interpolate import nearest
from pinyon.plan.measured import shown
from pinyon.registry import values
from pinyon.registry.names import ARCHIVED, Names, earlier, names_of, pointed, touched, without
from pinyon.registry.values import Artifact
from pinyon.store import tree
from pinyon.store.protocol import JournalWriter, RefVersion, Store

Record = Callable[[str, dict[str, Any]], list[Any]]  # writes a record, and says how a ref names it


class Registry:
    """Models of one store.

    Args:
        project: for which the records are.
        actor: whose doing changes are; whoever calls, if nothing else is said.
    """

    def __init__(self, store: Store, project: str = "", *, actor: Actor | None = None) -> None:
        self._store, self._project = store, project
        self._actor = actor

    def names(self) -> list[str]:
        """All models, sorted."""
        return [name.removeprefix(values.VERSIONS) for name in self._store.refs.names(values.VERSIONS)]

    def model(self, name: str) -> Model:
        """A model as it is now, with its history.

        Raises:
            UnknownModelError: with the nearest name.
            CorruptError: a version of its refs is damaged.
        """
        refs = self._store.refs
        # The names first: of the versions that they point at none is younger than they are.
        names = refs.history(values.ALIASES + name) if not bad_name(name) else []
        versions = refs.history(values.VERSIONS + name) if not bad_name(name) else []
        if not versions:
            known = self.names()
            raise UnknownModelError(
                f"there is no model '{printable(name)}'",
                why=nearest(name, known) if known else "nothing has been registered yet",
                next="pinyon model list" if known else "pinyon model register NAME RUN",
            )
        return values.model_of(name, versions, names)

    # -- versions -------------------------------------------------------------------------------------------------------

    def register(self, name: str, artifact: Artifact, *, why: str = "", again: bool = False) -> ModelVersion:
        """The next version of a model, which it makes if there is none; the one that there is for the same out of the
        same attempt, and then nothing is written.

        Args:
            again: a new version even then.

        Raises:
            PlanError: no name for a model.
            GateError: opening it would run code, and nobody trusts it.
            MissingBlobError, CorruptError: its bytes are not here as they should be.
        """
        if reason := bad_name(name):
            raise PlanError(
                f"'{printable(name)}' cannot name a model", why=reason, next="choose another name"
            )
        ref, ours = values.VERSIONS + name, (artifact.digest, artifact.attempt)
        if not again and (known := self.known(name, *ours)):
            return known
        self._sound(artifact.digest)
        value = values.version_value(artifact, self._project, why)
        with self._recording() as record:
            while True:
                history = self._store.refs.history(ref)
                if not again and (known := _known(name, history, *ours)):
                    return known
                number = len(history) + 1
                told = record("registered", {"model": name, "number": number, "ref": [ref, number], **value})
                with suppress(RefConflictError):  # somebody took this number; ours may be the next
                    made = self._set(ref, {**value, "event": told}, number - 1)
                    return values.model_of(name, [*history, made], []).versions[-1]

    def known(self, name: str, digest: str, attempt: str) -> ModelVersion | None:
        """The version that an out of an attempt is already; None if it is none."""
        return _known(name, self._store.refs.history(values.VERSIONS + name), digest, attempt)

    def version(self, model: Model, number: int) -> ModelVersion:
        """One version.

        Raises:
            PlanError: there is none of this number.
        """
        if not 1 <= number <= len(model.versions):
            raise PlanError(
                f"model '{model.name}' has no version {number}",
                why=f"it has 1 to {len(model.versions)}", next=f"pinyon model show {model.name}",
            )  # fmt: skip
        return model.versions[number - 1]

    def pointed(self, model: Model, which: str) -> ModelVersion:
        """The version that a number or a name means; the newest for "".

        Raises:
            PlanError: no such version, or the name points at nothing.
        """
        if not which:
            return model.versions[-1]
        number = int(which) if which.isdecimal() and len(which) < 9 else self._held(model, spelled(which))
        return self.version(model, number)

    # -- names ----------------------------------------------------------------------------------------------------------

    def promote(
        self, model: Model, alias: str, number: int, *,
        checked: Sequence[Checked] = (), why: str = "", force: bool = False, pin: bool = False,
        by: Mapping[str, Any] = {},
    ) -> Change | None:  # fmt: skip
        """``alias`` points at a version; None where it does already.

        Args:
            model: as it was when this was decided: whoever has changed the name since goes before.
            checked: the clauses of a gate with what was found; they are recorded either way.
            force: even if a clause does not hold.
            pin: for ever.
            by: see `pinyon.model.registry.Change`.

        Raises:
            PlanError: no such version, or no name for an alias.
            GateError: a clause does not hold (which is recorded), or the name is pinned.
            RefConflictError: somebody changed this name first.
            MissingBlobError, CorruptError: the version's bytes are not here as they should be.
        """
        if not self.moves(model, alias, number, pin=pin):
            return None
        alias, version, before = spelled(alias), self.version(model, number), names_of(model)
        self._sound(version.digest)
        failed = [one for one in checked if not one.holds]
        change = Change(
            0, "promoted", alias, number, before.aliases.get(alias), tuple(checked), bool(failed), why, by
        )
        if failed and not force:
            self._refuse(model, change, failed)
        return self._change(model, change, lambda names: pointed(names, alias, number, pin=pin))

    def moves(self, model: Model, alias: str, number: int, *, pin: bool = False) -> bool:
        """Whether a promotion would change anything. Nothing is written, and no gate is asked.

        Raises:
            PlanError, GateError: see `promote`.
        """
        alias = spelled(alias)
        if reason := bad_name(alias):
            raise PlanError(
                f"'{printable(alias)}' cannot name a version", why=reason, next="choose another name"
            )
        if pin and alias == ARCHIVED:
            raise PlanError(
                f"'{ARCHIVED}' cannot be pinned",
                why="it holds any number of versions",
                next="leave --pin away",
            )
        self.version(model, number)
        before = names_of(model)
        if self._is_there(before, alias, number) and (not pin or alias in before.pinned):
            return False
        self._refuse_pinned(model, alias, number)
        return True

    def rollback(self, model: Model, alias: str, *, why: str = "", by: Mapping[str, Any] = {}) -> Change:
        """``alias`` points again at what it pointed at before; a second rollback goes further back.

        Raises:
            PlanError: there was nothing before.
            GateError, RefConflictError, MissingBlobError, CorruptError: as for `promote`.
        """
        alias = spelled(alias)
        current = self._held(model, alias)
        target = earlier(model.changes, alias)
        if target is None:
            raise PlanError(
                f"{alias} of model '{model.name}' has nothing to go back to",
                why=f"there is nothing before version {current}", next=f"pinyon model show {model.name}",
            )  # fmt: skip
        self._refuse_pinned(model, alias, target)
        self._sound(self.version(model, target).digest)
        change = Change(0, "rolled_back", alias, target, current, why=why, by=by)
        return self._change(model, change, lambda names: pointed(names, alias, target))

    def unset(self, model: Model, alias: str, *, why: str = "") -> Change:
        """Take a name away; what a stage held is archived.

        Raises:
            PlanError: it points at nothing.
            GateError: it is pinned.
            RefConflictError: somebody changed it first.
        """
        alias = spelled(alias)
        current = self._held(model, alias)
        self._refuse_pinned(model, alias, None)
        change = Change(0, "unset", alias, None, current, why=why)
        return self._change(model, change, lambda names: without(names, alias))

    # -- how ------------------------------------------------------------------------------------------------------------

    def _change(self, model: Model, change: Change, apply: Callable[[Names], Names]) -> Change:
        """Make a change that was decided on ``model``. Changes of other names that came first do not matter to it."""
        ref, decided = values.ALIASES + model.name, _basis(model, change)
        now = model
        with self._recording() as record:
            while True:
                number = len(now.changes) + 1
                body = {"model": model.name, "ref": [ref, number], **values.change_value(change)}
                value = values.names_value(apply(names_of(now)), change)
                told = record(change.action, body)
                try:
                    made = self._set(ref, {**value, "event": told}, number - 1)
                except RefConflictError as error:
                    now = self.model(model.name)
                    if _basis(now, change) != decided:
                        raise self._beaten(now, change) from error
                    continue
                return change._replace(number=made.version, actor=made.actor, ts=made.ts)

    def _beaten(self, now: Model, change: Change) -> RefConflictError:
        """Somebody has changed what this was decided on."""
        about = (one for one in reversed(now.changes) if _concerns(one, change))
        last = next(about, now.changes[-1])
        points = f"at version {last.version}" if last.version is not None else "at nothing"
        return RefConflictError(
            f"{last.alias} of model '{now.name}' points {points} now",
            why=f"{last.actor} was first", next=f"pinyon model show {now.name}",
        )  # fmt: skip

    def _refuse(self, model: Model, change: Change, failed: Sequence[Checked]) -> None:
        body = {**values.change_value(change), "model": model.name, "actor": self._who()}
        with self._recording() as record:
            record("refused", {name: body[name] for name in _REFUSED})
        raise refusal(f"{model.name}@{change.version}", change.alias, failed)

    def _refuse_pinned(self, model: Model, alias: str, number: int | None) -> None:
        left = names_of(model).stage_of(number) if number and alias in STAGES else ""
        for name, stays in ((alias, model.aliases.get(alias) == number), (left, left == alias)):
            if name in model.pinned and not stays:
                raise GateError(
                    f"{name} of model '{model.name}' is pinned to version {model.aliases.get(name)}",
                    why="a pinned name never moves", next="choose another name or version",
                )  # fmt: skip

    def _held(self, model: Model, alias: str) -> int:
        if alias in model.aliases:
            return model.aliases[alias]
        known = sorted(model.aliases)
        raise PlanError(
            f"{printable(alias)} of model '{model.name}' points at nothing",
            why="several versions can be archived" if alias == ARCHIVED else nearest(alias, known),
            next=f"pinyon model show {model.name}",
        )  # fmt: skip

    @staticmethod
    def _is_there(names: Names, alias: str, number: int) -> bool:
        return number in names.archived if alias == ARCHIVED else names.aliases.get(alias) == number

    def _sound(self, digest: str) -> None:
        """The bytes are here, are what they are called, and outlive a power cut."""
        blobs = self._store.blobs
        names = [digest]
        try:
            if digest.endswith("/"):
                names += [row.name for row in tree.decode(blobs.read(digest))]
            gone = blobs.missing(names)
            if gone:
                raise MissingBlobError(f"{min(gone)} is not here", where=self._store.url)
            damage = next(filter(None, map(blobs.verify, names)), None)
            if damage:
                raise CorruptError(damage.what, where=damage.file, next="pinyon verify")
            blobs.flush(names)
        except MissingBlobError as error:
            raise MissingBlobError(
                "the bytes of this model are not in the store", why=error.what,
                next="run the stage that makes it, without cache: false",
            ) from error  # fmt: skip

    def _set(self, ref: str, value: dict[str, Any], expect: int) -> RefVersion:
        return self._store.refs.set(ref, value, expect=expect, actor=self._who())

    def _who(self) -> str:
        return str(self._actor or current_actor())

    @contextmanager
    def _recording(self) -> Iterator[Record]:
        """A journal of its own for what is done inside; nothing is made where nothing is recorded."""
        opened: list[JournalWriter] = []

        def record(kind: str, body: dict[str, Any]) -> list[Any]:
            if not opened:
                opened.append(self._store.journals.open_writer(actor=self._actor, project=self._project))
            event = opened[0].append(kind, body)
            opened[0].flush()
            return values.back(event)

        try:
            yield record
        finally:
            for writer in opened:
                writer.close()


_REFUSED = ("model", "alias", "version", "before", "gate", "why", "by", "actor")


def refusal(version: str, alias: str, checked: Sequence[Checked]) -> GateError:
    """What a gate says to a version that does not hold its clauses."""
    why = "; ".join(_unmet(one) for one in checked if not one.holds)
    return GateError(f"{version} does not become {alias}", why=why, next=f"pinyon model show {version}")


def _unmet(one: Checked) -> str:
    if one.value is None:
        return f"{one.clause.metric} was not measured"
    return f"{one.clause.metric} {shown(one.value)} is not {one.clause.op} {shown(one.clause.number)}"


def held(one: Checked) -> str:
    """A clause with its number, for a person: ``accuracy 0.9735 > 0.75``."""
    value = "not measured" if one.value is None else shown(one.value)
    return f"{one.clause.metric} {value} {one.clause.op} {shown(one.clause.number)}"


def _known(name: str, history: Sequence[RefVersion], digest: str, attempt: str) -> ModelVersion | None:
    versions = values.model_of(name, history, []).versions
    return next((one for one in versions if (one.digest, one.attempt) == (digest, attempt)), None)


def _basis(model: Model, change: Change) -> tuple[object, ...]:
    """What a change was decided on; of a rollback also what it goes back to, for a name can lose that and look the same."""
    back = earlier(model.changes, change.alias) if change.action == "rolled_back" else None
    return (*touched(names_of(model), change.alias, change.version), back)


def _concerns(made: Change, wanted: Change) -> bool:
    """Whether a change is about the name that is wanted, or moved the version that is to get it."""
    return made.alias == wanted.alias or wanted.version in (made.version, made.before)
