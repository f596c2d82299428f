"""The exchange as one running service: it listens, and it stops without losing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.app.assembly import MakeDriver, assemble
from ctiex.app.listener import Listener
from ctiex.app.metrics import MonitoringPort
from ctiex.app.store_codecs import codecs_to_keep
from ctiex.config.endpoints import address_of
from ctiex.config.model import Configuration, LinkSettings
from ctiex.core import all_in_any_case
from ctiex.file_modes import warn_of_wide_mode
from ctiex.links.descriptors import Descriptors
from ctiex.links.exchange import ExchangeLinkFactory
from ctiex.links.ports import DescriptorGuard
from ctiex.monitoring.audit_log import AuditLog
from ctiex.monitoring.counters import Counters
from ctiex.processing.service import ProcessingService
from ctiex.steady_time import may_step

_log = Logger()


class Exchange(Service):
    """CTIEX as one Twisted service: listens for agents and for automatic services.

    Embed it with ``Exchange(configuration, reactor).setServiceParent(application)``.
    """

    name = "ctiex"

    def __init__(
        self, configuration: Configuration, reactor: Any, drivers: Mapping[str, MakeDriver] | None = None
    ) -> None:
        """Build everything; nothing is opened before the service starts.

        :param configuration: from :func:`ctiex.config.reading.load` or ``parse``. Without an IVR link
            (``listen = ""``) the calls are served in this process, by a driver of its own.
        :param drivers: signalling drivers of this application, by the name that services use
            (``signalling = NAME``).
        :raise ConfigurationError: a plugin is missing or doesn't take its settings, or what
            ``[metrics]`` needs isn't installed.
        """
        self.configuration = configuration
        self._reactor = reactor
        self._drivers = drivers or {}
        self._assemble()
        self._listener = Listener(reactor)
        self._prepared = False
        """Whether the privileged part of the start is done."""
        self.monitoring = MonitoringPort(self, reactor, self._listener)
        self.listening = False
        """Whether it is listening and the store is open."""
        self.agent_port: IListeningPort | None = None
        self.ivr_port: IListeningPort | None = None
        self._starting: Deferred[None] | None = None
        self._failed: list[Failure] = []

    def _assemble(self) -> None:
        configuration, counters = self.configuration, Counters()
        self._audit_log = AuditLog(configuration.audit.file, self._reactor, counters)
        self.parts = assemble(
            configuration,
            self._reactor,
            self._drivers,
            counters,
            audit=self._audit_log if configuration.audit.file else None,
        )

    @property
    def processing(self) -> ProcessingService:
        """Answers the services of this process, and takes their reports."""
        return self.parts.processing

    @property
    def agents_logged_in(self) -> int:
        """How many agent numbers are logged in."""
        return self.parts.context.presence.logged_in

    @property
    def counters(self) -> Counters:
        """What happened since the start; not to be changed."""
        return self.parts.counters

    @property
    def ready(self) -> bool:
        """Whether calls are taken."""
        return not self.not_ready

    @property
    def not_ready(self) -> str:
        """Why no calls are taken; empty while they are."""
        if not self.listening:
            return "not listening: starting or stopping"
        if self.parts.context.commits.outage.lasts:
            return "the call store accepts no changes"
        return self.parts.driver_failure

    def privilegedStartService(self) -> None:
        """Do what the rights of root may be needed for: read keys, and bind ports below 1024. Nothing is made yet.

        :raise CannotListenError: a port can't be bound.
        :raise ConfigurationError: an endpoint can't be used.
        """
        self._listener.prepare(self.configuration.listening.values())
        self._prepared = True

    def _tell_late_failure(self) -> None:
        """A slow start isn't waited for, except by callers of ``started``."""
        for failure in self._failed:
            _log.critical("the exchange could not start: {reason}", reason=failure.getErrorMessage())

    def startService(self) -> None:
        """Open the store and listen, with the privileges that the process keeps; it may be started again after a stop.

        :raise CannotListenError: a port can't be bound; ``stopService`` closes the others.
        """
        super().startService()
        if not self._prepared:
            self.privilegedStartService()
        self._failed = []
        self._starting = ensureDeferred(self._start()).addErrback(self._failed.append)
        if self._failed:
            self._failed[0].raiseException()
        self._starting.addCallback(lambda _: self._tell_late_failure())

    def started(self) -> Deferred[None]:
        """Fires once both links listen; fails with what kept it from starting."""
        waiting: Deferred[None] = Deferred()
        assert self._starting is not None, "not started yet"
        self._starting.addCallback(
            lambda _: waiting.errback(self._failed[0]) if self._failed else waiting.callback(None)
        )
        return waiting

    async def _start(self) -> None:
        self._descriptors = Descriptors.of_this_process()
        self._tell_descriptors()
        for warning in self.configuration.warnings:
            _log.warn("{warning}", warning=warning)
        if may_step(self._reactor):
            _log.warn("this reactor's timers follow the wall clock, which may jump: see ctiex.steady_time.make_steady")
        if self.parts.processing.leaving:
            self._assemble()
        self._audit_log.open()
        await self.monitoring.start()
        await self.parts.store.open(self.parts.clock)
        await self.parts.committed(self.parts.context.to_name())  # before an agent hears of it
        codecs = self.configuration.agent_link.codec, self.configuration.ivr_link.codec
        await self.parts.committed(codecs_to_keep(self.parts.store, *codecs))
        await self._listen_for_services()
        self.parts.start()
        self.agent_port = await self._listen(self.configuration.agent_link, self.parts.agent_links)
        self.listening = True
        self.parts.observer.exchange_started(self.configuration.exchange.id)
        _log.info("exchange {id} is ready: agents at {agents}, services at {services}",
                  id=self.configuration.exchange.id, agents=_where(self.agent_port),
                  services=_where(self.ivr_port) if self.ivr_port else "none")  # fmt: skip

    def _tell_descriptors(self) -> None:
        """How many connections there may be, whatever the limits say, before anybody meets it."""
        most, limits = self._descriptors.for_connections, self.configuration.limits
        _log.info("this process may have {most} open files, and accepts connections up to {connections} of them",
                  most=self._descriptors.most, connections=most)  # fmt: skip
        for name in ("links_per_identity", "links_per_source", "unbound_links"):
            configured = getattr(limits, name)
            allowed = self._descriptors.of_one(configured)
            if allowed < configured:
                _log.warn("{name} is {configured}, but only {allowed} are allowed: the limit of open files is too low",
                          name=name, configured=configured, allowed=allowed)  # fmt: skip

    async def _listen_for_services(self) -> None:
        settings = self.configuration.ivr_link
        if settings.listen:
            self.ivr_port = await self._listen(settings, self.parts.ivr_links)
            if not self.configuration.exchange.address:
                self.parts.context.exchange_address = address_of(settings.listen, self.ivr_port)

    async def _listen(self, settings: LinkSettings, factory: ExchangeLinkFactory) -> IListeningPort:
        port = await self._listener.listen(
            settings.listen, DescriptorGuard(factory, self._descriptors, factory.without_descriptor)
        )
        socket: Any = port.getHost()
        if isinstance(socket, UNIXAddress) and socket.name is not None:
            warn_of_wide_mode(socket.name)
        return port

    # ------------------------------------------------------------ stopping

    def stopService(self) -> Deferred[None]:
        """Unbind all links, send their last replies, and close the store; health is served until the end."""
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            await self._starting
        if self.listening:
            self.parts.observer.exchange_stopping(self.configuration.exchange.id)
        self.listening = False
        await self.parts.stop(self._close_ports)
        await self.monitoring.stop()
        self._audit_log.close()
        self._listener.close()
        self._starting, self._prepared = None, False

    async def _close_ports(self) -> None:
        ports = [port for port in (self.agent_port, self.ivr_port) if port is not None]
        self.agent_port = self.ivr_port = None
        await all_in_any_case("closing a port", [port.stopListening for port in ports])


def _where(port: IListeningPort) -> str:
    address: Any = port.getHost()
    return f"{address.host}:{address.port}" if hasattr(address, "port") else str(address)
