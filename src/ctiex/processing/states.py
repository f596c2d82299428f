"""The states of a call in one table, and what each one's time-out means."""

from __future__ import annotations

from enum import Enum, auto

from ctiex.messages import Condition
from ctiex.records import Call, CallState

_REQUESTED, _CONNECTING, _CONNECTED = CallState.REQUESTED, CallState.CONNECTING, CallState.CONNECTED
_FETCHED, _REPORTED, _CLOSED = CallState.FETCHED, CallState.REPORTED, CallState.CLOSED


class Step(Enum):
    """What happens to a call."""

    OFFER = auto()
    """The Connection is written to a service."""
    ACCEPT = auto()
    """The service accepts the Connection."""
    FETCH = auto()
    """The service fetches the data."""
    PROGRESS = auto()
    """The service reports progress."""
    REPORT = auto()
    """The service reports its final result."""
    RETURN = auto()
    """The customer is back with the agent, or the driver can't see it."""
    END = auto()
    """It ends without a result: cancelled, unreachable, timed out, hung up."""

    __hash__ = object.__hash__  # Enum's own is Python, and steps are looked up all the time


TRANSITIONS: dict[tuple[CallState, Step], CallState] = {
    (_REQUESTED, Step.OFFER): _CONNECTING,
    (_REQUESTED, Step.END): _CLOSED,
    (_CONNECTING, Step.OFFER): _CONNECTING,  # moved to another session
    (_CONNECTING, Step.ACCEPT): _CONNECTED,
    (_CONNECTING, Step.FETCH): _FETCHED,  # DataRequest may come before ConnectionReply
    (_CONNECTING, Step.PROGRESS): _CONNECTING,
    (_CONNECTING, Step.REPORT): _REPORTED,
    (_CONNECTING, Step.END): _CLOSED,
    (_CONNECTED, Step.FETCH): _FETCHED,
    (_CONNECTED, Step.PROGRESS): _CONNECTED,
    (_CONNECTED, Step.REPORT): _REPORTED,
    (_CONNECTED, Step.END): _CLOSED,
    (_FETCHED, Step.OFFER): _CONNECTING,  # it fetched, then refused or died: moved to another session
    (_FETCHED, Step.ACCEPT): _FETCHED,
    (_FETCHED, Step.FETCH): _FETCHED,
    (_FETCHED, Step.PROGRESS): _FETCHED,
    (_FETCHED, Step.REPORT): _REPORTED,
    (_FETCHED, Step.END): _CLOSED,
    # The service has let the customer go and hasn't reported yet: that is awaited no longer than a return.
    (_CONNECTED, Step.RETURN): _CONNECTED,
    (_FETCHED, Step.RETURN): _FETCHED,
    (_REPORTED, Step.RETURN): _CLOSED,
}
"""(state, step) to the next state; a step that isn't here is not for a call in that state."""

WITH_SERVICE = frozenset({_CONNECTING, _CONNECTED, _FETCHED})
"""States in which the call is with a service: it may fetch, report, and hears of the end."""
ENDED = frozenset({_REPORTED, _CLOSED})
"""States in which the agent's last word about the service is said."""
SIGNALLED = frozenset({_REQUESTED, _CONNECTING})
"""States in which signalling is under way: offered again after a restart."""

TIMEOUT_OF: dict[CallState, str] = {
    _REQUESTED: "signalling_timeout",
    _CONNECTING: "signalling_timeout",
    _CONNECTED: "fetch_timeout",
    _FETCHED: "service_timeout",
    _REPORTED: "return_timeout",
    _CLOSED: "keep_closed",
}
"""Which of the service's time-outs (:class:`ctiex.limits.Timeouts`) bounds each state."""

TIMED_OUT_AS: dict[CallState, Condition] = {
    _REQUESTED: Condition.UNREACHABLE,
    _CONNECTING: Condition.UNREACHABLE,
    _CONNECTED: Condition.TIMED_OUT,
    _FETCHED: Condition.TIMED_OUT,
}
"""What the agent hears when a state without a result times out."""


def is_accepted(call: Call) -> bool:
    """Whether a service has accepted its Connection."""
    return Condition.CONNECTED in call.told
