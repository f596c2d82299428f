"""The exchange as a service over real sockets: it starts and stops, also with drivers and stores that fail."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    clientFromString,
    connectProtocol,
    serverFromString,
)
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ctiex import core
from ctiex.app.exchange import Exchange
from ctiex.clients import ServedCall, automatic_service
from ctiex.config.reading import parse
from ctiex.errors import Status, StoreUnavailable
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.links.ivr import IvrLink
from ctiex.messages import BindReply, Role, Unbind
from ctiex.records import CallState
from ctiex.services.outcome import Outcome

from .exchange_case import ACCESS_CODE, SERVICE, ExchangeCase, WireClient, links, port_number
from .processes import free_port
from .waiting import eventually


class LifeTests(ExchangeCase):
    """Start and stop. Trial itself sees to it that nothing is left behind."""

    async def wire_client(self, port: IListeningPort | None, role: Role, identity: str) -> WireClient:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(port))
        client = WireClient(role, identity)
        await connectProtocol(endpoint, client)
        await eventually(lambda: client.heard)
        return client

    async def test_port_0_becomes_the_real_one(self) -> None:
        running = await self.exchange()
        self.assertTrue(running.ready)
        address = f"127.0.0.1:{port_number(running.ivr_port)}"
        self.assertNotEqual(port_number(running.ivr_port), 0)
        self.assertEqual(running.parts.processing.exchange_address, address)
        client = await self.wire_client(running.ivr_port, Role.SERVICE, "service-demo")
        (reply,) = client.heard
        assert isinstance(reply, BindReply)
        self.assertEqual((reply.status, reply.exchange_address), (Status.OK, address))
        client.transport.loseConnection()  # type: ignore[union-attr]
        await eventually(lambda: client.lost)

    async def test_a_configured_address_stays(self) -> None:
        running = await self.exchange({"exchange": {"address": "ctiex.example.net:7301"}})
        self.assertEqual(running.parts.processing.exchange_address, "ctiex.example.net:7301")

    async def test_a_port_in_use_is_a_clear_error(self) -> None:
        running = await self.exchange()
        for taken in (links(agent_port=port_number(running.agent_port)), links(ivr_port=port_number(running.ivr_port))):
            second = Exchange(parse({"links": taken}), reactor)
            with self.assertRaises(CannotListenError) as caught:
                second.startService()
            self.assertIn("127.0.0.1:", str(caught.exception))
            self.assertIn("in use", str(caught.exception))
            self.assertFalse(second.ready)
            await second.stopService()

    async def test_started_fails_with_what_kept_it_from_starting(self) -> None:
        running = await self.exchange()
        second = Exchange(parse({"links": links(ivr_port=port_number(running.ivr_port))}), reactor)
        with self.assertRaises(CannotListenError):
            second.startService()
        with self.assertRaises(CannotListenError):
            await second.started()
        await second.stopService()

    async def test_bound_links_are_told_that_it_goes_away(self) -> None:
        running = await self.exchange()
        service = await self.wire_client(running.ivr_port, Role.SERVICE, "service-demo")
        agent = await self.wire_client(running.agent_port, Role.AGENT, "agent-demo")
        unbound = await self.wire_client(running.agent_port, Role.AGENT, "nobody")
        stopping = running.stopService()
        self.assertFalse(running.ready)
        await stopping
        await eventually(lambda: service.lost and agent.lost and unbound.lost)
        for client in (service, agent):
            last = client.heard[-1]
            assert isinstance(last, Unbind)
            self.assertEqual(last.status, Status.GOING_AWAY)

    async def test_it_stops_with_a_call_under_way_and_clients_bound(self) -> None:
        self.patch(automatic_service, "_FINISH_WITHIN", 0.05)
        running = await self.exchange()

        async def endless(call: ServedCall) -> Outcome:
            await Deferred()
            raise AssertionError("it can't get here")

        service = await self.service(running, endless)
        agent = await self.agent(running)
        await agent.connect(SERVICE, "138")
        await eventually(lambda: service.calls)
        await running.stopService()
        # A service that can't bring its report to the exchange any more stops all the same.
        await service.stopService()
        self.assertEqual(service.calls, 0)

    async def test_a_service_whose_last_reports_are_not_answered_stops_all_the_same(self) -> None:
        self.patch(automatic_service, "_FINISH_WITHIN", 0.05)
        self.patch(IvrLink, "_answer", lambda *_: None)
        running = await self.exchange()

        async def endless(call: ServedCall) -> Outcome:
            await Deferred()
            raise AssertionError("it can't get here")

        service = await self.service(running, endless)
        await (await self.agent(running)).connect(SERVICE, "138")
        await eventually(lambda: service.calls)
        await service.stopService()
        await eventually(lambda: not service.calls)

    async def test_a_call_that_is_still_offered_is_kept_as_it_is(self) -> None:
        running = await self.exchange()
        await self.wire_client(running.ivr_port, Role.SERVICE, "service-demo")  # answers nothing
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "138")
        states: list[CallState] = []
        store = running.parts.store
        self.patch(store, "close", lambda: states.extend(call.state for call in store.calls()))
        await running.stopService()
        self.assertEqual(states, [CallState.CONNECTING])
        self.assertIsNone(hand_off.final)

    async def test_it_stops_while_a_service_is_being_dialled(self) -> None:
        reached: list[Protocol] = []
        left: list[Protocol] = []

        class Mute(Protocol):
            def connectionMade(self) -> None:
                reached.append(self)

            def connectionLost(self, reason: object = None) -> None:
                left.append(self)

        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Mute))
        self.addCleanup(port.stopListening)
        address = f"tcp:127.0.0.1:{port_number(port)}"
        running = await self.exchange(
            {"services": {SERVICE: {"access_code": ACCESS_CODE, "signalling": "dial", "address": address}}}
        )
        agent = await self.agent(running)
        await agent.connect(SERVICE, "138")
        await eventually(lambda: reached)
        await running.stopService()
        await eventually(lambda: left)
        self.assertEqual(left, reached, "the link that dialled is gone, and with it its timers")

    async def test_a_service_that_stops_ends_links_that_dialled_it(self) -> None:
        running = await self.exchange()
        service = await self.service(running)
        port = await service.listen(serverFromString(reactor, "tcp:0:interface=127.0.0.1"))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(port))
        silent = WireClient(Role.SERVICE, "x")
        await connectProtocol(endpoint, silent)
        await eventually(lambda: silent.heard)
        self.assertFalse(silent.lost)
        [link] = service._dialled.links
        await service.stopService()
        await eventually(lambda: silent.lost)
        self.assertEqual(link.session.ended, "the service is stopping", "nor does it last until its deadline")

    async def test_a_service_that_starts_again_listens_where_it_did(self) -> None:
        running = await self.exchange()
        service = await self.service(running)
        where = f"unix:{self.mktemp()}"
        await service.listen(serverFromString(reactor, where))
        for _ in range(2):
            await service.stopService()
            with self.assertRaises(ConnectError):
                await connectProtocol(clientFromString(reactor, where), WireClient(Role.SERVICE, "x"))
            service.startService()
            again = WireClient(Role.SERVICE, "x")
            await connectProtocol(clientFromString(reactor, where), again)
        await service.stopService()
        await eventually(lambda: again.lost)

    async def test_a_service_that_starts_again_goes_on_where_an_address_is_taken(self) -> None:
        running = await self.exchange()
        service = await self.service(running)
        where = TCP4ServerEndpoint(reactor, free_port(), interface="127.0.0.1")
        port = port_number(await service.listen(where))
        await service.stopService()
        other = await where.listen(Factory.forProtocol(Protocol))
        with capturedLogs() as captured:
            service.startService()
            await service.bound()
        await other.stopListening()
        self.assertTrue([said for said in map(formatEvent, captured) if said and "can't listen again" in said])
        await service.stopService()
        service.startService()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), WireClient(Role.SERVICE, "x"))
        await service.stopService()

    async def test_a_start_that_fails_in_its_own_time_is_told_also_where_nobody_waits_for_it(self) -> None:
        embedded = Exchange(parse({}, None, "tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"), reactor)
        opening: Deferred[None] = Deferred()
        self.patch(embedded.parts.store, "open", lambda reactor: opening)
        embedded.startService()
        with capturedLogs() as captured:
            opening.errback(StoreUnavailable("no room at all"))
        self.assertIn("no room at all", [event.get("reason") for event in captured])
        await embedded.stopService()

    async def test_a_stopped_exchange_starts_anew(self) -> None:
        running = await self.exchange()
        await self.complete_a_flow(running)
        await running.stopService()
        self.assertFalse(running.ready)
        running.startService()
        await running.started()
        self.assertTrue(running.ready)
        events = await self.complete_a_flow(running)
        self.assertEqual([event.sequence for event in events], [1, 2, 3, 4])


@implementer(ISignalling)
class Driver(BaseSignalling):
    """A driver that keeps what it is asked, and fails with some of it."""

    sees_return = True
    connected = True

    def __init__(self, *fails: str, fails_late: bool = False) -> None:
        self.asked: list[str] = []
        self._fails = fails
        self._fails_late = fails_late

    def _is_asked(self, what: str) -> None:
        self.asked.append(what)
        if what in self._fails:
            raise ZeroDivisionError("a secret of the platform")

    def start(self) -> None:
        self._is_asked("start")

    def stop(self) -> Deferred[None] | None:
        self._is_asked("stop")
        return fail(ZeroDivisionError()) if self._fails_late else None

    def resume(self, serial: str, agent: str) -> None:
        self._is_asked("resume")

    def agent_logged_in(self, agent: str) -> None:
        self._is_asked("agent_logged_in")

    def offer(self, offer: Offer) -> None:
        self._is_asked("offer")

    def withdraw(self, serial: str) -> int:
        self._is_asked("withdraw")
        return Status.SERVICE_UNREACHABLE


class FaultTests(ExchangeCase):
    """Drivers and stores that fail while the exchange starts and stops: everything else is done all the same."""

    async def with_drivers(self, *drivers: Driver) -> Exchange:
        """A running exchange with a service for each of these drivers, and metrics."""
        self.patch(core, "_LEAVE_WITHIN", 0.5)  # clients on the wire don't answer its goodbye
        services = {f"s{at}": {"access_code": "7", "signalling": f"d{at}"} for at in range(len(drivers))}
        tables = {"links": links(), "services": services, "metrics": {"listen": "tcp:0:interface=127.0.0.1"}}
        made = {f"d{at}": lambda context, driver=driver: driver for at, driver in enumerate(drivers)}
        running = Exchange(parse(tables), reactor, made)
        running.startService()
        await running.started()
        self.addCleanup(running.stopService)
        return running

    async def assert_said_goodbye(self, running: Exchange) -> None:
        """It stops, and says goodbye to whoever is there."""
        client = WireClient(Role.AGENT, "agent-demo")
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(running.agent_port))
        await connectProtocol(endpoint, client)
        await eventually(lambda: client.heard)
        closed: list[bool] = []
        close = running.parts.store.close
        self.patch(running.parts.store, "close", lambda: (closed.append(True), close())[1])
        await running.stopService()
        await eventually(lambda: client.lost)
        last = client.heard[-1]
        assert isinstance(last, Unbind)
        self.assertEqual((last.status, closed), (Status.GOING_AWAY, [True]))

    async def test_a_driver_that_can_not_start_is_told_by_the_health_and_the_others_start(self) -> None:
        failing, well = Driver("start"), Driver()
        running = await self.with_drivers(failing, well)
        self.assertEqual((failing.asked, well.asked), (["start"], ["start"]))
        self.assertEqual(running.not_ready, "a signalling driver could not start: ZeroDivisionError")
        assert running.monitoring.port is not None
        response = await treq.get(f"http://127.0.0.1:{port_number(running.monitoring.port)}/readyz", persistent=False)
        self.assertEqual(response.code, 503)
        self.assertEqual(await response.text(), f"not ready: {running.not_ready}\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.assert_said_goodbye(running)
        self.assertEqual((failing.asked, well.asked), (["start", "stop"], ["start", "stop"]))

    async def test_drivers_that_can_not_withdraw_or_stop_keep_nothing_from_being_stopped(self) -> None:
        for failing in (Driver("withdraw", "stop"), Driver("withdraw", fails_late=True)):
            well = Driver()
            running = await self.with_drivers(failing, well)
            agent = await self.agent(running)
            await agent.connect("s0", "138", serial="1")
            await agent.connect("s1", "138", serial="2")
            await self.assert_said_goodbye(running)
            self.assertEqual(failing.asked[-3:], ["offer", "withdraw", "stop"])
            self.assertEqual(well.asked, ["start", "agent_logged_in", "offer", "withdraw", "stop"])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    async def test_a_store_that_fails_as_it_stops_keeps_nobody_from_the_goodbye(self) -> None:
        def fails() -> None:
            raise ZeroDivisionError

        for commit in (fails, lambda: fail(ZeroDivisionError())):
            running = await self.with_drivers(Driver())
            self.patch(running.parts.store, "commit", lambda change: commit())  # noqa: B023
            await self.assert_said_goodbye(running)

    async def test_a_store_that_can_not_be_closed_is_told_and_everything_else_is_let_go(self) -> None:
        running = await self.with_drivers(Driver())
        port = running.monitoring.port
        assert port is not None

        def fails() -> None:
            raise ZeroDivisionError

        self.patch(running.parts.store, "close", fails)
        await running.stopService()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsNone(running.monitoring.port)


class SocketTests(TestCase):
    """Links on sockets in the file system."""

    async def test_one_that_every_user_may_connect_to_is_told(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for ending, told in (("", 1), (":mode=660", 0), (":mode=600", 0)):
            path = Path(folder.name) / f"agents{ending[6:]}"
            tables = {"links": {**links(), "agent": {"listen": f"unix:{path}{ending}"}}}
            running = Exchange(parse(tables), reactor)
            with capturedLogs() as events:
                running.startService()
                await running.started()
            await running.stopService()
            lines = [formatEvent(event) or "" for event in events]
            warned = [line for line in lines if f"{path} has mode 0666: every user of this machine may connect" in line]
            self.assertEqual(len(warned), told, ending)
