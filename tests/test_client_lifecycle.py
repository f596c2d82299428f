"""Clients that are stopped and started at any moment: they live."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.clients import AgentClient, AutomaticService, ServedCall
from ctiex.clients.lifecycle import ClientStage, Lifecycle
from ctiex.errors import NotBound, Status
from ctiex.messages import ServiceEvent
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

from .hand_exchange import LineCase, complete, customer


class LifecycleTests(SynchronousTestCase):
    """Begin and end, asked for at any moment."""

    def setUp(self) -> None:
        self.log: list[str] = []
        self.ends: list[Deferred[None]] = []
        self.life = Lifecycle(lambda: self.log.append("begin"), self.end)

    async def end(self) -> None:
        self.log.append("end")
        self.ends.append(Deferred())
        await self.ends[-1]

    def test_started_while_it_stops_it_begins_behind_the_end(self) -> None:
        self.life.start()
        stopped = self.life.stop()
        self.life.start()
        self.assertEqual((self.log, self.life.wanted, self.life.takes), (["begin", "end"], True, False))
        self.ends[0].callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.log, self.life.stage), (["begin", "end", "begin"], ClientStage.RUNNING))

    def test_the_last_word_counts(self) -> None:
        self.life.start()
        self.life.stop()
        self.life.start()
        stopped = self.life.stop()
        self.ends[0].callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.log, self.life.stage), (["begin", "end"], ClientStage.STOPPED))

    def test_what_never_ran_has_stopped(self) -> None:
        self.successResultOf(self.life.stop())
        self.assertEqual((self.log, self.life.stage), ([], ClientStage.STOPPED))
        self.life.start()
        self.assertEqual(self.log, ["begin"])

    def test_an_end_that_fails_is_one(self) -> None:
        async def fails() -> None:
            raise ZeroDivisionError

        life = Lifecycle(lambda: self.log.append("begin"), fails)
        life.start()
        self.successResultOf(life.stop())
        self.assertIs(life.stage, ClientStage.STOPPED)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StartedAgainTests(LineCase):
    """``stopService()`` that nobody waits for, and ``startService()`` behind it."""

    def test_an_agents_application_runs(self) -> None:
        client = AgentClient(self.clock, self.account)
        client.startService()
        agent = self.now(client.login("1001"))
        for _ in range(3):
            client.stopService()
            client.startService()
        self.pass_time(2)
        self.assertEqual(self.now(agent.connect("bill", "138", serial="7")).serial, "7")
        self.successResultOf(self.stopped(client))
        self.failureResultOf(self.begin(client.login("1002")), NotBound)

    def test_an_automatic_service_runs(self) -> None:
        service = AutomaticService(self.clock, self.account, {"7001": complete}, lambda _: ScriptedMedia())
        service.startService()
        self.line.pump()
        service.stopService()
        service.startService()
        self.pass_time(2)
        self.successResultOf(service.bound())
        self.line.link.send(customer())
        self.line.pump()
        self.assertEqual(len(self.line.link.every(ServiceEvent)), 1)
        self.successResultOf(self.stopped(service))

    def test_a_service_that_serves_takes_nobody_until_it_has_stopped(self) -> None:
        async def endless(call: ServedCall) -> Outcome:
            await Deferred()
            raise AssertionError("it can't get here")

        service = AutomaticService(self.clock, self.account, {"7001": endless}, lambda _: ScriptedMedia())
        service.startService()
        self.line.pump()
        self.assertEqual(service.take(customer("1")).status, Status.OK)
        service.stopService()
        service.startService()
        self.assertEqual(service.take(customer("2")).status, Status.GOING_AWAY)
        self.pass_time(15)
        self.assertEqual(service.take(customer("3")).status, Status.OK)
        self.successResultOf(self.stopped(service, 15))

    def stopped(self, client: Any, within: float = 2) -> Deferred[None]:
        stopped: Deferred[None] = client.stopService()
        self.pass_time(within)
        return stopped
