"""What an audit hears: who bound, who asked for which serial, who was refused, and why.

`ctiex.monitoring.audit_trail` makes the records of what happens. What may be told is a closed set of keys: no secret,
no field and no customer's number is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol, TypedDict, Unpack


class AuditEvent(Enum):
    """What was recorded; every one that ends in ``refused`` is a refusal."""

    EXCHANGE_STARTED = "exchange_started"
    """It listens, and takes calls."""
    EXCHANGE_STOPPING = "exchange_stopping"
    """It takes no new calls, and says goodbye to its links."""
    LINK_REFUSED = "link_refused"
    """A connection was ended before any Bind, by a limit or by TLS; of each reason one in a while."""
    BOUND = "bound"
    """A Bind was answered 0."""
    BIND_REFUSED = "bind_refused"
    """A Bind was answered otherwise; the reason is for the inside. Of what comes in floods one in a while."""
    UNBOUND = "unbound"
    """A bound link has ended."""
    REQUEST_REFUSED = "request_refused"
    """A frame was answered with Error: malformed, not bound, not allowed; the first of each kind on a link."""
    AGENT_LOGGED_IN = "agent_logged_in"
    AGENT_LOGIN_REFUSED = "agent_login_refused"
    AGENT_TAKEN_OVER = "agent_taken_over"
    """Another link has logged the agent number in; this is the record of the link that lost it."""
    AGENT_LOGGED_OUT = "agent_logged_out"
    AGENT_LOGOUT_REFUSED = "agent_logout_refused"
    CONNECT_KEPT = "connect_kept"
    """A ConnectRequest was answered 0."""
    CONNECT_REFUSED = "connect_refused"
    CALL_OFFERED = "call_offered"
    """The Connection goes out: the owner's sessions may fetch the data from now on."""
    CALL_ACCEPTED = "call_accepted"
    """The service has accepted the Connection."""
    OFFER_REFUSED = "offer_refused"
    """A session refused the Connection, or was lost before it answered; another one may be tried."""
    DATA_GIVEN = "data_given"
    """A DataRequest was answered 0."""
    DATA_REFUSED = "data_refused"
    REPORT_KEPT = "report_kept"
    """A ServiceEvent was committed, now or before (43)."""
    REPORT_REFUSED = "report_refused"
    CUSTOMER_RETURNED = "customer_returned"
    """The driver saw the customer return to the agent."""
    UPDATE_KEPT = "update_kept"
    """An UpdateRequest was answered 0."""
    UPDATE_REFUSED = "update_refused"
    CHANGE_TOLD = "change_told"
    """A session of the service has answered DataChanged."""
    CANCEL_KEPT = "cancel_kept"
    CANCEL_REFUSED = "cancel_refused"
    QUERY_ANSWERED = "query_answered"
    """A CallQuery was answered by the open hand-offs of an agent number, or by the first ones of them (35)."""
    QUERY_REFUSED = "query_refused"
    MONITOR_GRANTED = "monitor_granted"
    """A link is told of an agent number's state and calls, or (``action``: stop) isn't any more."""
    MONITOR_REFUSED = "monitor_refused"
    AGENT_STATE_ASKED = "agent_state_asked"
    """An AgentState was answered 0; ``action`` is the state."""
    AGENT_STATE_REFUSED = "agent_state_refused"
    ORDER_BEGUN = "order_begun"
    """A CallControl was answered 0: who has asked for which action on which call."""
    ORDER_REFUSED = "order_refused"
    CALL_DATA_KEPT = "call_data_kept"
    """A CallData was answered 0."""
    CALL_DATA_REFUSED = "call_data_refused"
    CALL_ENDED = "call_ended"
    """The service's part is over: by its final result, or by a condition of the exchange."""
    END_TOLD = "end_told"
    """A session of the service has answered CallEnded."""
    CALL_FORGOTTEN = "call_forgotten"
    """The closed call isn't known any more; its serial may be used again."""
    RECORDS_LOST = "records_lost"
    """So many records could not be written, and would stand here."""

    @property
    def refusal(self) -> bool:
        """Whether somebody was refused something."""
        return self.value.endswith("refused")


