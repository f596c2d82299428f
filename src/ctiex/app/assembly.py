"""From a configuration to a running exchange: everything is put together here, and nowhere else."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.app.config import exchange_address
from ctiex.app.config_model import Configuration, ConfiguredService, LinkSettings
from ctiex.app.listening import address_of
from ctiex.app.look_up import find_plugin
from ctiex.app.metrics import MonitoringPort
from ctiex.interfaces import (
    ICallStore,
    ICallStorePlugin,
    ICarrier,
    ICarrierPlugin,
    ICodec,
    ICodecPlugin,
    IOrganizer,
    IOrganizerPlugin,
    ISignalling,
    ISignallingPlugin,
    SignallingContext,
)
from ctiex.links.agent import AgentLinkFactory
from ctiex.links.credentials import Credentials
from ctiex.links.exchange import ExchangeLinkFactory, LinkCounter, LinkSurroundings
from ctiex.links.ivr import IvrLinkFactory
from ctiex.links.session import SessionLimits
from ctiex.processing.counts import Counts
from ctiex.processing.desk import Desk
from ctiex.processing.service import ProcessingService
from ctiex.processing.sessions import ServiceSessions
from ctiex.processing.settings import Limits, ServiceSettings, Timeouts
from ctiex.processing.states import SIGNALLED
from ctiex.processing.surroundings import Surroundings
from ctiex.serials import SerialAllocator

_log = Logger()

_LEAVE_WITHIN = 5.0
"""How long the links may take to say goodbye when the exchange stops, in seconds."""


@define
class Parts:
    """What an exchange is made of."""

    counts: Counts
    store: ICallStore
    desk: Desk
    sessions: ServiceSessions
    surroundings: Surroundings
    processing: ProcessingService
    drivers: Mapping[str, ISignalling]
    agent_links: AgentLinkFactory
    ivr_links: IvrLinkFactory


class Exchange(Service):
    """CTIEX as one Twisted service: listens for agents and for automatic services.

    Embed it with ``Exchange(configuration, reactor).setServiceParent(application)``.
    """

    name = "ctiex"

    def __init__(self, configuration: Configuration, reactor: Any) -> None:
        """Build everything; nothing is opened before the service starts.

        @param configuration: from :func:`ctiex.app.config.load` or ``parse``.
        @raise ConfigurationError: a plugin is missing or doesn't take its settings, or what
            C{[metrics]} needs isn't installed.
        """
        self.configuration = configuration
        self._reactor = reactor
        self.parts = assemble(configuration, reactor)
        self.monitoring = MonitoringPort(self, reactor)
        self.ready = False
        """Whether it is listening and the store is open."""
        self.store_open = False
        self.agent_port: IListeningPort | None = None
        self.ivr_port: IListeningPort | None = None
        self._starting: Deferred[None] | None = None
        self._failed: list[Failure] = []

    def privilegedStartService(self) -> None:
        """Open the store and listen; one that has been stopped starts anew.

        @raise CannotListenError: a port can't be had; C{stopService} lets go of the others.
        """
        self._failed = []
        self._starting = ensureDeferred(self._start())
        self._starting.addErrback(self._failed.append)
        if self._failed:
            self._failed[0].raiseException()
        self._starting.addCallback(lambda _: self._late_failure(self._failed))

    def startService(self) -> None:
        """Start, where nobody called for the privileged part before."""
        super().startService()
        if self._starting is None:
            self.privilegedStartService()

    def started(self) -> Deferred[None]:
        """Fires once both links listen; fails with what kept it from starting."""
        waiting: Deferred[None] = Deferred()
        assert self._starting is not None, "not started yet"
        self._starting.addCallback(
            lambda _: waiting.errback(self._failed[0]) if self._failed else waiting.callback(None)
        )
        return waiting

    def _late_failure(self, failed: Sequence[Failure]) -> None:
        if failed:
            _log.failure("the exchange could not start", failed[0])
            self._reactor.stop()

    async def _start(self) -> None:
        for warning in self.configuration.warnings:
            _log.warn("{warning}", warning=warning)
        if self.parts.processing.leaving:
            self.parts = assemble(self.configuration, self._reactor)
        await self.monitoring.start()
        opening = self.parts.store.open()
        if opening is not None:
            await opening
        self.store_open = True
        self.ivr_port = await self._listen(self.configuration.ivr_link, self.parts.ivr_links)
        if not self.configuration.exchange.address:
            self.parts.surroundings.exchange_address = address_of(self.configuration.ivr_link.listen, self.ivr_port)
        self.parts.processing.start(self.parts.drivers)
        self.agent_port = await self._listen(self.configuration.agent_link, self.parts.agent_links)
        self.ready = True
        _log.info("exchange {id} is ready: agents at {agents}, services at {services}",
                  id=self.configuration.exchange.id, agents=self.agent_port.getHost(),
                  services=self.ivr_port.getHost())  # fmt: skip

    async def _listen(self, settings: LinkSettings, factory: Factory) -> IListeningPort:
        endpoint = serverFromString(self._reactor, settings.listen)
        port: IListeningPort = await endpoint.listen(factory)
        return port

    # ------------------------------------------------------------ stopping

    def stopService(self) -> Deferred[None]:
        """Say goodbye to all links, let their last replies out, and close the store; health is told to the last."""
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        self.ready = False
        self.parts.processing.drain()
        ports = [port for port in (self.agent_port, self.ivr_port) if port is not None]
        self.agent_port = self.ivr_port = None
        await DeferredList([d for port in ports if (d := port.stopListening()) is not None])
        if self.store_open:
            self._withdraw_offers()
        await self._say_goodbye()
        self.parts.processing.stop()
        self.store_open = False
        closing = self.parts.store.close()
        if closing is not None:
            await closing
        await self.monitoring.stop()
        self._starting = None

    def _withdraw_offers(self) -> None:
        """Hang up what is being signalled: a durable store has it offered again after the restart.

        Without that the goodbye to the services would tell those agents that nobody could be reached.
        """
        for call in self.parts.store.calls():
            if call.state in SIGNALLED:
                for driver in self.parts.drivers.values():
                    driver.withdraw(call.serial)

    async def _say_goodbye(self) -> None:
        factories: tuple[ExchangeLinkFactory, ...] = (self.parts.agent_links, self.parts.ivr_links)
        for factory in factories:
            factory.going_away()
        gone = DeferredList([factory.when_empty() for factory in factories])
        gone.addTimeout(_LEAVE_WITHIN, self._reactor)
        await gone
        for factory in factories:
            factory.cut_all()
        await deferLater(self._reactor, 0)


def assemble(configuration: Configuration, reactor: Any) -> Parts:
    """Build the parts of an exchange.

    @raise ConfigurationError: a plugin is missing, or doesn't take its settings.
    """
    counts = Counts()
    limits = Limits(
        mailbox=configuration.limits.mailbox,
        mailbox_ttl=float(configuration.limits.mailbox_ttl),
        calls_per_identity=configuration.limits.calls_per_identity,
    )
    store = _build(ICallStorePlugin, configuration.store.kind, configuration.store.settings)
    carrier: ICarrier = _build(ICarrierPlugin, configuration.carrier.kind, configuration.carrier.settings)
    agent_codec: ICodec = find_plugin(ICodecPlugin, configuration.agent_link.codec).build()
    ivr_codec: ICodec = find_plugin(ICodecPlugin, configuration.ivr_link.codec).build()
    desk = Desk(store, agent_codec, configuration.agent_link.max_frame, limits, reactor, counts)
    sessions = ServiceSessions()
    surroundings = Surroundings(
        clock=reactor,
        store=store,
        desk=desk,
        carrier=carrier,
        allocator=SerialAllocator(configuration.exchange.id, reactor.seconds),
        sessions=sessions,
        services={name: _service(name, service) for name, service in configuration.services.items()},
        codec=ivr_codec,
        max_frame=configuration.ivr_link.max_frame,
        exchange_address=exchange_address(configuration),
        limits=limits,
        counts=counts,
    )
    processing = ProcessingService(surroundings)
    link_surroundings = partial(
        LinkSurroundings,
        clock=reactor,
        credentials=Credentials.on_reactor(configuration.identities.values(), reactor),
        processing=processing,
        new_session_name=lambda: secrets.token_hex(8),
        counter=LinkCounter(configuration.limits.links_per_identity),
        counts=counts,
    )
    return Parts(
        counts=counts,
        store=store,
        desk=desk,
        sessions=sessions,
        surroundings=surroundings,
        processing=processing,
        drivers=_drivers(configuration, reactor, processing, sessions, ivr_codec),
        agent_links=AgentLinkFactory(
            link_surroundings(codec=agent_codec, limits=_session_limits(configuration.agent_link)), desk
        ),
        ivr_links=IvrLinkFactory(
            link_surroundings(codec=ivr_codec, limits=_session_limits(configuration.ivr_link)), sessions
        ),
    )


def _build(interface: Any, name: str, settings: Mapping[str, Any]) -> Any:
    return find_plugin(interface, name).build(settings)


def _service(name: str, service: ConfiguredService) -> ServiceSettings:
    request: IOrganizer = _build(IOrganizerPlugin, service.request.organizer, service.request.settings)
    result: IOrganizer = _build(IOrganizerPlugin, service.result.organizer, service.result.settings)
    timeouts = Timeouts(
        signalling=service.signalling_timeout,
        fetch=service.fetch_timeout,
        service=service.service_timeout,
        return_=service.return_timeout,
        keep_closed=service.keep_closed,
    )
    return ServiceSettings(name, service.access_code, service.signalling, request, result, timeouts)


def _session_limits(link: LinkSettings) -> SessionLimits:
    return SessionLimits(
        heartbeat=link.heartbeat,
        login_deadline=link.login_deadline,
        max_frame=link.max_frame,
        max_in_flight=link.max_in_flight,
        max_unread=link.max_unread,
    )


def _drivers(
    configuration: Configuration, reactor: Any, processing: ProcessingService, sessions: ServiceSessions, codec: ICodec
) -> Mapping[str, ISignalling]:
    """One driver for each kind of signalling that a service names."""
    by_kind: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, service in configuration.services.items():
        by_kind.setdefault(service.signalling, {})[name] = service.settings
    return {
        kind: find_plugin(ISignallingPlugin, kind).build(
            SignallingContext(reactor, processing.watcher, sessions, codec, services)
        )
        for kind, services in by_kind.items()
    }
