"""Where an agent's client stands in the numbering of its events: over lost links, restarts and new epochs."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.clients import AgentClient, AgentNumber, Position
from ctiex.errors import CallError, Status
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
    Condition,
    ConnectRequest,
    Error,
    Message,
)

from .hand_exchange import EPOCH, AgentCase, event, good_login

ANEW = EPOCH + 1


class PositionTests(AgentCase):
    """An application that keeps its position, and one that doesn't."""

    def test_without_one_everything_that_waits_comes_and_nothing_is_a_gap(self) -> None:
        gaps: list[tuple[int, int]] = []
        self.line.answers[AgentLogin] = lambda login: good_login(login, 41, 42)
        agent = self.login(on_gap=lambda *gap: gaps.append(gap))
        self.assertEqual(self.line.link.said, [AgentLogin("1001", epoch=0, resume_after=0)])
        self.send(event(41), event(42))
        self.assertEqual((agent.position, gaps), (Position(EPOCH, 42), []))
        self.assertEqual(self.line.link.acknowledged, [41, 42])

    def test_it_is_the_exchanges_before_any_event(self) -> None:
        self.line.answers[AgentLogin] = lambda login: good_login(login, 41, 42)
        self.assertEqual(self.login().position, Position(EPOCH, 40))

    def test_another_run_goes_on_behind_it(self) -> None:
        agent = self.login()
        self.send(event(1), event(2))
        self.now(self.client.stopService())
        client = AgentClient(self.clock, self.account)
        client.startService()
        self.addCleanup(client.stopService)
        again = self.now(client.login("1001", position=agent.position))
        self.assertEqual(self.line.link.said, [AgentLogin("1001", EPOCH, 2)])
        self.assertEqual(again.position, Position(EPOCH, 2))

    def test_what_it_has_taken_already_is_not_brought_again(self) -> None:
        heard: list[int] = []
        self.line.answers[AgentLogin] = lambda login: good_login(login, 1, 3)
        self.login(on_event=lambda one: heard.append(one.sequence), position=Position(EPOCH, 2))
        self.send(event(1), event(2), event(3))
        self.assertEqual(heard, [3])

    def test_what_expired_behind_it_is_told_as_a_gap(self) -> None:
        gaps: list[tuple[int, int]] = []
        self.line.answers[AgentLogin] = lambda login: good_login(login, 6, 7)
        agent = self.login(on_gap=lambda *gap: gaps.append(gap), position=Position(EPOCH, 2))
        self.assertEqual((gaps, agent.position), ([(3, 5)], Position(EPOCH, 5)))

    def test_it_knows_when_an_event_happened_and_what_its_call_is_called(self) -> None:
        heard: list[AgentEvent] = []
        self.login(on_event=heard.append)
        self.send(AgentEvent(1, 1_795_000_000_123, "1001", "7", "R-1", Condition.CONNECTING))
        self.assertEqual([(one.time, one.reference) for one in heard], [(1_795_000_000_123, "R-1")])


