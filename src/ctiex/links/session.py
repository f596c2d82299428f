"""One end of a link, without I/O: bytes in, messages to a handler, bytes out.

The rules of the wire stand here (design section 5.1): what is allowed when, what Error
answers, what ends the link, signs of life, and replies matched to requests by invoke id.
"""

from __future__ import annotations

from math import inf

from attrs import evolve

from ctiex.errors import CodecError, Status
from ctiex.interfaces import Frame, ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.outgoing import MUCH_OUTPUT, Outgoing, SessionState
from ctiex.links.rate_limit import BYTES_SHIFT, FRAME, Traffic, Work
from ctiex.links.refusals import refusal
from ctiex.messages import (
    KIND_OF,
    KINDS,
    VERSION,
    Bind,
    BindReply,
    Error,
    Message,
    Ping,
    Pong,
    Role,
    Unbind,
)
from ctiex.monitoring.observer import NO_OBSERVERS, LinkInfo, Observer

_MANY_FRAMES = 64
"""Frames that are handled before others have their turn: one read may hold thousands of small ones."""
_ANOTHER_SECOND = 1
"""In how many seconds those that were too many in one may be sent again."""
_BEFORE_BOUND = (SessionState.OPEN, SessionState.BINDING)


class SessionHandler:
    """What stands above a session; this one does nothing of what it is told."""

    def request_received(self, message: Message, invoke_id: int) -> None:
        """A request that is allowed here; answer it by ``Session.reply``."""

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """A Bind of a supported version; answer it by ``Session.bound``."""

    def error_received(self, error: Error) -> None:
        """An Error that answers nothing which this side asked (13, session taken over)."""


