"""The door after refusals: what a refused Bind costs, and whom, over links in memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory

from ctiex.limits import SessionLimits
from ctiex.messages import Bind, Ping, Role
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakeAgent

from .door_case import IN_CLEAR, DoorCase, patient
from .recorded_audit import Recorded


class ThrottleTests(DoorCase):
    """The delay before a refusal, and the lock-out."""

    def test_refusals_wait_longer_and_longer(self) -> None:
        waited = []
        for number in range(9):
            peer = self.bind("agents", f"wrong {number}")
            self.settle()
            begun = self.clock.seconds()
            while self.reply(peer) is None:
                self.exchange.advance(0.25, 0.25)
            waited.append(self.clock.seconds() - begun)
        self.assertEqual(waited, [0, 0, 0.25, 0.5, 1, 2, 4, 5, 5])

    def test_nothing_but_its_reply_waits(self) -> None:
        self.guess(5)
        slow, quick = self.bind("agents", "wrong"), self.bind("agents", "secret")
        self.settle()
        self.assertEqual((self.status(slow), self.status(quick)), (None, 0))

    def test_a_refusal_goes_out_before_the_login_deadline_however_late_its_bind_came(self) -> None:
        self.make(session_limits=SessionLimits(login_deadline=3))
        self.guess(8)
        peer, pair = self.open()
        self.exchange.advance(2.5)
        peer.send(Bind(Role.AGENT, "agents", "wrong"))
        pair.pump()
        self.settle()
        self.assertIsNone(self.reply(peer))
        self.exchange.advance(0.46, 0.01)
        self.assertEqual(self.status(peer), 11)

    def test_after_so_many_failures_a_source_is_locked_out_unseen(self) -> None:
        self.guess(10)
        begun = self.threads.begun
        with capturedLogs() as logged:
            for identity, secret in (("agents", "secret"), ("agents", "wrong"), ("nobody", "x")):
                reply = self.reply(self.bind(identity, secret))
                assert reply is not None, "at once"
                self.assertEqual(reply.status, 14)
                self.assertIn("too many refused logins", reply.detail)
        self.assertEqual(self.threads.begun, begun)
        self.assertEqual((self.counts.logins_locked_out, self.counts.sources_locked_out), (3, 1))
        self.assertEqual(len([event for event in logged if "refused" in formatEvent(event)]), 1, "no flood of lines")
        self.exchange.advance(301, 10)
        self.assertEqual(self.tell(self.bind("agents", "secret")), 0)

    def test_others_are_not_locked_out_with_it(self) -> None:
        self.make(session_limits=IN_CLEAR)
        self.guess(10, "2001:db8::1")
        self.assertEqual(self.tell(self.bind("agents", "secret", host="2001:db8::ffff")), 14, "the same /64")
        self.assertEqual(self.tell(self.bind("agents", "secret", host="2001:db8:0:1::1")), 0)

    def test_links_that_are_bound_go_on(self) -> None:
        self.make(session_limits=IN_CLEAR)
        peer = self.bind("agents", "secret", host="192.0.2.1")
        self.assertEqual(self.tell(peer), 0)
        self.guess(10, "192.0.2.1")
        self.exchange.pair_of(peer).pump()
        asked = peer.send(Ping())
        self.exchange.pump()
        self.assertIsNotNone(peer.answer(asked))

    def test_a_success_wipes_no_failure(self) -> None:
        self.guess(9)
        self.assertEqual(self.tell(self.bind("clear", "clear secret")), 0)
        self.assertEqual(self.tell(self.bind("agents", "another")), 11)
        self.assertEqual(self.tell(self.bind("clear", "clear secret")), 14)

    def failures(self) -> int:
        return self.exchange.core.throttle.failures("127.0.0.1", self.clock.seconds())

    def test_guesses_made_all_at_once_are_no_more_than_those_made_one_by_one(self) -> None:
        for number in range(60):
            self.bind("agents", f"guess {number}")
        self.settle()
        self.assertEqual(self.threads.begun, 10)
        self.exchange.advance(6)
        answers = [self.status(pair.second) for pair in self.exchange.pairs]  # type: ignore[arg-type]
        self.assertEqual((answers.count(11), answers.count(14)), (10, 50))

    def test_who_leaves_before_the_answer_has_guessed_all_the_same(self) -> None:
        with capturedLogs() as logged:
            for number in range(10):
                peer = self.bind("agents", f"guess {number}")
                self.exchange.pair_of(peer).disconnect()
                self.threads.finish()
        self.assertEqual(self.failures(), 10)
        self.assertEqual(len([event for event in logged if "(wrong secret)" in formatEvent(event)]), 10)
        self.assertEqual(self.status(self.bind("agents", "secret")), 14)
        self.assertEqual(self.counts.binds_refused, 11)

    def test_who_leaves_before_a_guess_is_begun_has_made_none(self) -> None:
        self.bind("agents", "first")
        for number in range(20):
            peer = self.bind("agents", f"guess {number}")
            self.exchange.pair_of(peer).disconnect()
        self.settle()
        self.assertEqual((self.threads.begun, self.failures()), (1, 1))

    def test_a_link_that_goes_while_its_refusal_waits_leaves_no_timer(self) -> None:
        self.guess(6)
        peer = self.bind("agents", "wrong")
        self.settle()
        self.exchange.pair_of(peer).disconnect()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.exchange.core.admission.empty)

    def test_an_exchange_that_leaves_while_a_refusal_waits_ends_the_link(self) -> None:
        self.guess(6)
        peer = self.bind("agents", "wrong")
        self.settle()
        self.exchange.agent_links.going_away()
        self.exchange.pump()
        self.assertFalse(self.exchange.pair_of(peer).open)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RepeatedTests(DoorCase):
    """The same refused Bind again: a client with an old secret that goes on trying."""

    def again(self, count: int, secret: str = "old") -> list[int | None]:
        return [self.tell(self.bind("agents", secret)) for _ in range(count)]

    def test_it_locks_out_nobody_and_is_hashed_once(self) -> None:
        self.assertEqual(self.again(50), [11] * 50)
        self.assertEqual(self.threads.begun, 1)
        self.assertEqual(self.tell(self.bind("agents", "secret")), 0)
        self.assertEqual((self.counts.binds_refused, self.counts.sources_locked_out), (50, 0))

    def test_many_at_once_are_one_guess_as_well(self) -> None:
        peers = [self.bind("agents", "old") for _ in range(20)]
        self.settle()
        self.assertEqual([self.status(peer) for peer in peers], [11] * 20)
        self.assertEqual(self.exchange.core.throttle.failures("127.0.0.1", 0), 1)

    def test_it_is_answered_as_at_first_and_as_late_as_any_other(self) -> None:
        first = self.bind("agents", "old")
        self.settle()
        self.guess(5)
        again = self.bind("agents", "old")
        self.exchange.pump()
        self.assertIsNone(self.reply(again), "not at once")
        self.assertEqual(self.tell(again), 11)
        self.assertEqual(self.reply(again), self.reply(first))

    def test_it_is_logged_and_recorded_once_in_a_while(self) -> None:
        with capturedLogs() as logged:
            self.again(20)
        reasons = [event["reason"] for event in logged if "refused:" in formatEvent(event)]
        self.assertEqual(reasons[0], "wrong secret")
        self.assertEqual(set(reasons[1:]), {"the same login as one refused before"})
        self.assertLessEqual(len(reasons), 4, "20 of them took two minutes")

    def test_another_role_link_identity_or_secret_is_another_one(self) -> None:
        self.again(1, "secret of another")
        for peer in (
            self.bind("agents", "secret of anothe"),
            self.bind("agents", "secret of another", Role.SERVICE),
            self.bind("agents", "secret of another", to_services=True),
            self.bind("agent", "ssecret of another"),
        ):
            self.assertEqual(self.tell(peer), 11)
        self.assertEqual(self.exchange.core.throttle.failures("127.0.0.1", self.clock.seconds()), 5)

    def test_a_locked_out_source_hears_that_it_is(self) -> None:
        self.again(1)
        self.guess(9)
        self.assertEqual(self.again(2), [14, 14])
        self.assertEqual(self.counts.sources_locked_out, 1)

    def test_it_is_looked_at_again_once_it_is_forgotten(self) -> None:
        self.again(1)
        self.exchange.advance(300, 10)
        self.again(1)
        self.assertEqual(self.threads.begun, 2)


class ProxyTests(DoorCase):
    """Behind a proxy that tells whose connection it is (the PROXY protocol), which the link learns after it opened."""

    def behind(self, host: str) -> StringTransport:
        """A Bind with a wrong secret from there."""
        transport = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 49152))
        protocol = HAProxyWrappingFactory(self.exchange.agent_links).buildProtocol(transport.getPeer())
        assert protocol is not None
        protocol.makeConnection(transport)
        protocol.dataReceived(f"PROXY TCP4 {host} 127.0.0.1 40000 7300\r\n".encode())
        protocol.dataReceived(FakeAgent().frame(Bind(Role.AGENT, "agents", "wrong"), 1))
        self.settle()
        return transport

    def test_failures_are_those_of_the_client_not_of_its_proxy(self) -> None:
        audit = Recorded()
        self.make(session_limits=IN_CLEAR, audit=audit)
        with capturedLogs() as logged:
            self.behind("192.0.2.7")
        failures = [self.exchange.core.throttle.failures(host, 0) for host in ("192.0.2.7", "127.0.0.1")]
        self.assertEqual(failures, [1, 0])
        (said,) = [formatEvent(event) for event in logged if "wrong secret" in formatEvent(event)]
        self.assertIn("192.0.2.7:40000", said)
        self.assertEqual(audit.of(AuditEvent.BIND_REFUSED)[0]["peer"], "192.0.2.7:40000")

    def test_what_the_client_sends_to_its_proxy_is_not_private(self) -> None:
        self.assertIn(b"a secret is accepted over TLS or on loopback only", self.behind("192.0.2.7").value())
        self.assertEqual(self.threads.begun, 0)


class FairnessTests(DoorCase):
    """A flood of guesses from one source, and a first Bind from another."""

    def test_the_other_is_let_in_after_the_one_that_runs_and_one_that_waited(self) -> None:
        self.make(limits=patient(), session_limits=IN_CLEAR)
        for number in range(200):
            self.bind("agents", f"guess {number}", host="192.0.2.66")
        right = self.bind("agents", "secret", host="192.0.2.1")
        for _ in range(3):
            self.threads.finish_one()
        self.exchange.pump()
        self.assertEqual(self.status(right), 0)
        self.assertGreater(self.counts.logins_over_limit, 0, "the flood itself is told 14")
        self.settle()

    @given(st.integers(1, 150), st.integers(1, 5))
    @settings(deadline=None, max_examples=20)
    def test_however_many_guess_the_other_waits_for_one_of_each(self, guesses: int, sources: int) -> None:
        self.make(limits=patient(), session_limits=IN_CLEAR)
        for number in range(guesses):
            self.bind("agents", f"guess {number}", host=f"192.0.2.{100 + number % sources}")
        right = self.bind("agents", "secret", host="192.0.2.1")
        hashed = 0
        while self.status(right) is None:
            self.threads.finish_one()
            self.exchange.pump()
            hashed += 1
        self.assertEqual(self.status(right), 0)
        self.assertLessEqual(hashed, sources + 2)
        self.settle()
