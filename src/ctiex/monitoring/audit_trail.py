"""What is recorded in the audit of what happens."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from math import inf
from typing import Unpack

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ctiex.call_messages import AgentState, CallControl, CallData, Monitor
from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import IServiceSession
from ctiex.limits import Limits
from ctiex.messages import (
    AgentLogin,
    AgentLogout,
    Bind,
    CallEnded,
    CallQuery,
    CancelRequest,
    Condition,
    ConnectRequest,
    DataChanged,
    DataRequest,
    Message,
    ServiceEvent,
    UpdateRequest,
)
from ctiex.monitoring.audit_events import About, Audit, AuditEvent
from ctiex.monitoring.counters import Counters
from ctiex.monitoring.log_limiter import LogLimiter
from ctiex.monitoring.observer import LinkInfo, Observer
from ctiex.rates import Pace
from ctiex.records import Call

_OUTCOMES: dict[type[Message], tuple[AuditEvent, AuditEvent]] = {
    AgentLogin: (AuditEvent.AGENT_LOGGED_IN, AuditEvent.AGENT_LOGIN_REFUSED),
    AgentLogout: (AuditEvent.AGENT_LOGGED_OUT, AuditEvent.AGENT_LOGOUT_REFUSED),
    ConnectRequest: (AuditEvent.CONNECT_KEPT, AuditEvent.CONNECT_REFUSED),
    UpdateRequest: (AuditEvent.UPDATE_KEPT, AuditEvent.UPDATE_REFUSED),
    CancelRequest: (AuditEvent.CANCEL_KEPT, AuditEvent.CANCEL_REFUSED),
    CallQuery: (AuditEvent.QUERY_ANSWERED, AuditEvent.QUERY_REFUSED),
    DataRequest: (AuditEvent.DATA_GIVEN, AuditEvent.DATA_REFUSED),
    ServiceEvent: (AuditEvent.REPORT_KEPT, AuditEvent.REPORT_REFUSED),
    Monitor: (AuditEvent.MONITOR_GRANTED, AuditEvent.MONITOR_REFUSED),
    AgentState: (AuditEvent.AGENT_STATE_ASKED, AuditEvent.AGENT_STATE_REFUSED),
    CallControl: (AuditEvent.ORDER_BEGUN, AuditEvent.ORDER_REFUSED),
    CallData: (AuditEvent.CALL_DATA_KEPT, AuditEvent.CALL_DATA_REFUSED),
}
"""What is recorded of a request that was granted, and of one that was refused."""

_ALSO_GRANTED: dict[type[Message], frozenset[int]] = {
    AgentLogin: frozenset({Status.NUMBERING_ANEW}),
    CallQuery: frozenset({Status.DATA_TOO_LARGE}),
    ServiceEvent: frozenset({Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT}),
}
"""By what status a request was granted, beside 0."""
_LONGEST_CLAIM = 64
"""How much of an unproved identity is recorded, in characters."""
_MOST_PARTIES = 10_000
"""Parties whose refusals were left out, and that wait for a record to be told in; the oldest goes first."""
_OVER_LIMIT_EVERY = 1.0
"""Of the requests of a link that are over its limits, one in so many seconds has a record of its own."""


def printable(text: str, longest: int = _LONGEST_CLAIM) -> str:
    """Untrusted text as a record may hold it: short, and with ``?`` for what can't be printed."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])


def about_request(request: Message) -> About:
    """What a request says of the call that it is about: no field, and no number of a customer."""
    match request:
        case AgentLogin(agent=agent) | AgentLogout(agent=agent) | CallQuery(agent=agent):
            return {"agent": agent}
        case ConnectRequest():
            return {"serial": request.serial, "agent": request.agent, "service": request.service}
        case CancelRequest(serial=serial) | UpdateRequest(serial=serial) | DataRequest(serial=serial):
            return {"serial": serial}
        case ServiceEvent():
            return {"serial": request.serial, "condition": request.condition}
        case Monitor(agent=agent):
            return {"agent": agent, "action": request.mode.name.lower()}
        case AgentState(agent=agent):
            return {"agent": agent, "action": request.agent_state.name.lower()}
        case CallControl(agent=agent, call=call):
            return {"agent": agent, "call_id": call, "action": request.action.name.lower()}
        case CallData(agent=agent, call=call):
            return {"agent": agent, "call_id": call}
    return {}


