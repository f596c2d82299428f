"""What the audit hears of the life of each call."""

from __future__ import annotations

from typing import Unpack

from attrs import define

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import IServiceSession
from ctiex.messages import Condition
from ctiex.monitoring.audit_events import About, Audit, AuditEvent
from ctiex.records import Call


@define
class CallAudit:
    """Records what becomes of calls."""

    audit: Audit

    def _record(self, event: AuditEvent, call: Call, **about: Unpack[About]) -> None:
        known: About = {"agent": call.agent, "serial": call.serial, "service": call.service, **about}
        self.audit.record(event, **known)

    def offered(self, call: Call, owner: str, session: IServiceSession | None) -> None:
        """The Connection goes out."""
        self._record(AuditEvent.CALL_OFFERED, call, owner=owner, session=_name(session))

    def accepted(self, call: Call, session: IServiceSession | None) -> None:
        """The service has accepted it."""
        self._record(AuditEvent.CALL_ACCEPTED, call, owner=call.owner, session=_name(session))

    def offer_refused(self, call: Call, session: IServiceSession, status: int | None) -> None:
        """A session refused the Connection, or was lost before it answered."""
        met = Status.SERVICE_UNREACHABLE if status is None else status
        reason = "its link was lost" if status is None else ""
        self._record(
            AuditEvent.OFFER_REFUSED, call, owner=session.identity, session=_name(session), status=met, reason=reason
        )

    def asked_here(self, identity: Identity, serial: str, refused: Status | None, reason: str) -> None:
        """A service of this process asked for the data; ``refused`` is None when it was given."""
        event = AuditEvent.DATA_GIVEN if refused is None else AuditEvent.DATA_REFUSED
        status = Status.OK if refused is None else refused
        self.audit.record(event, identity=identity.name, serial=serial, status=status, reason=reason)

    def ended(self, call: Call, condition: Condition, status: int = Status.OK) -> None:
        """The service's part of it is over."""
        self._record(AuditEvent.CALL_ENDED, call, owner=call.owner, condition=condition, status=status)

    def returned(self, call: Call) -> None:
        """The customer is back."""
        self._record(AuditEvent.CUSTOMER_RETURNED, call, condition=Condition.RETURNED)

    def forgotten(self, call: Call) -> None:
        """It is forgotten."""
        self._record(AuditEvent.CALL_FORGOTTEN, call)


def _name(session: IServiceSession | None) -> str:
    return "" if session is None else session.name
