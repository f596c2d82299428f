"""Metrics and health on an HTTP port of their own: ``[metrics] listen`` (needs ``pip install 'ctiex[metrics]'``).

``/metrics`` is for Prometheus, ``/healthz`` answers 200 while the process runs, ``/readyz``
answers 200 while calls are taken and 503 before the start is done and while the exchange leaves.
Nothing here is touched by a call: the counters are plain integers, read when somebody asks.
No metric carries a serial, an agent number, an identity or a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from attrs import Attribute, fields
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.web.http import Request
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site

from ctiex.app.listener import Listener
from ctiex.config.model import Configuration
from ctiex.core import ExchangeCore
from ctiex.extras import need
from ctiex.links.exchange import ExchangeLinkFactory
from ctiex.links.ports import GuardedFactory, PortBounds
from ctiex.monitoring.counters import Counters

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


class Monitored(Protocol):
    """An exchange, as far as it is measured."""

    configuration: Configuration
    parts: ExchangeCore

    @property
    def ready(self) -> bool:
        """Whether calls are taken."""

    @property
    def not_ready(self) -> str:
        """Why none are."""


_IDLE = 30
"""After so many seconds without a request a connection is closed."""


def check_metrics(configuration: Configuration) -> None:
    """See that what metrics need is installed, where they are wanted.

    :raise ConfigurationError: it isn't; the text says what to install.
    """
    if configuration.metrics.listen:
        where = f"{configuration.source}: " if configuration.source else ""
        need("metrics", f"{where}metrics.listen")


# ---------------------------------------------------------------- what is measured


class ExchangeCollector:
    """A Prometheus collector over an exchange: its counters, and how things stand now."""

    def __init__(self, exchange: Monitored) -> None:
        self._exchange = exchange

    def collect(self) -> Iterator[Metric]:
        """Every metric, read now."""
        parts = self._exchange.parts  # now: a restart makes new ones
        yield from _counters(parts.counts)
        yield from _gauges(parts)
        if parts.started:
            help_text = "Calls in the store, including recently closed ones."
            yield _gauge("stored_calls", help_text, parts.store.stored())
        yield _gauge("ready", "1 while calls are accepted, else 0.", int(self._exchange.ready))


def _counters(counts: Counters) -> Iterator[Metric]:
    """One counter for each attribute of the counts, so that a new one shows up by itself."""
    from prometheus_client.metrics_core import CounterMetricFamily

    attributes: tuple[Attribute[Any], ...] = fields(Counters)
    for attribute in attributes:
        help_text = f"{attribute.name.replace('_', ' ').capitalize()}, since the exchange started."
        yield CounterMetricFamily(f"ctiex_{attribute.name}", help_text, getattr(counts, attribute.name))


def _gauges(parts: ExchangeCore) -> Iterator[Metric]:
    yield _gauge("open_calls", "Open calls.", parts.processing.calls_open)
    yield _gauge("agents_logged_in", "Agent numbers that are logged in.", parts.context.presence.logged_in)
    numbers = len(parts.context.presence)
    yield _gauge("agent_numbers", "Agent numbers that are logged in, have open calls, or ever had an event.", numbers)
    account = parts.context.account
    yield _gauge("bytes_held", "Bytes taken by the records of calls, their data and the mailboxes.", account.in_all)
    yield _gauge("bytes_kept_for_ends", "Bytes reserved for the end events of open calls.", account.kept_for_ends)
    most = parts.admission.descriptors.for_connections
    yield _gauge("descriptors_for_connections", "Number of open files above which no connection is accepted.", most)
    away = sum(1 for driver in parts.drivers.values() if not driver.connected)
    yield _gauge("platforms_away", "Signalling drivers that can't see the calls of their platform at present.", away)
    roles = {"agent": parts.agent_links, "service": parts.ivr_links}
    yield _by_role("open_links", "Open links, by the role of their listening port.", roles, _open)
    yield _by_role("bound_links", "Bound links (sessions), by role.", roles, _bound)


def _open(links: ExchangeLinkFactory) -> int:
    return len(links.links)


def _bound(links: ExchangeLinkFactory) -> int:
    return sum(1 for link in links.links if link.who is not None and link.session.ended is None)


def _gauge(name: str, help_text: str, value: int) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    return GaugeMetricFamily(f"ctiex_{name}", help_text, value)


def _by_role(
    name: str,
    help_text: str,
    roles: dict[str, ExchangeLinkFactory],
    count: Callable[[ExchangeLinkFactory], int],
) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(f"ctiex_{name}", help_text, labels=["role"])
    for role, links in roles.items():
        family.add_metric([role], count(links))
    return family


def registry_of(exchange: Monitored) -> CollectorRegistry:
    """A registry with the exchange's metrics and those of this process."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    registry.register(ExchangeCollector(exchange))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