@define
class _Told:
    """What was recorded of one link already."""

    errors: set[tuple[int, str]] = field(factory=set)
    """The Errors: only the first of each kind has a record, since anybody may send as many as a link takes."""
    over_limit_at: float = -inf
    """When a request over a limit was recorded last, in clock seconds."""


@define
class _Refusals:
    """Which refusals are recorded: so many in a second for each party, however many links it has.

    What is left out is counted, so that the party's next record can tell of it.
    """

    limits: Limits
    counters: Counters
    _pace: Pace = field(factory=Pace, init=False)
    _left_out: OrderedDict[str, int] = field(factory=OrderedDict, init=False)

    def told(self, party: str, now: float) -> bool:
        """Whether this refusal is recorded; else it is counted."""
        if self._pace.take(party, self.limits.audited_refusals_per_second, now):
            return True
        self.leave_out(party)
        return False

    def leave_out(self, party: str) -> None:
        """One more without a record of its own."""
        self.counters.audit_refusals_left_out += 1
        self._left_out[party] = self._left_out.get(party, 0) + 1
        if len(self._left_out) > _MOST_PARTIES:
            self._left_out.popitem(last=False)

    def more(self, party: str) -> int:
        """How many were left out since this was asked last."""
        return self._left_out.pop(party, 0)


