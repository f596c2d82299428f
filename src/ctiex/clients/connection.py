"""A client's connection to an exchange: bound, kept up, and bound again after every loss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import random
from typing import Any, Protocol

from attrs import evolve, field, frozen
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex import __version__
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import (
    BindRefused,
    CallError,
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
from ctiex.interfaces import ICodec
from ctiex.links import rules
from ctiex.links._protocol import LinkProtocol
from ctiex.links.handshakes import TLS_REFUSED
from ctiex.links.peers import is_private, is_verified
from ctiex.links.session import Session
from ctiex.links.terms import CLIENT_LIMITS
from ctiex.links.waiting import Waiters
from ctiex.messages import Bind, BindReply, Error, Message, Role

_log = Logger()

PASSING = frozenset({Status.TOO_BUSY, Status.GOING_AWAY, Status.STORE_UNAVAILABLE})
"""Statuses that are worth another try."""
_SAY_GOODBYE_WITHIN = 2.0
"""How long an exchange may take to answer Unbind, in seconds."""


def _ignore(_: object) -> None:
    """Nobody wants to know."""


@frozen
class ExchangeAccount:
    """Which exchange to reach, and as whom."""

    endpoint: IStreamClientEndpoint
    """From ``clientFromString(reactor, "tcp:127.0.0.1:7300")``, or ``"tls:ctiex.example.net:7300"``.

    Twisted's ``tls:`` verifies the exchange's certificate and name; its ``ssl:`` doesn't, and gets no secret.
    """
    identity: str
    secret: str = field(default="", repr=False)
    """Empty where the exchange knows the client by its certificate."""
    codec: ICodec = field(factory=BinaryCodec)
    software: str = f"ctiex/{__version__}"
    answer_timeout: float = 10.0
    """How long the exchange may take to answer a request, in seconds."""
    longest_retry: float = 30.0
    """The longest pause between two attempts to connect, in seconds."""
    jitter: Callable[[], float] = random
    """What is added to each pause, in seconds, so that not all clients come back at the same moment."""
    plain_secrets: bool = False
    """Send the secret over whatever link there is, also where others can read it or nobody verified the exchange."""


class ClientOwner(Protocol):
    """What stands above a connection."""

    async def prepare(self, link: ClientLink) -> None:
        """A link is bound anew: log in, before anybody else uses it.

        :raise CtiexError: it is of no use; the next one is tried.
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
        self.exchange_address = ""
        """What services are told as the exchange's address; empty before the link is bound."""

    def make_session(self) -> Session:
        """A session that knows what the exchange may send in this role."""
        codec, role = self._connection.account.codec, self._connection.role
        return Session(codec, CLIENT_LIMITS, self, self.clock.seconds(), bound_by=rules.CLIENT[role])

    def link_opened(self) -> None:
        """Bind, before anything else."""
        self._connection.opened(self)

    async def bind(self) -> None:
        """Bind under the account.

        :raise BindRefused: the exchange said why.
        :raise UnsafeLink: the secret isn't for this link.
        """
        account = self._connection.account
        if account.secret and not account.plain_secrets:
            self._check_safety()
        bind = Bind(self._connection.role, account.identity, account.secret, software=account.software)
        reply = await self.ask(bind)
        if isinstance(reply, BindReply) and reply.status == Status.OK:
            self.exchange_address = reply.exchange_address
            self.session.send_limit = reply.max_frame
            heartbeat = float(reply.heartbeat_s or self.session.limits.heartbeat)
            self.session.limits = evolve(self.session.limits, heartbeat=heartbeat)
            return
        self.session.end("bind refused")
        self.flush()
        assert isinstance(reply, (BindReply, Error))
        raise BindRefused(reply.status, reply.detail)

    def _check_safety(self) -> None:
        if not is_private(self.transport):
            raise UnsafeLink(f"the secret isn't sent to {self.peer} over plain TCP: use TLS, or say plain_secrets")
        if not is_verified(self.transport):
            raise UnsafeLink(
                f"the secret isn't sent to {self.peer}, whose certificate isn't verified: use tls:, not ssl:"
            )

    def ask(self, message: Message, timeout: float | None = None) -> Deferred[Message]:
        """Send a request and wait for its answer: its reply, or an Error.

        :param timeout: in seconds; the account's by default.

        The Deferred fails with LinkLost, RequestTimedOut, or CodecError for a message that no frame takes.
        """
        answer: Deferred[Message] = Deferred()

        def answered(outcome: Message | LinkError) -> None:
            if answer.called:
                return  # the wait for it was given up
            if isinstance(outcome, LinkError):
                answer.errback(Failure(outcome))
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

    def __init__(self, account: ExchangeAccount) -> None:
        self._account = account
        self._told = ""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and tell a failure once."""
        connecting: Deferred[IProtocol] = self._account.endpoint.connect(protocolFactory)
        return connecting.addCallbacks(self._reached, self._not_reached)

    def _reached(self, protocol: IProtocol) -> IProtocol:
        self._told = ""
        return protocol

    def _not_reached(self, failure: Failure) -> Failure:
        reason = failure.getErrorMessage()
        if reason != self._told and not failure.check(CancelledError, ConnectingCancelledError):
            self._told = reason
            _log.warn("{identity} can't reach the exchange, and goes on trying: {reason}",
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
        """The bound link; None while there is none."""
        self._open: ClientLink | None = None
        self._waiting: Waiters[ClientLink] = Waiters()
        self._failed_binds = 0
        self._was_bound = False
        self._stopped = False
        pause = backoffPolicy(initialDelay=0.1, maxDelay=account.longest_retry, jitter=account.jitter)
        self._service = ClientService(
            _ToldEndpoint(account),
            _ClientLinkFactory(self),
            # Binding is not left to ClientService's prepareConnection: it has no state for a rejected
            # connection that closes later. So failed binds are counted here for the pause between attempts.
            retryPolicy=lambda attempts: pause(attempts + self._failed_binds),
            clock=reactor,
        )

    def start(self) -> None:
        """Connect, and connect again after every loss."""
        self._stopped = False
        self._service.startService()

    async def stop(self) -> None:
        """Say goodbye and stay away."""
        self._stopped = True
        self._waiting.fail(_stopped())
        open_link, bound_link, self.link = self._open, self.link, None
        if open_link is not None:
            gone = open_link.gone()
            if open_link is bound_link and open_link.session.ended is None:
                open_link.session.unbind(Status.OK, "", self.reactor.seconds() + _SAY_GOODBYE_WITHIN)
                open_link.flush()
            else:
                open_link.cut("the client stops")
            await gone
        stopping = self._service.stopService()
        if stopping is not None:
            await stopping

    def opened(self, link: ClientLink) -> None:
        """A connection is there, not bound yet. There is one at a time."""
        self._open = link
        ensureDeferred(self._prepare(link)).addErrback(lambda failure: _log.failure("binding failed", failure))

    async def _prepare(self, link: ClientLink) -> None:
        try:
            await link.bind()
            await self.owner.prepare(link)
        except CtiexError as error:
            self._failed_binds += 1
            if not self._stopped:
                _log.error("{identity} could not bind: {reason}", identity=self.account.identity, reason=str(error))
            link.cut("not bound")
            self._tell_refused(error)
            return
        self._failed_binds = 0
        self._was_bound = True
        self.link = link
        self._waiting.fire(link)

    def _tell_refused(self, error: CtiexError) -> None:
        """Tell those who wait for a link what no other attempt is likely to mend."""
        if isinstance(error, (BindRefused, UnsafeLink)):
            self._waiting.fail(error)
        elif not self._was_bound and isinstance(error, LinkLost) and str(error).startswith(TLS_REFUSED):
            self._waiting.fail(TlsRefused(str(error)))  # later it is the exchange's, whose certificate is being mended

    def link_closed(self, link: ClientLink) -> None:
        """A link is gone; the next one is on its way."""
        if self.link is link:
            self.link = None
            _log.warn("the link of {identity} was lost ({reason}): connecting again", identity=self.account.identity,
                      reason=link.session.ended)  # fmt: skip
        if self._open is link:
            self._open = None

    def bound(self) -> Deferred[ClientLink]:
        """The bound link, as soon as there is one.

        The Deferred fails with BindRefused when the exchange refuses this identity, with UnsafeLink when the secret
        isn't sent there, with TlsRefused when TLS can't be had before the first link is bound, and with NotBound once
        the client has stopped. The client goes on trying unless it is stopped.
        """
        if self.link is not None and self.link.session.ended is None:
            return succeed(self.link)
        return fail(_stopped()) if self._stopped else self._waiting.add()

    async def ask(
        self,
        message: Message,
        repeat: bool = True,
        timeout: float | None = None,
        lost: Callable[[ClientLink], object] = _ignore,
    ) -> Message:
        """Send a request on the bound link and wait for its answer.

        :param repeat: send it again on the next link when this one is lost first, until the caller
            gives up (:func:`within` bounds the wait).
        :param timeout: how long each answer may take, in seconds; the account's by default.
        :param lost: hears of each link that was lost with the request on it.
        :raise LinkLost: the link was lost before the answer, and it isn't to be repeated.
        :raise RequestTimedOut: no answer came in time on a link that stands.
        """
        while True:
            link = await self.bound()
            try:
                return await link.ask(message, timeout)
            except LinkLost:
                if not repeat:
                    raise
                lost(link)
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
        raise RequestTimedOut(f"not done within {seconds:g} s") from None


def checked(reply: Message) -> Any:
    """The reply, when its status is 0.

    :raise CallError: it says something else, or is an Error.
    """
    status = getattr(reply, "status", Status.OK)
    if status != Status.OK or isinstance(reply, Error):
        raise CallError(status, getattr(reply, "detail", ""))
    return reply
