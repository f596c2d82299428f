"""The exchange as one running service: it listens, and it stops without losing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.app.assembly import MakeDriver, assemble
from ctiex.app.listener import Listener
from ctiex.app.metrics import MonitoringPort
from ctiex.app.store_codecs import codecs_to_keep
from ctiex.config.endpoints import address_of
from ctiex.config.model import Configuration, LinkSettings
from ctiex.file_modes import warn_of_wide_mode
from ctiex.interfaces import ISignalling
from ctiex.links.descriptors import Descriptors
from ctiex.links.exchange import ExchangeLinkFactory
from ctiex.links.ports import DescriptorGuard
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.processing.states import SIGNALLED
from ctiex.records import Change
from ctiex.steady_time import may_step

_log = Logger()

_LEAVE_WITHIN = 5.0
"""How long the links may take to say goodbye when the exchange stops, in seconds."""


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
        self.parts = assemble(configuration, reactor, self._drivers)
        self._listener = Listener(reactor)
        self._prepared = False
        """Whether the privileged part of the start is done."""
        self.monitoring = MonitoringPort(self, reactor, self._listener)
        self.listening = False
        """Whether it is listening and the store is open."""
        self.store_open = False
        self.agent_port: IListeningPort | None = None
        self.ivr_port: IListeningPort | None = None
        self._starting: Deferred[None] | None = None
        self._failed: list[Failure] = []
        self._not_started = ""
        self._running: list[Any] = []
        """The drivers with a life of their own that were started."""

    @property
    def ready(self) -> bool:
        """Whether calls are taken."""
        return not self.not_ready

    @property
    def not_ready(self) -> str:
        """Why no calls are taken; empty while they are."""
        if not self.listening:
            return "not listening: starting or stopping"
        return "the call store accepts no changes" if self.parts.context.commits.failing else self._not_started

    def privilegedStartService(self) -> None:
        """Do what the rights of root may be needed for: read keys, and bind ports below 1024. Nothing is made yet.

        :raise CannotListenError: a port can't be bound.
        :raise ConfigurationError: an endpoint can't be used.
        """
        configuration = self.configuration
        self._listener.prepare(
            configuration.agent_link.listen, configuration.ivr_link.listen, configuration.metrics.listen
        )
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
        self._starting = ensureDeferred(self._start())
        self._starting.addErrback(self._failed.append)
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
            self.parts = assemble(self.configuration, self._reactor, self._drivers)
        if self.parts.audit is not None:
            self.parts.audit.open()
        await self.monitoring.start()
        await self.parts.store.open(self._reactor)
        codecs = self.configuration.agent_link.codec, self.configuration.ivr_link.codec
        await self._kept(codecs_to_keep(self.parts.store, *codecs))
        self.store_open = True
        await self._listen_for_services()
        # A driver that sees calls has to know which ones are waited for before it looks.
        self.parts.processing.start(self.parts.drivers, self._start_drivers)
        self.agent_port = await self._listen(self.configuration.agent_link, self.parts.agent_links)
        self.listening = True
        self._record(AuditEvent.EXCHANGE_STARTED)
        services = "none" if self.ivr_port is None else _where(self.ivr_port)
        _log.info("exchange {id} is ready: agents at {agents}, services at {services}",
                  id=self.configuration.exchange.id, agents=_where(self.agent_port), services=services)  # fmt: skip

    def _start_drivers(self) -> None:
        for driver in self.parts.drivers.values():
            self._running.append(driver)
            self._start_driver(driver)

    def _start_driver(self, driver: Any) -> None:
        try:
            driver.start()
        except Exception as error:  # the others go on
            _log.failure("a signalling driver could not start")
            self._not_started = f"a signalling driver could not start: {type(error).__name__}"

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

    async def _kept(self, change: Change) -> None:
        """Wait until the store has a change, and all before it."""
        waiting = self.parts.store.commit(change)
        if waiting is not None:
            await waiting

    async def _listen_for_services(self) -> None:
        settings = self.configuration.ivr_link
        if settings.listen:
            self.ivr_port = await self._listen(settings, self.parts.ivr_links)
            if not self.configuration.exchange.address:
                self.parts.context.exchange_address = address_of(settings.listen, self.ivr_port)

    async def _listen(self, settings: LinkSettings, factory: ExchangeLinkFactory) -> IListeningPort:
        guarded = DescriptorGuard(factory, self._descriptors, factory.without_descriptor)
        port = await self._listener.listen(settings.listen, guarded)
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
            self._record(AuditEvent.EXCHANGE_STOPPING)
        self.listening = False
        self.parts.processing.drain()
        self.parts.processing.stop_resuming()  # those are offered by the next start
        ports = [port for port in (self.agent_port, self.ivr_port) if port is not None]
        self.agent_port = self.ivr_port = None
        await _all_in_any_case("closing a port", [port.stopListening for port in ports])
        if self.store_open:
            await self._let_replies_out()
            self._withdraw_offers()  # after that: a call that was just kept is being signalled too
        await self._say_goodbye()
        running, self._running, self._not_started = self._running, [], ""
        await _all_in_any_case("stopping a signalling driver", [driver.stop for driver in running])
        self.parts.processing.stop()
        self.store_open = False
        await _in_any_case("closing the call store", self.parts.store.close)
        await self.monitoring.stop()
        if self.parts.audit is not None:
            self.parts.audit.close()
        self._listener.close()
        self._starting, self._prepared = None, False

    def _record(self, event: AuditEvent) -> None:
        if self.parts.audit is not None:
            self.parts.audit.record(event, exchange=self.configuration.exchange.id)

    def _withdraw_offers(self) -> None:
        """Hang up what is being signalled: a durable store has it offered again after the restart.

        Without that the Unbind to the services would report these calls as unreachable to their agents.
        """
        for call in self.parts.store.calls():
            if call.state in SIGNALLED:
                for driver in self.parts.drivers.values():
                    self._withdraw(driver, call.serial)

    def _withdraw(self, driver: ISignalling, serial: str) -> None:
        try:
            driver.withdraw(serial)
        except Exception:  # the others go on, and the goodbye is said
            _log.failure("the signalling driver failed for call {serial}", serial=serial)

    async def _let_replies_out(self) -> None:
        """Replies that wait for the store go out before the goodbye; what it can't take is answered 50."""
        try:
            await self._kept(Change())
        except Exception as error:  # whatever a store fails with, the goodbye is said
            _log.warn("the call store could not commit the last changes: {reason}", reason=str(error))

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


async def _in_any_case(what: str, work: Callable[[], object]) -> None:
    """Do a part of the stop: an error is logged, and the other parts are still done."""
    try:
        await maybeDeferred(work)
    except Exception:
        _log.failure("{what} failed", what=what)


async def _all_in_any_case(what: str, works: Iterable[Callable[[], object]]) -> None:
    await DeferredList([ensureDeferred(_in_any_case(what, work)) for work in works])


def _where(port: IListeningPort) -> str:
    address: Any = port.getHost()
    return f"{address.host}:{address.port}" if hasattr(address, "port") else str(address)
