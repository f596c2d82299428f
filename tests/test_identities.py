"""Identities, agent numbers, and secrets as they are kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ctiex.errors import ConfigurationError
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import IIdentity
from ctiex.login.credentials import KnownIdentity
from ctiex.login.secret_hashes import SecretHash, hash_secret
from ctiex.messages import Role

digits = st.text("0123456789", min_size=1, max_size=6)
CHEAP = SecretHash.parse("scrypt$2$1$1$c2FsdA$aGFzaA")


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
        self.assertTrue(verifyObject(IIdentity, agent))
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