IN_WORDS: Mapping[str, str] = {
    AuditEvent.BOUND.value: "{who} bound",
    AuditEvent.UNBOUND.value: "{who} disconnected: {reason}",
    AuditEvent.AGENT_LOGGED_IN.value: "agent {agent} logged in at {who}",
    AuditEvent.AGENT_TAKEN_OVER.value: "agent {agent} was taken over from {who}",
    AuditEvent.AGENT_LOGGED_OUT.value: "agent {agent} logged out at {who}",
    AuditEvent.CONNECT_KEPT.value: "{who} asked to connect agent {agent}'s customer with {service}: stored",
    AuditEvent.CONNECT_REFUSED.value: "{who} asked to connect agent {agent}'s customer with {service}: refused, {why}",
    AuditEvent.CALL_OFFERED.value: "offered to {owner}",
    AuditEvent.CALL_ACCEPTED.value: "accepted by {owner}",
    AuditEvent.OFFER_REFUSED.value: "not accepted by {owner}: {why}",
    AuditEvent.DATA_GIVEN.value: "{who} asked for the data: given",
    AuditEvent.DATA_REFUSED.value: "{who} asked for the data: refused, {why}",
    AuditEvent.REPORT_KEPT.value: "{who} reported {condition}: stored, {why}",
    AuditEvent.REPORT_REFUSED.value: "{who} reported {condition}: refused, {why}",
    AuditEvent.CUSTOMER_RETURNED.value: "the customer is back with agent {agent}",
    AuditEvent.UPDATE_KEPT.value: "{who} changed the data: stored",
    AuditEvent.UPDATE_REFUSED.value: "{who} asked to change the data: refused, {why}",
    AuditEvent.CHANGE_TOLD.value: "{who} was told that the data has changed",
    AuditEvent.CANCEL_KEPT.value: "{who} asked to cancel: done",
    AuditEvent.CANCEL_REFUSED.value: "{who} asked to cancel: refused, {why}",
    AuditEvent.MONITOR_GRANTED.value: "{who} asked to be told of agent {agent}: {action}",
    AuditEvent.MONITOR_REFUSED.value: "{who} asked to be told of agent {agent}: refused, {why}",
    AuditEvent.AGENT_STATE_ASKED.value: "{who} asked for the state {action} of agent {agent}",
    AuditEvent.AGENT_STATE_REFUSED.value: "{who} asked for the state {action} of agent {agent}: refused, {why}",
    AuditEvent.ORDER_BEGUN.value: "{who} asked for {action} on call {call_id} of agent {agent}",
    AuditEvent.ORDER_REFUSED.value: "{who} asked for {action} on call {call_id} of agent {agent}: refused, {why}",
    AuditEvent.CALL_DATA_KEPT.value: "{who} changed the data of call {call_id}: stored",
    AuditEvent.CALL_DATA_REFUSED.value: "{who} asked to change the data of call {call_id}: refused, {why}",
    AuditEvent.CALL_ENDED.value: "ended for agent {agent}: {condition}, {why}",
    AuditEvent.END_TOLD.value: "{who} was told of the end: {condition}",
    AuditEvent.CALL_FORGOTTEN.value: "forgotten",
}
"""How ``ctiex trace`` tells a call's story; an event that isn't here is told with all that its record holds."""


class About(TypedDict, total=False):
    """What is known of an event; anything that is empty is left out of its record."""

    exchange: str
    """The exchange's id."""
    session: str
    """The session's name, as the BindReply told it."""
    identity: str
    """The identity of the link; what was claimed to be it, where a Bind was refused."""
    role: str
    """The link's role: ``agent`` or ``service``."""
    peer: str
    """The other side's address."""
    agent: str
    """The agent number."""
    serial: str
    """The call serial number."""
    call_id: str
    """The id of an agent's call."""
    action: str
    """What was asked for."""
    service: str
    """The service's name."""
    owner: str
    """The identity that the call was offered to; ``*``: any that serves it."""
    status: int
    """The status of the answer, or of the end."""
    condition: int
    """How the call fares, as the service or the exchange says."""
    reason: str
    """Why, where the status doesn't tell all of it."""
    more: int
    """So many more refusals of this identity, or source before a Bind, came before, with no record of their own."""
    lost: int
    """How many records."""


class Audit(Protocol):
    """Takes records. It never fails and never waits: a call doesn't depend on it."""

    def record(self, event: AuditEvent, **about: Unpack[About]) -> None:
        """Something has happened, now."""
