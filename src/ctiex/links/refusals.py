"""How a request is refused before anybody has looked at what it asks for."""

from __future__ import annotations

from ctiex.call_messages import (
    AgentState,
    AgentStateReply,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    Monitor,
    MonitorReply,
)
from ctiex.messages import (
    KIND_OF,
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
    Error,
    Message,
    ServiceEvent,
    ServiceEventReply,
    UpdateReply,
    UpdateRequest,
)


def refusal(request: Message, status: int, detail: str = "", retry_after: int = 0) -> Message:
    """The request's own reply, saying ``status``, if it can, and nothing of any call.

    :param retry_after: in how many seconds to ask again, in a reply that can say it; 0 where that isn't known.
    """
    match request:
        case Bind():
            return BindReply(status, detail=detail)
        case AgentLogin():
            return AgentLoginReply(status, detail=detail)
        case AgentLogout():
            return AgentLogoutReply(status)
        case ConnectRequest(serial=serial):
            return ConnectReply(status, serial, retry_after, detail)
        case CancelRequest(serial=serial):
            return CancelReply(status, serial, detail)
        case CallQuery():
            return CallQueryReply(status)
        case UpdateRequest(serial=serial):
            return UpdateReply(status, serial, detail)
        case Connection():
            return ConnectionReply(status, detail)
        case DataRequest(serial=serial):
            return DataResult(status, serial)
        case ServiceEvent(event_id=event_id):
            return ServiceEventReply(event_id, status)
        case CallEnded():
            return CallEndedReply()
        case DataChanged():
            return DataChangedReply()
        case Monitor():
            return MonitorReply(status, detail)
        case AgentState():
            return AgentStateReply(status, detail)
        case CallControl(call=call):
            return CallControlReply(status, call, detail=detail)
        case CallData():
            return CallDataReply(status, detail=detail)
        case _:
            return Error(status, KIND_OF[type(request)], detail)