# ---------------------------------------------------------------- how it is asked for


class _Metrics(Resource):
    """``/metrics``."""

    isLeaf = True

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._registry = registry

    def render_GET(self, request: Request) -> bytes:
        """The metrics, in the format that the asker prefers."""
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        request.setHeader("content-type", content_type)
        return encode(self._registry)


class _Health(Resource):
    """``/healthz`` and ``/readyz``: 200 while all is well, else 503 and why."""

    isLeaf = True

    def __init__(self, trouble: Callable[[], str]) -> None:
        super().__init__()
        self._trouble = trouble

    def render_GET(self, request: Request) -> bytes:
        """One word for people; the status is for machines."""
        trouble = self._trouble()
        request.setResponseCode(503 if trouble else 200)
        request.setHeader("content-type", "text/plain; charset=utf-8")
        return f"not ready: {trouble}\n".encode() if trouble else b"ok\n"


class _Root(Resource):
    def getChild(self, path: bytes, request: Request) -> IResource:
        """There is nothing else."""
        return notFound()


class _QuietSite(Site):
    noisy = False

    def log(self, request: Request) -> None:
        """Probes come every few seconds, and aren't worth a line each."""


class MonitoringPort:
    """The HTTP port of an exchange for metrics and health."""

    def __init__(self, exchange: Monitored, reactor: Any, listener: Listener) -> None:
        """A port that doesn't listen yet.

        :raise ConfigurationError: it is wanted, and prometheus-client isn't installed.
        """
        check_metrics(exchange.configuration)
        if exchange.configuration.metrics.listen:
            import_module("prometheus_client")  # now: the process may give up the rights to read its files
        self._exchange = exchange
        self._reactor = reactor
        self._listener = listener
        self._connections: GuardedFactory | None = None
        self.port: IListeningPort | None = None
        """Where it listens; None while it doesn't, or isn't wanted."""

    async def start(self) -> None:
        """Listen, where that is wanted.

        :raise CannotListenError: the port can't be bound.
        """
        listen = self._exchange.configuration.metrics.listen
        if not listen:
            return
        site = _QuietSite(self._tree(), reactor=self._reactor, timeout=_IDLE)
        self._connections = GuardedFactory(site, self._bounds(), self._reactor)
        self.port = await self._listener.listen(listen, self._connections)

    def _bounds(self) -> PortBounds:
        limits = self._exchange.configuration.limits
        return PortBounds(
            "metrics and health",
            lambda: limits.monitoring_connections,
            lambda: max(1, limits.monitoring_connections // 2),
            refused=lambda: self._exchange.parts.observer.monitoring_refused(),
        )

    def _tree(self) -> Resource:
        root = _Root()
        root.putChild(b"metrics", _Metrics(registry_of(self._exchange)))
        root.putChild(b"healthz", _Health(lambda: ""))
        root.putChild(b"readyz", _Health(lambda: self._exchange.not_ready))
        return root

    async def stop(self) -> None:
        """Listen no more, and close every connection."""
        port, self.port = self.port, None
        if port is None or self._connections is None:
            return
        await maybeDeferred(port.stopListening)
        for connection in list(self._connections.protocols):
            connection.abortConnection()
        await deferLater(self._reactor, 0)
