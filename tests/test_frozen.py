"""Values are equal by their attributes and have no others; that nobody changes one is held by the type checker."""

from __future__ import annotations

import pytest

from ctiex.messages import Bind, Condition, Ping, Role
from ctiex.records import Call, CallState

CALL = Call(
    "1", "1001", "bill", "agents", "138", b"digest", b"data", CallState.REQUESTED, 1.0, "order 1", b"asked", 5, 6,
)  # fmt: skip
CHANGES: dict[str, object] = {
    "state": CallState.CLOSED,
    "deadline": 2.0,
    "since": 7,
    "owner": "other",
    "told": frozenset({10}),
    "reports": {0: b"said"},
    "ended_as": 16,
    "changed": True,
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
    assert changed.but(**{name: getattr(CALL, name)}) == CALL


def test_a_call_with_other_data_is_the_same_in_everything_else() -> None:
    updated = CALL.updated(b"more data", b"asked before")
    assert (updated.data, updated.asked) == (b"more data", b"asked before")
    assert updated.updated(CALL.data, CALL.asked) == CALL


def test_a_wiped_call_has_nothing_of_the_customer_left() -> None:
    told = CALL.but(told=frozenset({10}), reports={0: b"said"}, ended_as=16, owner="services")
    assert told.but(wiped=True) == Call(
        "1", "1001", "bill", "agents", "", b"digest", b"", CallState.REQUESTED, 1.0,
        begun=5, since=6, owner="services", told=frozenset({10}), reports={0: b"said"}, ended_as=16,
    )  # fmt: skip


def test_any_number_of_one_byte_is_a_condition_and_one_of_its_own() -> None:
    for number in range(256):
        condition = Condition(number)
        assert condition is Condition(number) and condition == number and condition.value == number
        known = number in set(Condition)
        assert condition.final is (number in {1, 2, 3, 14, 15, 16} or number >= 128)
        assert condition.text == (Condition(number).name.lower().replace("_", " ") if known else f"condition {number}")
    for number in (-1, 256):
        with pytest.raises(ValueError, match=str(number)):
            Condition(number)
