"""Values are equal by their attributes and have no others; that nobody changes one is held by the type checker."""

from __future__ import annotations

import pytest

from ctiex.messages import Bind, Ping, Role
from ctiex.records import Call, CallState

CALL = Call("1", "1001", "bill", "agents", "138", b"digest", b"data", CallState.REQUESTED, 1.0)
CHANGES = {
    "state": CallState.CLOSED,
    "deadline": 2.0,
    "owner": "other",
    "told": frozenset({10}),
    "event_ids": frozenset({0}),
}


def test_values_are_equal_and_have_a_hash_by_their_attributes() -> None:
    assert Bind(Role.AGENT, "a", "b") == Bind(Role.AGENT, "a", "b") != Bind(Role.AGENT, "a", "c")
    assert len({Ping(), Ping(), Bind(Role.AGENT, "a", "b"), Bind(Role.AGENT, "a", "b")}) == 2
    with pytest.raises(AttributeError):
        Ping().other = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CHANGES)
def test_a_call_but_for_something_is_the_same_in_everything_else(name: str) -> None:
    changed = CALL.but(**{name: CHANGES[name]})  # type: ignore[arg-type]
    assert getattr(changed, name) == CHANGES[name]
    assert changed.but(**{name: getattr(CALL, name)}) == CALL  # type: ignore[arg-type]


def test_a_wiped_call_has_nothing_of_the_customer_left() -> None:
    assert CALL.wiped() == Call("1", "1001", "bill", "agents", "", b"", b"", CallState.REQUESTED, 1.0)