class AuditTrail(Observer):
    """Makes records of what happens; refusals at a limited rate for each identity, or source before a Bind."""

    def __init__(self, audit: Audit, clock: IReactorTime, limits: Limits, counters: Counters) -> None:
        self._audit = audit
        self._clock = clock
        self._refusals = _Refusals(limits, counters)
        self._limiter = LogLimiter()
        self._told: defaultdict[LinkInfo, _Told] = defaultdict(_Told)

    # ------------------------------------------------------------ the exchange

    def exchange_started(self, exchange: str) -> None:
        """It takes calls."""
        self._audit.record(AuditEvent.EXCHANGE_STARTED, exchange=exchange)

    def exchange_stopping(self, exchange: str) -> None:
        """It takes none any more."""
        self._audit.record(AuditEvent.EXCHANGE_STOPPING, exchange=exchange)

    # ------------------------------------------------------------ links

    def _of_link(self, event: AuditEvent, link: LinkInfo, **about: Unpack[About]) -> None:
        party = _party(link)
        if event.refusal and not self._refusals.told(party, self._clock.seconds()):
            return
        known: About = {
            "session": link.session,
            "identity": link.identity,
            "role": link.role.name.lower() if link.role else "",
            "peer": link.peer,
            **about,
        }
        more = self._refusals.more(party)
        if more:
            known["more"] = more
        self._audit.record(event, **known)

    def _allows(self, reason: str, link: LinkInfo) -> bool:
        """Of each of the two ports by itself."""
        return self._limiter.allows(f"{link.role} {reason}", self._clock.seconds())

    def connection_refused(self, link: LinkInfo | None, reason: str, counter: str = "", source: str = "") -> None:
        """Of each reason one in a while, where it became a link; a bound one has a record of its end."""
        if link is not None and not link.identity and self._allows(reason, link):
            self._of_link(AuditEvent.LINK_REFUSED, link, reason=reason)

    tls_refused = link_cut = connection_refused

    def link_bound(self, link: LinkInfo, software: str) -> None:
        """Each of them."""
        self._of_link(AuditEvent.BOUND, link, status=Status.OK)

    def bind_refused(
        self, link: LinkInfo, claimed: str, status: Status, reason: str, in_floods: bool, counter: str
    ) -> None:
        """What one peer can bring about as often as it likes, once in a while."""
        if not in_floods or self._allows(reason, link):
            self._of_link(AuditEvent.BIND_REFUSED, link, identity=printable(claimed), status=status, reason=reason)

    def version_refused(self, link: LinkInfo, bind: Bind) -> None:
        """Each of them."""
        self.bind_refused(link, bind.identity, Status.UNSUPPORTED_VERSION, "no version in common", False, "")

    def link_ended(self, link: LinkInfo, reason: str) -> None:
        """That of a bound one."""
        self._told.pop(link, None)
        if link.identity:
            self._of_link(AuditEvent.UNBOUND, link, reason=printable(reason, 200))

    # ------------------------------------------------------------ requests

    def frame_refused(self, link: LinkInfo, status: int, name: str) -> None:
        """The first of each kind."""
        if (status, name) not in self._told[link].errors:
            self._told[link].errors.add((status, name))
            self._of_link(AuditEvent.REQUEST_REFUSED, link, status=status, reason=name)

    def request_over_limit(self, link: LinkInfo, request: Message) -> None:
        """The first in a while; the next record of the identity tells how many more there were.

        Else a peer that asks too fast would fill the disk.
        """
        if type(request) not in _OUTCOMES:
            return
        now, told = self._clock.seconds(), self._told[link]
        if 0 <= now - told.over_limit_at < _OVER_LIMIT_EVERY:
            self._refusals.leave_out(_party(link))
            return
        told.over_limit_at = now
        self.request_answered(link, request, Status.TOO_BUSY, reason="over a limit of the link")

    def request_answered(
        self, link: LinkInfo, request: Message, status: int, serial: str = "", reason: str = ""
    ) -> None:
        """Each of them."""
        kind = type(request)
        granted, refused = _OUTCOMES[kind]
        about: About = {**about_request(request), "status": status, "reason": reason}
        if serial:
            about["serial"] = serial
        was_granted = status == Status.OK or status in _ALSO_GRANTED.get(kind, ())
        self._of_link(granted if was_granted else refused, link, **about)

    def notice_answered(self, link: LinkInfo, notice: CallEnded | DataChanged) -> None:
        """Each of them."""
        if isinstance(notice, CallEnded):
            self._of_link(AuditEvent.END_TOLD, link, serial=notice.serial, condition=notice.condition)
        else:
            self._of_link(AuditEvent.CHANGE_TOLD, link, serial=notice.serial)

    def agent_taken_over(self, link: LinkInfo, agent: str) -> None:
        """It is the record of the link that lost it."""
        self._of_link(AuditEvent.AGENT_TAKEN_OVER, link, agent=agent)

    # ------------------------------------------------------------ calls

    def _of_call(self, event: AuditEvent, call: Call, **about: Unpack[About]) -> None:
        known: About = {"agent": call.agent, "serial": call.serial, "service": call.service, **about}
        self._audit.record(event, **known)

    def call_offered(self, call: Call, owner: str, session: IServiceSession | None) -> None:
        """Who may fetch the data from now on."""
        self._of_call(AuditEvent.CALL_OFFERED, call, owner=owner, session=_name(session))

    def call_accepted(self, call: Call, session: IServiceSession | None) -> None:
        """Who has accepted it."""
        self._of_call(AuditEvent.CALL_ACCEPTED, call, owner=call.owner, session=_name(session))

    def offer_refused(self, call: Call, session: IServiceSession, status: int | None) -> None:
        """Who has refused it."""
        self._of_call(
            AuditEvent.OFFER_REFUSED,
            call,
            owner=session.identity,
            session=session.name,
            status=Status.TIMED_OUT if status is None else status,
            reason="its link was lost" if status is None else "",
        )

    def data_asked_here(self, identity: Identity, serial: str, refused: Status | None, reason: str) -> None:
        """What a service of this process was answered."""
        self._audit.record(
            AuditEvent.DATA_GIVEN if refused is None else AuditEvent.DATA_REFUSED,
            identity=identity.name,
            serial=serial,
            status=Status.OK if refused is None else refused,
            reason=reason,
        )

    def report_committed(self, call: Call, condition: Condition, final: bool) -> None:
        """A final one ends the service's part of the call."""
        if final:
            self.call_ended(call, condition, Status.OK)

    def call_ended(self, call: Call, condition: Condition, status: Status) -> None:
        """How it ended."""
        self._of_call(AuditEvent.CALL_ENDED, call, owner=call.owner, condition=condition, status=status)

    def customer_returned(self, call: Call) -> None:
        """The driver saw it."""
        self._of_call(AuditEvent.CUSTOMER_RETURNED, call, condition=Condition.RETURNED)

    def call_forgotten(self, call: Call) -> None:
        """Its serial may be used again."""
        self._of_call(AuditEvent.CALL_FORGOTTEN, call)


def _party(link: LinkInfo) -> str:
    return f"identity {link.identity}" if link.identity else f"source {link.source}"


def _name(session: IServiceSession | None) -> str:
    return "" if session is None else session.name