class NumberedAnewTests(AgentCase):
    """The exchange has another numbering (21)."""

    def setUp(self) -> None:
        super().setUp()
        self.gaps: list[tuple[int, int]] = []
        self.heard: list[int] = []

    def anew(self, first: int = 1, last: int = 0) -> None:
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.NUMBERING_ANEW, ANEW, first, last)

    def begun(self) -> AgentNumber:
        return self.login(
            on_event=lambda one: self.heard.append(one.sequence),
            on_gap=lambda *gap: self.gaps.append(gap),
            position=Position(EPOCH, 5),
        )

    def test_at_the_first_login_of_a_run_it_is_adopted_and_told(self) -> None:
        self.anew(1, 2)
        agent = self.begun()
        self.assertEqual((self.gaps, agent.position), ([(6, 5)], Position(ANEW, 0)))
        self.send(event(1), event(2))
        self.assertEqual((self.heard, agent.position), ([1, 2], Position(ANEW, 2)))

    def test_the_next_login_names_it(self) -> None:
        self.anew(3, 4)
        self.begun()
        self.line.answers[AgentLogin] = lambda login: AgentLoginReply(Status.OK, ANEW, 3, 4)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(AgentLogin), [AgentLogin("1001", ANEW, 2)])
        self.assertEqual(self.gaps, [(6, 5)])

    def test_after_a_lost_link_hand_offs_are_possibly_lost(self) -> None:
        agent = self.begun()
        waiting = self.begin(self.now(agent.connect("bill", "138")).result())
        self.anew()
        self.lose_link()
        self.pass_time(2)
        self.assertIs(self.failureResultOf(waiting, CallError).value.status, Status.NUMBERING_ANEW)
        self.assertEqual((self.gaps, agent.position), ([(6, 5)], Position(ANEW, 0)))

    def test_an_event_of_before_that_is_under_way_moves_no_position_of_now(self) -> None:
        taking: list[Deferred[None]] = []

        def take(one: AgentEvent) -> Deferred[None]:
            self.heard.append(one.sequence)
            taking.append(Deferred())
            return taking[-1]

        agent = self.login(on_event=take)
        self.send(event(1), event(2))
        self.anew(1, 1)
        self.lose_link()
        self.pass_time(2)
        taking[0].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1], []), "the second one was of before")
        self.assertEqual(agent.position, Position(ANEW, 0))
        self.send(event(1))
        taking[1].callback(None)
        self.line.pump()
        self.assertEqual((self.line.link.acknowledged, agent.position), ([1], Position(ANEW, 1)))

    def test_a_resume_beyond_the_last_of_the_same_epoch_is_one_too(self) -> None:
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.NUMBERING_ANEW, EPOCH, 1, 3)
        agent = self.begun()
        self.assertEqual((self.gaps, agent.position), ([(6, 5)], Position(EPOCH, 0)))


class BrokenNumberingTests(AgentCase):
    """What a login may not be answered: results could be lost in silence."""

    def given_up(self, reply: AgentLoginReply, position: Position | None) -> None:
        good = self.line.answers[AgentLogin]
        self.line.answers[AgentLogin] = lambda _: reply
        links = len(self.line.links)
        login = self.begin(self.client.login("1001", position=position))
        self.pass_time(1)
        self.assertNoResult(login)
        self.assertGreater(len(self.line.links), links, "another link is tried")
        self.line.answers[AgentLogin] = good
        self.pass_time(30)
        self.assertEqual(self.successResultOf(login).position, position or Position(EPOCH, 0))

    def test_epoch_0_is_no_numbering(self) -> None:
        for status in (Status.OK, Status.NUMBERING_ANEW):
            self.given_up(AgentLoginReply(status, 0, 1, 0), None)

    def test_nor_does_a_client_go_on_in_an_epoch_that_it_did_not_ask_for(self) -> None:
        self.given_up(AgentLoginReply(Status.OK, ANEW, 1, 9), Position(EPOCH, 5))

    def test_nor_where_its_last_event_was_never_numbered(self) -> None:
        self.given_up(AgentLoginReply(Status.OK, EPOCH, 1, 4), Position(EPOCH, 5))


