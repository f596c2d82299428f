"""One end of a link, without I/O: bytes in, messages to a handler, bytes out.

The rules of the wire stand here (design section 5.1): what is allowed when, what Error
answers, what ends the link, signs of life, and replies matched to requests by invoke id.
"""

from __future__ import annotations

from enum import Enum
from sys import maxsize
from typing import Protocol

from attrs import frozen

from ctiex.errors import CodecError, FrameTooLong, LinkBusy, LinkError, LinkLost, Status
from ctiex.interfaces import Frame, ICodec, IQuickAnswers
from ctiex.links import rules
from ctiex.links.requests import Answered, Requests
from ctiex.links.traffic import Traffic
from ctiex.messages import (
    DEFAULT_MAX_FRAME,
    KIND_OF,
    KINDS,
    VERSION,
    Bind,
    BindReply,
    ConnectionReply,
    Error,
    Message,
    Ping,
    Pong,
    Role,
    Unbind,
    UnbindReply,
    refusal,
)
from ctiex.processing.counts import Counts

_MUCH_OUTPUT = 65_536
"""Output that is written before more frames are handled, in bytes: small requests may have large replies."""
_MANY_FRAMES = 64
"""Frames that are handled before others have their turn: one read may hold thousands of small ones."""


def connection_status(answer: Message | LinkError) -> int | None:
    """How a Connection was answered: 0 accepted, another status refused, None not at all."""
    match answer:
        case ConnectionReply(status=status):
            return status
        case Error(status=status):
            return status or Status.INTERNAL
        case _:
            return None


class SessionState(Enum):
    """Where a session stands; :data:`ctiex.links.rules` says what may come in each."""

    OPEN = "open"
    """Nobody is bound yet."""
    BINDING = "binding"
    """A Bind is being looked at; frames behind it wait."""
    BOUND = "bound"
    LEAVING = "leaving"
    """An Unbind has gone out; what is under way is still answered."""
    ENDED = "ended"


_BEFORE_BOUND = (SessionState.OPEN, SessionState.BINDING)


@frozen
class SessionLimits:
    """What one link may use."""

    heartbeat: float = 30.0
    """After so many seconds of silence a Ping goes out; two unanswered ones end the link."""
    login_deadline: float = 10.0
    """How long the other side may take to Bind, in seconds."""
    max_frame: int = DEFAULT_MAX_FRAME
    max_in_flight: int = 1_024
    """Requests that may wait for their replies, in each direction."""
    max_queued: int = 100_000
    """Requests of this side that may wait behind those until they may go out."""
    max_unread: int = 1_048_576
    """Output that the other side may leave unread, in bytes."""
    frames_per_second: int = 20_000
    """Frames of the other side: requests beyond are answered 14, twice as many end the link."""
    bytes_per_second: int = 33_554_432
    """Bytes of the other side: more end the link."""


CLIENT_LIMITS = SessionLimits(max_queued=maxsize, frames_per_second=maxsize, bytes_per_second=maxsize)
"""A client's: it asks as much as it likes, and trusts its exchange to answer no more than it was asked."""


class SessionHandler(Protocol):
    """What stands above a session."""

    def request_received(self, message: Message, invoke_id: int) -> None:
        """A request that is allowed here; answer it by ``Session.reply``."""

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """A Bind of a supported version; answer it by ``Session.bound``."""

    def error_received(self, error: Error) -> None:
        """An Error that answers nothing which this side asked (13, session taken over)."""


class _Nobody:
    """Stands above a session that is over. It hears nothing: nothing is handled behind the end."""

    def request_received(self, message: Message, invoke_id: int) -> None:
        """Nothing comes of it."""

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """Nothing comes of it."""

    def error_received(self, error: Error) -> None:
        """Nothing comes of it."""


_NOBODY = _Nobody()


class SessionAudit(Protocol):
    """Hears of what a session refuses by itself."""

    def error_sent(self, status: int, name: str) -> None:
        """A frame was answered with Error; the name of its message is empty where it has none."""

    def over_limit(self, request: Message) -> None:
        """A request was answered 14."""

    def version_refused(self, bind: Bind) -> None:
        """A Bind was answered 3."""


