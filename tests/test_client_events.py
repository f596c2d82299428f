"""Events at the agent's client, message by message: taken, acknowledged, or left, with an exchange by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ctiex.clients import AgentNumber, Position, event_taking
from ctiex.clients.event_taking import TakenEvents
from ctiex.errors import Status
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    Condition,
    Error,
    Message,
    Unbind,
)

from .hand_exchange import EPOCH, AgentCase, event


class AcknowledgementTests(AgentCase):
    """An event is acknowledged once the application has it, and before anybody can act on it."""

    def test_the_final_event_is_acknowledged_before_a_logout_behind_it(self) -> None:
        agent = self.login()

        async def hand_over() -> None:
            hand_off = await agent.connect("bill", "138", serial="1")
            await hand_off.result()
            await agent.logout()

        done = self.begin(hand_over())
        self.send(event(1, Condition.CONNECTING), event(2))
        self.successResultOf(done)
        self.assertEqual(self.order_said(AgentEventAck, AgentLogout), ["AgentEventAck"] * 2 + ["AgentLogout"])
        self.assertEqual(self.line.link.acknowledged, [1, 2])

    def test_the_final_event_is_acknowledged_before_an_unbind_behind_it(self) -> None:
        agent = self.login()

        async def hand_over() -> None:
            await (await agent.connect("bill", "138", serial="1")).result()
            await self.client.stopService()

        done = self.begin(hand_over())
        self.send(event(1))
        self.successResultOf(done)
        self.assertEqual(self.order_said(AgentEventAck, Unbind), ["AgentEventAck", "Unbind"])

    def test_an_event_is_acknowledged_after_on_event_has_returned(self) -> None:
        seen: list[list[int]] = []
        self.login(on_event=lambda _: seen.append(self.line.link.acknowledged))
        self.send(event(1))
        self.assertEqual((seen, self.line.link.acknowledged), ([[]], [1]))


class OnEventTests(AgentCase):
    """What ``on_event`` may be, and what becomes of an event that it fails to take."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[int] = []
        self.taking: dict[int, Deferred[None]] = {}

    async def slowly(self, coming: AgentEvent) -> None:
        self.heard.append(coming.sequence)
        self.taking[coming.sequence] = Deferred()
        await self.taking[coming.sequence]

    def unless(self, *bad: int) -> Callable[[AgentEvent], None]:
        failing = set(bad)

        def take(coming: AgentEvent) -> None:
            self.heard.append(coming.sequence)
            if coming.sequence in failing:
                failing.remove(coming.sequence)
                raise ValueError("account 4711")

        return take

    def test_the_next_event_comes_when_the_awaitable_of_the_one_before_is_done(self) -> None:
        self.login(on_event=self.slowly)
        self.send(event(1), event(2), event(3))
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1], []))
        self.taking[1].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1, 2], [1]))
        self.taking[2].callback(None)
        self.taking[3].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1, 2, 3], [1, 2, 3]))

    def test_a_thousand_awaitables_that_are_done_at_once_are_no_recursion(self) -> None:
        async def quick(coming: AgentEvent) -> None:
            self.heard.append(coming.sequence)

        self.login(on_event=quick)
        self.send(*[event(sequence) for sequence in range(1, 2_001)])
        self.assertEqual((self.heard[-1], self.line.link.acknowledged[-1]), (2_000, 2_000))

    def test_what_is_under_way_while_the_link_is_lost_comes_once(self) -> None:
        agent = self.login(on_event=self.slowly)
        self.send(event(1), event(2))
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(AgentLogin), [AgentLogin("1001", EPOCH, 0)])
        self.send(event(1), event(2))
        for sequence in (1, 2):
            self.taking[sequence].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1, 2], [1, 2], 2))

    def test_a_failed_event_stays_unacknowledged_and_comes_again_at_the_next_login(self) -> None:
        agent = self.login(on_event=self.unless(2))
        with capturedLogs() as logged:
            self.send(event(1), event(2), event(3))
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1, 2, 3], [1], 1))
        (told,) = [formatEvent(entry) for entry in logged if "on_event" in str(entry["log_format"])]
        self.assertIn("ValueError at", told)
        self.assertNotIn("4711", told)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(AgentLogin), [AgentLogin("1001", EPOCH, 1)])
        self.send(event(2), event(3), event(4))
        self.assertEqual((self.heard, agent.last_sequence), ([1, 2, 3, 2, 4], 4))
        self.assertEqual(self.line.link.acknowledged, [3, 4])

    def test_an_awaitable_that_fails_leaves_its_event_unacknowledged_too(self) -> None:
        async def fail(coming: AgentEvent) -> None:
            raise ValueError

        agent = self.login(on_event=fail)
        self.send(event(1))
        self.assertEqual((self.line.link.acknowledged, agent.last_sequence), ([], 0))

    def test_a_hand_off_hears_an_event_that_on_event_failed_to_take_once(self) -> None:
        agent = self.login(on_event=self.unless(1))
        hand_off = self.now(agent.connect("bill", "138", serial="7"))
        self.send(event(1, Condition.CONNECTING, "7"))
        self.lose_link()
        self.pass_time(2)
        self.send(event(1, Condition.CONNECTING, "7"), event(2, serial="7"))

        async def told() -> list[int]:
            return [one.sequence async for one in hand_off.events()]

        self.assertEqual(self.now(told()), [1, 2])

    def test_a_failed_event_that_the_exchange_keeps_no_more_is_told_as_lost(self) -> None:
        gaps: list[tuple[int, int]] = []
        agent = self.login(on_event=self.unless(2), on_gap=lambda *gap: gaps.append(gap))
        self.send(event(1), event(2), event(3))
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.OK, EPOCH, 4, 3)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual((gaps, agent.last_sequence), ([(2, 2)], 3))

    def test_what_waits_at_a_logout_is_left_to_the_next_login(self) -> None:
        agent = self.login(on_event=self.slowly)
        self.send(event(1), event(2))
        self.now(agent.logout())
        self.taking[1].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1], [], 1))


