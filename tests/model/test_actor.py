"""Who does something: read from the environment and from records, old ones too."""

from __future__ import annotations

import pytest

from pinyon.model.actor import Actor, actor_of, current_actor, parse_actor


@pytest.mark.parametrize(
    ("env", "actor"),
    [
        ({"USER": "ana"}, ("person", "ana")),
        ({"LOGNAME": "ana"}, ("person", "ana")),
        ({"USER": "ana", "CI": "true"}, ("process", "ci")),
        ({"USER": "ana", "CI": "false"}, ("person", "ana")),
        ({"USER": "ana", "CI": "true", "PINYON_ACTOR": "agent:jay"}, ("agent", "jay")),
        ({"PINYON_ACTOR": " rule:idle at night "}, ("rule", "idle at night")),
        ({"PINYON_ACTOR": "process:cron:7"}, ("process", "cron:7")),
        ({"PINYON_ACTOR": "bob"}, ("person", "bob")),
        ({"PINYON_ACTOR": "ghost:bob"}, ("person", "ghost:bob")),
        ({"PINYON_ACTOR": "agent:"}, ("person", "agent:")),
        ({"PINYON_ACTOR": "  ", "USER": "ana"}, ("person", "ana")),
    ],
)
def test_who_calls(monkeypatch, env, actor):
    for name in ("USER", "LOGNAME", "CI", "PINYON_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert current_actor() == actor


def test_there_and_back():
    for actor in (Actor("agent", "a:b"), Actor("person", "ana")):
        assert parse_actor(str(actor)) == actor
        assert actor_of(actor.as_dict()) == actor
    assert len(parse_actor("agent:" + "x" * 1000).name) == 200


@pytest.mark.parametrize("data", [None, {}, [], "text", {"kind": "agent"}, 7])
def test_records_without_an_actor_are_their_users(data):
    assert actor_of(data, "ana") == Actor("person", "ana")
