"""Who sends which message, on which link, under which invoke id: one table, and what follows from it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ctiex import call_messages as c
from ctiex import messages as m
from ctiex.messages import KINDS, REPLY_OF, Message, Role


class Sender(Enum):
    """Which side of a link sends a message."""

    CLIENT = "client"
    EXCHANGE = "exchange"
    EITHER = "either"

    @property
    def other(self) -> Sender:
        """Who answers it."""
        return {Sender.CLIENT: Sender.EXCHANGE, Sender.EXCHANGE: Sender.CLIENT}.get(self, self)


@frozen
class MessageRoute:
    """Who sends a message, and where; ``role`` is None where it is the same on both links."""

    sender: Sender
    role: Role | None
    invoke_id: str


_REQUEST = "other than 0"
_REPLY = "that of the request"
_NOTICE = "0"

_SAID_FIRST: dict[type[Message], MessageRoute] = {
    m.Bind: MessageRoute(Sender.CLIENT, None, _REQUEST),
    m.Unbind: MessageRoute(Sender.EITHER, None, "any"),
    m.Ping: MessageRoute(Sender.EITHER, None, _REQUEST),
    m.Error: MessageRoute(Sender.EITHER, None, "that of the frame that it is about, or 0"),
    m.AgentLogin: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.AgentLogout: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.ConnectRequest: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.CancelRequest: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.AgentEvent: MessageRoute(Sender.EXCHANGE, Role.AGENT, _NOTICE),
    m.AgentEventAck: MessageRoute(Sender.CLIENT, Role.AGENT, _NOTICE),
    m.CallQuery: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.UpdateRequest: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    m.Connection: MessageRoute(Sender.EXCHANGE, Role.SERVICE, _REQUEST),
    m.DataRequest: MessageRoute(Sender.CLIENT, Role.SERVICE, _REQUEST),
    m.ServiceEvent: MessageRoute(Sender.CLIENT, Role.SERVICE, _REQUEST),
    m.CallEnded: MessageRoute(Sender.EXCHANGE, Role.SERVICE, _REQUEST),
    m.DataChanged: MessageRoute(Sender.EXCHANGE, Role.SERVICE, _REQUEST),
    c.Monitor: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    c.AgentState: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    c.CallControl: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    c.CallData: MessageRoute(Sender.CLIENT, Role.AGENT, _REQUEST),
    c.AgentStateEvent: MessageRoute(Sender.EXCHANGE, Role.AGENT, _NOTICE),
    c.CallEvent: MessageRoute(Sender.EXCHANGE, Role.AGENT, _NOTICE),
    c.Snapshot: MessageRoute(Sender.EXCHANGE, Role.AGENT, _NOTICE),
}
"""Every message but the replies."""

REQUEST_OF: dict[type[Message], type[Message]] = {reply: request for request, reply in REPLY_OF.items()}
"""Each reply with what it answers."""

BEFORE_BIND = frozenset({m.Bind, m.Ping, m.Pong, m.Error})
"""What a client may send before it is bound; the last two are ignored then."""


def _route(message: type[Message]) -> MessageRoute:
    if message not in REQUEST_OF:
        return _SAID_FIRST[message]
    request = _SAID_FIRST[REQUEST_OF[message]]
    return MessageRoute(request.sender.other, request.role, _REPLY)


ROUTES: dict[type[Message], MessageRoute] = {message: _route(message) for message in KINDS.values()}
"""Of every message, who sends it."""