class EarlyEventsTests(AgentCase):
    """Events that come before the answer to their login: it names their epoch, so they are held until it is there."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[int] = []
        self.gaps: list[tuple[int, int]] = []

    def early(self, *early: int, behind: tuple[int, ...] = (), status: Status = Status.OK, epoch: int = EPOCH) -> None:
        def answer(login: AgentLogin) -> Message | None:
            link = self.line.link
            invoke_id = link.received[-1][0]
            for sequence in early:
                link.send(event(sequence), 0)
            first = evolve(good_login(login, login.resume_after + 1, 7), status=status, epoch=epoch)
            if status is not Status.OK:
                first = evolve(first, first_sequence=1)
            link.send(first, invoke_id)
            for sequence in behind:
                link.send(event(sequence), 0)
            return None

        self.line.answers[AgentLogin] = answer

    def begun(self, position: Position | None = None) -> AgentNumber:
        agent = self.login(
            on_event=lambda one: self.heard.append(one.sequence),
            on_gap=lambda *gap: self.gaps.append(gap),
            position=position,
        )
        self.clock.advance(0)
        self.line.pump()
        return agent

    def test_at_the_first_login_of_a_run(self) -> None:
        self.early(1, 2, behind=(3,))
        agent = self.begun()
        self.assertEqual((self.heard, self.gaps, agent.position), ([1, 2, 3], [], Position(EPOCH, 3)))

    def test_at_another_login_and_in_another_numbering(self) -> None:
        self.begun(Position(EPOCH, 5))
        self.early(1, 2, behind=(3,), status=Status.NUMBERING_ANEW, epoch=ANEW)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual((self.heard, self.gaps), ([1, 2, 3], [(6, 5)]))

    def test_those_of_an_abandoned_login_are_replayed(self) -> None:
        self.early(7, 6, 7, behind=())
        self.begun(Position(EPOCH, 5))
        self.assertEqual((self.heard, self.gaps), ([6, 7], []))
        self.heard.clear()
        self.early(7, behind=(6, 7))
        self.begun(Position(EPOCH, 5))
        self.assertEqual((self.heard, self.gaps), ([6, 7], []))

    def test_the_application_knows_its_agent_number_by_then(self) -> None:
        """It stores the position of an event as the epoch of its agent number and the event's sequence."""
        agents: list[AgentNumber] = []
        seen: list[Position] = []
        self.early(1)

        async def log_in() -> None:
            agents.append(
                await self.client.login(
                    "1001", on_event=lambda one: seen.append(evolve(agents[0].position, sequence=one.sequence))
                )
            )

        self.now(log_in())
        self.clock.advance(0)
        self.assertEqual(seen, [Position(EPOCH, 1)])

    def test_another_login_meanwhile_brings_them_itself(self) -> None:
        self.early(1)
        agent = self.login(on_event=lambda one: self.heard.append(one.sequence))
        self.lose_link()
        self.line.answers[AgentLogin] = lambda login: good_login(login, 1, 1)
        self.pass_time(2)
        self.send(event(1))
        self.assertEqual((self.heard, agent.position), ([1], Position(EPOCH, 1)))

    def test_they_are_bounded_and_the_others_come_by_another_login(self) -> None:
        self.early(*range(1, 1_200))
        agent = self.login(on_event=lambda one: self.heard.append(one.sequence))
        self.line.answers[AgentLogin] = lambda login: good_login(login, login.resume_after + 1, 1_200)
        self.clock.advance(0)
        self.line.pump()
        self.assertEqual(self.line.link.every(AgentLogin)[-1], AgentLogin("1001", EPOCH, 1_000))
        self.assertEqual((agent.last_sequence, self.heard), (1_000, [*range(1, 1_001)]))


class ErrorsTests(AgentCase):
    """An Error about something else changes nothing."""

    def test_13_about_anything_but_a_login_takes_no_number_over(self) -> None:
        agent = self.login()
        with capturedLogs() as logged:
            for about in (0, KIND_OF[ConnectRequest]):
                self.send(Error(Status.SESSION_TAKEN_OVER, about, "1001"))
        self.assertFalse(agent.taken_over)
        self.assertIsNone(agent.ended)
        told = [formatEvent(entry) for entry in logged if "the exchange said" in str(entry["log_format"])]
        self.assertEqual(told, ["the exchange said session taken over: 1001"], "once in a while")

    def test_one_under_the_id_of_a_request_ends_it_only_if_it_is_about_it(self) -> None:
        del self.line.answers[ConnectRequest]
        asked = self.begin(self.login().connect("bill", "138", serial="7", timeout=5))
        (invoke_id,) = [one for one, said in self.line.link.received if isinstance(said, ConnectRequest)]
        for about in (0, KIND_OF[AgentEvent], KIND_OF[AgentLogin]):
            self.line.link.send(Error(Status.MALFORMED, about), invoke_id)
            self.line.pump()
        self.assertNoResult(asked)
        self.line.link.send(Error(Status.MALFORMED, KIND_OF[ConnectRequest], "too odd"), invoke_id)
        self.line.pump()
        refused = self.failureResultOf(asked, CallError).value
        self.assertEqual((refused.status, refused.detail), (Status.MALFORMED, "too odd"))
