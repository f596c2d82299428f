"""What one end of a link says, without I/O: replies, requests, notices, and that it leaves."""

from __future__ import annotations

from enum import Enum

from attrs import evolve

from ctiex.errors import FrameTooLong, LinkBusy, LinkLost, Status
from ctiex.fields import EMPTY
from ctiex.interfaces import ICodec, IDataResponder, decoded
from ctiex.limits import SessionLimits
from ctiex.links.requests import Answered, Requests
from ctiex.messages import KIND_OF, AgentEvent, CallQueryReply, DataResult, Message, Unbind, UnbindReply
from ctiex.monitoring.observer import Observer

MUCH_OUTPUT = 65_536
"""Output that is written before more frames are handled, in bytes: small requests may have large replies."""


ANSWER_UNBIND_WITHIN = 5.0
"""How long the other side has to answer an Unbind, in seconds; then the link is closed."""


class SessionState(Enum):
    """Where a session stands; :data:`ctiex.links.rules` says what may come in each."""

    OPEN = "open"
    """Not bound yet."""
    BINDING = "binding"
    """A Bind is being looked at; frames behind it wait."""
    BOUND = "bound"
    LEAVING = "leaving"
    """An Unbind has gone out; what is under way is still answered."""
    ENDED = "ended"


class Outgoing:
    """The half of a session that speaks; :class:`ctiex.links.session.Session` is all of it."""

    def __init__(self, codec: ICodec, limits: SessionLimits, state: SessionState, observer: Observer) -> None:
        self.codec = codec
        self.limits = limits
        self.state = state
        self.ended: str | None = None
        """Why the link ends, in words; None while it goes on."""
        self.accepting = True
        """Whether more bytes are of use now: not while a Bind is looked at, nor behind an Unbind, nor after the end."""
        self.observer = observer
        self.send_limit = limits.max_frame
        """The longest frame that the other side takes, in bytes."""
        self.quick: IDataResponder | None = None
        """Answers DataRequests straight from what was read, while it is bound and no side is unbinding."""
        self._output: list[bytes] = []
        self._output_size = 0
        self._requests = Requests(limits, at_once=state is SessionState.OPEN)  # the exchange's end
        self._in_flight = 0
        self._unbind_id: int | None = None
        """The invoke id of an Unbind that waits for the replies under way."""
        self._unbind_status: int = Status.OK

    # ------------------------------------------------------------ output

    def take_output(self) -> bytes:
        """The bytes that are to be written now, in one piece."""
        if not self._output:
            return b""
        output, self._output = self._output, []
        self._output_size = 0
        return output[0] if len(output) == 1 else b"".join(output)

    @property
    def full(self) -> bool:
        """Whether the output is to be written before more comes of what was read."""
        return self._output_size >= MUCH_OUTPUT

    def _put(self, frame: bytes) -> None:
        self._output.append(frame)
        self._output_size += len(frame)

    def _send(self, message: Message, invoke_id: int) -> None:
        self._put(self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message)))

    # ------------------------------------------------------------ replies and notices

    def reply(self, message: Message, invoke_id: int) -> None:
        """Answer a request."""
        self.reply_body(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def reply_body(self, kind: int, invoke_id: int, body: bytes) -> None:
        """Answer a request with a body that is encoded already."""
        self._in_flight -= 1
        self._put(self.codec.frame(kind, invoke_id, self._fitting(kind, body)))
        self._leave_when_answered()

    def notify(self, message: Message) -> None:
        """Send a message that asks for no answer, under invoke id 0."""
        self._send(message, 0)

    def notify_body(self, kind: int, body: bytes) -> None:
        """Send an encoded body that asks for no answer."""
        self._put(self.codec.frame(kind, 0, self._fitting(kind, body)))

    def _fitting(self, kind: int, body: bytes) -> bytes:
        """The body; one that is longer than the other side takes with status 35, and without its fields or last calls.

        It was kept, or measured, under another limit than that of this link. Sent as it is it would end the link, and
        again after every Bind.
        """
        if self.codec.frame_length(body) <= self.send_limit:
            return body
        match decoded(self.codec, kind, body):
            case AgentEvent() | DataResult() as message:
                return self.codec.encode_body(evolve(message, status=Status.DATA_TOO_LARGE, fields=EMPTY))
            case CallQueryReply(calls=calls) if calls:
                # The next size is a guess, and sure to be smaller: all are about as long.
                fewer = calls[: len(calls) * self.send_limit // self.codec.frame_length(body)][: len(calls) - 1]
                shorter = CallQueryReply(Status.DATA_TOO_LARGE, fewer)
                return self._fitting(kind, self.codec.encode_body(shorter))
        return body

    # ------------------------------------------------------------ requests

    def request(self, message: Message, answered: Answered, deadline: float) -> None:
        """Send a request; ``answered`` hears its answer, or that none came by ``deadline`` (clock seconds).

        :raise CodecError: the message breaks a limit of its layout, or is longer than the other side takes.
        """
        if self.ended is not None:
            answered(LinkLost(self.ended))
            return
        body = self.codec.encode_body(message)
        if self.codec.frame_length(body) > self.send_limit:
            raise FrameTooLong(f"{type(message).__name__}: {len(body)} bytes, the peer takes at most {self.send_limit}")
        if self.queue_full:
            self.observer.request_not_sent()
            answered(LinkBusy("too many requests are waiting on this link"))
            return
        invoke_id = self._requests.new_invoke_id()
        frame = self.codec.frame(KIND_OF[type(message)], invoke_id, body)
        self._requests.add(invoke_id, type(message), frame, answered, deadline)
        self._send_requests()

    @property
    def queue_full(self) -> bool:
        """Whether as many requests wait to go out as may: one more fails at once."""
        return self._requests.full

    def _send_requests(self) -> None:
        for frame in self._requests.sendable():
            self._put(frame)

    def _answer(self, invoke_id: int, message: Message) -> bool:
        answered = self._requests.answer(invoke_id, message)
        self._send_requests()
        return answered

    # ------------------------------------------------------------ the end

    def unbind(self, status: int, detail: str, deadline: float) -> None:
        """Say that this side leaves; the link ends at the answer, or at ``deadline``."""
        if self.state in (SessionState.LEAVING, SessionState.ENDED):
            return
        self.state, self.quick = SessionState.LEAVING, None
        invoke_id = self._requests.new_invoke_id()
        self._requests.last(invoke_id, lambda _: self.end("unbound"), deadline)
        self._send(Unbind(status, detail), invoke_id)

    def _leave_when_answered(self) -> None:
        """Answer an Unbind once every request before it has its reply."""
        if self._unbind_id is not None and self._in_flight <= 0 and self.ended is None:
            self._send(UnbindReply(), self._unbind_id)
            said = "" if self._unbind_status == Status.OK else f": {Status.of(self._unbind_status).text}"
            self.end(f"the peer unbound{said}")

    def end(self, reason: str) -> None:
        """The link is to be closed, once what is in the output is written."""
        if self.ended is None:
            self.ended = reason
            self.state, self.quick, self.accepting = SessionState.ENDED, None, False
