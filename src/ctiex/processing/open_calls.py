"""Which hand-offs of an agent number are open, as a CallQueryReply says it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from ctiex.errors import Status
from ctiex.messages import CallQueryReply, OpenCall, OpenCallState
from ctiex.processing.context import ProcessingContext
from ctiex.records import Call, CallState

_STATES = {
    CallState.REQUESTED: OpenCallState.REQUESTED,
    CallState.CONNECTING: OpenCallState.CONNECTING,
    CallState.CONNECTED: OpenCallState.CONNECTED,
    CallState.FETCHED: OpenCallState.FETCHED,
    CallState.REPORTED: OpenCallState.REPORTED,
}


def open_calls(context: ProcessingContext, calls: Iterable[Call]) -> CallQueryReply:
    """The reply about these calls; where they don't all fit a frame, about the first ones, with status 35."""
    listed = [OpenCall(call.serial, call.service, call.reference, _STATES[call.state], call.since) for call in calls]
    reply = CallQueryReply(Status.OK, tuple(listed))
    return reply if context.fits_agent_link(reply) else _as_many_as_fit(context, listed)


def _as_many_as_fit(context: ProcessingContext, listed: Sequence[OpenCall]) -> CallQueryReply:
    def first(count: int) -> CallQueryReply:
        return CallQueryReply(Status.DATA_TOO_LARGE, tuple(listed[:count]))

    too_many = bisect_left(range(len(listed)), True, key=lambda count: not context.fits_agent_link(first(count)))
    return first(too_many - 1)
