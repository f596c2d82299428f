"""The exchange as a service over real TCP, with the clients that are shipped: FIG. 2, and links that are lost."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent

from ctiex.clients import AgentClient, ExchangeAccount, ServedCall, automatic_service
from ctiex.codecs.json import JsonCodec
from ctiex.errors import BindRefused, CallerHungUp, CallError, Status
from ctiex.fields import Fields
from ctiex.links.ivr import IvrLink
from ctiex.messages import AgentEvent, Condition
from ctiex.services.outcome import Outcome

from .exchange_case import ACCESS_CODE, SERVICE, ExchangeCase, links, port_number, told
from .processes import free_port
from .waiting import PATIENCE, eventually

HEARD = [Condition.CONNECTING, Condition.CONNECTED, Condition.DATA_FETCHED, Condition.COMPLETED]


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
