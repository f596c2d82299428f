"""Signalling by dialling [0054]: the exchange opens a link to the service's configured address.

It writes the Connection with its own address there, and the service comes back over the
IVR link, under an identity that serves this service, to ask for the data.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from attrs import define, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import ConfigurationError, LinkError, RequestTimedOut, Status
from ctiex.interfaces import (
    BaseSignalling,
    BaseSignallingPlugin,
    ISignalling,
    ISignallingListener,
    ISignallingPlugin,
    Offer,
    SignallingContext,
)
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.descriptors import Descriptors
from ctiex.links.endpoints import check_address, client_endpoint, read_destination
from ctiex.links.protocol import LinkProtocol
from ctiex.links.requests import connection_status
from ctiex.links.session import Session
from ctiex.messages import Message
from ctiex.outage import PeerOutage
from ctiex.settings import Check

_log = Logger()

_MAKE_ANEW_AFTER = 60.0
"""How long an endpoint serves before its certificates are read again, in seconds."""
_MOST_DIALLED = 10_000
"""How many calls are being dialled at the same time: each has a connection, to a host that may never answer."""


def _is_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    if read_destination(value).kind == "ssl":
        raise ConfigurationError(
            f"found {value!r}, which doesn't verify the server's certificate, expected tls: in place of ssl:"
        )
    check_address(value)
    return True


Address = Annotated[str, Check('an endpoint to connect to, such as "tcp:ivr.example.net:7400"', _is_address)]


@frozen(kw_only=True)
class DialServiceSettings:
    """The keys of ``[services.NAME]`` with ``signalling = "dial"``."""

    address: Address


class _DialledLink(LinkProtocol):
    """One link to a service's address, for one Connection."""

    def __init__(self, driver: DialSignalling, attempt: _Attempt) -> None:
        super().__init__(driver.context.reactor)
        self._driver = driver
        self._attempt = attempt

    def make_session(self) -> Session:
        """A session without Bind: the service's address is trusted by configuration."""
        codec, now = self._driver.context.codec, self.clock.seconds()
        return Session(codec, SessionLimits(), self, now, bound_by=rules.DIALLING)

    def link_opened(self) -> None:
        """The driver says when the Connection may go out."""
        self._driver.reached(self._attempt, self)

    def write(self) -> None:
        """Write the Connection, unless the call was withdrawn meanwhile."""
        if self._driver.is_open(self._attempt):
            self.session.request(self._attempt.offer.connection, self._answered, self._attempt.offer.deadline)
            self.flush()

    def _answered(self, answer: Message | LinkError) -> None:
        self.session.end("answered")
        if isinstance(answer, LinkError):
            self._driver.in_vain(self._attempt, f"no answer: {answer}")
        if not isinstance(answer, RequestTimedOut):
            self._driver.answered(self._attempt, connection_status(answer))


@define(eq=False)
class _Attempt:
    """One call on its way to a service's address."""

    offer: Offer
    connecting: Deferred[Any] | None = None
    link: _DialledLink | None = None


@implementer(ISignalling)
class DialSignalling(BaseSignalling):
    """Dials the configured address of each service."""

    def __init__(self, context: SignallingContext) -> None:
        self.context = context
        self._listener: ISignallingListener = context.listener
        self._descriptors = Descriptors.of_this_process()
        self._attempts: dict[str, _Attempt] = {}
        self._endpoints: dict[str, tuple[float, IStreamClientEndpoint]] = {}
        """By service: when it was made, and the endpoint."""
        self._outages: dict[str, PeerOutage] = {}
        """By service, once it couldn't be reached."""

    def offer(self, offer: Offer) -> None:
        """Dial the service's address, unless so many are being dialled that others would get no connection."""
        if len(self._attempts) >= self._descriptors.of_one(_MOST_DIALLED):
            self._listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)
            return
        attempt = self._attempts[offer.serial] = _Attempt(offer)
        factory = Factory.forProtocol(partial(_DialledLink, self, attempt))
        factory.noisy = False
        attempt.connecting = maybeDeferred(lambda: self._endpoint(offer.service).connect(factory))
        attempt.connecting.addErrback(partial(self._not_reached, attempt))

    def _endpoint(self, service: str) -> IStreamClientEndpoint:
        """Where a service is reached; created again from time to time, so that renewed certificates are used."""
        now = self.context.reactor.seconds()
        made_at, endpoint = self._endpoints.get(service, (0.0, None))
        if endpoint is None or not 0 <= now - made_at < _MAKE_ANEW_AFTER:
            endpoint = client_endpoint(self.context.reactor, self.context.services[service].address)
            self._endpoints[service] = now, endpoint
        return endpoint

    def withdraw(self, serial: str) -> int:
        """Hang up whatever is still being dialled."""
        attempt = self._attempts.pop(serial, None)
        if attempt is None:
            return Status.SERVICE_UNREACHABLE
        if attempt.link is not None:
            attempt.link.cut("withdrawn")
        elif attempt.connecting is not None:
            attempt.connecting.cancel()
        return Status.TIMED_OUT

    def reached(self, attempt: _Attempt, link: _DialledLink) -> None:
        """The service's address has taken the link; the Connection goes out on it."""
        attempt.link = link
        self._listener.offered(attempt.offer.serial, None, link.write)

    def answered(self, attempt: _Attempt, status: int | None) -> None:
        """The service has answered; None: its link was lost first."""
        if not self.is_open(attempt):
            return
        serial = attempt.offer.serial
        del self._attempts[serial]
        if status is not None:
            self._is_well(attempt.offer.service)
        if status == Status.OK:
            self._listener.accepted(serial)
        elif status is not None:
            self._listener.unreachable(serial, Status.SERVICE_REFUSED)
        else:
            died = attempt.link is not None and not attempt.link.shaking_hands
            self._listener.unreachable(serial, Status.TIMED_OUT if died else Status.SERVICE_UNREACHABLE)

    def _not_reached(self, attempt: _Attempt, failure: Failure) -> None:
        self.in_vain(attempt, f"can't be reached: {failure.getErrorMessage()}")
        self.answered(attempt, None)

    def in_vain(self, attempt: _Attempt, reason: str) -> None:
        """A service isn't reached: each call would say so, and one line is enough. None says it once withdrawn."""
        if self.is_open(attempt):
            service = attempt.offer.service
            self._outages.setdefault(service, PeerOutage(_log, service)).failed(reason)

    def _is_well(self, service: str) -> None:
        outage = self._outages.pop(service, None)
        if outage is not None and outage.worked():
            _log.info("{service}: can be reached again", service=service)

    def is_open(self, attempt: _Attempt) -> bool:
        """Whether this call is still being dialled."""
        return self._attempts.get(attempt.offer.serial) is attempt


@implementer(IPlugin, ISignallingPlugin)
class DialSignallingPlugin(BaseSignallingPlugin):
    """``signalling = "dial"``."""

    name = "dial"
    service_settings = DialServiceSettings

    def build(self, context: SignallingContext) -> ISignalling:
        """The driver."""
        return DialSignalling(context)
