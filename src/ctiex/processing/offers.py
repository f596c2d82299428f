"""Calls are offered: a new one when it is committed, and one that was being offered before a restart again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from twisted.logger import Logger

from ctiex.errors import SerialError, Status
from ctiex.interfaces import ISignalling, Offer
from ctiex.lots import Lots
from ctiex.messages import Condition, Connection
from ctiex.processing.account import size_of_call
from ctiex.processing.calls import CallTable
from ctiex.processing.context import ProcessingContext
from ctiex.processing.states import SIGNALLED, TIMED_OUT_AS, TRANSITIONS, Step, is_accepted
from ctiex.processing.uncommitted import SignallingEvent
from ctiex.records import Call, CallState

_log = Logger()

_GRACE = 5.0
"""How much longer an answer may come than a call waits for it, in seconds."""


class CallOffers:
    """Has drivers signal calls, and takes up those of an opened store."""

    def __init__(self, context: ProcessingContext, calls: CallTable) -> None:
        self._context = context
        self._calls = calls
        self._resuming = Lots(context.clock, context.commits.settled)

    # ------------------------------------------------------------ from start to stop

    def start(self, drivers: Mapping[str, ISignalling], taken_up: Callable[[], None] = lambda: None) -> None:
        """Go on with the calls of an opened store; signal new ones by these drivers, by name.

        :param taken_up: called once all that were being signalled have been offered again.
        """
        self._calls.drivers.by_name = drivers
        again = [again for call in self._context.store.calls() if (again := self._taken_up(call)) is not None]
        self._resuming.do([*again, partial(self._context.commits.settled, taken_up)])

    def _taken_up(self, call: Call) -> Callable[[], None] | None:
        """Go on with a call; what takes a commit is returned: there may be very many, so that is done in lots."""
        self._context.quotas.recorded(call)
        self._context.account.add(call.identity, size_of_call(call))
        if (call.state, Step.END) in TRANSITIONS:
            self._context.quotas.opened(call)
            if call.service not in self._context.services:  # restarted with another configuration
                return partial(self._calls.happened, call.serial, SignallingEvent.ENDED, self._end_as_unknown)
        if call.state in SIGNALLED or _waits_for_no_answer(call):
            return partial(self.signal, call.serial, resumed=True)
        self._calls.wait(call)
        self._calls.drivers.resume(call)
        return None

    def _end_as_unknown(self, call: Call, failed: Callable[[], None]) -> None:
        self._calls.end(call, TIMED_OUT_AS[call.state], Status.UNKNOWN_SERVICE, failed=failed)

    def stop_resuming(self) -> None:
        """Leave calls that are being signalled, and those of before that aren't taken up yet, to the next start."""
        self._calls.left_to_the_next = True
        self._resuming.stop()

    # ------------------------------------------------------------ offers

    def signal(self, serial: str, resumed: bool = False) -> None:
        """Begin to signal a committed call.

        :param resumed: it was under way before a restart.
        """
        self._calls.happened(serial, SignallingEvent.SIGNALLED, self._signal_again if resumed else self._signal)

    def _signal(self, call: Call, failed: Callable[[], None]) -> None:
        if call.state is CallState.REQUESTED:  # not cancelled meanwhile
            self.offer(call)

    def _signal_again(self, call: Call, failed: Callable[[], None]) -> None:
        """Its time-out starts again. Until that is committed nothing else happens to the call."""
        if call.state not in SIGNALLED:  # its service has come for it
            if _waits_for_no_answer(call):
                self._calls.commit(call.but(deadline=self._calls.deadlines.in_state(call, call.state)), failed=failed)
            else:
                self._calls.wait(call)
            self._calls.drivers.resume(call)
            return
        again = call.but(deadline=self._calls.deadlines.in_state(call, call.state))
        self._calls.commit(again, *self._calls.undecided_until(call, lambda: self._offer_again(call.serial), failed))

    def _offer_again(self, serial: str) -> None:
        call = self._context.store.get(serial)
        if call is not None and call.state in SIGNALLED:  # not ended while the store took it
            self.offer(call, resumed=True)

    def offer(self, call: Call, resumed: bool = False) -> None:
        """Begin to signal a call; its agent hears 10.

        :param resumed: it was under way before a restart.
        """
        try:
            offer = self._offer_of(call, resumed)
        except SerialError as error:  # kept before a restart with another carrier
            _log.error("call {serial} can't be offered again: {reason}", serial=call.serial, reason=str(error))
            self.unreachable(call.serial, Status.SERIAL_DOES_NOT_FIT)
            return
        except Exception as error:  # a carrier's fault must not become the link's; what it says may hold the number
            fault = type(error).__name__
            _log.error(
                "call {serial} can't be offered: the carrier failed with {fault}", serial=call.serial, fault=fault
            )
            self.unreachable(call.serial, Status.INTERNAL)
            return
        self._calls.tell(call, Condition.CONNECTING)
        try:
            self._calls.drivers.of(call).offer(offer)
        except Exception:  # a driver's fault must not become the agent's link's
            _log.failure("signalling of call {serial} failed", serial=call.serial)
            self.unreachable(call.serial, Status.INTERNAL)

    def _offer_of(self, call: Call, resumed: bool) -> Offer:
        context, service = self._context, self._context.services[call.service]
        carried = context.carrier.embed(call.calling_number, call.serial)
        network = context.network
        return Offer(
            call.serial,
            call.service,
            call.calling_number,
            connection=Connection(service.access_code, carried.calling_number, context.exchange_address),
            deadline=context.clock.of_process(call.deadline) + _GRACE,
            resumed=resumed,
            signalled=carried if network is None else network.embed(call.calling_number, call.serial),
            agent=call.agent,
            grace=service.timeouts.rebind_grace,
        )

    def unreachable(self, serial: str, status: int) -> None:
        """No service can be reached: the agent gets 14 with this status, unless the service's result says more."""

        def end(call: Call, failed: Callable[[], None]) -> None:
            if call.state is CallState.REPORTED:  # offered again after a restart, it had served the customer meanwhile
                self._calls.let_go(call, failed)
            else:
                # A driver that dials tells no refusal apart; of one that has, the service may have spoken since.
                if status == Status.SERVICE_REFUSED and self._calls.owners.session_of(call) is None:
                    call = call.but(refused=True)
                self._calls.end(call, Condition.UNREACHABLE, Status.of(status), failed=failed)

        self._calls.happened(serial, SignallingEvent.ENDED, end)


def _waits_for_no_answer(call: Call) -> bool:
    """Whether its service has fetched it and would still have accepted it, had this exchange not been started again."""
    return call.state is CallState.FETCHED and not is_accepted(call)
