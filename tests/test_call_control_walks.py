"""Any sequence of orders, telephones and trouble leaves every customer with somebody, and the model is the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctiex.call_control import guard, moves
from ctiex.call_control.call_watch import CallWatch
from ctiex.call_control.two_call_orders import TwoCallOrders
from ctiex.errors import CallError
from ctiex.testing.simulated_platform.platform import Trouble

from .call_control_walk import Walk, walk
from .effort import examples

_ENOUGH = 300
"""Walks in which each planted fault is to be found."""


@pytest.mark.parametrize("trouble", ["calm", "troubled"])
def test_walks(trouble: str) -> None:
    for seed in range(examples(150)):
        wrong, did = walk(seed, Trouble()) if trouble == "calm" else walk(seed)
        assert not wrong, (seed, wrong, did)


def test_an_exchange_that_ends_in_the_middle_leaves_no_timer() -> None:
    for seed in range(examples(100)):
        steps = Walk(seed, steps=seed % 30)
        assert not steps.ends(), (seed, steps.did)


# ---------------------------------------------------------------- faults that the walks have to find


async def _does_not_wait(self: moves.Moves, ready: Callable[[], bool]) -> None:
    """The next order before the last one is done."""


async def _ends_the_wrong_call(self: TwoCallOrders, order: Any) -> None:
    """Not who was consulted is hung up, but the customer."""
    mine = self._moves.mine(order.main, order.agent)
    for leg in self._legs_of(order.main, mine):
        await self._moves.hang_up(leg)


def _nobody_is_alone(self: guard.Guard, leg: Any) -> bool:
    """Nobody is looked after."""
    return False


def _not_off_hook(self: guard.Guard, leg: Any) -> str:
    """A phone off the hook is taken for one that a transfer left in another call."""
    return guard.call_meant(leg, self._moves.platform.legs, self._root_of(leg))


def _forgets_desks(self: CallWatch, leg: Any) -> set[str]:
    """An agent's leg at the desk changes no call but the one that it began in."""
    self._call_of[leg.id] = leg.call
    if leg.agent:
        self._agent_of[leg.id] = leg.agent
    return self.look_at({leg.call})


def _no_snapshot(self: CallWatch) -> Iterator[None]:
    """What changed while events were missed isn't looked for."""
    yield from ()


PLANTED: dict[str, tuple[type, str, Any]] = {
    "it doesn't wait until a move is done": (moves.Moves, "until", _does_not_wait),
    "a reconnect ends the customer's call": (TwoCallOrders, "_reconnect", _ends_the_wrong_call),
    "nobody is looked after": (guard.Guard, "_is_alone", _nobody_is_alone),
    "a phone off the hook is put to the call that it has": (guard.Guard, "_call_meant", _not_off_hook),
    "calls of an agent at the desk aren't looked at": (CallWatch, "leg_changed", _forgets_desks),
    "nothing is looked for behind a loss": (CallWatch, "take_up", _no_snapshot),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong = PLANTED[fault]
    monkeypatch.setattr(where, name, wrong)
    assert any(_is_wrong(seed) for seed in range(_ENOUGH)), fault


def _is_wrong(seed: int) -> bool:
    try:
        wrong, _ = walk(seed)
    except (AssertionError, CallError):
        return True
    return bool(wrong)