class Session(Outgoing):
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
        observer: Observer = NO_OBSERVERS,
        link: LinkInfo | None = None,
    ) -> None:
        """A session that waits for a Bind; with ``bound_by``, one that needs none, under these rules.

        :param observer: hears what it refuses, and why it ends.
        :param link: what is known of it, for the observer; a client has no need of it.
        """
        super().__init__(codec, limits, SessionState.OPEN if bound_by is None else SessionState.BOUND, observer)
        self.rules = rules.UNBOUND if bound_by is None else bound_by
        self._link = link or LinkInfo()
        self.flooding = False
        """Whether it ended since too much came in: cut it, what isn't written yet is lost."""
        self.held = False
        """Whether frames may wait, behind many others or much output; ``read_on`` handles them, in another turn."""
        self._handler = handler
        self._decoder = codec.decoder(limits.max_frame)
        self._traffic = Traffic(limits)
        self.work = Work()
        """What may be handled in this turn; that of many links, where they are one party's."""
        self.login_due = now + limits.login_deadline if bound_by is None else inf
        """By when it has to be bound, in clock seconds: a Bind that is still looked at then ends the link, too."""
        self._sign_due = now + limits.heartbeat
        self._pings = 0
        self._reading = False

    def agree(self, max_frame: int, max_in_flight: int, heartbeat: float, now: float) -> None:
        """What was agreed at Bind holds from now on.

        :param max_frame: the limit on a frame's length in both directions, in bytes.
        :param max_in_flight: how many requests of this side may wait for their replies.
        :param heartbeat: after how much silence this side asks for a sign of life, in seconds.
        """
        self.send_limit = self._decoder.max_frame = max_frame
        self._requests.max_in_flight = max_in_flight
        self.limits = evolve(self.limits, heartbeat=heartbeat)
        self._sign_due = now + heartbeat  # also where nothing comes behind the reply

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Look at every time-out of the link; call it at ``next_tick`` or later."""
        self._requests.time_out(now)
        self._send_requests()
        if now >= self.login_due and self.state in _BEFORE_BOUND:
            self.observer.link_silent()
            self.end("not bound within the login deadline")
        if self.held:  # what it sends isn't read now, so that its silence tells nothing
            self._sign_due = max(self._sign_due, now + self.limits.heartbeat)
        if self.ended is None and now >= self._sign_due:
            self._ping(now)

    def _ping(self, now: float) -> None:
        if self._pings == 2:
            self.observer.link_silent()
            self.end("timed out: two pings unanswered")
            return
        self._pings += 1
        # From now, not from when it was due: a clock that jumps leaves the other side its time.
        self._sign_due = now + self.limits.heartbeat
        # Any byte counts as life, so the Pong itself is not waited for.
        self._send(Ping(), self._requests.new_invoke_id())

    def next_tick(self) -> float:
        """When ``tick`` has something to do next, in clock seconds."""
        return min(self._sign_due, self.login_due, self._requests.first_deadline)

    # ------------------------------------------------------------ input

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes off the wire and handle every frame that is complete."""
        self._sign_due = now + self.limits.heartbeat
        self._pings = 0
        if self.ended is not None:
            return
        traffic = self._traffic
        traffic.took(len(data), now)
        if traffic.bytes > self.limits.bytes_per_second:
            self._end_if_flooding()
            return
        self._decoder.receive(data)
        if not self.held:
            self.read_on()
        if len(data) >> BYTES_SHIFT:
            self.work.left -= len(data) >> BYTES_SHIFT

    def hold(self) -> bool:
        """Have all that comes wait for another turn; False where frames that came before it wait already."""
        if self.held or self._decoder.buffered():
            return False
        self.held = True
        return True

    def read_on(self) -> None:
        """Handle the frames that have come, those that were held first, and no more than a turn's."""
        if self._reading or not self.accepting:
            return
        traffic, work = self._traffic, self.work
        if work.left <= 0:
            self.held = True
            return
        self.held = False
        self._reading = True
        left = _MANY_FRAMES
        try:
            for frame in self._decoder.frames():
                traffic.frames += 1
                left -= 1
                self._frame_received(frame)
                self.held = not left or self._output_size >= MUCH_OUTPUT
                if self.held or not self.accepting:
                    break
        except CodecError as error:
            self._refuse(0, error.status, 0, str(error))
            self.end(str(error))
        finally:
            self._reading = False
            work.left -= (_MANY_FRAMES - left) * FRAME
        if traffic.frames > self.limits.frames_per_second:
            self._end_if_flooding()

    def _end_if_flooding(self) -> None:
        flood = self._traffic.flood
        if flood is not None and self.ended is None:
            self.flooding = True
            self.observer.link_cut(self._link, flood, "links_flooding")
            self.end(flood)

    def _frame_received(self, frame: Frame) -> None:
        message_type = KINDS.get(frame.kind)
        if message_type is Error:
            self._error_received(frame)
        elif frame.fault is not None:
            self._refuse(frame.invoke_id, frame.fault.status, frame.kind, str(frame.fault))
            self._broken(frame, message_type, frame.fault)
        elif message_type is None:
            status = self.rules[None]
            assert isinstance(status, Status), "what isn't named is refused"
            self._refuse(frame.invoke_id, status, frame.kind, f"kind {frame.kind:#x}: {status.text}")
        else:
            self._allowed_or_refused(frame, message_type)

    def _allowed_or_refused(self, frame: Frame, message_type: type[Message]) -> None:
        verdict = self.rules.get(message_type) or self.rules[None]
        if verdict is rules.IGNORE:
            return
        if isinstance(verdict, Status):
            name = message_type.__name__
            self._refuse(frame.invoke_id, verdict, frame.kind, f"{name}: {verdict.text}", name)
            return
        try:
            message = self.codec.decode_body(frame)
        except CodecError as error:
            name = message_type.__name__
            self._refuse(frame.invoke_id, error.status, frame.kind, f"{name}: {error}", name)
            self._broken(frame, message_type, error)
            return
        self._message_received(message, frame.invoke_id, verdict)

    def _broken(self, frame: Frame, message_type: type[Message] | None, error: CodecError) -> None:
        """If that frame was the reply to a request, the request is refused by it."""
        if message_type is not None:
            self._requests.broken(frame.invoke_id, message_type, error.status, str(error))
            self._send_requests()

    def _message_received(self, message: Message, invoke_id: int, verdict: rules.Treatment) -> None:
        if verdict is rules.REPLY:
            self._answer(invoke_id, message)
        elif (invoke_id == 0) is not (verdict is rules.NOTICE) and not isinstance(message, Unbind):
            needed = "0" if verdict is rules.NOTICE else "an invoke id other than 0"
            name = type(message).__name__
            self._refuse(invoke_id, Status.MALFORMED, KIND_OF[type(message)], f"{name} needs {needed}", name)
        elif verdict is rules.NOTICE:
            self._handler.request_received(message, 0)
        else:
            self._dispatch(message, invoke_id)

    def _dispatch(self, message: Message, invoke_id: int) -> None:
        match message:
            case Ping():
                self._send(Pong(), invoke_id)
            case Unbind():
                self._unbind_id, self._unbind_status = invoke_id, message.status
                self.quick, self.accepting = None, False
                self._leave_when_answered()
            case Bind():
                self._bind_received(message, invoke_id)
            case _:
                self._request_received(message, invoke_id)

    def _request_received(self, message: Message, invoke_id: int) -> None:
        self._in_flight += 1
        if self._in_flight > self.limits.max_in_flight:
            self._refuse_busy(message, invoke_id, "too many requests in flight")
        elif self._traffic.frames > self.limits.frames_per_second:
            self._refuse_busy(message, invoke_id, "too many frames in a second", _ANOTHER_SECOND)
        else:
            self._handler.request_received(message, invoke_id)

    def _refuse(self, invoke_id: int, status: int, about: int, detail: str, name: str = "") -> None:
        """Answer with Error about a kind; ``name`` is that of the message."""
        self.observer.frame_refused(self._link, status, name)
        self._send(Error(status, about, detail[:200]), invoke_id)

    def _refuse_busy(self, message: Message, invoke_id: int, detail: str, retry_after: int = 0) -> None:
        self.observer.request_over_limit(self._link, message)
        self.reply(refusal(message, Status.TOO_BUSY, detail, retry_after), invoke_id)

    def _error_received(self, frame: Frame) -> None:
        """An Error is never answered, and changes nothing where it can't be read."""
        try:
            message = self.codec.decode_body(frame)
        except CodecError as error:
            message = Error(error.status, 0, str(error))
        assert isinstance(message, Error), "frames of its kind alone come here"
        if self.state not in _BEFORE_BOUND and not self._answer(frame.invoke_id, message):
            self._handler.error_received(message)

    # ------------------------------------------------------------ the fast path

    def receive_fast(self, data: bytes, now: float, answers: list[bytes]) -> bytes:
        """Answer the DataRequests at the head of a read whose data is in memory: the fast path.

        Every rule holds on it: where anything stands in its way, or a limit is reached, nothing more is
        answered here. Returns what is left of the read, for ``receive``.

        :param answers: takes what is to be written before anything else.
        """
        traffic, limits, quick, work = self._traffic, self.limits, self.quick, self.work
        if not traffic.began <= now < traffic.ends:
            traffic.took(0, now)
        full = self._in_flight >= limits.max_in_flight or traffic.bytes + len(data) > limits.bytes_per_second
        if quick is None or full or work.left <= 0 or self._decoder.buffered():
            return data
        taken, frames = quick.answer(data, answers, limits.frames_per_second - traffic.frames, MUCH_OUTPUT)
        if frames:
            self._sign_due = now + limits.heartbeat
            self._pings = 0
            traffic.bytes += taken
            traffic.frames += frames
            work.left = left = work.left - frames - (taken >> BYTES_SHIFT)
            if left <= 0:
                self.held = True  # what comes next is read in another turn
        return data[taken:]

    # ------------------------------------------------------------ Bind, on the exchange's side

    def _bind_received(self, bind: Bind, invoke_id: int) -> None:
        self._in_flight += 1
        self.state, self.accepting = SessionState.BINDING, False
        if bind.min_version <= VERSION <= bind.max_version:
            self._handler.bind_received(bind, invoke_id)
        else:
            self.observer.version_refused(self._link, bind)
            self.bound(
                BindReply(Status.UNSUPPORTED_VERSION, VERSION, detail=f"only version {VERSION} is supported"), invoke_id
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
        self.state, self.accepting, self.login_due = SessionState.BOUND, True, inf
        self.rules = rules.exchange(role, reply.features.split())
        self.read_on()

    # ------------------------------------------------------------ the end

    def lost(self, reason: str) -> None:
        """The link is gone: requests that wait for an answer fail, and nothing is reported after that."""
        self.end(reason)
        # The handler has the session: unless the session drops it, both wait for Python's collector.
        self._handler = SessionHandler()  # nothing is handled behind the end
        self._requests.lost(reason)
