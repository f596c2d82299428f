"""Until when a call may be in a state: never longer than that state lasts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock

from ctiex.limits import Timeouts
from ctiex.messages import Condition
from ctiex.processing.deadlines import CallDeadlines
from ctiex.processing.owners import Owners
from ctiex.processing.states import Step
from ctiex.records import Call, CallState

SERVED = Call(
    "1", "1001", "bill", "agents", "", b"", b"", CallState.FETCHED, 60.0, told=frozenset({Condition.CONNECTED})
)


def deadlines(**timeouts: float) -> CallDeadlines:
    context: Any = SimpleNamespace(clock=Clock(), services={"bill": SimpleNamespace(timeouts=Timeouts(**timeouts))})
    return CallDeadlines(context, Owners())


@pytest.mark.parametrize(
    ("state", "waits", "expected"),
    [
        (CallState.FETCHED, {"service_timeout": 60, "return_timeout": 600}, 60),
        (CallState.FETCHED, {"service_timeout": 60, "return_timeout": 20}, 20),
        (CallState.CONNECTED, {"fetch_timeout": 60, "return_timeout": 600}, 5),
        (CallState.CONNECTED, {"fetch_timeout": 2, "return_timeout": 600}, 2),
    ],
)
def test_a_result_is_awaited_behind_the_return_no_longer_than_the_state_lasts(
    state: CallState, waits: dict[str, float], expected: float
) -> None:
    call = SERVED.but(state=state)
    assert deadlines(**waits).after(call, Step.RETURN, state) == expected


def test_a_deadline_that_was_kept_too_far_ahead_is_the_latest_that_there_is() -> None:
    kept = deadlines(service_timeout=60)
    far = SERVED.but(deadline=1e9)
    assert kept.of(far) == 1e9
    kept.take_up(far)
    assert kept.of(far) == 60.0
    kept.take_up(SERVED.but(deadline=30.0))
    assert kept.of(SERVED.but(deadline=30.0)) == 30.0
    kept.forget(far.serial)
    assert kept.of(far) == 1e9


def test_a_call_of_a_service_that_is_there_no_more_is_over_at_once() -> None:
    kept = deadlines()
    orphan = Call("2", "1001", "gone", "agents", "", b"", b"", CallState.FETCHED, 60.0)
    kept.take_up(orphan)
    assert kept.of(orphan) == 0.0
