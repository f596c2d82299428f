"""The door: what a Bind is answered, when, and what it costs, over links in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import CheckBusy
from ctiex.limits import Limits, SessionLimits
from ctiex.links import exchange as exchange_module
from ctiex.login.checkers import ConfiguredChecker
from ctiex.login.credentials import KnownIdentity, checker_context, make_portal
from ctiex.messages import Bind, BindReply, Ping, Role
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange, MemoryTransport, agents, services

from .checking import Threads, cheaply_hashed
from .test_audit import Recorded

HASHED = [
    KnownIdentity(agents(), cheaply_hashed("secret")),
    KnownIdentity(services(), cheaply_hashed("secret", b"pepper")),
    KnownIdentity(agents("clear"), "clear secret"),
    KnownIdentity(agents("platform-1"), certificate="platform-1.example.net"),
]


def patient(**limits: int) -> Limits:
    """The throttle never gets in the way."""
    return Limits(login_failures=10_000, login_delay=0.001, **limits)


def links(identity: int, source: int, unbound_source: int, unbound: int) -> Limits:
    """So many links of each, at most."""
    return Limits(
        links_per_identity=identity,
        links_per_source=source,
        unbound_links_per_source=unbound_source,
        unbound_links=unbound,
    )


IN_CLEAR = SessionLimits(plain_secrets="allowed")


class DoorCase(SynchronousTestCase):
    """An exchange in memory whose hashings run when told."""

    def setUp(self) -> None:
        self.make()

    def make(self, **options: Any) -> None:
        self.threads = Threads()
        context = checker_context(HASHED)
        self.checker = ConfiguredChecker(context.secrets, context.identities, self.threads)
        portal = make_portal(HASHED, self.checker)
        self.exchange = MemoryExchange(portal=portal, **options)
        self.clock, self.counts = self.exchange.clock, self.exchange.counts

    def open(self, host: str = "127.0.0.1", to_services: bool = False) -> tuple[FakePeer, LinkedPair]:
        """A link from this address."""
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, 49152)

        def transport(name: str) -> MemoryTransport:
            made = MemoryTransport(name)
            made._address = address  # type: ignore[assignment]
            return made

        with patch("ctiex.testing.pairs.MemoryTransport", transport):
            if to_services:
                service, pair, _ = self.exchange.link_service(FakeService())
                return service, pair
            agent, pair, _ = self.exchange.link_agent(FakeAgent())
            return agent, pair

    def bind(
        self, identity: str, secret: str, role: Role = Role.AGENT, host: str = "127.0.0.1", to_services: bool = False
    ) -> FakePeer:
        """Send a Bind on a link of its own."""
        peer, pair = self.open(host, to_services)
        peer.send(Bind(role, identity, secret))
        pair.pump()
        return peer

    def settle(self) -> None:
        """Hash what is to be hashed, and carry the answers over."""
        self.threads.finish()
        self.exchange.pump()

    def reply(self, peer: FakePeer) -> BindReply | None:
        """What it was answered."""
        replies = peer.every(BindReply)
        return replies[0] if replies else None

    def status(self, peer: FakePeer) -> int | None:
        reply = self.reply(peer)
        return None if reply is None else int(reply.status)

    def tell(self, peer: FakePeer) -> int | None:
        """Its status, with everything hashed and every delay waited for."""
        self.settle()
        self.exchange.advance(6)
        return self.status(peer)

    def guess(self, count: int, host: str = "127.0.0.1") -> None:
        """So many refused logins."""
        for number in range(count):
            self.assertEqual(self.tell(self.bind("agents", f"wrong {number}", host=host)), 11)


class SamenessTests(DoorCase):
    """A refusal tells nothing of its reason."""

    WRONG: Sequence[tuple[str, str, Role, bool]] = (
        ("nobody", "secret", Role.AGENT, False),
        ("agents", "wrong", Role.AGENT, False),
        ("agents", "", Role.AGENT, False),
        ("", "", Role.AGENT, False),
        ("platform-1", "secret", Role.AGENT, False),
        ("platform-1", "", Role.AGENT, False),
        ("clear", "wrong", Role.AGENT, False),
        ("clear", "clear secret", Role.SERVICE, False),
        ("clear", "clear secret", Role.AGENT, True),
        ("agents", "secret", Role.SERVICE, False),
        ("agents", "secret", Role.AGENT, True),
        ("agents", "secret", Role.SERVICE, True),
        ("services", "secret", Role.SERVICE, False),
        ("services", "secret", Role.AGENT, False),
    )

    def test_every_refusal_is_the_same_after_one_hashing_whether_the_right_secret_was_seen_before_or_not(self) -> None:
        for seen in (False, True):
            answers = []
            for identity, secret, role, to_services in self.WRONG:
                self.make()
                if seen:
                    for one in (self.bind("agents", "secret"),
                                self.bind("services", "secret", Role.SERVICE, to_services=True)):  # fmt: skip
                        self.assertEqual(self.tell(one), 0)
                before = self.threads.begun
                peer = self.bind(identity, secret, role, to_services=to_services)
                self.assertIsNone(self.reply(peer), "nothing is told before the hashing")
                self.settle()
                self.assertEqual(self.threads.begun, before + 1)
                answers.append((self.reply(peer), self.clock.seconds()))
                self.assertFalse(self.exchange.pair_of(peer).open)
            self.assertEqual(len({repr(answer) for answer in answers}), 1)
            self.assertEqual(answers[0][0].status, 11)  # type: ignore[union-attr]

    def test_the_log_says_the_reason(self) -> None:
        reasons = []
        for identity, secret, role in (("nobody", "x", Role.AGENT), ("agents", "x", Role.AGENT),
                                       ("agents", "secret", Role.SERVICE)):  # fmt: skip
            with capturedLogs() as logged:
                self.tell(self.bind(identity, secret, role))
            (said,) = [formatEvent(event) for event in logged if "refused" in formatEvent(event)]
            self.assertNotIn("secret)", said.replace("wrong secret)", ""))
            reasons.append(said.partition("(")[2])
        self.assertEqual(reasons, ["unknown identity)", "wrong secret)", "an identity of the role agent)"])

    def test_the_right_one_is_let_in(self) -> None:
        for identity, secret, role in (("agents", "secret", Role.AGENT), ("clear", "clear secret", Role.AGENT)):
            self.assertEqual(self.tell(self.bind(identity, secret, role)), 0)
        service = self.bind("services", "secret", Role.SERVICE, to_services=True)
        self.assertEqual(self.tell(service), 0)
        self.assertEqual(self.counts.links_bound, 3)


class CertificateTests(DoorCase):
    """A Bind without a secret, under the name in a certificate."""

    def answer(self, names: tuple[str, ...], identity: str, secret: str = "", role: Role = Role.AGENT) -> int | None:
        with patch.object(exchange_module, "certificate_names", lambda transport: names):
            return self.tell(self.bind(identity, secret, role))

    def test_the_identity_of_the_certificate_is_let_in_under_its_name_or_none(self) -> None:
        for identity in ("", "platform-1"):
            self.assertEqual(self.answer(("platform-1.example.net",), identity), 0)
        self.assertEqual({link.who.name for link in self.exchange.agent_links.links if link.who}, {"platform-1"})
        self.assertEqual(self.threads.begun, 0)

    def test_any_other_is_refused(self) -> None:
        self.make(limits=patient())
        own = ("platform-1.example.net",)
        for names, identity, secret, role in (
            (own, "agents", "", Role.AGENT),
            (own, "nobody", "", Role.AGENT),
            (own, "platform-1", "", Role.SERVICE),
            (own, "platform-1", "secret", Role.AGENT),
            (("other.example.net",), "platform-1", "", Role.AGENT),
            ((), "platform-1", "", Role.AGENT),
            ((), "", "", Role.AGENT),
        ):
            self.assertEqual(self.answer(names, identity, secret, role), 11, (names, identity))

    def test_a_secret_is_taken_on_a_link_with_a_certificate_too(self) -> None:
        self.assertEqual(self.answer(("other.example.net",), "agents", "secret"), 0)

    def test_who_has_one_is_not_locked_out_with_those_who_guess_at_its_address(self) -> None:
        self.guess(10)
        self.assertEqual(self.tell(self.bind("agents", "secret")), 14)
        self.assertEqual(self.answer(("platform-1.example.net",), "platform-1"), 0)

    def test_a_flood_of_them_that_belong_to_nobody_is_a_line_of_the_log_for_each_until_the_lock_out(self) -> None:
        with capturedLogs() as logged:
            answers = [self.answer(("other.example.net",), f"name {number}") for number in range(30)]
        self.assertEqual((answers.count(11), answers.count(14)), (10, 20))
        lines = len([event for event in logged if "refused:" in formatEvent(event)])
        self.assertIn(lines, range(11, 15), "ten, and one a minute")


class PlainTests(DoorCase):
    """Secrets over plain TCP from beyond this machine."""

    def test_they_are_refused_unseen_whatever_they_are(self) -> None:
        said = set()
        with capturedLogs() as logged:
            for host in ("192.0.2.1", "2001:db8::1"):
                for identity, secret in (("agents", "secret"), ("agents", "wrong"), ("nobody", "x"), ("", "")):
                    peer = self.bind(identity, secret, host=host)
                    reply = self.reply(peer)
                    assert reply is not None, "at once"
                    said.add((int(reply.status), reply.detail))
        self.assertEqual(said, {(11, "a secret is accepted over TLS or on loopback only")})
        self.assertEqual((self.threads.begun, self.counts.plain_secrets_refused), (0, 8))
        self.assertTrue(any("plain TCP" in formatEvent(event) for event in logged))
        self.assertEqual(self.exchange.core.throttle.failures("192.0.2.1", 0), 0, "nobody guessed anything")

    def test_loopback_is_this_machine(self) -> None:
        for host in ("127.0.0.1", "::1"):
            self.assertEqual(self.tell(self.bind("agents", "secret", host=host)), 0)

    def test_they_are_taken_where_the_configuration_says_so(self) -> None:
        self.make(session_limits=IN_CLEAR)
        self.assertEqual(self.tell(self.bind("agents", "secret", host="192.0.2.1")), 0)
        self.assertEqual(self.tell(self.bind("agents", "wrong", host="192.0.2.1")), 11)


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


class DeadlineTests(DoorCase):
    """A Bind that nobody answers."""

    def test_one_that_is_still_looked_at_by_the_deadline_ends_the_link(self) -> None:
        peer = self.bind("agents", "secret")
        self.exchange.advance(9.5, 0.5)
        self.assertTrue(self.exchange.pair_of(peer).open)
        self.exchange.advance(1, 0.5)
        self.assertFalse(self.exchange.pair_of(peer).open)
        self.assertEqual(self.counts.links_silent, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.threads.finish()
        self.assertEqual(self.counts.links_bound, 0)
        self.assertTrue(self.exchange.core.admission.empty)

    def test_a_bound_link_outlives_it(self) -> None:
        peer = self.bind("agents", "secret")
        self.settle()
        self.exchange.advance(20)
        self.assertTrue(self.exchange.pair_of(peer).open)


class LimitTests(DoorCase):
    """How many links there may be."""

    def open_some(self, count: int, host: str = "127.0.0.1") -> list[bool]:
        """Whether each of so many links stays open."""
        pairs = [self.open(host)[1] for _ in range(count)]
        self.exchange.pump()
        return [pair.open for pair in pairs]

    def test_links_over_the_limit_of_a_source_are_closed_at_once(self) -> None:
        self.make(limits=links(10, 2, 10, 10))
        self.assertEqual(self.open_some(3), [True, True, False])
        self.assertEqual(self.open_some(1, "192.0.2.1"), [True])
        self.assertEqual(self.counts.links_over_source_limit, 1)
        self.assertEqual(len(self.exchange.agent_links.links), 3)
        self.exchange.pairs[0].disconnect()
        self.assertEqual(self.open_some(2), [True, False])

    def test_links_without_a_bind_have_limits_of_their_own_and_those_that_are_bound_leave_room(self) -> None:
        self.make(limits=links(10, 10, 2, 3))
        peer = self.bind("clear", "clear secret")
        self.assertEqual(self.tell(peer), 0)
        self.assertEqual(self.open_some(3), [True, True, False])
        self.assertEqual(self.open_some(2, "192.0.2.1"), [True, False])
        counts = self.counts
        self.assertEqual((counts.unbound_links_over_source_limit, counts.unbound_links_over_limit), (1, 1))

    def test_a_flood_of_connections_is_one_line_of_the_log(self) -> None:
        self.make(limits=links(10, 1, 1, 1))
        with capturedLogs() as logged:
            self.open_some(50)
        self.assertEqual(len([event for event in logged if "closed at once" in formatEvent(event)]), 1)

    def test_everything_is_given_back(self) -> None:
        self.make(limits=patient(links_per_identity=1))
        for identity, secret in (("clear", "clear secret"), ("clear", "clear secret"), ("agents", "no")):
            self.tell(self.bind(identity, secret))
        self.assertEqual(self.counts.links_over_identity_limit, 1)
        self.open_some(20)
        for pair in self.exchange.pairs:
            pair.disconnect()
        self.assertTrue(self.exchange.core.admission.empty)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ForeignCheckerTests(DoorCase):
    """Another checker than the built-in one."""

    def ask(self, answer: Callable[[], Deferred[Any]]) -> FakePeer:
        class Foreign:
            credentialInterfaces = ConfiguredChecker({}, {}, Threads()).credentialInterfaces

            def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
                return answer()

        self.exchange = MemoryExchange(portal=make_portal([KnownIdentity(agents())], Foreign()))  # type: ignore[arg-type]
        return self.bind("agents", "whatever")

    def test_what_it_says_is_what_happens(self) -> None:
        for outcome, status in ((b"agents", 0), (b"root", 11), (b"\xff", 11), (UnauthorizedLogin("no"), 11),
                                (CheckBusy("later"), 14), (OSError("the directory is down"), 51)):  # fmt: skip
            waiting: Deferred[Any] = Deferred()
            peer = self.ask(lambda: waiting)  # noqa: B023
            self.assertIsNone(self.reply(peer))
            if isinstance(outcome, Exception):
                waiting.errback(outcome)
            else:
                waiting.callback(outcome)
            self.exchange.pump()
            self.assertEqual(self.status(peer), status, outcome)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.exchange.core.throttle.failures("127.0.0.1", 0), 0)

    def test_one_that_raises_harms_nobody(self) -> None:
        def broken() -> Deferred[Any]:
            raise ZeroDivisionError

        self.assertEqual(self.status(self.ask(broken)), 51)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_link_that_goes_gives_the_check_up(self) -> None:
        given_up: list[object] = []
        peer = self.ask(lambda: Deferred(given_up.append))
        self.exchange.pair_of(peer).disconnect()
        self.assertEqual(len(given_up), 1)
