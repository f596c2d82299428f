"""What the audit hears of one link: its Bind, its end, and each request with its answer."""

from __future__ import annotations

from math import inf
from typing import Unpack

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.messages import (
    AgentLogin,
    AgentLogout,
    Bind,
    CancelRequest,
    ConnectRequest,
    DataRequest,
    Message,
    Role,
    ServiceEvent,
)
from ctiex.monitoring.audit_events import About, Audit, AuditEvent
from ctiex.monitoring.refusals import Refusals

_OUTCOMES: dict[type[Message], tuple[AuditEvent, AuditEvent]] = {
    AgentLogin: (AuditEvent.AGENT_LOGGED_IN, AuditEvent.AGENT_LOGIN_REFUSED),
    AgentLogout: (AuditEvent.AGENT_LOGGED_OUT, AuditEvent.AGENT_LOGOUT_REFUSED),
    ConnectRequest: (AuditEvent.CONNECT_KEPT, AuditEvent.CONNECT_REFUSED),
    CancelRequest: (AuditEvent.CANCEL_KEPT, AuditEvent.CANCEL_REFUSED),
    DataRequest: (AuditEvent.DATA_GIVEN, AuditEvent.DATA_REFUSED),
    ServiceEvent: (AuditEvent.REPORT_KEPT, AuditEvent.REPORT_REFUSED),
}
"""What is recorded of a request that was granted, and of one that was refused."""

_GRANTED: dict[type[Message], frozenset[int]] = {
    AgentLogin: frozenset({Status.OK, Status.EXPIRED}),
    ServiceEvent: frozenset({Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT}),
}
_ONLY_OK = frozenset({Status.OK})
_LONGEST_CLAIM = 64
"""How much of an unproved identity is recorded, in characters."""
_OVER_LIMIT_EVERY = 1.0
"""Of the requests of a link that are over its limits, one in so many seconds has a record of its own."""


def printable(text: str, longest: int = _LONGEST_CLAIM) -> str:
    """Untrusted text as a record may hold it: short, and with ``?`` for what can't be printed."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])


def about_request(request: Message) -> About:
    """What a request says of the call that it is about: no field, and no number of a customer."""
    match request:
        case AgentLogin(agent=agent) | AgentLogout(agent=agent):
            return {"agent": agent}
        case ConnectRequest():
            return {"serial": request.serial, "agent": request.agent, "service": request.service}
        case CancelRequest(serial=serial) | DataRequest(serial=serial):
            return {"serial": serial}
        case ServiceEvent():
            return {"serial": request.serial, "condition": request.condition}
    return {}


@define
class LinkAudit:
    """Records what one link was asked, and what became of it."""

    audit: Audit
    clock: IReactorTime
    role: Role
    peer: str
    refusals: Refusals
    """Of all links; those of an identity, and of a source before a Bind, are recorded at a limited rate."""
    source: str
    session: str = ""
    identity: str = ""
    errors: set[tuple[int, str]] = field(factory=set)
    """The Errors that were recorded already."""
    _over_limit_at: float = field(default=-inf, init=False)
    """When a request over a limit was recorded last, in clock seconds."""

    @property
    def _party(self) -> str:
        return f"identity {self.identity}" if self.identity else f"source {self.source}"

    def _record(self, event: AuditEvent, **about: Unpack[About]) -> None:
        if event.refusal and not self.refusals.told(self._party, self.clock.seconds()):
            return
        known: About = {
            "session": self.session,
            "identity": self.identity,
            "role": self.role.name.lower(),
            "peer": self.peer,
            **about,
        }
        more = self.refusals.more(self._party)
        if more:
            known["more"] = more
        self.audit.record(event, **known)

    def bound(self, session: str, identity: Identity) -> None:
        """The link is bound."""
        self.session, self.identity = session, identity.name
        self._record(AuditEvent.BOUND, status=Status.OK)

    def bind_refused(self, claimed: str, status: int, reason: str) -> None:
        """A Bind was refused.

        :param claimed: the identity that it named, which may be anything.
        :param reason: why, in more words than the other side hears.
        """
        self._record(AuditEvent.BIND_REFUSED, identity=printable(claimed), status=status, reason=reason)

    def version_refused(self, bind: Bind) -> None:
        """A Bind was answered 3."""
        self.bind_refused(bind.identity, Status.UNSUPPORTED_VERSION, "no version in common")

    def link_refused(self, reason: str) -> None:
        """The link was ended before it was bound."""
        self._record(AuditEvent.LINK_REFUSED, reason=reason)

    def unbound(self, reason: str) -> None:
        """The link was bound, and is gone."""
        self._record(AuditEvent.UNBOUND, reason=printable(reason, 200))

    def taken_over(self, agent: str) -> None:
        """Another link has this agent number now."""
        self._record(AuditEvent.AGENT_TAKEN_OVER, agent=agent)

    def answered(self, request: Message, status: int, serial: str = "", reason: str = "") -> None:
        """A request was answered.

        :param serial: the serial of the call that it made, where it named none itself.
        """
        kind = type(request)
        granted, refused = _OUTCOMES[kind]
        about = about_request(request)
        about["status"] = status
        about["reason"] = reason
        if serial:
            about["serial"] = serial
        self._record(granted if status in _GRANTED.get(kind, _ONLY_OK) else refused, **about)

    def over_limit(self, request: Message) -> None:
        """A request was answered 14: there are too many in flight, or they come too fast.

        The first in a while is recorded, and the next record of the identity tells how many more there were: else
        a peer that asks too fast would fill the disk.
        """
        if type(request) not in _OUTCOMES:
            return
        now = self.clock.seconds()
        if 0 <= now - self._over_limit_at < _OVER_LIMIT_EVERY:
            self.refusals.leave_out(self._party)
            return
        self._over_limit_at = now
        self.answered(request, Status.TOO_BUSY, reason="over a limit of the link")

    def error_sent(self, status: int, name: str) -> None:
        """A frame was answered with Error.

        Only the first of each kind is recorded: anybody may send as many as a link takes, bound or not.

        :param name: the name of its message; empty where it has none.
        """
        if (status, name) in self.errors:
            return
        self.errors.add((status, name))
        self._record(AuditEvent.REQUEST_REFUSED, status=status, reason=name)
