"""Metrics and health over HTTP, and what they tell of an exchange."""

from __future__ import annotations

import builtins
import sys
from tempfile import NamedTemporaryFile
from typing import Any
from unittest import mock

import treq
from attrs import define, fields
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from ctiex import extras
from ctiex.app import metrics
from ctiex.app.exchange import Exchange
from ctiex.app.metrics import ExchangeCollector, registry_of
from ctiex.app.tap import Options
from ctiex.config.reading import parse
from ctiex.core import ExchangeCore
from ctiex.errors import ConfigurationError, StoreUnavailable
from ctiex.messages import AgentLogin, ConnectRequest
from ctiex.monitoring.counters import Counters
from ctiex.records import Change
from tests.asterisk_world import World

from .waiting import eventually

LOOPBACK = "tcp:0:interface=127.0.0.1"


def exchange(the_reactor: Any = reactor, listen: str = LOOPBACK) -> Exchange:
    """One that isn't started, on free ports."""
    links = {"agent": {"listen": LOOPBACK}, "ivr": {"listen": LOOPBACK}}
    return Exchange(parse({"links": links, "metrics": {"listen": listen}}), the_reactor)


def read(families: Any) -> dict[str, float]:
    """The value of every sample, by its name and its labels."""
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def registry_names(running: Exchange) -> set[str]:
    """The names of everything that is measured of an exchange now."""
    return {family.name for family in registry_of(running).collect()}


class CollectorTests(SynchronousTestCase):
    """What is measured, without HTTP."""

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.exchange = exchange(self.clock)

    def collected(self) -> dict[str, float]:
        return read(ExchangeCollector(self.exchange).collect())

    def test_every_counter_is_there_under_its_own_name(self) -> None:
        counts = self.exchange.parts.counters
        for number, attribute in enumerate(fields(Counters), 1):
            setattr(counts, attribute.name, number)
        collected = self.collected()
        for number, attribute in enumerate(fields(Counters), 1):
            self.assertEqual(collected[f"ctiex_{attribute.name}_total"], number)

    def test_a_new_counter_shows_up_by_itself(self) -> None:
        @define
        class More(Counters):
            customers_amused: int = 7

        self.patch(metrics, "Counters", More)
        self.exchange.parts.counters = More()
        self.assertEqual(self.collected()["ctiex_customers_amused_total"], 7)

    def test_every_family_has_its_own_name_and_help(self) -> None:
        families = list(ExchangeCollector(self.exchange).collect())
        self.assertEqual(len({family.name for family in families}), len(families))
        for family in families:
            self.assertRegex(family.documentation, r"^[A-Z1].*\.$")

    def test_the_role_is_the_only_label(self) -> None:
        families = ExchangeCollector(self.exchange).collect()
        labels = {item for family in families for sample in family.samples for item in sample.labels.items()}
        self.assertEqual(labels, {("role", "agent"), ("role", "service")})

    def test_calls_and_agents_are_counted_as_they_stand(self) -> None:
        parts = self.exchange.parts
        identity = next(known.identity for known in self.exchange.configuration.identities.values())
        parts.context.mailboxes.login(mock.Mock(writable=False), AgentLogin("1001"))
        parts.processing.start(parts.drivers)
        self.exchange.parts.started = True
        outlet = mock.Mock(writable=False)
        parts.context.mailboxes.login(outlet, AgentLogin("1002"))
        parts.processing.connect(
            identity, outlet, ConnectRequest("", "1002", "number-broadcast", "138"), lambda _: None
        )
        collected = self.collected()
        self.assertEqual(collected["ctiex_agents_logged_in"], 2)
        self.assertEqual((collected["ctiex_open_calls"], collected["ctiex_stored_calls"]), (1, 1))
        self.clock.advance(parts.context.services["number-broadcast"].timeouts.rebind_grace)
        collected = self.collected()
        # No service is bound, nor has come in time; the call is kept for a while.
        self.assertEqual((collected["ctiex_open_calls"], collected["ctiex_stored_calls"]), (0, 1))
        self.assertEqual(collected["ctiex_calls_unreachable_total"], 1)

    def test_a_platform_that_is_away_is_counted(self) -> None:
        world = World()
        self.exchange.parts.drivers = {**self.exchange.parts.drivers, "asterisk": world.driver}
        seen = []
        for change in (world.connect, world.settle, world.cut):
            seen.append(self.collected()["ctiex_platforms_away"])
            change()
        seen.append(self.collected()["ctiex_platforms_away"])
        self.assertEqual(seen, [1, 1, 0, 1])

    def test_it_reads_the_parts_of_a_restarted_exchange(self) -> None:
        collector = ExchangeCollector(self.exchange)
        self.exchange.parts = exchange(MemoryReactorClock()).parts
        self.exchange.parts.counters.calls_kept = 5
        self.assertEqual(read(collector.collect())["ctiex_calls_kept_total"], 5)


