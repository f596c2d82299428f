"""One link to an exchange, as its client sees it: bound, asked, ended."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.clients.replies import answers
from ctiex.errors import (
    BindRefused,
    BrokenExchange,
    CodecError,
    CtiexError,
    LinkError,
    LinkLost,
    Status,
    TlsRefused,
    UnsafeLink,
)
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.peers import LOCAL, is_private, is_verified, source_of
from ctiex.links.protocol import LinkProtocol
from ctiex.links.session import Session
from ctiex.links.waiters import Waiters
from ctiex.messages import LEAST_MAX_FRAME, Bind, BindReply, Error, Message
from ctiex.tls.handshake_errors import TLS_REFUSED

if TYPE_CHECKING:
    from ctiex.clients.connection import ExchangeConnection

_log = Logger()

_TLS_RECORDS, _TLS_MAJOR, _TLS_RECORD = (b"\x15", b"\x16"), b"\x03", 2
"""How a record of TLS begins: an alert or a part of the handshake, then its version; so many bytes."""


def client_limits() -> SessionLimits:
    """A client's: it asks as much as it likes, and trusts its exchange to answer no more than it was asked."""
    return SessionLimits(max_queued=maxsize, frames_per_second=maxsize, bytes_per_second=maxsize)


class ClientOwner(Protocol):
    """What stands above a connection."""

    features: str
    """Those that a link is to have: words with spaces between."""

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
        self.features: frozenset[str] = frozenset()
        """Those that the exchange has granted; none before the link is bound."""

    def make_session(self) -> Session:
        """A session that knows what the exchange may send in this role."""
        codec, role = self._connection.account.codec, self._connection.role
        return Session(codec, client_limits(), self, self.clock.seconds(), bound_by=rules.client(role, ()))

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
        reply = await self.ask(
            Bind(
                self._connection.role,
                account.identity,
                account.secret,
                software=account.software,
                features=self._connection.owner.features,
            )
        )
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
        most, limits = self._connection.account.max_frame, self.session.limits
        max_frame = reply.max_frame or limits.max_frame  # 0 says nothing
        if not LEAST_MAX_FRAME <= max_frame <= most:
            raise BrokenExchange(f"its max_frame is {max_frame}, expected {LEAST_MAX_FRAME} to {most}")
        self.features = frozenset(reply.features.split())
        self.session.rules = rules.client(self._connection.role, self.features)
        self.exchange_address = reply.exchange_address
        self.session.agree(
            max_frame,
            reply.max_in_flight or limits.max_in_flight,
            float(reply.heartbeat_s or limits.heartbeat),
            self.clock.seconds(),
        )

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
