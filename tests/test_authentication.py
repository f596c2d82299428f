"""The door: what a Bind is answered, when, and how many may come, over links in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.errors import CheckBusy
from ctiex.limits import Limits
from ctiex.links import exchange as exchange_module
from ctiex.login.checkers import ConfiguredChecker
from ctiex.login.credentials import KnownIdentity, make_portal
from ctiex.messages import Role
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import MemoryExchange, agents

from .checking import Threads
from .door_case import IN_CLEAR, DoorCase, patient


def links(identity: int, source: int, unbound_source: int, unbound: int) -> Limits:
    """So many links of each, at most."""
    return Limits(
        links_per_identity=identity,
        links_per_source=source,
        unbound_links_per_source=unbound_source,
        unbound_links=unbound,
    )


class SamenessTests(DoorCase):
    """A refusal tells nothing of its reason."""

    WRONG: Sequence[tuple[str, str, Role, bool]] = (
        ("nobody", "secret", Role.AGENT, False),
        ("agents", "wrong", Role.AGENT, False),
        ("agents", "secret" * 10_000, Role.AGENT, False),
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
