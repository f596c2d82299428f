"""What may come in on a link, by who is at this end of it and in which state, as tables.

Each maps a message to what is done with it; ``None`` stands for every message that isn't named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum

from ctiex.call_messages import (
    AgentState,
    AgentStateEvent,
    AgentStateReply,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    CallEvent,
    Monitor,
    MonitorReply,
    Snapshot,
)
from ctiex.errors import Status
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    Bind,
    BindReply,
    CallEnded,
    CallEndedReply,
    CallQuery,
    CallQueryReply,
    CancelReply,
    CancelRequest,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataChanged,
    DataChangedReply,
    DataRequest,
    DataResult,
    Feature,
    Message,
    Ping,
    Pong,
    Role,
    ServiceEvent,
    ServiceEventReply,
    Unbind,
    UnbindReply,
    UpdateReply,
    UpdateRequest,
)


class Treatment(Enum):
    """What is done with a message that may come."""

    REQUEST = "request"
    """It is answered by its own reply, and goes under an invoke id other than 0."""
    NOTICE = "notice"
    """It is answered by nothing, and goes under invoke id 0."""
    REPLY = "reply"
    """It answers a request of this side; an unexpected one is ignored, unless it is malformed."""
    IGNORE = "ignore"
    """It does nothing, whatever its body."""


REQUEST, NOTICE, REPLY, IGNORE = Treatment.REQUEST, Treatment.NOTICE, Treatment.REPLY, Treatment.IGNORE

Rules = Mapping[type[Message] | None, Treatment | Status]

_ALWAYS: dict[type[Message] | None, Treatment | Status] = {
    None: Status.NOT_ALLOWED_HERE,
    Ping: REQUEST,
    Pong: REPLY,
    Unbind: REQUEST,
    UnbindReply: REPLY,
}


def _rules(
    requests: Iterable[type[Message]] = (),
    replies: Iterable[type[Message]] = (),
    notices: Iterable[type[Message]] = (),
) -> Rules:
    return _ALWAYS | dict.fromkeys(requests, REQUEST) | dict.fromkeys(replies, REPLY) | dict.fromkeys(notices, NOTICE)


UNBOUND: Rules = {None: Status.NOT_BOUND, Bind: REQUEST, Ping: REQUEST, Pong: IGNORE}
"""The exchange, before a Bind."""

_AGENT_REPLIES = (
    *(BindReply, AgentLoginReply, AgentLogoutReply),
    *(ConnectReply, CancelReply, CallQueryReply, UpdateReply),
)
_SERVICE_REPLIES = (
    *(BindReply, DataResult, ServiceEventReply),
    *(ConnectionReply, CallEndedReply, DataChangedReply),
)
"""All replies that a link knows: one that the other side should have asked for is one that nobody asked for."""

_CALL_REPLIES = (MonitorReply, AgentStateReply, CallControlReply, CallDataReply)

EXCHANGE: Mapping[Role, Rules] = {
    Role.AGENT: _rules(
        requests=[AgentLogin, AgentLogout, ConnectRequest, CancelRequest, CallQuery, UpdateRequest],
        replies=_AGENT_REPLIES,
        notices=[AgentEventAck],
    ),
    Role.SERVICE: _rules(
        requests=[DataRequest, ServiceEvent],
        replies=_SERVICE_REPLIES,
    ),
}
"""The exchange, bound, by the role of the other side."""

CLIENT: Mapping[Role, Rules] = {
    Role.AGENT: _rules(
        replies=_AGENT_REPLIES,
        notices=[AgentEvent],
    ),
    Role.SERVICE: _rules(
        requests=[Connection, CallEnded, DataChanged],
        replies=_SERVICE_REPLIES,
    ),
}
"""A client, by its own role."""

_CALLS_AT_EXCHANGE = _rules(requests=[Monitor, AgentState, CallControl, CallData], replies=_CALL_REPLIES)
_CALLS_AT_CLIENT = _rules(replies=_CALL_REPLIES, notices=[AgentStateEvent, CallEvent, Snapshot])
"""What the feature ``calls`` brings."""


def exchange(role: Role, features: Collection[str]) -> Rules:
    """The exchange, bound, with the features that it has granted."""
    return {**EXCHANGE[role], **(_CALLS_AT_EXCHANGE if Feature.CALLS in features else {})}


def client(role: Role, features: Collection[str]) -> Rules:
    """A client, with the features that it was granted."""
    return {**CLIENT[role], **(_CALLS_AT_CLIENT if Feature.CALLS in features else {})}


DIALLING: Rules = _rules(replies=[ConnectionReply])
"""The exchange on a link that it opened to a service's address [0054]."""

DIALLED: Rules = _rules(requests=[Connection])
"""The service at the other end of such a link."""
