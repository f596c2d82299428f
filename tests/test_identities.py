"""Identities, agent numbers, secrets and their check."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import ConfigurationError
from ctiex.links.credentials import Credentials, KnownIdentity, SecretHash, hash_secret
from ctiex.messages import Role
from ctiex.processing.identities import AgentNumbers, Identity

digits = st.text("0123456789", min_size=1, max_size=6)
CHEAP = SecretHash.parse("scrypt$2$1$1$c2FsdA$aGFzaA")


def cheaply_hashed(secret: str) -> SecretHash:
    """A hash that takes no time, for tests."""
    digest = hashlib.scrypt(secret.encode(), salt=b"salt", n=2, r=1, p=1, dklen=16)
    return SecretHash(2, 1, 1, b"salt", digest)


class AgentNumberTests(SynchronousTestCase):
    """Which agent numbers fit which patterns."""

    @given(st.integers(1, 6), st.data())
    @settings(deadline=None)
    def test_a_range_has_the_numbers_of_its_length_between_its_ends(self, length: int, data: st.DataObject) -> None:
        number = st.integers(0, 10**length - 1)
        low, high = sorted((data.draw(number), data.draw(number)))
        agents = AgentNumbers.parse([f"{low:0{length}d}-{high:0{length}d}"])
        asked = data.draw(number)
        self.assertEqual(f"{asked:0{length}d}" in agents, low <= asked <= high)
        self.assertNotIn(f"0{asked:0{length}d}", agents)

    @given(digits, digits)
    @settings(deadline=None)
    def test_an_exact_number_is_itself_alone(self, number: str, other: str) -> None:
        self.assertEqual(other in AgentNumbers.parse([number]), other == number)

    def test_leading_zeros_tell_numbers_apart(self) -> None:
        self.assertNotIn("7", AgentNumbers.parse(["007"]))
        self.assertNotIn("7", AgentNumbers.parse(["005-009"]))
        self.assertIn("007", AgentNumbers.parse(["005-009"]))

    @given(st.text(min_size=1))
    @settings(deadline=None)
    def test_a_star_is_every_number_but_the_empty_one(self, number: str) -> None:
        agents = AgentNumbers.parse(["*"])
        self.assertIn(number, agents)
        self.assertNotIn("", agents)

    def test_a_range_has_nothing_but_digits(self) -> None:
        agents = AgentNumbers.parse(["1100-1199"])
        for other in ("11a0", "\u0661\u0661\u0665\u0660", "110 ", "", "11000"):
            self.assertNotIn(other, agents)

    def test_no_pattern_is_no_number(self) -> None:
        self.assertNotIn("1001", AgentNumbers.parse([]))

    def test_bad_patterns_are_refused(self) -> None:
        for pattern in ("", "1-", "-1", "1199-1100", "99-100", "a-b", "1-2-3", "10*", "1 2", "1\n", "9" * 256):
            error = self.assertRaises(ConfigurationError, AgentNumbers.parse, [pattern])
            self.assertIn("expected", str(error))

    def test_an_identity_may_what_it_was_given(self) -> None:
        agent = Identity("a", Role.AGENT, AgentNumbers.parse(["1001", "1100-1199"]))
        service = Identity("s", Role.SERVICE, services=frozenset({"bill"}))
        self.assertTrue(agent.may_act_for("1150"))
        self.assertFalse(agent.may_act_for("1002"))
        self.assertFalse(agent.may_serve("bill"))
        self.assertTrue(service.may_serve("bill"))
        self.assertFalse(service.may_serve("number"))
        self.assertFalse(service.may_act_for("1001"))


class SecretHashTests(SynchronousTestCase):
    """Secrets as they stand in a configuration."""

    @given(st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=64), st.integers(1, 10))
    @settings(deadline=None)
    def test_what_is_formatted_parses_to_the_same(self, salt: bytes, digest: bytes, power: int) -> None:
        made = SecretHash(2**power, 8, 1, salt, digest)
        self.assertEqual(SecretHash.parse(made.format()), made)

    @given(st.text())
    @settings(deadline=None)
    def test_any_other_text_is_a_configuration_error(self, text: str) -> None:
        self.assertRaises(ConfigurationError, SecretHash.parse, text)

    def test_a_hash_beyond_reason_is_refused(self) -> None:
        for text in (
            "scrypt$3$8$1$c2FsdA$aGFzaA",  # no power of two
            "scrypt$1073741824$8$1$c2FsdA$aGFzaA",  # a terabyte
            "scrypt$16384$8$1000$c2FsdA$aGFzaA",
            "scrypt$16384$8$1$$aGFzaA",
            "scrypt$16384$8$1$c2FsdA$",
            "bcrypt$16384$8$1$c2FsdA$aGFzaA",
            "scrypt$16384$8$1$c2FsdA==$aGFzaA",
        ):
            self.assertRaises(ConfigurationError, SecretHash.parse, text)

    def test_a_secret_matches_its_own_hash_alone(self) -> None:
        made = hash_secret("open sesame", salt=lambda size: b"s" * size)
        self.assertTrue(made.matches("open sesame"))
        self.assertFalse(made.matches("open sesame "))

    def test_two_hashes_of_one_secret_differ(self) -> None:
        self.assertNotEqual(hash_secret("x"), hash_secret("x"))

    def test_a_repr_shows_neither_salt_nor_hash(self) -> None:
        self.assertNotIn("salt", repr(CHEAP))
        self.assertNotIn("clear", repr(KnownIdentity(Identity("a", Role.AGENT), "clear")))


class Threads:
    """Collects what was handed to a thread; runs it when told."""

    def __init__(self) -> None:
        self.work: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        self.begun = 0

    def __call__(self, work: Callable[[], bool]) -> Deferred[bool]:
        self.begun += 1
        done: Deferred[bool] = Deferred()
        self.work.append((work, done))
        return done

    def finish(self) -> None:
        """Run everything, what comes up meanwhile too."""
        while self.work:
            work, done = self.work.pop(0)
            done.callback(work())


class CredentialTests(SynchronousTestCase):
    """The check of a Bind."""

    def setUp(self) -> None:
        self.threads = Threads()
        self.agent = Identity("agents", Role.AGENT, AgentNumbers.parse(["*"]))
        self.service = Identity("ivr", Role.SERVICE, services=frozenset({"bill"}))
        self.credentials = Credentials.of(
            [KnownIdentity(self.agent, cheaply_hashed("right")), KnownIdentity(self.service, "in clear")], self.threads
        )

    def test_a_right_secret_is_hashed_beside_the_reactor(self) -> None:
        answer = self.credentials.check("agents", "right", Role.AGENT)
        assert isinstance(answer, Deferred)
        self.assertNoResult(answer)
        self.threads.finish()
        self.assertIs(self.successResultOf(answer), self.agent)

    def test_a_verified_secret_is_not_hashed_again(self) -> None:
        self.credentials.check("agents", "right", Role.AGENT)
        self.threads.finish()
        self.assertIs(self.credentials.check("agents", "right", Role.AGENT), self.agent)
        self.assertEqual(self.threads.begun, 1)

    def test_a_wrong_secret_is_hashed_each_time_and_leaves_the_right_one_remembered(self) -> None:
        self.credentials.check("agents", "right", Role.AGENT)
        self.threads.finish()
        for _ in range(2):
            answer = self.credentials.check("agents", "wrong", Role.AGENT)
            self.threads.finish()
            assert isinstance(answer, Deferred)
            self.assertIsNone(self.successResultOf(answer))
        self.assertEqual(self.threads.begun, 3)
        self.assertIs(self.credentials.check("agents", "right", Role.AGENT), self.agent)

    def test_checks_of_the_same_secret_at_the_same_time_share_one_hashing(self) -> None:
        answers = [self.credentials.check("agents", "right", Role.AGENT) for _ in range(50)]
        self.threads.finish()
        for answer in answers:
            assert isinstance(answer, Deferred)
            self.assertIs(self.successResultOf(answer), self.agent)
        self.assertEqual(self.threads.begun, 1)

    def test_one_hashing_runs_at_a_time(self) -> None:
        for secret in ("one", "two", "three"):
            self.credentials.check("agents", secret, Role.AGENT)
        self.assertEqual(len(self.threads.work), 1)
        self.threads.finish()
        self.assertEqual(self.threads.begun, 3)

    def test_an_unknown_identity_is_hashed_too_and_never_remembered(self) -> None:
        for begun in (1, 2):
            answer = self.credentials.check("nobody", "right", Role.AGENT)
            self.assertEqual(self.threads.begun, begun)
            self.threads.finish()
            assert isinstance(answer, Deferred)
            self.assertIsNone(self.successResultOf(answer))

    def test_a_role_that_is_not_its_own_is_refused(self) -> None:
        answer = self.credentials.check("agents", "right", Role.SERVICE)
        self.threads.finish()
        assert isinstance(answer, Deferred)
        self.assertIsNone(self.successResultOf(answer))
        self.assertIsNone(self.credentials.check("agents", "right", Role.SERVICE))
        self.assertIsNone(self.credentials.check("ivr", "in clear", Role.AGENT))

    def test_the_roles_of_simultaneous_checks_are_kept_apart(self) -> None:
        wrong = self.credentials.check("agents", "right", Role.SERVICE)
        right = self.credentials.check("agents", "right", Role.AGENT)
        self.threads.finish()
        assert isinstance(wrong, Deferred) and isinstance(right, Deferred)
        self.assertIsNone(self.successResultOf(wrong))
        self.assertIs(self.successResultOf(right), self.agent)

    def test_a_secret_in_clear_is_compared_at_once(self) -> None:
        self.assertIs(self.credentials.check("ivr", "in clear", Role.SERVICE), self.service)
        self.assertIsNone(self.credentials.check("ivr", "in Clear", Role.SERVICE))
        self.assertEqual(self.threads.begun, 0)

    def test_with_secrets_in_clear_alone_nothing_is_hashed(self) -> None:
        credentials = Credentials.of([KnownIdentity(self.service, "in clear")], self.threads)
        self.assertIsNone(credentials.check("nobody", "", Role.SERVICE))
        self.assertEqual(self.threads.begun, 0)

    def test_a_wait_given_up_leaves_the_others_waiting(self) -> None:
        gone, stays = (self.credentials.check("agents", "right", Role.AGENT) for _ in range(2))
        assert isinstance(gone, Deferred) and isinstance(stays, Deferred)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.threads.finish()
        self.assertIs(self.successResultOf(stays), self.agent)

    def test_a_hashing_nobody_waits_for_is_not_begun(self) -> None:
        first = self.credentials.check("agents", "one", Role.AGENT)
        second = self.credentials.check("agents", "two", Role.AGENT)
        assert isinstance(first, Deferred) and isinstance(second, Deferred)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.threads.finish()
        self.assertIsNone(self.successResultOf(first))
        self.assertEqual(self.threads.begun, 1)

    def test_a_hashing_that_fails_tells_everyone_and_is_forgotten(self) -> None:
        answer = self.credentials.check("agents", "right", Role.AGENT)
        assert isinstance(answer, Deferred)
        self.threads.work.pop()[1].errback(MemoryError())
        self.failureResultOf(answer, MemoryError)
        again = self.credentials.check("agents", "right", Role.AGENT)
        self.threads.finish()
        assert isinstance(again, Deferred)
        self.assertIs(self.successResultOf(again), self.agent)

    def test_identities_are_found_by_name(self) -> None:
        self.assertIs(self.credentials.identity("ivr"), self.service)
        self.assertIsNone(self.credentials.identity("nobody"))


class ThreadTests(TestCase):
    """The check with a real reactor and its threads."""

    async def test_the_reactors_threads_hash(self) -> None:
        agent = Identity("agents", Role.AGENT)
        credentials = Credentials.on_reactor([KnownIdentity(agent, cheaply_hashed("right"))], reactor)
        right = credentials.check("agents", "right", Role.AGENT)
        wrong = credentials.check("agents", "wrong", Role.AGENT)
        assert isinstance(right, Deferred) and isinstance(wrong, Deferred)
        self.assertIs(await right, agent)
        self.assertIsNone(await wrong)
