"""Metrics and health on an HTTP port of their own: ``[metrics] listen`` (needs ``pip install 'ctiex[metrics]'``).

``/metrics`` is for Prometheus, ``/healthz`` answers 200 while the process runs, ``/readyz``
answers 200 while calls are taken and 503 before the start is done and while the exchange leaves.
Nothing here is touched by a call: the counters are plain integers, read when somebody asks.
No metric carries a serial, an agent number, an identity or a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from attrs import fields
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.web.http import Request
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site

from ctiex.app.listener import Listener
from ctiex.config.model import Configuration, failure_of
from ctiex.core import ExchangeCore
from ctiex.errors import ConfigurationError
from ctiex.extras import need
from ctiex.links.exchange import ExchangeLink
from ctiex.links.ports import GuardedFactory, PortBounds
from ctiex.monitoring.counters import Counters

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from ctiex.app.exchange import Exchange


_IDLE = 30
"""After so many seconds without a request a connection is closed."""


def wrong_metrics(configuration: Configuration) -> list[str]:
    """What metrics need and isn't installed, where they are wanted; in a line that says what to install."""
    try:
        if configuration.metrics.listen:
            need("metrics", "metrics.listen")
    except ConfigurationError as error:
        return [str(error)]
    return []


# ---------------------------------------------------------------- what is measured


class ExchangeCollector:
    """A Prometheus collector over an exchange: its counters, and how things stand now."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def collect(self) -> Iterator[Metric]:
        """Every metric, read now."""
        parts = self._exchange.parts  # now: a restart makes new ones
        yield from _counters(parts.counters)
        yield from _gauges(parts)
        if parts.started:
            yield _gauge("stored_calls", "Calls in the store, including recently closed ones.", parts.store.stored())
        yield _gauge("ready", "1 while calls are accepted, else 0.", int(self._exchange.ready))


def _counters(counters: Counters) -> Iterator[Metric]:
    """One counter for each attribute of the counts, so that a new one shows up by itself."""
    from prometheus_client.metrics_core import CounterMetricFamily

    for attribute in fields(Counters):
        yield CounterMetricFamily(
            f"ctiex_{attribute.name}",
            f"{attribute.name.replace('_', ' ').capitalize()}, since the exchange started.",
            getattr(counters, attribute.name),
        )


def _gauges(parts: ExchangeCore) -> Iterator[Metric]:
    yield _gauge("open_calls", "Open calls.", parts.processing.calls_open)
    yield _gauge("agents_logged_in", "Agent numbers that are logged in.", parts.context.presence.logged_in)
    yield _gauge(
        "agent_numbers",
        "Agent numbers that are logged in, have open calls, or ever had an event.",
        len(parts.context.presence),
    )
    account = parts.context.account
    yield _gauge("bytes_held", "Bytes taken by the records of calls, their data and the mailboxes.", account.in_all)
    yield _gauge("bytes_kept_for_ends", "Bytes reserved for the end events of open calls.", account.kept_for_ends)
    yield _gauge(
        "descriptors_for_connections",
        "Number of open files above which no connection is accepted.",
        parts.admission.descriptors.for_connections,
    )
    yield _gauge(
        "platforms_away",
        "Signalling drivers that can't see the calls of their platform at present.",
        sum(not driver.connected for driver in parts.drivers.values()),
    )
    links = {"agent": parts.agent_links.links, "service": parts.ivr_links.links}
    opened = {role: len(of_role) for role, of_role in links.items()}
    yield _by_role("open_links", "Open links, by the role of their listening port.", opened)
    bound = {role: sum(map(_is_bound, of_role)) for role, of_role in links.items()}
    yield _by_role("bound_links", "Bound links (sessions), by role.", bound)


def _is_bound(link: ExchangeLink) -> bool:
    return link.who is not None and link.session.ended is None


def _gauge(name: str, help_text: str, value: int) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    return GaugeMetricFamily(f"ctiex_{name}", help_text, value)


def _by_role(name: str, help_text: str, counted: dict[str, int]) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(f"ctiex_{name}", help_text, labels=["role"])
    for role, count in counted.items():
        family.add_metric([role], count)
    return family


def registry_of(exchange: Exchange) -> CollectorRegistry:
    """A registry with the exchange's metrics and those of this process."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    registry.register(ExchangeCollector(exchange))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


# ---------------------------------------------------------------- how it is asked for


class _Page(Resource):
    """A page that is made whenever it is asked for."""

    isLeaf = True

    def __init__(self, make: Callable[[Request], bytes]) -> None:
        super().__init__()
        self._make = make

    def render_GET(self, request: Request) -> bytes:
        """The page, as it is now."""
        return self._make(request)


def _metrics(registry: CollectorRegistry, request: Request) -> bytes:
    """The metrics, in the format that the asker prefers."""
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(request.getHeader("accept") or "")
    request.setHeader("content-type", content_type)
    return encode(registry)


def _health(trouble: str, request: Request) -> bytes:
    """200 while all is well, else 503 and why: one word for people; the status is for machines."""
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

    def __init__(self, exchange: Exchange, reactor: Any, listener: Listener) -> None:
        """A port that doesn't listen yet.

        :raise ConfigurationError: it is wanted, and prometheus-client isn't installed.
        """
        configuration = exchange.configuration
        wrong = wrong_metrics(configuration)
        if wrong:
            raise failure_of(wrong, configuration.source)
        if configuration.metrics.listen:
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
        self._connections = GuardedFactory(
            _QuietSite(self._tree(), reactor=self._reactor, timeout=_IDLE), self._bounds(), self._reactor
        )
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
        root.putChild(b"metrics", _Page(partial(_metrics, registry_of(self._exchange))))
        root.putChild(b"healthz", _Page(partial(_health, "")))
        root.putChild(b"readyz", _Page(lambda request: _health(self._exchange.not_ready, request)))
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
