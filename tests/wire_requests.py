"""Good and exact bodies of requests, and calls brought to a certain state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Amount, FieldList, Kind, Moment, Speaker, body
from .wire_exchange import new_number

LIMIT = 65_536
BIND = {"min_version": 2, "max_version": 2, "software": "test", "features": ""}
AGENT_BIND = {"role": AGENT_ROLE, "identity": "desk", "secret": "desk-secret", **BIND}
SERVICE_BIND = {"role": SERVICE_ROLE, "identity": "ivr", "secret": "ivr-secret", **BIND}
CONNECT = {"serial": "1", "agent": "1", "service": "alpha", "calling_number": "5", "reference": "", "fields": ()}
REPORT = {"event_id": 1, "serial": "404", "agent": "", "condition": 1, "fields": ()}
GOOD_BODIES = {
    Kind.AGENT_LOGIN: body(Kind.AGENT_LOGIN, agent="1", epoch=0, resume_after=0),
    Kind.AGENT_LOGOUT: body(Kind.AGENT_LOGOUT, agent="1"),
    Kind.CONNECT_REQUEST: body(Kind.CONNECT_REQUEST, **CONNECT),
    Kind.CANCEL_REQUEST: body(Kind.CANCEL_REQUEST, serial="404"),
    Kind.CALL_QUERY: body(Kind.CALL_QUERY, agent="1"),
    Kind.UPDATE_REQUEST: body(Kind.UPDATE_REQUEST, serial="404", fields=()),
    Kind.DATA_REQUEST: body(Kind.DATA_REQUEST, serial="404", exchange_address=""),
    Kind.SERVICE_EVENT: body(Kind.SERVICE_EVENT, **REPORT),
}
OF_AGENTS = [
    Kind.AGENT_LOGIN,
    Kind.AGENT_LOGOUT,
    Kind.CONNECT_REQUEST,
    Kind.CANCEL_REQUEST,
    Kind.CALL_QUERY,
    Kind.UPDATE_REQUEST,
]
OF_SERVICES = [Kind.DATA_REQUEST, Kind.SERVICE_EVENT]
MALFORMED = (Kind.ERROR, 1)
FIELDS: FieldList = [
    ("area", "Köln"),
    ("level", -(2**63)),
    ("vip", True),
    ("raw", b"\x00\xff"),
    ("bill", Amount("-012.50")),
    ("due", Moment(1_764_180_000_123)),
    ("n" * 64, ""),
]

AnySpeaker = TypeVar("AnySpeaker", bound=Speaker)
SpeakerOpened = TypeVar("SpeakerOpened", bound=Speaker, covariant=True)


class Opens(Protocol[SpeakerOpened]):
    """Opens links to an exchange."""

    def bound_agent(self, identity: str = "desk") -> SpeakerOpened:
        """A bound agent link."""

    def service(self, identity: str = "ivr", features: str = "") -> SpeakerOpened:
        """A bound service's link."""


def exact(length: int, serial: str, agent: str) -> bytes:
    """A ConnectRequest for service x without a calling number that has exactly this length."""
    return filled(
        Kind.CONNECT_REQUEST, length, serial=serial, agent=agent, service="x", calling_number="", reference=""
    )


def filled(kind: Kind, length: int, **parts: object) -> bytes:
    """A body with two fields of bytes that make its frame exactly this long."""
    rest = length - 8 - len(body(kind, **parts, fields=[("a", b""), ("b", b"")]))
    return body(kind, **parts, fields=[("a", bytes(rest // 2)), ("b", bytes(rest - rest // 2))])


def result_of(length: int, serial: str) -> bytes:
    """A final ServiceEvent of exactly this length."""
    return filled(Kind.SERVICE_EVENT, length, event_id=1, serial=serial, agent="", condition=1)


@dataclass
class Call(Generic[AnySpeaker]):
    """A call that its service has accepted."""

    serial: str
    number: str
    agent: AnySpeaker
    service: AnySpeaker


def requested(
    opens: Opens[AnySpeaker], service: str = "alpha", identity: str = "ivr", features: str = "", reference: str = ""
) -> Call[AnySpeaker]:
    """A call that was asked for; nobody has answered its Connection."""
    call = Call(new_number(), new_number(), opens.bound_agent(), opens.service(identity, features))
    assert call.agent.login(call.number)["status"] == 0
    got = call.agent.connect(call.number, call.serial, service, fields=FIELDS, reference=reference)
    assert got.outcome == (Kind.CONNECT_REPLY, 0)
    return call


def accepted(
    opens: Opens[AnySpeaker], service: str = "alpha", identity: str = "ivr", features: str = "", reference: str = ""
) -> Call[AnySpeaker]:
    call = requested(opens, service, identity, features, reference)
    call.service.answer_connection()
    assert call.agent.conditions(2) == [10, 11]
    return call


def fetched(
    opens: Opens[AnySpeaker], service: str = "alpha", identity: str = "ivr", features: str = "", reference: str = ""
) -> Call[AnySpeaker]:
    call = accepted(opens, service, identity, features, reference)
    assert call.service.data(call.serial)["status"] == 0
    assert call.agent.event()["condition"] == 12
    return call


def finished(opens: Opens[AnySpeaker], service: str = "alpha") -> Call[AnySpeaker]:
    call = fetched(opens, service)
    assert call.service.report(call.serial, 1) == 0
    assert call.agent.event()["condition"] == 1
    return call
