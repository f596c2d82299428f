"""The benchmark of call control runs, measures calls that go on as they should, and fails beyond its limits."""

from __future__ import annotations

import sys
from random import Random
from types import FrameType

import pytest

from benchmarks import call_control
from benchmarks.call_measures import Followed, Make, follow_asterisk, follow_simulated, logging_in
from benchmarks.call_worlds import WrongCourse

SMALL = [
    "--rounds", "1", "--orders", "4", "--calls", "12", "--agents", "11", "--seconds", "0.2", "--channels", "24",
]  # fmt: skip


def test_every_measure_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_FOR_AN_ORDER", "MOST_OF_A_CORE", "LONGEST_TURN"):  # it is no measure beside other tests
        monkeypatch.setattr(call_control, limit, 60.0)
    assert call_control.main(SMALL) == 0
    printed = capsys.readouterr().out
    assert printed.count(": kept") == 3
    for row in ("until the reply", "a bare echo", "simulated", "Asterisk", "24"):
        assert f"\n  {row} " in printed


def test_beyond_a_limit_it_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_control, "LONGEST_TURN", 0.0)
    assert not call_control.taking_up([4], 1, 1)
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.parametrize("make", [follow_simulated, follow_asterisk])
def test_calls_that_are_lost_are_not_measured(make: Make) -> None:
    followed: Followed = make(6, 3)
    assert followed.share(0.2, Random(1)) > (0.0, 0.0)
    followed.calls += 1
    with pytest.raises(WrongCourse):
        followed.share(0.2, Random(1))


def work_of_turns(channels: int) -> list[int]:
    """How many functions each turn of the reactor calls while so many channels are taken up: the same everywhere."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    turns, before = logging_in(channels, 10), sys.getprofile()
    work = []
    next(turns)  # before it the calls are made
    sys.setprofile(count)
    try:
        for _ in turns:
            work.append(calls)
            calls = 0
    finally:
        sys.setprofile(before)
    return work


def test_no_turn_is_longer_with_more_channels() -> None:
    few, many = work_of_turns(600), work_of_turns(1_800)
    assert sum(many) > 2.5 * sum(few)
    assert max(many) < 1.1 * max(few)
