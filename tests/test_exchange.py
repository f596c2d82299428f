"""The exchange as a service over real TCP, with the clients that are shipped: FIG. 2, and what goes wrong."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail
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
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, eventsFromJSONLogFile, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.app.exchange import Exchange
from ctiex.clients import (
    AgentClient,
    AgentNumber,
    AutomaticService,
    ExchangeAccount,
    Handler,
    ServedCall,
    automatic_service,
)
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.config.reading import parse
from ctiex.errors import BindRefused, CallerHungUp, CallError, Status, StoreUnavailable
from ctiex.fields import Fields
from ctiex.interfaces import BaseSignalling, ICodec, ISignalling, Offer
from ctiex.links.ivr import IvrLink
from ctiex.messages import AgentEvent, Bind, BindReply, Condition, Message, Role, Unbind
from ctiex.records import CallState
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

from .processes import PROGRAMS, ROOT, Program, free_port, surroundings
from .waiting import PATIENCE, eventually, until

SERVICE, ACCESS_CODE = "number-broadcast", "7001"
HEARD = [Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED, Condition.COMPLETED]


def port_number(port: IListeningPort | None) -> int:
    assert port is not None
    return int(port.getHost().port)  # type: ignore[attr-defined]


def links(agent_port: int = 0, ivr_port: int = 0, codec: str = "binary") -> dict[str, Any]:
    """``[links]`` on loopback, with a short patience for whoever doesn't leave."""
    both = {"codec": codec, "login_deadline": 1}
    return {
        "agent": {"listen": f"tcp:{agent_port}:interface=127.0.0.1", **both},
        "ivr": {"listen": f"tcp:{ivr_port}:interface=127.0.0.1", **both},
    }


async def broadcast(call: ServedCall) -> Outcome:
    """A service that says the customer's number back."""
    fields = await call.data()
    await call.media.say_digits(call.calling_number)
    return Outcome(Condition.COMPLETED, Fields({"said": call.calling_number, "heard": fields.text("words")}))


async def told(events: AsyncIterator[AgentEvent]) -> list[AgentEvent]:
    return [event async for event in events]


class ExchangeCase(TestCase):
    """Starts exchanges and clients, and stops them after the test, clients first."""

    async def exchange(self, tables: Mapping[str, Any] | None = None) -> Exchange:
        running = Exchange(parse({"links": links(), **(tables or {})}), reactor)
        running.startService()
        await running.started()
        self.addCleanup(running.stopService)
        return running

    def account(self, port: IListeningPort | None, identity: str, codec: ICodec | None = None) -> ExchangeAccount:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(port))
        return ExchangeAccount(endpoint, identity, "demo", codec or BinaryCodec(), longest_retry=0.2)

    async def client(self, running: Exchange, codec: ICodec | None = None) -> AgentClient:
        client = AgentClient(reactor, self.account(running.agent_port, "agent-demo", codec))
        client.startService()
        self.addCleanup(client.stopService)
        return client

    async def agent(self, running: Exchange, codec: ICodec | None = None, **options: Any) -> AgentNumber:
        return await (await self.client(running, codec)).login("1001", **options)

    async def service(
        self, running: Exchange, handler: Handler = broadcast, codec: ICodec | None = None
    ) -> AutomaticService:
        account = self.account(running.ivr_port, "service-demo", codec)
        service = AutomaticService(reactor, account, {ACCESS_CODE: handler}, lambda call: ScriptedMedia())
        service.startService()
        self.addCleanup(service.stopService)
        await service.bound()
        return service

    async def final(self, running: Exchange, handler: Handler, data: Fields | None = None) -> AgentEvent:
        """What an agent hears last of a call that this handler serves."""
        await self.service(running, handler)
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "13800138000", data or Fields())
        return await hand_off.result(PATIENCE)

    async def complete_a_flow(self, running: Exchange, codec: ICodec | None = None) -> list[AgentEvent]:
        await self.service(running, codec=codec)
        agent = await self.agent(running, codec)
        hand_off = await agent.connect(SERVICE, "13800138000", Fields({"words": "well met"}))
        events = await told(hand_off.events())
        self.assertEqual(events[-1].fields, Fields({"said": "13800138000", "heard": "well met"}))
        return events