class LeftEventsTests(AgentCase):
    """More events than may wait, and an application that takes none of them, in its own time."""

    last = 15

    def setUp(self) -> None:
        super().setUp()
        self.patch(event_taking, "MOST_WAITING", 10)
        self.logins: list[float] = []
        self.well = False
        self.heard: list[int] = []

    async def take(self, coming: AgentEvent) -> None:
        await deferLater(self.clock, 0)
        if not self.well:
            raise ValueError
        self.heard.append(coming.sequence)

    def replay(self, login: AgentLogin) -> Message | None:
        """The exchange sends all that isn't acknowledged at once."""
        self.logins.append(self.clock.seconds())
        link = self.line.link
        link.send(AgentLoginReply(Status.OK, EPOCH, login.resume_after + 1, self.last), link.received[-1][0])
        if len(self.logins) < 100:  # a client that never lets go would hold the test up for ever
            for sequence in range(login.resume_after + 1, self.last + 1):
                link.send(event(sequence, Condition.PROGRESS), 0)
        return None

    def begun(self) -> AgentNumber:
        self.line.answers[AgentLogin] = self.replay
        return self.login(on_event=self.take, position=Position(EPOCH, 0))

    def pauses(self) -> list[float]:
        return [round(later - earlier, 3) for earlier, later in pairwise(self.logins)]

    def test_they_are_asked_for_ever_more_seldom_and_why_is_said_once(self) -> None:
        with capturedLogs() as logged:
            self.begun()
            self.pass_time(200, step=0.05)
            pauses = self.pauses()
            self.assertEqual(pauses[0], 0, "the first time at once: they may just have been too many")
            self.assertTrue(all(earlier <= later + 0.1 for earlier, later in pairwise(pauses)), pauses)
            self.assertGreaterEqual(pauses[-1], self.account.longest_retry)
            self.well = True
            self.pass_time(40)
        self.assertEqual(self.heard, [*range(1, self.last + 1)])
        self.assertEqual(self.line.link.acknowledged[-1], self.last)
        told = [formatEvent(entry) for entry in logged if "on_event failed" not in str(entry["log_format"])]
        self.assertEqual(len(told), 2, told)
        self.assertIn("agent 1001 handles none of its events while others wait", told[0])
        self.assertIn("agent 1001 handles events again", told[1])

    def test_one_that_takes_some_gets_the_others_at_once(self) -> None:
        self.well = True
        self.begun()
        self.assertEqual((self.heard, len(self.logins)), ([*range(1, self.last + 1)], 2))

    def test_whatever_ends_the_login_ends_the_wait_too(self) -> None:
        for end in (lambda agent: self.now(agent.logout()), lambda agent: self.lose_link(), self.give_to_another):
            self.setUp()
            agent = self.begun()
            self.pass_time(5, step=0.05)
            self.line.reachable = False
            end(agent)
            asked = len(self.line.link.every(AgentLogin))
            self.assertGreater(asked, 3)
            self.pass_time(20)
            self.assertEqual(len(self.line.link.every(AgentLogin)), asked)

    def give_to_another(self, agent: AgentNumber) -> None:
        self.send(Error(Status.SESSION_TAKEN_OVER, KIND_OF[AgentLogin], agent.number))

    def test_another_link_brings_them_at_once_and_then_as_seldom(self) -> None:
        self.begun()
        self.pass_time(20, step=0.05)
        last = self.pauses()[-1]
        self.lose_link()
        before = len(self.logins)
        self.pass_time(2, step=0.05)
        self.assertEqual(len(self.logins), before + 1, "the login of the new link")
        self.pass_time(60, step=0.05)
        self.assertGreater(self.pauses()[-1], last)


class TakenEventsTests(SynchronousTestCase):
    def test_acknowledged_is_what_lies_before_the_first_that_is_not_taken(self) -> None:
        events = TakenEvents(4)
        for sequence in (5, 6, 7):
            self.assertTrue(events.arrives(sequence))
        events.take(6)
        self.assertEqual(events.last, 4)
        events.take(5)
        self.assertEqual(events.last, 6)
        events.fail(7)
        self.assertEqual((events.last, events.arrives(6), events.arrives(7)), (6, False, True))
