"""A session without I/O and a conversation on it, and the rules of the wire that its answers follow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.refusals import refusal
from ctiex.links.session import Session
from ctiex.messages import (
    KIND_OF,
    REPLY_OF,
    Bind,
    BindReply,
    Error,
    Message,
    Role,
)

_BINARY = BinaryCodec()
_quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# Written down from the wire's rules once more, not taken from ctiex.links.rules.
_AGENTS_REQUESTS = {0x10, 0x12, 0x14, 0x16, 0x1A, 0x1C}
_SERVICES_REQUESTS = {0x22, 0x24}
_REPLIES_TO_AGENTS = {0x02, 0x11, 0x13, 0x15, 0x17, 0x1B, 0x1D}
_REPLIES_TO_SERVICES = {0x02, 0x23, 0x25}
_REPLIES_OF_SERVICES = {0x21, 0x27, 0x29}


class Above:
    """Stands above a session: answers every request with its own reply, and a Bind when told to."""

    def __init__(self, answers: bool = True, binds: bool = True) -> None:
        self.session: Session
        self.answers, self.binds = answers, binds
        self.requests: list[tuple[Message, int]] = []
        self.bind: tuple[Bind, int] | None = None

    def request_received(self, message: Message, invoke_id: int) -> None:
        self.requests.append((message, invoke_id))
        if self.answers and type(message) in REPLY_OF:
            self.session.reply(refusal(message, Status.OK), invoke_id)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        self.bind = (bind, invoke_id)
        if self.binds:
            self.decide()

    def error_received(self, error: Error) -> None:
        """An Error that answers no request."""

    def decide(self, status: int = Status.OK) -> None:
        assert self.bind is not None
        bind, invoke_id = self.bind
        self.session.bound(BindReply(status), invoke_id, bind.role)


class Conversation:
    """A session with a conversation on it."""

    def __init__(
        self,
        state: str = "open",
        codec: ICodec = _BINARY,
        limits: SessionLimits | None = None,
        answers: bool = True,
        client: Role | None = None,
    ) -> None:
        """:param client: the session is a client's, in this role; else it is the exchange's."""
        self.codec = codec
        self.above = Above(answers, binds=state != "binding")
        bound_by = None if client is None else rules.client(client, ())
        self.session = self.above.session = Session(codec, limits or SessionLimits(), self.above, 0.0, bound_by)
        self.heard: list[tuple[int, Message]] = []
        """All that it has said."""
        self._read = codec.decoder(1 << 24)
        if state != "open":
            self.say(Bind(Role.SERVICE if state == "service" else Role.AGENT, "x", "y"), 1)

    def frame(self, message: Message, invoke_id: int) -> bytes:
        return self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def say(self, message: Message, invoke_id: int, now: float = 0.0) -> list[tuple[int, Message]]:
        """What answers a message."""
        return self.hear(self.frame(message, invoke_id), now)

    def hear(self, data: bytes, now: float = 0.0) -> list[tuple[int, Message]]:
        """What answers bytes."""
        self.session.receive(data, now)
        return self.said()

    def tick(self, now: float) -> list[Message]:
        """What a moment brings."""
        self.session.tick(now)
        return [message for _, message in self.said()]

    def said(self) -> list[tuple[int, Message]]:
        self._read.receive(self.session.take_output())
        said = [(frame.invoke_id, self.codec.decode_body(frame)) for frame in self._read.frames()]
        self.heard += said
        return said


def _expected(kind: int, invoke_id: int, state: str) -> int | str:
    """The status of the Error that answers a good message; or ``answered``, ``ignored``."""
    if kind == 0x07:
        return "ignored"
    if state == "open":
        if kind == 0x06:
            return "ignored"
        if kind not in (0x01, 0x05):
            return 10
        return "answered" if invoke_id else 1
    requests = _AGENTS_REQUESTS if state == "agent" else _SERVICES_REQUESTS
    replies = _REPLIES_TO_AGENTS if state == "agent" else _REPLIES_TO_SERVICES | _REPLIES_OF_SERVICES
    if kind == 0x03:
        return "answered"
    if kind in requests | {0x05}:
        return "answered" if invoke_id else 1
    if kind == 0x19 and state == "agent":
        return 1 if invoke_id else "ignored"
    return "ignored" if kind in replies | {0x04, 0x06} else 5


def _expected_of_malformed(kind: int, state: str) -> int | str:
    """The same of a message other than Error whose body, or what stands behind it, breaks a rule."""
    if state == "open" and kind == 0x06:
        return "ignored"
    verdict = _expected(kind, 1, state)
    return verdict if verdict in (5, 10) else 1


def _expected_by_client(kind: int, invoke_id: int, role: Role) -> int | str:
    """What a client makes of a good message, by its role."""
    agent = role is Role.AGENT
    if kind == 0x03:
        return "answered"
    if kind == 0x05 or (not agent and kind in {0x20, 0x26, 0x28}):
        return "answered" if invoke_id else 1
    if kind == 0x18 and agent:
        return 1 if invoke_id else "ignored"
    replies = _REPLIES_TO_AGENTS if agent else _REPLIES_TO_SERVICES | _REPLIES_OF_SERVICES
    return "ignored" if kind in replies | {0x04, 0x06, 0x07} else 5
