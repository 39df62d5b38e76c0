"""The cases: each takes `Settings` and yields rows as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.cases import (
    change,
    cold,
    data,
    floor,
    imports,
    isolated,
    leaderboard,
    logging,
    metering,
    mlflow,
    noop,
    places,
    plan,
    search,
    startup,
    store,
    study,
    sync,
    tables,
    unchanged,
    watch,
)
from bench.measure import Row
from bench.settings import Settings

CASES: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "floor": floor.floor,
    "noop": noop.noop,
    "cold": cold.cold,
    "isolated": isolated.isolated,
    "startup": startup.startup,
    "store": store.store,
    "change": change.change,
    "plan": plan.plan,
    "data": data.data,
    "sync": sync.sync,
    "places": places.places,
    "study": study.study,
    "search": search.search,
    "tables": tables.tables,
    "imports": imports.imports,
    "logging": logging.logging,
    "metering": metering.metering,
    "unchanged": unchanged.unchanged,
    "watch": watch.watch,
    "leaderboard": leaderboard.leaderboard,
    "growth": leaderboard.growth,
    "mlflow": mlflow.mlflow,
}
