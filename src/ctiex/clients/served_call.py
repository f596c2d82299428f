"""One customer who has come to an automatic service, and the coroutine that serves them.

That is anybody's code: what it gives, when it ends, and its faults are seen to here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.clients.connection import ignore
from ctiex.clients.faults import without_text
from ctiex.clients.replies import checked
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import IMedia
from ctiex.messages import Condition, Connection, DataRequest, DataResult
from ctiex.services.outcome import Outcome, failed

_log = Logger()


class CallService(Protocol):
    """What a call needs of the service that serves it."""

    async def ask_for_data(self, request: DataRequest, timeout: float) -> Any:
        """Ask the exchange for the data of a call, in so many seconds."""

    async def report(self, call: ServedCall, outcome: Outcome, timeout: float) -> None:
        """Report to the exchange, in so many seconds."""


class ServedCall:
    """A customer who is being served, and the way to their data and their agent."""

    media: IMedia
    """The channel to the customer."""

    def __init__(self, service: CallService, connection: Connection, calling_number: str, serial: str) -> None:
        self.serial = serial
        self.calling_number = calling_number
        """The customer's number, without the serial."""
        self.access_code = connection.access_code
        self.agent = ""
        """The agent number that handed the customer over; known once the data was fetched."""
        self.reference = ""
        """What the agent's application calls it; known once the data was fetched."""
        self.on_change: Callable[[], object] = ignore
        """Called when the data has changed since it was fetched: fetch it again, if that matters.

        Set it before you fetch; it may be an ``async def``, which goes on beside the handler.
        """
        self.ended: Condition | None = None
        """How the exchange ended the call; None while it goes on."""
        self._service = service
        self._exchange_address = connection.exchange_address

    async def data(self, timeout: float = 30.0) -> Fields:
        """The call's data, organized for this service [0050].

        :param timeout: in seconds, with all repeats: over lost links, behind pauses, and where no answer came.
        :raise CallError: 20, the call isn't (or is no longer) this service's.
        :raise RequestTimedOut: no answer in time.
        """
        result: DataResult = checked(
            await self._service.ask_for_data(DataRequest(self.serial, self._exchange_address), timeout)
        )
        self.agent, self.reference = result.agent, result.reference
        return result.fields

    async def progress(self, fields: Fields = EMPTY, timeout: float = 600.0) -> None:
        """Tell the agent how it goes; any number of times.

        :param timeout: in seconds, lost links included.
        :raise CallError: 41, the agent's mailbox is full; 24 or 20, the call has ended.
        :raise RequestTimedOut: the exchange could not be reached in time.
        """
        await self._service.report(self, Outcome(Condition.PROGRESS, fields), timeout)

    def comes_again_as(self, connection: Connection, calling_number: str) -> bool:
        """Whether another Connection under this serial brings the same customer to the same service."""
        return (self.access_code, self.calling_number) == (connection.access_code, calling_number)


_ENDS = frozenset({Condition.COMPLETED, Condition.FAILED, Condition.ABANDONED})

Handler = Callable[[ServedCall], Awaitable[Outcome]]
"""Serves one customer and says how it ended; it is cancelled when the exchange ends the call."""


def telling(handler: Handler, served: Deferred[None]) -> Handler:
    """The handler, and a word when it has ended."""

    async def handle(call: ServedCall) -> Outcome:
        try:
            return await handler(call)
        finally:
            served.callback(None)

    return handle


def final_outcome(call: ServedCall, outcome: object) -> Outcome:
    """The outcome of a handler, which may be anybody's code; a failure where it is no end of a call."""
    if isinstance(outcome, Outcome) and outcome.condition in _ENDS:
        return outcome
    _log.error("serving call {serial} failed: it gave {given}, expected an Outcome of a final condition",
               serial=call.serial, given=type(outcome).__qualname__)  # fmt: skip
    return failed("the service failed")


def log_fault(call: ServedCall, error: BaseException) -> None:
    """Tell the log of a fault, without its text."""
    _log.error("serving call {serial} failed: {fault}", serial=call.serial, fault=without_text(error))


def log_failure(call: ServedCall, failure: Failure) -> None:
    """Likewise, at the end of a Deferred."""
    assert failure.value is not None
    log_fault(call, failure.value)


def tell_changed(call: ServedCall) -> None:
    """The exchange says that the call's data has changed: tell its handler."""
    ensureDeferred(_changed(call)).addErrback(partial(log_failure, call))


async def _changed(call: ServedCall) -> None:
    told = call.on_change()
    if isawaitable(told):
        await told


def end_of(serving: Deferred[None]) -> Deferred[None]:
    """Fires when the other does, without taking part in it."""
    waiting: Deferred[None] = Deferred(lambda given_up: given_up.callback(None))

    def done(result: Any) -> Any:
        if not waiting.called:
            waiting.callback(None)
        return result

    serving.addBoth(done)
    return waiting


MOST_FINISHED = 100_000
"""Serials that are known at the same time; the oldest goes first."""


@define(eq=False)
class FinishedSerials:
    """The serials of calls that were served to the end, for a while.

    The exchange gives a call's data to its service until the customer is back with the agent. A caller
    under the same serial meanwhile is another customer, and gets nothing.
    """

    _clock: IReactorTime
    _kept_for: float
    """How long each is known, in seconds."""
    _until: dict[str, float] = field(factory=dict, init=False)

    def __contains__(self, serial: object) -> bool:
        self._forget_old()
        return serial in self._until

    def add(self, serial: str) -> None:
        """The result of this call was committed."""
        self._forget_old()
        self._until.pop(serial, None)  # so that the oldest stay first
        self._until[serial] = self._clock.seconds() + self._kept_for
        if len(self._until) > MOST_FINISHED:
            del self._until[next(iter(self._until))]

    def _forget_old(self) -> None:
        now = self._clock.seconds()
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now:
                return
            del self._until[oldest]
