"""The glue between a session and a transport: bytes, timers, backpressure, ends. No rules here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.links.direct_send import send, sends_at_once
from ctiex.links.session import Session, SessionHandler
from ctiex.links.turns import Share, Turns
from ctiex.tls.handshake_errors import why_lost

_log = Logger()

_CLOSE_WITHIN = 5.0
"""How long the last output may take to leave before the link is cut, in seconds."""
_READ_AHEAD = 4_096
"""What may come while a link waits for its turn until it is read no more, in bytes: the next turn comes soon, and
stopping to read costs as much as some answers."""


@implementer(IPushProducer, IHandshakeListener)
class LinkProtocol(Protocol, SessionHandler):
    """Runs one session on one transport. Subclasses make the session and stand above it."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.session: Session
        self.writable = True
        """Whether the other side reads what is written."""
        self._unread = 0
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self.share: Share
        """What may be handled for this link in a turn, and for others that it shares with."""
        self._closing = False
        self._receiving = False
        self._later = b""
        """What came while the share was used up, not looked at yet."""
        self._at_once = False
        """Whether replies to what was read go to the kernel at once."""
        self._producer: IPushProducer | None = None
        self._consumer: IConsumer | None = None
        """The transport, for as long as it tells this link whether the other side reads."""
        self._reads = True
        """Whether the transport is reading; it isn't told again what it does already."""
        self._shaking_hands = False
        """TLS reads before it writes: if reading stopped for a full buffer now, it would wait forever."""

    # ------------------------------------------------------------ for subclasses

    def make_session(self) -> Session:
        """The session of a link that has just opened."""
        raise AssertionError(f"{type(self).__name__} makes no session")

    def make_share(self) -> Share:
        """Whose turns a link has that has just opened: its own, unless it shares with others."""
        return Turns(self.clock).alone()

    def link_opened(self) -> None:
        """The link is open and its session is there."""

    def link_writable(self) -> None:
        """The other side reads again after it had stopped."""

    def link_evicted(self) -> None:
        """The link was cut: the other side left too much unread."""

    def link_closed(self, reason: str) -> None:
        """The link is gone; called once."""

    # ------------------------------------------------------------ output

    def flush(self, at_once: bool = False) -> None:
        """Write what the session has, see to its end and to its next tick.

        Call it after anything was asked of the session; replies of one read go out in one write,
        unless they are many.

        :param at_once: ask the kernel to take it now. Not for what others cause to be written here: events
            that come together go out together.
        """
        if self._receiving and not self.session.full:
            return
        output = self.session.take_output()
        if output and not self._closing:
            self._write(output, at_once)
        if self.session.ended is not None:
            self._close()
        else:
            self._schedule()

    def _write(self, output: bytes, at_once: bool = False) -> None:
        assert self.transport is not None
        if not self.writable:
            self._unread += len(output)
            if self._unread > self.session.limits.max_unread:
                self.link_evicted()
                self.cut("too much unread output")
                return
        if at_once and self._at_once:
            send(self.transport, output)
        else:
            self.transport.write(output)

    # ------------------------------------------------------------ ends

    def cut(self, reason: str) -> None:
        """End the link at once; what is not written yet is lost."""
        self.session.end(reason)
        self._closing = True
        _abort(self.transport)

    def _close(self) -> None:
        if self._closing:
            return
        if self.session.flooding:
            self.cut(self.session.ended or "")
            return
        self._closing = True
        self._cancel_timer()
        assert self.transport is not None
        self._unregister()
        if not self.writable:
            self.resumeProducing()
        self.transport.loseConnection()
        self._timer = self.clock.callLater(_CLOSE_WITHIN, _abort, self.transport)

    # ------------------------------------------------------------ time

    def _schedule(self) -> None:
        """Keep one timer that fires no later than the session's next tick."""
        due = self.session.next_tick()
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self.clock.callLater(max(0.0, due - self.clock.seconds()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._guard(self.session.tick, self.clock.seconds())

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # ------------------------------------------------------------ what Twisted calls

    def connectionMade(self) -> None:
        """The transport is there."""
        self.session = self.make_session()
        self.take_share(self.make_share())
        assert self.transport is not None
        self._shaking_hands = ISSLTransport.providedBy(self.transport)
        self._at_once = sends_at_once(self.transport)
        self._producer = IPushProducer(self.transport, None)
        self._consumer = consumer = IConsumer(self.transport, None)
        if consumer is not None:
            consumer.registerProducer(self, True)
        # Asked by name: TLS says of itself that it is TCP, and may be over a UNIX socket.
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            # Else a second small write waits for the acknowledgement of the first, 40 ms with most peers.
            set_no_delay(True)
        self.link_opened()
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        if self._closing:
            return
        session, now = self.session, self.clock.seconds()
        if session.quick is not None and not self._later:
            answers: list[bytes] = []
            data = session.receive_fast(data, now, answers)
            if answers:
                self._write(b"".join(answers), at_once=True)
            if not data:
                if session.held:
                    self._wait()
                    self.throttle()
                return
            if self.share.left <= 0 and session.hold():
                self._take_later(data)
                return
        elif self._later:
            self._take_later(data)
            return
        self.handle(session.receive, data, now)

    def _take_later(self, data: bytes) -> None:
        """Have a read wait for its turn: the fast path takes it then, if there is one still."""
        self._later += data
        self._wait()
        if len(self._later) > _READ_AHEAD:
            self.throttle()

    def handle(self, work: Callable[..., None], *what: object) -> None:
        """Handle what came; what is held has its turn after those of all other links."""
        self._guard(work, *what)
        if self.session.held:
            self._wait()
        self.throttle()

    def _wait(self) -> None:
        """Wait for its turn.

        Where the session takes nothing now - a Bind is looked at, or an Unbind waits for replies - there is no turn to
        wait for: whatever lets it go on has it read on.
        """
        if self.session.accepting and not self._closing:
            self.share.wait(self)

    def take_share(self, share: Share) -> None:
        """Have its turns with others from now on, and what its frames cost counted for all of them."""
        self.share = self.session.work = share

    def go_on(self) -> None:
        """Handle what was held, unless the other side doesn't read: ``resumeProducing`` does then."""
        if self.writable and not self._closing:
            self._read_on()

    def _read_on(self) -> None:
        data, self._later = self._later, b""
        if data:
            self.session.held = False
            self.dataReceived(data)
            self.throttle()  # the fast path alone doesn't: nothing was read meanwhile
        else:
            self.handle(self.session.read_on)

    def _guard(self, work: Callable[..., None], *what: object) -> None:
        self._receiving = True
        try:
            work(*what)
        except Exception as error:
            # One link's fault must not become another's: this one is given up.
            _log.failure("internal error on a link")
            self.session.end(f"internal error: {type(error).__name__}")
        finally:
            self._receiving = False
        self.flush(at_once=True)

    def throttle(self) -> None:
        """Read on only while the session takes more and the other side reads its answers."""
        reads = self.writable and self.session.accepting and not self.session.held
        if reads is self._reads or self._closing or self._producer is None:
            return
        self._reads = reads
        if reads:
            self._producer.resumeProducing()
        else:
            self._producer.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._closing, self._later = True, b""
        self._cancel_timer()
        self.share.leave(self)
        self._unregister()  # else TLS keeps the link until Python's collector comes
        why = self.session.ended or why_lost(reason)
        try:
            self.session.lost(why)
        finally:
            self.link_closed(why)

    def _unregister(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.unregisterProducer()

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the other side doesn't read, or TLS has to do its handshake first."""
        self.writable = False
        if not self._shaking_hands:
            self.throttle()

    def handshakeCompleted(self) -> None:
        """TLS is ready; what was written before goes out now."""
        self._shaking_hands = False

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        self.writable = True
        self._unread = 0
        if not self._closing:
            self._read_on()
            self._guard(self.link_writable)

    def stopProducing(self) -> None:
        """The transport is going; connectionLost follows."""

    @property
    def peer(self) -> str:
        """The other side's address, for people."""
        address: object = None if self.transport is None else self.transport.getPeer()
        host, port = getattr(address, "host", None), getattr(address, "port", None)
        return str(address) if host is None else f"{host}:{port}"


def _abort(transport: Any) -> None:
    getattr(transport, "abortConnection", transport.loseConnection)()