class Session:
    """One end of a link, from its first byte to its end.

    Feed it with ``receive`` and ``tick``, write what ``take_output`` gives after each call,
    and close the link once ``ended`` is set.
    """

    def __init__(
        self,
        codec: ICodec,
        limits: SessionLimits,
        handler: SessionHandler,
        now: float,
        bound_by: rules.Rules | None = None,
        counts: Counts | None = None,
    ) -> None:
        """A session that waits for a Bind; with ``bound_by``, one that needs none, under these rules.

        :param counts: where it counts what it refuses and why it ends; its own unless given.
        """
        self.codec = codec
        self.limits = limits
        self.state = SessionState.OPEN if bound_by is None else SessionState.BOUND
        self.ended: str | None = None
        """Why the link ends, in words; None while it goes on."""
        self.flooding = False
        """Whether it ended since too much came in: cut it, what isn't written yet is lost."""
        self.counts = Counts() if counts is None else counts
        self.audit: SessionAudit | None = None
        self.rules = rules.UNBOUND if bound_by is None else bound_by
        self.send_limit = limits.max_frame
        """The longest frame that the other side takes, in bytes."""
        self.quick: IQuickAnswers | None = None
        """Answers DataRequests straight from what was read, while the session is bound and nobody leaves."""
        self._handler = handler
        self._decoder = codec.decoder(limits.max_frame)
        self._output: list[bytes] = []
        self._output_size = 0
        self.held = False
        """Whether frames may wait, behind many others or much output; ``read_on`` handles them, in another turn."""
        self._requests = Requests(limits.max_in_flight, limits.max_queued)
        self._traffic = Traffic(limits.frames_per_second, limits.bytes_per_second)
        self._in_flight = 0
        self._unbind_id: int | None = None
        """The invoke id of an Unbind that waits for the replies under way."""
        self._opened = now
        self._sign_due = now + limits.heartbeat
        self._pings = 0
        self._reading = False

    # ------------------------------------------------------------ output

    def take_output(self) -> bytes:
        """The bytes that are to be written now, in one piece."""
        output, self._output = self._output, []
        self._output_size = 0
        return output[0] if len(output) == 1 else b"".join(output)

    @property
    def full(self) -> bool:
        """Whether the output is to be written before more comes of what was read."""
        return self._output_size >= _MUCH_OUTPUT

    def _put(self, frame: bytes) -> None:
        self._output.append(frame)
        self._output_size += len(frame)

    def reply(self, message: Message, invoke_id: int) -> None:
        """Answer a request."""
        self.reply_body(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def reply_body(self, kind: int, invoke_id: int, body: bytes) -> None:
        """Answer a request with a body that is encoded already."""
        self._in_flight -= 1
        self._put(self.codec.frame(kind, invoke_id, body))
        self._leave_when_answered()

    def notify(self, message: Message) -> None:
        """Send a message that asks for no answer, under invoke id 0."""
        self._send(message, 0)

    def notify_body(self, kind: int, body: bytes) -> None:
        """Send an encoded body that asks for no answer."""
        self._put(self.codec.frame(kind, 0, body))

    def request(self, message: Message, answered: Answered, deadline: float) -> None:
        """Send a request; ``answered`` hears its answer, or that none came by ``deadline`` (clock seconds).

        :raise CodecError: the message breaks a limit of its layout, or is longer than the other side takes.
        """
        if self.ended is not None:
            answered(LinkLost(self.ended))
            return
        body = self.codec.encode_body(message)
        if self.codec.frame_length(body) > self.send_limit:
            raise FrameTooLong(f"{type(message).__name__}: {len(body)} bytes, the other side takes {self.send_limit}")
        if self.queue_full:
            self.counts.requests_not_sent += 1
            answered(LinkBusy("too many requests wait to go out on this link"))
            return
        invoke_id = self._requests.new_invoke_id()
        self._requests.add(invoke_id, self.codec.frame(KIND_OF[type(message)], invoke_id, body), answered, deadline)
        self._send_requests()

    @property
    def queue_full(self) -> bool:
        """Whether as many requests wait to go out as may: one more fails at once."""
        return self._requests.full

    def _send_requests(self) -> None:
        for frame in self._requests.sendable():
            self._put(frame)

    def unbind(self, status: int, detail: str, deadline: float) -> None:
        """Say that this side leaves; the link ends at the answer, or at ``deadline``."""
        if self.state in (SessionState.LEAVING, SessionState.ENDED):
            return
        self.state, self.quick = SessionState.LEAVING, None
        invoke_id = self._requests.new_invoke_id()
        self._requests.last(invoke_id, lambda _: self.end("unbound"), deadline)
        self._send(Unbind(status, detail), invoke_id)

    def _send(self, message: Message, invoke_id: int) -> None:
        self._put(self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message)))

    def _refuse(self, invoke_id: int, status: int, detail: str, name: str = "") -> None:
        """Answer with Error; ``name`` is that of the message."""
        self.counts.frames_refused += 1
        if self.audit is not None:
            self.audit.error_sent(status, name)
        self._send(Error(status, detail[:200]), invoke_id)

    # ------------------------------------------------------------ ends

    def end(self, reason: str) -> None:
        """The link is to be closed, once what is in the output is written."""
        if self.ended is None:
            self.ended = reason
            self.state, self.quick = SessionState.ENDED, None

    def lost(self, reason: str) -> None:
        """The link is gone: whoever waits for an answer hears it, and nobody hears anything behind it."""
        self.end(reason)
        # The handler has the session: unless the session lets go of it, both wait for Python's collector.
        self._handler = _NOBODY
        self._requests.lost(reason)

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Look at every time-out of the link; call it at ``next_tick`` or later."""
        self._requests.time_out(now)
        self._send_requests()
        if self.state in _BEFORE_BOUND and now >= self.login_due:
            self.counts.links_silent += 1
            self.end("not bound within the login deadline")
        if self.ended is None and now >= self._sign_due:
            self._ping(now)

    def _ping(self, now: float) -> None:
        if self._pings == 2:
            self.counts.links_silent += 1
            self.end("silent: two pings unanswered")
            return
        self._pings += 1
        # From now, not from when it was due: a clock that jumps leaves the other side its time.
        self._sign_due = now + self.limits.heartbeat
        # Any byte counts as life, so the Pong itself is not waited for.
        self._send(Ping(), self._requests.new_invoke_id())

    @property
    def login_due(self) -> float:
        """By when it has to be bound, in clock seconds: a Bind that is still looked at then ends the link, too."""
        return self._opened + self.limits.login_deadline

    def next_tick(self) -> float:
        """When ``tick`` has something to do next, in clock seconds."""
        due = self._sign_due
        if self.state in _BEFORE_BOUND:
            due = min(due, self.login_due)
        return min(due, self._requests.first_deadline)

    # ------------------------------------------------------------ input

    @property
    def accepting(self) -> bool:
        """Whether more bytes are of use now: not while a Bind is looked at, nor behind an Unbind, nor after the end."""
        return self.ended is None and self.state is not SessionState.BINDING and self._unbind_id is None

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes off the wire and handle every frame that is complete."""
        self._sign_due = now + self.limits.heartbeat
        self._pings = 0
        if self.ended is not None:
            return
        traffic = self._traffic
        traffic.took(len(data), now)
        if traffic.bytes > traffic.most_bytes:
            self._end_if_flooding()
            return
        self._decoder.receive(data)
        if not self.held:
            self.read_on()

    def receive_quickly(self, data: bytes, now: float) -> bytes:
        """Answer the DataRequests at the head of a read whose data is in memory: the fast path.

        Every rule holds on it: where anything stands in its way, or a limit is reached, nothing more is
        answered here. Returns what is left of the read, for ``receive``.
        """
        traffic, limits, quick = self._traffic, self.limits, self.quick
        traffic.took(0, now)
        full = self._in_flight >= limits.max_in_flight or traffic.bytes + len(data) > traffic.most_bytes
        if quick is None or full or self._decoder.buffered():
            return data
        most, room = traffic.most_frames - traffic.frames, _MUCH_OUTPUT - self._output_size
        taken, frames, size = quick.answer(data, self._output, most, room)
        if frames:
            self._output_size += size
            self._sign_due = now + limits.heartbeat
            self._pings = 0
            traffic.bytes += taken
            traffic.frames += frames
        return data[taken:]

    def read_on(self) -> None:
        """Handle the frames that have come, those that were held first, and no more than a turn's."""
        if self._reading or not self.accepting:
            return
        self._reading = True
        self.held = False
        traffic, left = self._traffic, _MANY_FRAMES
        try:
            for frame in self._decoder.frames():
                traffic.frames += 1
                left -= 1
                self._frame_received(frame)
                self.held = not left or self.full
                if self.held or not self.accepting:
                    break
        except CodecError as error:
            self._refuse(0, error.status, str(error))
            self.end(str(error))
        finally:
            self._reading = False
        if traffic.frames > traffic.most_frames:
            self._end_if_flooding()

    def _end_if_flooding(self) -> None:
        flood = self._traffic.flood
        if flood is not None and self.ended is None:
            self.flooding = True
            self.counts.links_flooding += 1
            self.end(flood)

    def _frame_received(self, frame: Frame) -> None:
        message_type = KINDS.get(frame.kind)
        if message_type is Error:
            self._error_received(frame)
        elif frame.fault is not None or message_type is None:
            fault = frame.fault
            status = Status.UNKNOWN_KIND if fault is None else fault.status
            self._refuse(frame.invoke_id, status, str(fault or f"unknown kind {frame.kind}"))
        else:
            self._allowed_or_refused(frame, message_type)

    def _allowed_or_refused(self, frame: Frame, message_type: type[Message]) -> None:
        verdict = self.rules.get(message_type, self.rules.get(None))
        if verdict is rules.IGNORE:
            return
        if isinstance(verdict, Status):
            name = message_type.__name__
            self._refuse(frame.invoke_id, verdict, f"{name}: {verdict.text}", name)
            return
        try:
            message = self.codec.decode_body(frame)
        except CodecError as error:
            name = message_type.__name__
            self._refuse(frame.invoke_id, error.status, f"{name}: {error}", name)
            if verdict is rules.REPLY:
                self._answer(frame.invoke_id, Error(error.status, str(error)))
            return
        self._message_received(message, frame.invoke_id)

    def _message_received(self, message: Message, invoke_id: int) -> None:
        verdict = self.rules[type(message)]
        if verdict is rules.REPLY:
            self._answer(invoke_id, message)
        elif (invoke_id == 0) is not (verdict is rules.NOTICE) and not isinstance(message, Unbind):
            needed = "0" if verdict is rules.NOTICE else "another invoke id than 0"
            name = type(message).__name__
            self._refuse(invoke_id, Status.MALFORMED, f"{name} goes under {needed}", name)
        else:
            self._dispatch(message, invoke_id)

    def _dispatch(self, message: Message, invoke_id: int) -> None:
        match message:
            case Ping():
                self._send(Pong(), invoke_id)
            case Unbind():
                self._unbind_id, self.quick = invoke_id, None
                self._leave_when_answered()
            case Bind():
                self._bind_received(message, invoke_id)
            case _:
                self._request_received(message, invoke_id)

    def _leave_when_answered(self) -> None:
        """Answer an Unbind once every request before it has its reply."""
        if self._unbind_id is not None and self._in_flight <= 0 and self.ended is None:
            self._send(UnbindReply(), self._unbind_id)
            self.end("the other side left")

    def _request_received(self, message: Message, invoke_id: int) -> None:
        if invoke_id:
            self._in_flight += 1
            if self._in_flight > self.limits.max_in_flight:
                self._refuse_busy(message, invoke_id, "too many requests in flight")
                return
            if self._traffic.frames > self.limits.frames_per_second:
                self._refuse_busy(message, invoke_id, "too many frames in a second")
                return
        self._handler.request_received(message, invoke_id)

    def _refuse_busy(self, message: Message, invoke_id: int, detail: str) -> None:
        self.counts.requests_over_limit += 1
        if self.audit is not None:
            self.audit.over_limit(message)
        self.reply(refusal(message, Status.TOO_BUSY, detail), invoke_id)

    def _error_received(self, frame: Frame) -> None:
        """An Error is never answered, whatever is wrong with it."""
        try:
            message = self.codec.decode_body(frame) if frame.fault is None else Error(frame.fault.status)
        except CodecError as error:
            message = Error(error.status, str(error))
        if not self._answer(frame.invoke_id, message) and isinstance(message, Error):
            self._handler.error_received(message)

    def _answer(self, invoke_id: int, message: Message) -> bool:
        answered = self._requests.answer(invoke_id, message)
        self._send_requests()
        return answered

    # ------------------------------------------------------------ Bind, on the exchange's side

    def _bind_received(self, bind: Bind, invoke_id: int) -> None:
        self._in_flight += 1
        self.state = SessionState.BINDING
        if bind.min_version <= VERSION <= bind.max_version:
            self._handler.bind_received(bind, invoke_id)
        else:
            if self.audit is not None:
                self.audit.version_refused(bind)
            self.bound(
                BindReply(Status.UNSUPPORTED_VERSION, detail=f"only version {VERSION} is spoken here"), invoke_id
            )

    def bound(self, reply: BindReply, invoke_id: int, role: Role | None = None) -> None:
        """Answer a Bind; status 0 binds the session in ``role``, any other ends it.

        Frames that came behind the Bind are handled now, in order.
        """
        if self.state is not SessionState.BINDING:
            return
        self.reply(reply, invoke_id)
        if reply.status != Status.OK or role is None:
            self.end(f"bind refused: {Status.of(reply.status).text}")
            return
        self.state = SessionState.BOUND
        self.rules = rules.EXCHANGE[role]
        self.read_on()
