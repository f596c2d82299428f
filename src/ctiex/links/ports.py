"""What every listening port has in common: how many connections it takes, and of whom.

The links of agents and services are counted by :mod:`ctiex.links.admission`, since much more is known of them. Any
other port - metrics and health, FastAGI, a service that is dialled - stands behind a :class:`GuardedFactory`. What a
refusal costs is bounded as well: the connection is closed before anything is made for it, counted, and logged once in
a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from ctiex.links.admission import LinkCounter
from ctiex.links.descriptors import Descriptors
from ctiex.links.peers import source_of_address
from ctiex.monitoring.log_limiter import LogLimiter

_log = Logger()


def _nobody_counts() -> None:
    pass


@define
class PortBounds:
    """How many connections one listening port takes."""

    name: str
    """What the port is for, in the log."""
    most: Callable[[], int]
    """In all, now."""
    most_of_one: Callable[[], int]
    """From one source, now."""
    descriptors: Descriptors = field(factory=Descriptors.of_this_process)
    refused: Callable[[], None] = _nobody_counts
    """Counts a connection that was refused."""
    log_limiter: LogLimiter = field(factory=LogLimiter)


class TurnedAway(Protocol):
    """A connection that is closed at once: a factory that wraps another one, such as TLS, needs a protocol."""

    def connectionMade(self) -> None:
        """Nothing is said."""
        transport: Any = self.transport
        transport.abortConnection()


class DescriptorGuard(Factory):
    """Takes connections for another factory, which counts them itself, while there are file descriptors left."""

    noisy = False

    def __init__(
        self, factory: IProtocolFactory, descriptors: Descriptors, refused: Callable[[IAddress | None], None]
    ) -> None:
        """
        :param refused: hears of each that was refused; their number has no bound.
        """
        self._factory: Any = factory
        self._descriptors = descriptors
        self._refused = refused

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """The other factory's protocol, or one that closes the connection."""
        if self._descriptors.short():
            self._refused(addr)
            return TurnedAway()
        return self._factory.buildProtocol(addr)


class _Guarded(ProtocolWrapper):
    """A connection that is counted."""

    source = ""


if TYPE_CHECKING:
    _Wrapping = WrappingFactory[_Guarded]
else:  # generic in newer versions of Twisted alone
    _Wrapping = WrappingFactory


class GuardedFactory(_Wrapping):
    """Takes connections for another factory, as long as there is room for them."""

    noisy = False
    protocol = _Guarded

    def __init__(self, factory: IProtocolFactory, bounds: PortBounds, clock: IReactorTime) -> None:
        super().__init__(factory)
        self._bounds = bounds
        self._clock = clock
        self._sources = LinkCounter()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A protocol for a connection; one that closes it where there is no room, or the other factory has none."""
        source, bounds = source_of_address(addr), self._bounds
        if len(self.protocols) >= bounds.most():
            return self._refuse(source, f"{len(self.protocols)} connections are open")
        if self._sources[source] >= bounds.most_of_one():
            return self._refuse(source, f"{self._sources[source]} connections from there are open")
        if bounds.descriptors.short():
            return self._refuse(source, "too few file descriptors left")
        inner = self.wrappedFactory.buildProtocol(addr)
        if inner is None:
            return TurnedAway()
        made: _Guarded = self.protocol(self, inner)
        made.source = source
        return made

    def _refuse(self, source: str, why: str) -> TurnedAway:
        self._bounds.refused()
        if self._bounds.log_limiter.allows(self._bounds.name, self._clock.seconds()):
            _log.warn("a connection from {source} to {port} is closed at once: {why}", source=source,
                      port=self._bounds.name, why=why)  # fmt: skip
        return TurnedAway()

    def registerProtocol(self, p: Any) -> None:
        """It is open."""
        super().registerProtocol(p)
        self._sources[p.source] += 1

    def unregisterProtocol(self, p: Any) -> None:
        """It is gone."""
        super().unregisterProtocol(p)
        self._sources.give_back(p.source)
