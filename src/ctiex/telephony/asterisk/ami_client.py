"""A connection to Asterisk's manager interface that is kept up: logged in, asked, and logged in again after a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, fail, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.outage import PeerOutage
from ctiex.telephony.asterisk.ami import AmiError, AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused, AmiAccount, AmiLink

_log = Logger()

_FEW = 3
"""How many connections may come to nothing before a new one is only believed in once it has lasted."""


class _QuietClientService(ClientService):
    """Twisted's own, without its line for every attempt: the client logs errors once."""

    _log = Logger(observer=LogPublisher())


@implementer(IStreamClientEndpoint)
class _ToldEndpoint:
    """An endpoint of which every attempt that fails is told: ``whenConnected`` tells of one, and of none while the
    service still holds the connection that was lost."""

    def __init__(self, endpoint: IStreamClientEndpoint, on_failure: Callable[[Failure], None]) -> None:
        self._endpoint = endpoint
        self._on_failure = on_failure

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect."""
        connecting: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self._on_failure(failure)
        return failure


class AmiClient(Service):
    """Asterisk's manager interface, connected as long as the service runs."""

    def __init__(
        self,
        reactor: Any,
        account: AmiAccount,
        on_event: Callable[[AmiMessage], None],
        on_login: Callable[[], Deferred[Any] | None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing is connected before the service starts.

        :param on_event: hears every event that isn't part of an answer.
        :param on_login: called after every login: what has happened before it wasn't told, and has to be asked for.
            All is well once its Deferred has fired. If that fails, the reason is logged, and it is tried again later.
        :param on_lost: called when a connection that was logged in is lost.
        """
        self.reactor = reactor
        self.account = account
        self._on_event = on_event
        self._on_login = on_login
        self._on_lost = on_lost
        self._link: AmiLink | None = None
        self._outage = PeerOutage(_log, "Asterisk's manager interface")
        self._in_vain = 0
        """How many connections in a row came to nothing, or soon to an end."""
        self._refused = False
        self._well_since: float | None = None
        self._lasting: IDelayedCall | None = None
        self._service = self._make_service()

    def _make_service(self) -> ClientService:
        factory = Factory.forProtocol(lambda: AmiLink(self))
        factory.noisy = False
        # Logging in is not left to ClientService's prepareConnection: it has no state for a rejected connection that
        # closes later. So what came to nothing is counted here for the pause between attempts.
        endpoint = _ToldEndpoint(self.account.endpoint, self._not_connected)
        return _QuietClientService(endpoint, factory, self._pause_after, self.reactor)

    def _pause_after(self, tries: int) -> float:
        """How long to wait until it is tried again, in seconds."""
        longest = self.account.longest_refused if self._refused else self.account.longest_retry
        return float(backoffPolicy(0.25, longest, 1.5, self.account.jitter)(tries + self._in_vain))

    def startService(self) -> None:
        """Connect, and connect again after every loss."""
        super().startService()
        self._service.startService()

    def stopService(self) -> Deferred[None]:
        """Let out what was written, and stay away."""
        super().stopService()
        self._stop_waiting()
        if self._link is not None:
            self._link.say_goodbye()
        return self._service.stopService()

    def reconnect(self, reason: str) -> None:
        """Start again: disconnect, and reconnect after a pause."""
        if self._link is not None:
            self._leave(self._link, reason)

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] = lambda event: None
    ) -> Deferred[AmiMessage]:
        """Send an action; actions are carried out in their order. The Deferred fires with the response.

        It fails with :class:`ActionRefused`, :class:`ctiex.errors.RequestTimedOut`,
        :class:`ctiex.errors.LinkLost`, and with :class:`ctiex.telephony.asterisk.ami.AmiError` when a value can't go
        out.

        :param each: takes the events of the list that is asked for as they come: a large platform's list is never
            held as a whole.
        """
        if self._link is None:
            return fail(Failure(LinkLost("not connected to Asterisk")))
        return self._link.act(name, *headers, each=each)

    def opened(self, link: AmiLink) -> None:
        """There is a connection."""
        ensureDeferred(self._log_in(link)).addErrback(self._not_taken_up, link)

    async def _log_in(self, link: AmiLink) -> None:
        try:
            await link.log_in(self.account)
        except (AmiError, LinkLost, RequestTimedOut) as error:
            self._leave(link, f"could not log in: {error}", isinstance(error, ActionRefused))
            return
        self._link = link
        await maybeDeferred(self._on_login)
        if self._link is link:
            self._is_well()

    def _not_taken_up(self, failure: Failure, link: AmiLink) -> None:
        """What was to be asked after the login couldn't be had; a lost connection is reported by itself."""
        if self._link is not link or not self.running:
            return
        if failure.check(AmiError, LinkLost, RequestTimedOut) is None:
            _log.failure("the snapshot of Asterisk's calls could not be read", failure)
        self._leave(link, failure.getErrorMessage(), failure.check(ActionRefused) is not None)

    def _leave(self, link: AmiLink, reason: str, refused: bool = False) -> None:
        """Reconnect after a pause, which grows as long as that fails."""
        if link.left:
            return
        self._in_vain += 1
        self._refused = refused
        if self.running:
            self._outage.failed(reason)
        link.say_goodbye()

    def _is_well(self) -> None:
        self._refused = False
        self._well_since = self.reactor.seconds()
        if self._in_vain <= _FEW:
            self._say_well()
        else:
            self._lasting = self.reactor.callLater(self.account.longest_retry, self._say_well)

    def _say_well(self) -> None:
        self._lasting = None
        self._outage.worked()
        _log.info("logged in to Asterisk as {username}", username=self.account.username)

    def _was_well(self) -> None:
        """A connection that didn't last is one more that came to nothing."""
        self._stop_waiting()
        since, self._well_since = self._well_since, None
        if since is not None and self.reactor.seconds() - since >= self.account.longest_retry:
            self._in_vain = 0
        elif since is not None:
            self._in_vain += 1

    def _stop_waiting(self) -> None:
        lasting, self._lasting = self._lasting, None
        if lasting is not None:
            lasting.cancel()

    def _not_connected(self, failure: Failure) -> None:
        """Say what keeps it from connecting, which is tried for as long as it takes."""
        if self.running:
            self._outage.failed(f"can't be reached: {failure.getErrorMessage()}")

    def take_event(self, message: AmiMessage) -> None:
        """An event has come."""
        try:
            self._on_event(message)
        except Exception:  # one event's fault; the next one has its own
            _log.failure("event {event} could not be handled", event=message.event)

    def lost(self, link: AmiLink, reason: str) -> None:
        """A connection is gone."""
        if self._link is not link:
            return
        self._link = None
        self._was_well()
        if self.running and not link.left:
            self._outage.failed(reason or "the connection was lost")
        self._on_lost()
