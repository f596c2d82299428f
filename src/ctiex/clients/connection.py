"""A client's connection to an exchange: bound, kept up, and bound again after every loss."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import frozen
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.clients.account import ExchangeAccount
from ctiex.clients.lifecycle import Lifecycle
from ctiex.clients.link import ClientLink, ClientOwner
from ctiex.clients.timeouts import within
from ctiex.errors import (
    BindRefused,
    CtiexError,
    LinkLost,
    NotBound,
    RequestTimedOut,
    Status,
    TlsRefused,
    UnsafeLink,
)
from ctiex.links.outgoing import ANSWER_UNBIND_WITHIN
from ctiex.links.waiters import Waiters
from ctiex.messages import Error, Message, Role
from ctiex.monitoring.log_limiter import LogLimiter

_log = Logger()


def ignore(*_: object) -> None:
    """Do nothing."""


@implementer(IStreamClientEndpoint)
@frozen(eq=False)
class _ToldEndpoint:
    """An account's endpoint that tells when the exchange can't be reached, and when it can again."""

    _account: ExchangeAccount
    _trouble: Callable[[str], bool]
    """Hears why the exchange can't be reached; says whether that is news."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and tell a failure once."""
        return self._account.endpoint.connect(protocolFactory).addErrback(self._not_reached)

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
        self._log_limiter = LogLimiter()
        self._life = Lifecycle(self._begin, self._end)
        self.pause_after: Callable[[int], float] = backoffPolicy(
            initialDelay=0.1, maxDelay=account.longest_retry, jitter=account.jitter
        )
        """How long to wait after so many attempts that came to nothing, in seconds."""
        factory = Factory.forProtocol(lambda: ClientLink(self))
        factory.noisy = False
        self._service = ClientService(
            _ToldEndpoint(account, self._is_news),
            factory,
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
                open_link.session.unbind(Status.OK, "", self.reactor.seconds() + ANSWER_UNBIND_WITHIN)
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
            self.give_up(link, link.in_words(failed))
            return
        except Exception:  # a fault of ours: the next link may do
            _log.failure("binding failed")
            link.cut("internal error")
            return
        self.trouble = ""
        self._was_bound = True
        self.link = link
        self._waiting.fire(link)

    def give_up(self, link: ClientLink, error: CtiexError) -> None:
        """A link can't be used, and is closed; the next one may be better.

        Those who wait for a link are told what no other attempt is likely to mend. Once a link was bound, a TLS failure
        is no such thing: then it is the exchange's, whose certificate is being mended.
        """
        if self._is_news(str(error)) and self._life.wanted:
            _log.error("{identity} could not bind: {reason}", identity=self.account.identity, reason=str(error))
        link.cut("not bound")
        if isinstance(error, (BindRefused, UnsafeLink)) or (isinstance(error, TlsRefused) and not self._was_bound):
            self._waiting.fail(error)

    def _is_news(self, trouble: str) -> bool:
        """Keep why an attempt came to nothing; False when the one before came to nothing by the same."""
        before, self.trouble = self.trouble, trouble
        return trouble != before

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

    def log_error(self, error: Error) -> None:
        """Tell the log, once in a while, of an Error that answers nothing."""
        if self._log_limiter.allows("error", self.reactor.seconds()):
            _log.warn("the exchange said {status}: {detail}", status=Status.of(error.status).text, detail=error.detail)

    def bound(self) -> Deferred[ClientLink]:
        """The bound link, as soon as there is one.

        The Deferred fails with BindRefused when the exchange refuses this identity, with UnsafeLink when the secret
        isn't sent there, with TlsRefused when TLS fails before the first link is bound, and with NotBound once
        the client has stopped. The client goes on trying unless it is stopped.
        """
        if self.link is not None and self.link.session.ended is None:
            return succeed(self.link)
        return self._waiting.add() if self._life.wanted else fail(_stopped())

    def check_wanted(self) -> None:
        """:raise NotBound: the client has stopped."""
        if not self._life.wanted:
            raise _stopped()

    async def within(self, seconds: float | None, work: Coroutine[Any, Any, Any]) -> Any:
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
        goes_out: Callable[[], object] = ignore,
    ) -> Message:
        """Send a request on the bound link and wait for its answer.

        :param repeat: send it again when no answer comes in the account's time, and on the next link when this one
            is lost first, until the caller gives up (:func:`within` bounds the wait).
        :param timeout: how long the answer to one that isn't repeated may take, in seconds; the account's by default.
        :param goes_out: called each time that the request is about to go out.
        :raise LinkLost: the link was lost before the answer, and it isn't to be repeated.
        :raise RequestTimedOut: no answer came in time on a link that stands, and it isn't to be repeated.
        """
        while True:
            link = await self.bound()
            goes_out()
            try:
                return await link.ask(message, None if repeat else timeout)
            except RequestTimedOut:
                if not repeat:
                    raise
            except LinkLost:
                if not repeat:
                    raise
                if self.link is link:
                    await link.gone()


def _stopped() -> NotBound:
    return NotBound("the client has stopped")
