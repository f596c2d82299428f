"""The coroutines that serve customers are anybody's code: what they give, when they end, and their faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.clients.faults import without_text
from ctiex.clients.served_call import ServedCall
from ctiex.messages import Condition
from ctiex.services.outcome import Outcome, failed

_log = Logger()

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


def end_of(serving: Deferred[None]) -> Deferred[None]:
    """Fires when the other does, without taking part in it."""
    waiting: Deferred[None] = Deferred(lambda given_up: given_up.callback(None))

    def done(result: Any) -> Any:
        if not waiting.called:
            waiting.callback(None)
        return result

    serving.addBoth(done)
    return waiting
