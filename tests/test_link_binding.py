"""The exchange's links over links in memory, from Bind to Unbind: late checks, take-over, leaving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status
from ctiex.limits import Limits
from ctiex.links.exchange import ExchangeLink
from ctiex.messages import (
    AgentLoginReply,
    AgentLogoutReply,
    BindReply,
    CallEnded,
    Condition,
    DataRequest,
    Error,
    Message,
    Ping,
    Role,
    Unbind,
    UnbindReply,
)
from ctiex.records import StoredEvent
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakePeer, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .hashing_portals import LateCredentials


def _status(peer: FakePeer, invoke_id: int) -> int:
    """The status of the reply to a request."""
    answer = peer.answer(invoke_id)
    assert answer is not None, "there is no answer yet"
    return int(getattr(answer, "status"))  # noqa: B009


def _offer_in_vain(exchange: MemoryExchange, agent: FakeAgent) -> None:
    """A call that no session comes for: the agent hears 10 and 14."""
    agent.connect("1001", "bill", "1")
    exchange.pump()
    exchange.advance(make_service("bill").timeouts.rebind_grace)


class _BrokenStore(CallStore):
    """A store with a fault of its own."""

    def events(self, agent: str, after: int = 0) -> Sequence[StoredEvent]:
        raise ZeroDivisionError("a fault of the store's")


class LateChecks(SynchronousTestCase):
    """A secret that takes its time to be checked."""

    def test_nothing_behind_the_bind_is_handled_before_its_reply(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        pair.pump()
        agent.login("1001")
        agent.send(Ping())
        pair.pump()
        self.assertEqual(agent.received, [])
        self.assertFalse(pair.first_transport.reading, "and nothing more is read")
        late.waiting[0].callback(True)
        pair.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received], [1, 2, 3])
        self.assertEqual(exchange.presence.logged_in, 1)

    def test_however_much_came_behind_the_bind_all_of_it_is_answered(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        pings = [agent.send(Ping()) for _ in range(12_000)]
        pair.pump()
        late.waiting[0].callback(True)
        exchange.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received[1:]], pings)

    def test_a_failure_behind_a_late_check_gives_up_that_link_alone(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal, store=_BrokenStore())
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        agent.login("1001")
        agent.connect("1001", "bill", "1")
        pair.pump()
        late.waiting[0].callback(True)
        pair.pump()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(pair.open)

    def test_a_wrong_secret_is_11_and_the_end(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        bound = agent.bind("agents", "wrong")
        agent.login("1001")
        pair.pump()
        late.waiting[0].callback(False)
        pair.pump()
        self.assertEqual(_status(agent, bound), 11)
        self.assertEqual(len(agent.received), 1)
        self.assertFalse(pair.open)

    def test_the_other_role_the_other_link_and_nobody_are_11(self) -> None:
        for identity, role, ivr in (
            ("agents", Role.SERVICE, False),
            ("services", Role.SERVICE, False),
            ("services", Role.AGENT, False),
            ("nobody", Role.AGENT, False),
            ("agents", Role.AGENT, True),
        ):
            exchange = MemoryExchange()
            peer = FakeAgent()
            pair = (exchange.link_service(peer) if ivr else exchange.link_agent(peer))[1]
            bound = peer.bind(identity, role=role)
            pair.pump()
            self.assertEqual(_status(peer, bound), 11)
            self.assertFalse(pair.open)


class SeveralLinks(SynchronousTestCase):
    """Agent numbers move between links."""

    def test_a_login_elsewhere_takes_the_number_over(self) -> None:
        exchange = MemoryExchange()
        old, new = exchange.agent("1001", "1002"), exchange.agent()
        new.login("1001")
        exchange.pump()
        self.assertEqual(old.received[-1], (0, Error(13, 0x10, "1001")))
        asked, other = old.connect("1001", "bill", "1"), old.connect("1002", "bill", "2")
        exchange.pump()
        self.assertEqual((_status(old, asked), _status(old, other)), (42, 0))
        self.assertIsNone(old.lost)
        exchange.pair_of(old).disconnect()
        self.assertEqual(exchange.presence.logged_in, 1, "the end of the old link logs nobody out on the new one")

    def test_a_second_login_on_the_same_link_replays_and_is_no_take_over(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        _offer_in_vain(exchange, agent)
        before = agent.events
        login = agent.login("1001", 1)
        exchange.pump()
        self.assertEqual(agent.answer(login), AgentLoginReply(0, agent.epoch, 1, 2))
        self.assertEqual(agent.events, before + before[1:])
        self.assertEqual(agent.every(Error), [])

    def test_a_login_from_beyond_or_of_another_epoch_is_21_and_replays_everything(self) -> None:
        for beyond in (True, False):
            exchange = MemoryExchange()
            agent = exchange.agent("1001")
            _offer_in_vain(exchange, agent)
            again = exchange.agent()
            login = again.login("1001", 99 if beyond else 1, agent.epoch + (not beyond))
            exchange.pump()
            reply = cast(AgentLoginReply, again.answer(login))
            self.assertEqual((reply.status, reply.epoch), (21, agent.epoch))
            self.assertEqual((reply.first_sequence, reply.last_sequence), (1, 2))
            self.assertEqual([event.sequence for event in again.events], [1, 2])
            asked = again.connect("1001", "bill", "2")
            exchange.pump()
            self.assertEqual(_status(again, asked), 0, "the login holds")

    def test_a_login_without_a_position_is_0_and_replays_everything(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        _offer_in_vain(exchange, agent)
        again = exchange.agent()
        login = again.login("1001", 99, 0)
        exchange.pump()
        self.assertEqual(again.answer(login), AgentLoginReply(0, agent.epoch, 1, 2))
        self.assertNotEqual(agent.epoch, 0)
        self.assertEqual([event.sequence for event in again.events], [1, 2])

    def test_acknowledged_events_do_not_come_again(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        _offer_in_vain(exchange, agent)
        agent.acknowledge("1001", 1)
        agent.acknowledge("1001", 77)
        login = agent.login("1001")
        exchange.pump()
        self.assertEqual(agent.answer(login), AgentLoginReply(0, agent.epoch, 2, 2))
        self.assertEqual([event.sequence for event in agent.events], [1, 2, 2])

    def test_numbers_that_are_not_the_identitys_are_5_and_logouts_of_others_42(self) -> None:
        exchange = MemoryExchange(identities=[agents("agents", "1001"), services()])
        agent = exchange.agent("1001")
        logins = agent.login("1002"), agent.login("")
        logout, again = agent.logout("1001"), agent.logout("1001")
        exchange.pump()
        for login in logins:
            refused = cast(AgentLoginReply, agent.answer(login))
            self.assertEqual((refused.status, refused.epoch), (5, 0))
            self.assertEqual((refused.first_sequence, refused.last_sequence), (0, 0))
        self.assertEqual(agent.answer(logout), AgentLogoutReply(0))
        self.assertEqual(agent.answer(again), AgentLogoutReply(42))


class Leaving(SynchronousTestCase):
    """Unbind from either side."""

    def test_a_client_that_unbinds_is_answered_and_let_go(self) -> None:
        exchange = MemoryExchange()
        for peer in (exchange.agent("1001"), exchange.service()):
            left = peer.unbind()
            behind = peer.send(DataRequest("1"))
            exchange.pump()
            self.assertEqual(peer.answer(left), UnbindReply())
            self.assertIsNone(peer.answer(behind))
            self.assertIsNotNone(peer.lost)
        self.assertEqual(exchange.presence.logged_in, 0)

    def test_an_exchange_that_goes_away_says_15_and_answers_what_is_under_way(self) -> None:
        store = WaitingStore()
        store.waits = False
        exchange = MemoryExchange(store=store)
        agent, service = exchange.agent("1001"), exchange.service()
        store.waits = True
        asked = agent.connect("1001", "bill", "1")
        exchange.pump()
        exchange.processing.drain()
        for links in (exchange.agent_links, exchange.ivr_links):
            links.going_away()
        exchange.pump()
        self.assertEqual([unbind.status for unbind in agent.every(Unbind) + service.every(Unbind)], [15, 15])
        refused = agent.connect("1001", "bill", "2")
        exchange.pump()
        self.assertEqual(_status(agent, refused), 15)
        store.fire()
        exchange.pump()
        self.assertEqual(_status(agent, asked), 0)
        answered: list[tuple[FakePeer, Message]] = [(agent, UnbindReply()), (service, UnbindReply())]
        for peer, reply in answered:
            [invoke_id] = [number for number, message in peer.received if isinstance(message, Unbind)]
            peer.send(reply, invoke_id)
        exchange.pump()
        self.successResultOf(exchange.agent_links.when_empty())
        self.successResultOf(exchange.ivr_links.when_empty())

    def test_a_client_that_does_not_answer_is_left_behind(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        gone = exchange.agent_links.when_empty()
        exchange.agent_links.going_away()
        exchange.pump()
        exchange.advance(4.5)
        self.assertNoResult(gone)
        self.assertIsNone(agent.lost)
        exchange.advance(1)
        self.successResultOf(gone)
        self.assertIsNotNone(agent.lost)

    def test_a_client_that_is_sent_away_hears_why_and_the_link_ends_at_its_answer(self) -> None:
        exchange = MemoryExchange()
        agent, other = exchange.agent("1001"), exchange.agent("1002")
        cast(ExchangeLink, exchange.pair_of(agent).first).send_away(Status.REFUSED_CREDENTIALS, "its token was revoked")
        exchange.pump()
        (left,) = [(number, told) for number, told in agent.received if isinstance(told, Unbind)]
        self.assertEqual(left[1], Unbind(11, "its token was revoked"))
        self.assertIsNone(agent.lost)
        agent.send(UnbindReply(), left[0])
        exchange.pump()
        self.assertIsNotNone(agent.lost)
        self.assertEqual((other.lost, other.every(Unbind)), (None, []))

    def test_one_that_is_not_bound_is_sent_away_without_a_word(self) -> None:
        exchange = MemoryExchange()
        peer, pair, link = exchange.link_agent(FakeAgent())
        link.send_away(Status.GOING_AWAY, "not now")
        exchange.pump()
        self.assertEqual((peer.received, pair.open), ([], False))

    def test_an_unbind_under_0_is_answered_under_0(self) -> None:
        exchange = MemoryExchange()
        for peer in (exchange.agent("1001"), exchange.service()):
            peer.send(Unbind(), 0)
            exchange.pump()
            self.assertEqual(peer.received[-1], (0, UnbindReply()))
            self.assertIsNotNone(peer.lost)

    def test_a_call_that_ends_is_told_to_its_service(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "1")
        exchange.pump()
        agent.cancel("1")
        exchange.pump()
        self.assertEqual(service.every(CallEnded), [CallEnded("1", Condition.CANCELLED)])

    def test_links_over_the_limit_of_an_identity_are_14(self) -> None:
        exchange = MemoryExchange(limits=Limits(links_per_identity=1))
        first = exchange.agent()
        second = exchange.agent()
        self.assertEqual([reply.status for reply in first.every(BindReply) + second.every(BindReply)], [0, 14])
        exchange.pair_of(first).disconnect()
        self.assertEqual([reply.status for reply in exchange.agent().every(BindReply)], [0])
