"""A client's connection to an exchange: bound, kept up, and bound again after every loss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from attrs import evolve
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, ISSLTransport, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.clients.account import ExchangeAccount
from ctiex.clients.lifecycle import Lifecycle
from ctiex.clients.replies import answers
from ctiex.errors import (
    BindRefused,
    BrokenExchange,
    CodecError,
    CtiexError,
    LinkError,
    LinkLost,
    NotBound,
    RequestTimedOut,
    Status,
    TlsRefused,
    UnsafeLink,
)
from ctiex.links import rules
from ctiex.links.peers import LOCAL, is_private, is_verified, source_of
from ctiex.links.protocol import LinkProtocol
from ctiex.links.session import Session
from ctiex.links.session_types import CLIENT_LIMITS
from ctiex.links.waiters import Waiters
from ctiex.messages import LEAST_MAX_FRAME, Bind, BindReply, Error, Message, Role
from ctiex.tls.handshake_errors import TLS_REFUSED

_log = Logger()

_TLS_RECORDS, _TLS_MAJOR, _TLS_RECORD = (b"\x15", b"\x16"), b"\x03", 2
"""How a record of TLS begins: an alert or a part of the handshake, then its version; so many bytes."""
_SAY_GOODBYE_WITHIN = 2.0
"""How long an exchange may take to answer Unbind, in seconds."""


def _nothing() -> None:
    """Do nothing."""


class ClientOwner(Protocol):
    """What stands above a connection."""

    async def prepare(self, link: ClientLink) -> None:
        """A new link is bound: log in, before anything else uses it.

        :raise CtiexError: it can't be used; the next one is tried.
        """

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """The exchange asks or tells something."""

    def error_received(self, error: Error) -> None:
        """The exchange complains of something that wasn't asked."""