class FlowTests(ExchangeCase):
    """FIG. 2 to FIG. 4."""

    async def test_the_main_flow(self) -> None:
        running = await self.exchange()
        events = await self.complete_a_flow(running)
        self.assertEqual([event.condition for event in events], HEARD)
        self.assertEqual([event.sequence for event in events], [1, 2, 3, 4])
        self.assertEqual({event.agent for event in events}, {"1001"})
        counts = running.parts.counters
        self.assertEqual((counts.calls_kept, counts.calls_fetched, counts.calls_reported), (1, 1, 1))
        await eventually(lambda: counts.agent_events_acknowledged == 4)

    async def test_the_main_flow_by_json(self) -> None:
        running = await self.exchange({"links": links(codec="json")})
        events = await self.complete_a_flow(running, JsonCodec())
        self.assertEqual([event.condition for event in events], HEARD)

    async def test_the_main_flow_by_dialling(self) -> None:
        dialled = free_port()
        running = await self.exchange(
            {"services": {SERVICE: {"access_code": ACCESS_CODE, "signalling": "dial",
                                    "address": f"tcp:127.0.0.1:{dialled}"}}}
        )  # fmt: skip
        service = await self.service(running)
        await service.listen(serverFromString(reactor, f"tcp:{dialled}:interface=127.0.0.1"))
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "13800138000", Fields({"words": "hello"}))
        events = await told(hand_off.events())
        self.assertEqual([event.condition for event in events], HEARD)
        self.assertEqual(events[-1].fields.text("heard"), "hello")

    async def test_progress_comes_before_the_end(self) -> None:
        async def in_steps(call: ServedCall) -> Outcome:
            for step in (1, 2):
                await call.progress(Fields({"step": step}))
            return Outcome(Condition.COMPLETED)

        running = await self.exchange()
        await self.service(running, in_steps)
        hand_off = await (await self.agent(running)).connect(SERVICE, "138")
        events = await told(hand_off.events())
        self.assertEqual([event.fields.integer("step") for event in events if not event.condition], [1, 2])
        self.assertIs(events[-1].condition, Condition.COMPLETED)

    async def test_many_calls_at_the_same_time(self) -> None:
        running = await self.exchange()
        await self.service(running)
        agent = await self.agent(running)
        hand_offs = [await agent.connect(SERVICE, f"138{number}") for number in range(50)]
        said = [(await hand_off.result(PATIENCE)).fields.text("said") for hand_off in hand_offs]
        self.assertEqual(said, [f"138{number}" for number in range(50)])

    async def test_nobody_serves(self) -> None:
        agent = await self.agent(await self.exchange())
        event = await (await agent.connect(SERVICE, "138")).result(PATIENCE)
        self.assertEqual((event.condition, event.status), (Condition.UNREACHABLE, Status.SERVICE_UNREACHABLE))

    async def test_a_service_that_raises_reports_failed(self) -> None:
        async def broken(call: ServedCall) -> Outcome:
            raise RuntimeError("boom")

        with capturedLogs() as logged:
            event = await self.final(await self.exchange(), broken)
        self.assertIs(event.condition, Condition.FAILED)
        (told,) = [text for text in map(formatEvent, logged) if "serving call" in text]
        self.assertIn("RuntimeError at", told)
        self.assertNotIn("boom", told)  # it may hold a customer's data

    async def test_a_service_that_gives_no_end_reports_failed(self) -> None:
        async def forgetful(call: ServedCall) -> Outcome:
            return None  # type: ignore[return-value]

        with capturedLogs() as logged:
            event = await self.final(await self.exchange(), forgetful)
        self.assertIs(event.condition, Condition.FAILED)
        self.assertTrue([text for text in map(formatEvent, logged) if "it gave NoneType, expected an Outcome" in text])

    async def test_a_customer_who_hangs_up_is_reported_abandoned(self) -> None:
        async def left_alone(call: ServedCall) -> Outcome:
            raise CallerHungUp("gone")

        event = await self.final(await self.exchange(), left_alone)
        self.assertIs(event.condition, Condition.ABANDONED)

    async def test_a_cancelled_call_cancels_its_service(self) -> None:
        seen: list[Condition | None] = []
        waiting: Deferred[None] = Deferred()

        async def slow(call: ServedCall) -> Outcome:
            await call.data()
            try:
                await waiting
            except CancelledError:
                seen.append(call.ended)
                raise
            return Outcome(Condition.COMPLETED)

        running = await self.exchange()
        service = await self.service(running, slow)
        hand_off = await (await self.agent(running)).connect(SERVICE, "138")
        await eventually(lambda: running.parts.counters.calls_fetched)
        await hand_off.cancel()
        self.assertIs((await hand_off.result(PATIENCE)).condition, Condition.CANCELLED)
        await eventually(lambda: not service.calls)
        self.assertEqual(seen, [Condition.CANCELLED])
        self.assertEqual(running.parts.counters.service_events_refused, 0)
        with self.assertRaises(CallError) as caught:
            await hand_off.cancel()
        self.assertIs(caught.exception.status, Status.ALREADY_FINISHED)

    async def test_a_service_that_stops_in_the_middle_of_a_call_reports_it(self) -> None:
        async def endless(call: ServedCall) -> Outcome:
            await call.data()
            await Deferred()
            raise AssertionError("it can't get here")

        self.patch(automatic_service, "_FINISH_WITHIN", 0.05)
        running = await self.exchange()
        service = await self.service(running, endless)
        hand_off = await (await self.agent(running)).connect(SERVICE, "138")
        await eventually(lambda: running.parts.counters.calls_fetched)
        await service.stopService()
        event = await hand_off.result(PATIENCE)
        self.assertEqual((event.condition, event.fields.text("reason")), (Condition.FAILED, "the service is stopping"))

    async def test_a_service_that_stops_lets_its_calls_finish(self) -> None:
        async def unhurried(call: ServedCall) -> Outcome:
            await deferLater(reactor, 0.1)
            return Outcome(Condition.COMPLETED)

        running = await self.exchange()
        service = await self.service(running, unhurried)
        hand_off = await (await self.agent(running)).connect(SERVICE, "138")
        await eventually(lambda: service.calls)
        await service.stopService()
        self.assertIs((await hand_off.result(PATIENCE)).condition, Condition.COMPLETED)

    async def test_a_second_link_takes_the_agent_number_over(self) -> None:
        running = await self.exchange()
        released: Deferred[None] = Deferred()

        async def held(call: ServedCall) -> Outcome:
            await released
            return Outcome(Condition.COMPLETED)

        await self.service(running, held)
        first = await self.agent(running)
        hand_off = await first.connect(SERVICE, "138")
        result = Deferred.fromCoroutine(hand_off.result(PATIENCE))
        heard: list[AgentEvent] = []
        await self.agent(running, on_event=heard.append)
        with self.assertRaises(CallError) as caught:
            await result
        self.assertIs(caught.exception.status, Status.SESSION_TAKEN_OVER)
        self.assertTrue(first.taken_over)
        released.callback(None)
        await eventually(lambda: heard and heard[-1].condition is Condition.COMPLETED)
        self.assertEqual(heard[-1].serial, hand_off.serial)

    async def test_a_wrong_secret_is_told_at_once(self) -> None:
        running = await self.exchange()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(running.agent_port))
        client = AgentClient(reactor, ExchangeAccount(endpoint, "agent-demo", "wrong"))
        client.startService()
        self.addCleanup(client.stopService)
        with self.assertRaises(BindRefused) as caught:
            await client.login("1001")
        self.assertIs(caught.exception.status, Status.REFUSED_CREDENTIALS)


