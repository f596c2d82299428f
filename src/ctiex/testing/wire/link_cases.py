"""Frames that are good, or of a good kind, and that the state of the link decides about, for the test vectors."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from ctiex import messages as m
from ctiex.errors import Status
from ctiex.messages import KIND_OF, Message, Role
from ctiex.testing.wire.cases import Answer, Case, both, broken, error, line, raw, reply

_UNREADABLE_ROLE = ("03 00 0000 02 02 00 0000", 3)


def link_cases() -> Iterator[Case]:
    """All of them."""
    yield from _before_bind()
    yield from _bind()
    yield from _not_allowed()
    yield from _invoke_ids()
    yield from _replies()
    yield from _own_replies()
    yield from _client()
    yield from _client_waits()


def _nothing(
    name: str, message: Message, invoke_id: int = 5, role: Role = Role.AGENT, bound: bool = True
) -> Iterator[Case]:
    yield from both(Case(name, b"", role=role, bound=bound), message, invoke_id)


def _before_bind() -> Iterator[Case]:
    yield from both(_unbound("a request before Bind", error(Status.NOT_BOUND, 0x10)), m.AgentLogin("1001"))
    yield from both(_unbound("an Unbind before Bind", error(Status.NOT_BOUND, 0x03)), m.Unbind())
    yield from both(_unbound("a reply before Bind", error(Status.NOT_BOUND, 0x21)), m.ConnectionReply(0))
    malformed = _unbound("a malformed request before Bind", error(Status.NOT_BOUND, 0x22))
    yield from broken(malformed, m.DataRequest)
    yield from both(_unbound("a Ping before Bind", reply("Pong")), m.Ping())
    yield from _nothing("a Pong before Bind", m.Pong(), bound=False)
    yield from _nothing("an Error before Bind", m.Error(Status.INTERNAL, 0x02), bound=False)
    yield _unbound("a kind of call control before Bind", error(Status.NOT_BOUND, 0x30), raw(0x30))
    yield _unbound("an unknown kind before Bind", error(Status.UNKNOWN_KIND, 0x7E), raw(0x7E))
    yield _unbound("an unknown kind before Bind, in JSON", error(Status.UNKNOWN_KIND), line("Pang"), "json")
    yield _unbound("a bad flag before Bind", error(Status.MALFORMED, 0x10), raw(0x10, flags=2))


def _unbound(name: str, answers: tuple[Answer, ...], data: bytes = b"", codec: str = "binary") -> Case:
    return Case(name, data, answers, codec, bound=False)


def _bind() -> Iterator[Case]:
    body, role = _UNREADABLE_ROLE
    told = error(Status.MALFORMED, 0x01)
    yield _unbound("a Bind with a role that there isn't", told, raw(0x01, body))
    yield _unbound("a Bind with a role that there isn't, in JSON", told, line("Bind", role=role), "json")
    told = error(Status.MALFORMED, 0x01, 0)
    yield from both(_unbound("a Bind under id 0", told), m.Bind(Role.AGENT, "x", "y"), 0)
    refused = reply("BindReply", status=int(Status.UNSUPPORTED_VERSION), version=2)
    for name, least, most in (("later versions alone", 3, 4), ("a least version above the greatest", 3, 1)):
        case = Case(f"a Bind of {name}", b"", refused, bound=False, ends_link=True)
        yield from both(case, m.Bind(Role.AGENT, "x", "y", least, most))
    told = error(Status.NOT_ALLOWED_HERE, 0x01)
    yield from both(Case("a second Bind", b"", told), m.Bind(Role.AGENT, "x", "y"))
    yield from broken(Case("a second Bind, malformed", b"", told), m.Bind)


def _not_allowed() -> Iterator[Case]:
    pairs: list[tuple[str, Role, Message, int]] = [
        ("a service's request on the agent link", Role.AGENT, m.DataRequest("7"), 5),
        ("an agent's request on the IVR link", Role.SERVICE, m.CallQuery("1001"), 5),
        ("a reply that only the IVR link knows, on the agent link", Role.AGENT, m.ConnectionReply(0), 5),
        ("a reply that only the agent link knows, on the IVR link", Role.SERVICE, m.ConnectReply(0, "7"), 5),
        ("an exchange's event from a client", Role.AGENT, m.AgentEvent(1, 0, "1001", "7", "", m.Condition(1)), 0),
        ("an exchange's request from a client", Role.SERVICE, m.Connection("7000", "138**7"), 5),
    ]
    for name, role, message, invoke_id in pairs:
        told = error(Status.NOT_ALLOWED_HERE, KIND_OF[type(message)], invoke_id)
        yield from both(Case(name, b"", told, role=role), message, invoke_id)
    told = error(Status.NOT_ALLOWED_HERE, 0x22)
    yield from broken(Case("a malformed request of the other link", b"", told), m.DataRequest)


def _invoke_ids() -> Iterator[Case]:
    for message in (m.Ping(), m.CancelRequest("7")):
        told = error(Status.MALFORMED, KIND_OF[type(message)], 0)
        yield from both(Case(f"a {type(message).__name__} under id 0", b"", told), message, 0)
    told = error(Status.MALFORMED, 0x19)
    yield from both(Case("an AgentEventAck under an id", b"", told), m.AgentEventAck("1001", 1))


def _replies() -> Iterator[Case]:
    yield from _nothing("a reply that nobody asked for", m.CallEndedReply(), role=Role.SERVICE)
    yield from _nothing("an UnbindReply that nobody asked for", m.UnbindReply())
    yield from _nothing("a reply of the exchange's own, from a client", m.ConnectReply(0, "7"))
    yield from _nothing("an Error about nothing that was asked", m.Error(Status.INTERNAL, 0x20), role=Role.SERVICE)
    told = error(Status.MALFORMED, 0x21)
    yield from broken(Case("a malformed reply that nobody asked for", b"", told, role=Role.SERVICE), m.ConnectionReply)
    yield from broken(Case("a malformed Error", b""), m.Error)


def _own_replies() -> Iterator[Case]:
    yield from both(Case("an Unbind under 0", b"", ({"kind": "UnbindReply", "id": 0},), ends_link=True), m.Unbind(), 0)
    told = reply("ConnectReply", status=int(Status.AGENT_NOT_LOGGED_IN), serial="7", retry_after=0)
    asked = m.ConnectRequest("7", "1001", "bill-broadcast", "138")
    yield from both(Case("a ConnectRequest without a login", b"", told), asked)
    told = reply("AgentLogoutReply", status=int(Status.AGENT_NOT_LOGGED_IN))
    yield from both(Case("an AgentLogout without a login", b"", told), m.AgentLogout("1001"))
    yield from _nothing("an AgentEventAck without a login", m.AgentEventAck("1001", 1), 0)
    told = reply("DataResult", status=int(Status.UNKNOWN_SERIAL), serial="404")
    yield from both(Case("a serial that there isn't", b"", told, role=Role.SERVICE), m.DataRequest("404"))
    told = reply("CancelReply", status=int(Status.UNKNOWN_SERIAL), serial="404")
    yield from both(Case("a cancel of a call that there isn't", b"", told), m.CancelRequest("404"))


def _client() -> Iterator[Case]:
    told = error(Status.NOT_ALLOWED_HERE, 0x20)
    yield from both(Case("a Connection to an agent", b"", told, side="client"), m.Connection("7000", "138**7"))
    told = error(Status.MALFORMED, 0x20, 0)
    connection = Case("a Connection under id 0", b"", told, side="client", role=Role.SERVICE)
    yield from both(connection, m.Connection("7000", "138**7"), 0)
    told = error(Status.MALFORMED, 0x26)
    yield from broken(Case("a malformed CallEnded", b"", told, side="client", role=Role.SERVICE), m.CallEnded)
    taken = Case("an agent number was taken over", b"", side="client")
    yield from both(taken, m.Error(Status.SESSION_TAKEN_OVER, 0x10, "1001"), 0)


def _client_waits() -> Iterator[Case]:
    """A client whose ConnectRequest waits under id 5."""

    def waiting(name: str, answers: tuple[Answer, ...] = (), ends: bool = False) -> Case:
        return Case(name, b"", answers, side="client", pending=m.ConnectRequest, ends_request=ends)

    yield from both(waiting("the awaited reply", ends=True), m.ConnectReply(0, "7"))
    yield from both(waiting("a reply of another kind than the awaited one"), m.CancelReply(0, "7"))
    told = error(Status.MALFORMED, 0x15)
    yield from broken(waiting("the awaited reply, malformed", told, True), m.ConnectReply)
    told = error(Status.MALFORMED, 0x17)
    yield from broken(waiting("a malformed reply of another kind", told), m.CancelReply)
    yield evolve(waiting("a reply of another kind, with a bad flag", told), data=raw(0x17, flags=2))
    told = error(Status.MALFORMED, 0x15)
    yield evolve(waiting("the awaited reply, with a bad flag", told, True), data=raw(0x15, flags=2))
    yield from both(waiting("an Error about the request", ends=True), m.Error(Status.MALFORMED, 0x14))
    yield from both(waiting("an Error about another kind"), m.Error(Status.MALFORMED, 0x21))
    yield from both(waiting("an Error about 0"), m.Error(Status.MALFORMED, 0))
    yield from both(waiting("an Error about the request's kind, under another id"), m.Error(Status.MALFORMED, 0x14), 6)
    yield from broken(waiting("a malformed Error under the request's id"), m.Error)
