"""Until when a call may be in each of its states."""

from __future__ import annotations

from ctiex.messages import Condition
from ctiex.processing.context import ProcessingContext
from ctiex.processing.owners import Owners
from ctiex.processing.states import TIMEOUT_OF, Step, is_accepted
from ctiex.records import Call, CallState

_UNFETCHED = 5.0
"""How long a service that has let the customer go without their data may take to say why, in seconds: most likely there
was none, and then nothing is reported.
"""


class CallDeadlines:
    """Deadlines in stored time, from the time-outs of each call's service."""

    def __init__(self, context: ProcessingContext, owners: Owners) -> None:
        self._context = context
        self._owners = owners
        self._too_late: set[str] = set()
        """Calls whose stored deadline lies further ahead than it was ever set: another wall clock kept it."""

    def in_state(self, call: Call, state: CallState) -> float:
        """When a call that comes into a state now times out there; at once where there is no such service."""
        settings = self._context.services.get(call.service)
        wait: float = getattr(settings.timeouts, TIMEOUT_OF[state]) if settings is not None else 0.0
        return self._context.clock.seconds() + wait

    def after(self, call: Call, step: Step, state: CallState) -> float:
        """Until when a call may be in the state that a step brings it to."""
        if state is CallState.FETCHED and Condition.RETURNED in call.told:
            return call.deadline  # what its result is awaited by
        if step is Step.RETURN and state is not CallState.CLOSED:
            return min(self._of_unreported(call), self._latest(call))
        bound_by = state if step is Step.ACCEPT else self.bound_by(call, state)
        if TIMEOUT_OF[bound_by] == TIMEOUT_OF[self.bound_by(call, call.state)]:
            return call.deadline
        return self.in_state(call, bound_by)

    def bound_by(self, call: Call, state: CallState) -> CallState:
        """The state whose time-out bounds a call in this one: a fetch is no acceptance, and ends no signalling.

        Where no offer is out, since that was before a restart, there is none to accept.
        """
        if state is not CallState.FETCHED or is_accepted(call) or not self._owners.is_offered(call):
            return state
        return CallState.CONNECTING

    def _of_unreported(self, call: Call) -> float:
        """Until when a result is awaited of a service that has let the customer go."""
        whole = self.in_state(call, CallState.REPORTED)
        return whole if call.state is CallState.FETCHED else min(whole, self._context.clock.seconds() + _UNFETCHED)

    # ------------------------------------------------------------ stored deadlines

    def take_up(self, call: Call) -> None:
        """A call that was kept by the process before."""
        if call.deadline > self._latest(call):
            self._too_late.add(call.serial)

    def of(self, call: Call) -> float:
        """The deadline of a call, or the latest that it was ever set to."""
        return call.deadline if call.serial not in self._too_late else min(call.deadline, self._latest(call))

    def forget(self, serial: str) -> None:
        """There is no such call any more."""
        self._too_late.discard(serial)

    def _latest(self, call: Call) -> float:
        return self.in_state(call, self.bound_by(call, call.state))