class MissingTests(SynchronousTestCase):
    """Without prometheus-client."""

    def setUp(self) -> None:
        self.patch(extras, "find_spec", lambda name: None)

    def test_metrics_that_are_wanted_are_an_error_that_says_what_to_install(self) -> None:
        error = self.assertRaises(ConfigurationError, exchange, MemoryReactorClock())
        self.assertIn("pip install 'ctiex[metrics]'", str(error))

    def test_the_runners_say_it_too(self) -> None:
        with NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(f'[metrics]\nlisten = "{LOOPBACK}"\n')
            file.flush()
            error = self.assertRaises(UsageError, Options().parseOptions, ["--config", file.name])
        self.assertIn(f"{file.name}: metrics.listen needs prometheus-client", str(error))

    def test_an_exchange_without_metrics_needs_nothing(self) -> None:
        self.assertIsNone(exchange(MemoryReactorClock(), listen="").monitoring.port)

    def test_nothing_else_imports_it(self) -> None:
        import_ = builtins.__import__

        def without(name: str, *rest: Any) -> Any:
            if name.split(".")[0] == "prometheus_client":
                raise ModuleNotFoundError(name)
            return import_(name, *rest)

        fresh = {name: module for name, module in sys.modules.items() if not name.startswith("prometheus_client")}
        fresh.pop("ctiex.app.metrics")
        with mock.patch.dict(sys.modules, fresh, clear=True), mock.patch.object(builtins, "__import__", without):
            import ctiex.app.metrics as again
        self.assertIsNot(again, metrics)


class PortTests(TestCase):
    """The HTTP port, over TCP."""

    async def started(self) -> Exchange:
        running = exchange()
        running.startService()
        await running.started()
        self.addCleanup(running.stopService)
        return running

    async def get(self, port: int, path: str, accept: str = "*/*") -> tuple[int, str, str]:
        response = await treq.get(
            f"http://127.0.0.1:{port}{path}", headers=Headers({"accept": [accept]}), agent=Agent(reactor)
        )
        (content_type,) = response.headers.getRawHeaders("content-type")
        return response.code, await response.text(), content_type

    @staticmethod
    def port_of(running: Exchange) -> int:
        assert running.monitoring.port is not None
        return int(running.monitoring.port.getHost().port)  # type: ignore[attr-defined]

    async def test_prometheus_reads_the_metrics(self) -> None:
        port = self.port_of(await self.started())
        code, text, content_type = await self.get(port, "/metrics")
        self.assertEqual((code, content_type.split(";")[0]), (200, "text/plain"))
        values = read(text_string_to_metric_families(text))
        self.assertEqual(values["ctiex_ready"], 1)
        self.assertEqual(values["ctiex_links_opened_total"], 0)
        self.assertGreater(values["process_start_time_seconds"], 0)
        self.assertIn("# HELP ctiex_calls_kept_total Calls kept, since the exchange started.", text)

    async def test_open_metrics_are_given_to_those_who_ask(self) -> None:
        port = self.port_of(await self.started())
        wanted = "application/openmetrics-text; version=1.0.0"
        code, text, content_type = await self.get(port, "/metrics", accept=wanted)
        self.assertEqual((code, content_type.split(";")[0]), (200, "application/openmetrics-text"))
        self.assertEqual(read(parse_openmetrics(text))["ctiex_ready"], 1)

    async def test_a_running_exchange_is_healthy_and_ready(self) -> None:
        port = self.port_of(await self.started())
        self.assertEqual((await self.get(port, "/healthz"))[:2], (200, "ok\n"))
        self.assertEqual((await self.get(port, "/readyz"))[:2], (200, "ok\n"))
        self.assertEqual((await self.get(port, "/elsewhere"))[0], 404)

    async def test_calls_are_not_counted_in_a_store_that_is_not_open(self) -> None:
        running = await self.started()
        self.assertIn("ctiex_stored_calls", registry_names(running))
        await running.stopService()
        self.assertNotIn("ctiex_stored_calls", registry_names(running))

    async def test_one_that_leaves_is_healthy_but_not_ready(self) -> None:
        running = await self.started()
        port = self.port_of(running)
        asked: list[tuple[int, str, str]] = []

        async def goodbye(core: ExchangeCore) -> None:
            for path in ("/healthz", "/readyz"):
                asked.append(await self.get(port, path))

        self.patch(ExchangeCore, "_say_goodbye", goodbye)
        await running.stopService()
        self.assertEqual([code for code, _, _ in asked], [200, 503])

    async def test_one_whose_store_takes_nothing_is_not_ready_and_is_again_when_it_does(self) -> None:
        running = await self.started()
        port, store, commits = self.port_of(running), running.parts.store, running.parts.context.commits

        def commit(change: Change) -> None:
            raise StoreUnavailable("the disk is full")

        self.patch(store, "commit", commit)
        commits.commit(Change(forgotten=("1",)))
        code, text, _ = await self.get(port, "/readyz")
        self.assertEqual((code, text), (503, "not ready: the call store accepts no changes\n"))
        vars(store).pop("commit")
        while running.not_ready:  # the store is tried without being asked for anything
            await deferLater(reactor, 0.05)
        self.assertEqual((await self.get(port, "/readyz"))[0], 200)

    async def test_a_stopped_one_listens_no_more_and_leaves_no_connection(self) -> None:
        running = await self.started()
        port = self.port_of(running)
        lost: list[bool] = []

        class Idle(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                lost.append(True)

        idle = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Idle())
        idle.transport.write(b"GET /healthz HTTP/1.1\r\n")  # and no more
        await deferLater(reactor, 0.05)
        await running.stopService()
        await eventually(lambda: lost)
        self.assertEqual(lost, [True])
        with self.assertRaises(ConnectionRefusedError):
            await self.get(port, "/healthz")

    async def test_a_port_in_use_is_a_clear_error(self) -> None:
        port = self.port_of(await self.started())
        second = exchange(listen=f"tcp:{port}:interface=127.0.0.1")
        with self.assertRaises(CannotListenError) as caught:
            second.startService()
        self.assertIn(f"127.0.0.1:{port}", str(caught.exception))
        await second.stopService()
