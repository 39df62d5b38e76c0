"""The table of media: objects in the journal, and artifacts that are to be looked at; compaction keeps them."""

from __future__ import annotations

from typing import Any

from stores import Told, point, run_of

from pinyon.query import cover
from pinyon.query.compact import compact
from pinyon.query.history import history
from pinyon.query.views import load, save

SQL = "select run, attempt, name, type, step, t, value->>'$.text', digest is not null, size from media order by all"


def thing(attempt: str, step: int, text: str, **more: Any) -> dict[str, Any]:
    objects = {
        "words": {"type": "text", "text": text},
        "h": {"type": "histogram", "edges": [0, 1], "counts": [3]},
    }
    return {"v": 1, "attempt": attempt, "t": step / 2, "step": step, "o": objects, **more}


def filled(told: Told) -> None:
    told.attempt(1, state="FAILED")
    told.attempt(1, epoch=2)
    told.points(
        [point("a-1-1", 0, loss=1), thing("a-1-1", 0, "é"), thing("a-1-1", 4, "overruled", m={"loss": 2})],
        tail=[thing("a-1-1", 1, "not flushed")],
    )
    told.points([point("a-1-2", 3, loss=3), thing("a-1-2", 3, "later")])
    digest = told.store.blobs.put(b"png")
    about = {"step": 7, "t": 1.5, "format": "png"}
    told.tell(
        "artifact",
        attempt="a-1-2",
        name="pic",
        path="p.png",
        digest=digest,
        size=3,
        role="image",
        about=about,
    )
    told.tell(
        "artifact",
        attempt="a-1-2",
        name="weights",
        path="w",
        digest=digest,
        size=3,
        role="artifact",
        about={},
    )


def test_objects_and_artifacts_in_one_table_and_never_among_points(told):
    filled(told)
    rows = told.rows(SQL)
    run = run_of(1)
    assert rows == [
        (run, "a-1-1", "h", "histogram", 0, 0.0, None, False, None),
        (run, "a-1-1", "h", "histogram", 1, 0.5, None, False, None),
        (run, "a-1-1", "words", "text", 0, 0.0, "é", False, None),
        (run, "a-1-1", "words", "text", 1, 0.5, "not flushed", False, None),
        (run, "a-1-2", "h", "histogram", 3, 1.5, None, False, None),
        (run, "a-1-2", "pic", "image", 7, 1.5, None, True, 3),
        (run, "a-1-2", "words", "text", 3, 1.5, "later", False, None),
    ]
    assert told.rows("select distinct metric from points") == [("loss",)]
    assert told.rows("select metric, last, n from summary") == [("loss", 3.0, 2)]


def test_compaction_keeps_them_and_a_later_one_and_what_an_older_release_merged(told):
    filled(told)
    before = told.rows(SQL)
    for number in range(12):
        compact(told.store)
        assert told.rows(SQL) == before
        told.points([point("a-1-2", 10 + number, loss=number)])
    told.points([thing("a-1-2", 50, "new")])
    compact(told.store)
    assert len(told.rows(SQL)) == len(before) + 2
    # An older release copies the points of several files into one, and knows nothing of objects.
    ref = told.store.refs.get("tables")
    plain = [{k: v for k, v in row.items() if k != "objects"} for row in ref.value["files"]]
    told.store.refs.set("tables", {"files": plain}, expect=ref.version)
    assert len(told.rows(SQL)) == len(before) + 2


def test_a_file_of_objects_that_is_lost_is_read_from_the_journals(told):
    filled(told)
    before = told.rows(SQL)
    compact(told.store)
    [name] = [part.objects for part in cover.told(told.store).parts if part.objects]
    told.store.blobs.path(name).unlink()
    assert told.rows(SQL) == before
    assert told.rows("select count(*) from points") == [(2,)]


def test_a_history_is_what_counts_of_all_attempts(told):
    filled(told)
    for _ in range(2):
        told.index.catch_up()
        attempts = told.index.attempts("key != ''")
        found = history(told.store, told.index, attempts, "loss")
        assert [(line.attempt, line.step, line.value) for line in found.lines] == [
            ("a-1-1", [0], [1.0]),
            ("a-1-2", [3], [3.0]),
        ]
        assert found.metrics == ("loss",)
        assert history(told.store, told.index, attempts, "nothing").lines == ()
        compact(told.store)


def test_a_view_has_versions_and_the_newest_counts(told):
    first = save(told.store, "best", "query", {"sql": "from runs"}, "person:ada")
    second = save(told.store, "best", "query", {"sql": "from points"}, "person:bob")
    assert (first.version, second.version, second.actor) == (1, 2, "person:bob")
    view = load(told.store, "best", "query")
    assert view == second
    assert [one.value["asked"]["sql"] for one in told.store.refs.history("views/best")] == [
        "from runs",
        "from points",
    ]
