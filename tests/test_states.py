"""The table of a call's states: complete, and with a way out of each."""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Timeouts
from ctiex.messages import FINAL_CONDITIONS
from ctiex.processing.states import SIGNALLED, TIMED_OUT_AS, TIMEOUT_OF, TRANSITIONS, WITH_SERVICE, Step
from ctiex.records import CallState

_IGNORED = {
    CallState.REQUESTED: {Step.ACCEPT, Step.FETCH, Step.PROGRESS, Step.REPORT, Step.RETURN},
    CallState.CONNECTING: {Step.RETURN},
    CallState.CONNECTED: {Step.OFFER, Step.ACCEPT},
    CallState.FETCHED: set(),
    CallState.REPORTED: set(Step) - {Step.RETURN},
    CallState.CLOSED: set(Step),
}
"""The steps that a call in each state takes no notice of."""


def _reached(start: CallState) -> set[CallState]:
    """Every state that can be reached from one."""
    found, new = {start}, {start}
    while new:
        new = {after for (before, _), after in TRANSITIONS.items() if before in new} - found
        found |= new
    return found


class TableOfStates(SynchronousTestCase):
    """ctiex.processing.states."""

    def test_every_pair_of_state_and_step_is_either_listed_or_ignored(self) -> None:
        for state in CallState:
            for step in Step:
                listed, ignored = (state, step) in TRANSITIONS, step in _IGNORED[state]
                self.assertNotEqual(listed, ignored, f"{state} {step}")

    def test_closed_is_reached_from_every_state(self) -> None:
        for state in CallState:
            self.assertIn(CallState.CLOSED, _reached(state))

    def test_every_state_is_reached_from_the_first(self) -> None:
        self.assertEqual(_reached(CallState.REQUESTED), set(CallState))

    def test_nothing_leaves_closed(self) -> None:
        self.assertEqual(_reached(CallState.CLOSED), {CallState.CLOSED})

    def test_every_state_has_a_time_out_which_every_service_sets(self) -> None:
        self.assertEqual(set(TIMEOUT_OF), set(CallState))
        for name in TIMEOUT_OF.values():
            self.assertGreater(cast(float, getattr(Timeouts(), name)), 0)

    def test_a_time_out_without_a_result_is_told_and_any_other_is_not(self) -> None:
        endable = {state for state in CallState if (state, Step.END) in TRANSITIONS}
        self.assertEqual(set(TIMED_OUT_AS), endable)
        self.assertLessEqual(set(TIMED_OUT_AS.values()), FINAL_CONDITIONS)

    def test_a_service_may_report_exactly_while_it_has_the_call(self) -> None:
        for step in (Step.PROGRESS, Step.REPORT):
            self.assertEqual({state for state in CallState if (state, step) in TRANSITIONS}, WITH_SERVICE)

    def test_progress_and_a_repeated_fetch_move_nothing(self) -> None:
        for (before, step), after in TRANSITIONS.items():
            if step is Step.PROGRESS or (before, step) == (CallState.FETCHED, Step.FETCH):
                self.assertIs(after, before)

    def test_what_is_signalled_has_no_result(self) -> None:
        self.assertTrue(SIGNALLED <= set(TIMED_OUT_AS))