class ClientLink(LinkProtocol):
    """One link to the exchange, as its client sees it."""

    def __init__(self, connection: ExchangeConnection) -> None:
        super().__init__(connection.reactor)
        self._connection = connection
        self._gone: Waiters[None] = Waiters()
        self.answered = False
        """Whether the exchange has answered the Bind, whatever it said."""
        self._first_bytes = b""
        self._ended_here = False
        """Whether this side ended the link."""
        self.opened_at = 0.0
        """When it was opened, in seconds of the clock."""
        self.exchange_address = ""
        """The exchange's address as sent to services; empty before the link is bound."""

    def make_session(self) -> Session:
        """A session that knows what the exchange may send in this role."""
        codec, role = self._connection.account.codec, self._connection.role
        return Session(codec, CLIENT_LIMITS, self, self.clock.seconds(), bound_by=rules.CLIENT[role])

    def link_opened(self) -> None:
        """Bind, before anything else."""
        self.opened_at = self.clock.seconds()
        self._connection.opened(self)

    async def bind(self) -> None:
        """Bind under the account.

        :raise BindRefused: the exchange said why.
        :raise UnsafeLink: this link isn't one to say anything on.
        :raise BrokenExchange: what it agrees to is nonsense, or more than the account takes.
        """
        account = self._connection.account
        if not account.plain_secrets:
            self._check_safety()
        bind = Bind(self._connection.role, account.identity, account.secret, software=account.software)
        reply = await self.ask(bind)
        self.answered = True
        if isinstance(reply, BindReply) and reply.status == Status.OK:
            self._agree(reply)
            return
        self.session.end("bind refused")
        self.flush()
        assert isinstance(reply, (BindReply, Error))
        raise BindRefused(reply.status, reply.detail)

    def _agree(self, reply: BindReply) -> None:
        """Take over what the exchange has said of the link.

        :raise BrokenExchange: nothing can be said under that, or it is more than the account takes.
        """
        most = self._connection.account.max_frame
        if not LEAST_MAX_FRAME <= reply.max_frame <= most:
            raise BrokenExchange(f"its max_frame is {reply.max_frame}, expected {LEAST_MAX_FRAME} to {most}")
        self.exchange_address = reply.exchange_address
        self.session.agree(reply.max_frame)
        heartbeat = float(reply.heartbeat_s or self.session.limits.heartbeat)
        self.session.limits = evolve(self.session.limits, heartbeat=heartbeat)

    def _check_safety(self) -> None:
        """Check that only the exchange can read what is sent: a secret, customers' numbers and fields.

        :raise UnsafeLink: others may.
        """
        if not is_private(self.transport):
            raise UnsafeLink(f"refusing to send anything to {self.peer} over plain TCP: use TLS, or set plain_secrets")
        if not is_verified(self.transport):
            raise UnsafeLink(
                f"refusing to send anything to {self.peer} without verifying its certificate: use tls:, not ssl:"
            )

    def ask(self, message: Message, timeout: float | None = None) -> Deferred[Message]:
        """Send a request and wait for its answer: its reply, or an Error.

        :param timeout: in seconds; the account's by default.

        The Deferred fails with LinkLost, RequestTimedOut, BrokenExchange for an answer to something else, or CodecError
        for a message that no frame takes.
        """
        answer: Deferred[Message] = Deferred()

        def answered(outcome: Message | LinkError) -> None:
            if answer.called:
                return  # the wait for it was given up
            if isinstance(outcome, LinkError):
                answer.errback(Failure(outcome))
            elif not answers(message, outcome):
                _log.error(
                    "the exchange's answer doesn't match the {asked} that was sent", asked=type(message).__name__
                )
                answer.errback(
                    Failure(BrokenExchange(f"its answer doesn't match the {type(message).__name__} that was sent"))
                )
            else:
                answer.callback(outcome)

        if self.session.ended is not None:
            answered(LinkLost(self.session.ended))
            return answer
        wait = self._connection.account.answer_timeout if timeout is None else timeout
        try:
            self.session.request(message, answered, self.clock.seconds() + wait)
        except CodecError as error:
            answer.errback(Failure(error))
        self.flush()
        return answer

    def reply(self, message: Message, invoke_id: int) -> None:
        """Answer a request of the exchange."""
        self.session.reply(message, invoke_id)
        self.flush()

    def notify(self, message: Message) -> None:
        """Tell the exchange what it doesn't answer."""
        self.session.notify(message)
        self.flush()

    def gone(self) -> Deferred[None]:
        """Fires once the link is closed."""
        return self._gone.add()

    # ------------------------------------------------------------ what the session and the transport tell

    def request_received(self, message: Message, invoke_id: int) -> None:
        """Pass it on."""
        self._connection.owner.request_received(self, message, invoke_id)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """The rules of a client let no Bind through."""

    def error_received(self, error: Error) -> None:
        """Pass it on."""
        self._connection.owner.error_received(error)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came; the first ones may tell that something else than an exchange is there."""
        if not self.answered:
            self._first_bytes += data[: _TLS_RECORD - len(self._first_bytes)]
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._ended_here = self.session.ended is not None
        super().connectionLost(reason)

    def in_words(self, error: CtiexError) -> CtiexError:
        """Why the link could not be bound, as it can be known from this end: who speaks TLS to whom."""
        if self.answered or not isinstance(error, LinkLost):
            return error
        if str(error).startswith(TLS_REFUSED):
            return TlsRefused(str(error))
        if ISSLTransport.providedBy(self.transport) or source_of(self.transport) == LOCAL:
            return error
        if self._first_bytes[:1] in _TLS_RECORDS and self._first_bytes[1:2] == _TLS_MAJOR:
            return TlsRefused(f"{self.peer} speaks TLS: this looks like a TLS port, use tls:HOST:PORT, not tcp:")
        if not self._first_bytes and not self._ended_here:
            return LinkLost(
                f"{self.peer} closed the link without sending anything ({error}): this looks like a TLS port (then use"
                " tls:HOST:PORT, not tcp:), or an exchange that has too many links"
            )
        return error

    def link_closed(self, reason: str) -> None:
        """Tell everybody who waits for it."""
        self._connection.link_closed(self)
        self._gone.fire(None)


class _ClientLinkFactory(Factory):
    noisy = False

    def __init__(self, connection: ExchangeConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> ClientLink:
        return ClientLink(self._connection)


@implementer(IStreamClientEndpoint)
class _ToldEndpoint:
    """An account's endpoint that tells when the exchange can't be reached, and when it can again."""

    def __init__(self, account: ExchangeAccount, trouble: Callable[[str], bool]) -> None:
        """:param trouble: hears why the exchange can't be reached; says whether that is news."""
        self._account = account
        self._trouble = trouble

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and tell a failure once."""
        connecting: Deferred[IProtocol] = self._account.endpoint.connect(protocolFactory)
        return connecting.addErrback(self._not_reached)

    def _not_reached(self, failure: Failure) -> Failure:
        reason = failure.getErrorMessage()
        if not failure.check(CancelledError, ConnectingCancelledError) and self._trouble(reason):
            _log.warn("{identity} can't reach the exchange, still trying: {reason}",
                      identity=self._account.identity, reason=reason)  # fmt: skip
        return failure


class ExchangeConnection:
    """Keeps one bound link to an exchange, through every loss, on Twisted's ClientService."""

    def __init__(self, reactor: Any, account: ExchangeAccount, role: Role, owner: ClientOwner) -> None:
        self.reactor = reactor
        self.account = account
        self.role = role
        self.owner = owner
        self.link: ClientLink | None = None
        """The bound link; None without one."""
        self._open: ClientLink | None = None
        self._waiting: Waiters[ClientLink] = Waiters()
        self._losses = 0
        """Links in a row that were lost before they had stood for a while, whatever the cause."""
        self._was_bound = False
        self.trouble = ""
        """Why the last attempt came to nothing; empty once a link is bound."""
        self._life = Lifecycle(self._begin, self._end)
        self.pause_after: Callable[[int], float] = backoffPolicy(
            initialDelay=0.1, maxDelay=account.longest_retry, jitter=account.jitter
        )
        """How long to wait after so many attempts that came to nothing, in seconds."""
        self._service = ClientService(
            _ToldEndpoint(account, self._is_news),
            _ClientLinkFactory(self),
            # Binding is not left to ClientService's prepareConnection: it has no state for a rejected
            # connection that closes later. So what becomes of a link is counted here for the pause between attempts.
            retryPolicy=lambda attempts: self.pause_after(attempts + self._losses),
            clock=reactor,
        )

    def start(self) -> None:
        """Connect, and connect again after every loss; if it is being stopped, as soon as it has."""
        self._life.start()

    def stop(self) -> Deferred[None]:
        """Say goodbye and stay away."""
        stopped = self._life.stop()
        self._waiting.fail(_stopped())
        return stopped

    def _begin(self) -> None:
        self._losses = 0
        self._service.startService()

    async def _end(self) -> None:
        open_link, bound_link, self.link = self._open, self.link, None
        if open_link is not None:
            gone = open_link.gone()
            if open_link is bound_link and open_link.session.ended is None:
                open_link.session.unbind(Status.OK, "", self.reactor.seconds() + _SAY_GOODBYE_WITHIN)
                open_link.flush()
            else:
                open_link.cut("the client is stopping")
            await gone
        stopping = self._service.stopService()
        if stopping is not None:
            await stopping

    def opened(self, link: ClientLink) -> None:
        """A connection is there, not bound yet. There is one at a time."""
        self._open = link
        ensureDeferred(self._prepare(link))

    async def _prepare(self, link: ClientLink) -> None:
        try:
            await link.bind()
            await self.owner.prepare(link)
        except CtiexError as failed:
            self._not_bound(link, link.in_words(failed))
            return
        except Exception:  # a fault of ours: the next link may do
            _log.failure("binding failed")
            link.cut("internal error")
            return
        self.trouble = ""
        self._was_bound = True
        self.link = link
        self._waiting.fire(link)

    def _not_bound(self, link: ClientLink, error: CtiexError) -> None:
        if self._is_news(str(error)) and self._life.wanted:
            _log.error("{identity} could not bind: {reason}", identity=self.account.identity, reason=str(error))
        link.cut("not bound")
        self._tell_refused(error)

    def give_up(self, link: ClientLink, error: CtiexError) -> None:
        """A bound link can't be used, and is closed; the next one may be better."""
        self._not_bound(link, error)

    def _is_news(self, trouble: str) -> bool:
        """Keep why an attempt came to nothing; False when the one before came to nothing by the same."""
        before, self.trouble = self.trouble, trouble
        return trouble != before

    def _tell_refused(self, error: CtiexError) -> None:
        """Tell those who wait for a link what no other attempt is likely to mend."""
        if isinstance(error, (BindRefused, UnsafeLink)):
            self._waiting.fail(error)
        elif isinstance(error, TlsRefused) and not self._was_bound:
            self._waiting.fail(error)  # later it is the exchange's, whose certificate is being mended

    def link_closed(self, link: ClientLink) -> None:
        """A link is gone; the next one is on its way."""
        stood = self.reactor.seconds() - link.opened_at if self.link is link else 0.0
        self._losses = 0 if stood >= self.account.longest_retry else self._losses + 1
        if self.link is link:
            self.link = None
            _log.warn("the link of {identity} was lost ({reason}): reconnecting", identity=self.account.identity,
                      reason=link.session.ended)  # fmt: skip
        if self._open is link:
            self._open = None

    def bound(self) -> Deferred[ClientLink]:
        """The bound link, as soon as there is one.

        The Deferred fails with BindRefused when the exchange refuses this identity, with UnsafeLink when the secret
        isn't sent there, with TlsRefused when TLS fails before the first link is bound, and with NotBound once
        the client has stopped. The client goes on trying unless it is stopped.
        """
        if self.link is not None and self.link.session.ended is None:
            return succeed(self.link)
        return self._waiting.add() if self._life.wanted else fail(_stopped())

    async def within(self, seconds: float | None, work: Callable[[], Awaitable[Any]]) -> Any:
        """What the work gives, if it gives it in time.

        :raise RequestTimedOut: it took longer; the text says why, if there is no link.
        """
        try:
            return await within(self.reactor, seconds, work)
        except RequestTimedOut as late:
            raise RequestTimedOut(f"{late}: {self.trouble}" if self.trouble else str(late)) from None

    async def ask(
        self,
        message: Message,
        repeat: bool = True,
        timeout: float | None = None,
        goes_out: Callable[[], object] = _nothing,
    ) -> Message:
        """Send a request on the bound link and wait for its answer.

        :param repeat: send it again on the next link when this one is lost first, until the caller
            gives up (:func:`within` bounds the wait).
        :param timeout: how long each answer may take, in seconds; the account's by default.
        :param goes_out: called each time that the request is about to go out.
        :raise LinkLost: the link was lost before the answer, and it isn't to be repeated.
        :raise RequestTimedOut: no answer came in time on a link that stands.
        """
        while True:
            link = await self.bound()
            goes_out()
            try:
                return await link.ask(message, timeout)
            except LinkLost:
                if not repeat:
                    raise
                if self.link is link:
                    await link.gone()


def _stopped() -> NotBound:
    return NotBound("the client has stopped")


async def within(reactor: Any, seconds: float | None, work: Callable[[], Awaitable[Any]]) -> Any:
    """What the work gives, if it gives it in time; it is cancelled otherwise.

    :param seconds: None waits as long as it takes.
    :raise RequestTimedOut: it took longer.
    """

    async def run() -> Any:
        return await work()

    running = ensureDeferred(run())
    if seconds is None:
        return await running
    running.addTimeout(seconds, reactor)
    try:
        return await running
    except TimeoutError:
        raise RequestTimedOut(f"timed out after {seconds:g} s") from None