class WireClient(Protocol):
    """A client that only binds, and notes every message that comes."""

    def __init__(self, role: Role, identity: str) -> None:
        self._bind = Bind(role, identity, "demo")
        self._codec = BinaryCodec()
        self._decoder = self._codec.decoder(65_536)
        self.heard: list[Message] = []
        self.lost = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._codec.frame(0x01, 1, self._codec.encode_body(self._bind)))

    def dataReceived(self, data: bytes) -> None:
        self._decoder.receive(data)
        self.heard += [self._codec.decode_body(frame) for frame in self._decoder.frames()]

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


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


class ReconnectTests(ExchangeCase):
    """Links that are lost, and exchanges that come back."""

    async def test_the_clients_go_on_with_a_restarted_exchange(self) -> None:
        first = await self.exchange()
        ports = links(port_number(first.agent_port), port_number(first.ivr_port))
        gaps: list[tuple[int, int]] = []
        await self.service(first)
        agent = await self.agent(first, on_gap=lambda *gap: gaps.append(gap))
        await (await agent.connect(SERVICE, "138")).result(PATIENCE)
        self.assertEqual(agent.last_sequence, 4)
        await first.stopService()

        second = await self.exchange({"links": ports})
        await eventually(lambda: gaps and second.parts.sessions.of_identity("service-demo"))
        # The memory store has forgotten the numbers, so they begin anew, and the agent is told.
        self.assertEqual(agent.last_sequence, 0)
        hand_off = await agent.connect(SERVICE, "139")
        events = await told(hand_off.events())
        self.assertEqual([event.sequence for event in events], [1, 2, 3, 4])
        self.assertEqual(len(gaps), 1)

    async def test_an_application_that_fails_at_a_gap_stays_logged_in(self) -> None:
        first = await self.exchange()
        ports = links(port_number(first.agent_port), port_number(first.ivr_port))
        agent = await self.agent(first, on_gap=lambda *gap: 1 / 0)
        await (await agent.connect(SERVICE, "138")).result(PATIENCE)
        await first.stopService()
        second = await self.exchange({"links": ports})
        event = await (await agent.connect(SERVICE, "138")).result(PATIENCE)
        self.assertIs(event.condition, Condition.UNREACHABLE)
        self.assertTrue(second.parts.context.presence.is_here("1001"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_an_unanswered_report_is_repeated_and_reaches_the_agent_once(self) -> None:
        answer = IvrLink._answer
        cut: list[IvrLink] = []

        def reported(link: IvrLink, *answered: Any) -> None:
            if cut:
                answer(link, *answered)
            else:
                cut.append(link)
                link.cut("for this test")

        self.patch(IvrLink, "_answer", reported)
        running = await self.exchange()
        heard: list[AgentEvent] = []
        service = await self.service(running)
        agent = await self.agent(running, on_event=heard.append)
        hand_off = await agent.connect(SERVICE, "138")
        await hand_off.result(PATIENCE)
        await eventually(lambda: not service.calls)
        self.assertEqual(running.parts.counters.service_events_repeated, 1)
        self.assertEqual([event.condition for event in heard if event.condition.final], [Condition.COMPLETED])

    async def test_what_was_missed_is_replayed_after_a_lost_link(self) -> None:
        running = await self.exchange()
        released: Deferred[None] = Deferred()

        async def held(call: ServedCall) -> Outcome:
            await released
            return Outcome(Condition.COMPLETED)

        service = await self.service(running, held)
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "138")
        await eventually(lambda: agent.last_sequence == 2)
        (link,) = running.parts.agent_links.links
        link.cut("for this test")
        released.callback(None)
        self.assertIs((await hand_off.result(PATIENCE)).condition, Condition.COMPLETED)
        await eventually(lambda: not service.calls)
        self.assertEqual(len(await told(hand_off.events())), 3)

    async def test_a_request_with_an_own_serial_outlives_a_lost_link(self) -> None:
        running = await self.exchange()
        await self.service(running)
        agent = await self.agent(running)
        (link,) = running.parts.agent_links.links
        connecting = Deferred.fromCoroutine(agent.connect(SERVICE, "138", serial="4711"))
        link.cut("for this test")
        hand_off = await connecting
        self.assertEqual(hand_off.serial, "4711")
        self.assertIs((await hand_off.result(PATIENCE)).condition, Condition.COMPLETED)


def answers(port: int) -> bool:
    """Whether an exchange answers a Ping there: its port takes connections a little before it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as link:
            link.sendall(PING)
            return link.recv(64) == PONG
    except ConnectionRefusedError:
        return False


PING, PONG = bytes.fromhex("00000008 01050000 00000001"), bytes.fromhex("00000008 01060000 00000001")


@contextmanager
def started(command: list[str], *options: str) -> Any:
    """A runner as a process: on the checkout's modules, output and errors together."""
    words = [PROGRAMS / command[0], *command[1:], "ctiex", *options]
    with Program[str](words, cwd=ROOT, env=surroundings(), stdout=PIPE, stderr=STDOUT, text=True) as process:
        yield process


TWISTD = ["twistd", "-n", "--pidfile="]


class RunnerTests(SynchronousTestCase):
    """``twistd ctiex`` and ``twist ctiex`` as an operator starts them."""

    def output_of_a_run(self, *command: str) -> str:
        """Start it, see that it accepts links, end it by SIGTERM; what it wrote."""
        ports = free_port(), free_port()
        options = [
            f"--{side}-listen=tcp:{port}:interface=127.0.0.1"
            for side, port in zip(("agent", "ivr"), ports, strict=True)
        ]
        with started(list(command), *options) as process:
            until(lambda: all(map(answers, ports)), lambda: "it doesn't listen", process)
            process.send_signal(SIGTERM)
            output, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, output)
            return str(output)

    def test_twistd(self) -> None:
        self.assertIn("exchange 1 is ready", self.output_of_a_run(*TWISTD))

    def test_twistd_with_json(self) -> None:
        output = self.output_of_a_run(*TWISTD, "--logger=ctiex.app.logs.json")
        events = [json.loads(line) for line in output.splitlines()]
        (ready,) = [event for event in events if event["text"].startswith("exchange 1 is ready")]
        self.assertEqual((ready["level"], ready["namespace"], ready["id"]), ("info", "ctiex.app.exchange", "1"))

    def test_twistd_with_lines_for_people(self) -> None:
        self.assertIn(
            "[ctiex.app.exchange#info] exchange 1", self.output_of_a_run(*TWISTD, "--logger=ctiex.app.logs.human")
        )

    def test_twist(self) -> None:
        self.assertIn("exchange 1 is ready", self.output_of_a_run("twist", "--log-format=text"))

    def test_twist_with_json(self) -> None:
        output = self.output_of_a_run("twist", "--log-format=json")
        texts = [formatEvent(event) for event in eventsFromJSONLogFile(io.StringIO(output))]
        self.assertTrue(any(text.startswith("exchange 1 is ready") for text in texts), texts)

    def test_a_configuration_of_no_use_is_told_and_ends_it(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "exchange.toml")
        path.write_text("[links.agent]\nlisten = 7300\n")
        for command, code in ((TWISTD, 1), (["twist"], 64)):  # twist keeps to sysexits.h
            with started(command, f"--config={path}") as process:
                output, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, code, output)
            self.assertIn(f"{path}: links.agent.listen: found 7300, expected an endpoint", output)
            self.assertNotIn("Traceback", output)

    def test_a_port_in_use_is_told_and_ends_it(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for command in (TWISTD, ["twist"]):
                with started(command, f"--agent-listen=tcp:{port}:interface=127.0.0.1",
                             "--ivr-listen=tcp:0:interface=127.0.0.1") as process:  # fmt: skip
                    output, _ = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 1, output)
                self.assertIn(f"Couldn't listen on 127.0.0.1:{port}", output)


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
