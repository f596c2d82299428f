"""The carrier of the calling number: ``calling**serial``."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.errors import ConfigurationError, SerialError
from ctiex.interfaces import ISerialCarrier, ISerialCarrierPlugin, Signalled
from ctiex.plugins import build_plugin
from ctiex.testing.carrier_contract import SerialCarrierContract, calling_numbers
from ctiex.testing.strategies import serials

separators = st.text("*#", min_size=1, max_size=8)
quick = settings(deadline=None)


class DefaultCarrierTests(SerialCarrierContract, SynchronousTestCase):
    """``**`` as in the seed."""

    def make_carrier(self) -> ISerialCarrier:
        return CallingNumberSerialCarrier()


class MixedSeparatorTests(SerialCarrierContract, SynchronousTestCase):
    """A separator that overlaps with itself."""

    def make_carrier(self) -> ISerialCarrier:
        return CallingNumberSerialCarrier("*#*", 60)


class SingleSeparatorTests(SerialCarrierContract, SynchronousTestCase):
    """A separator without parts."""

    def make_carrier(self) -> ISerialCarrier:
        return CallingNumberSerialCarrier("#", 60)


class EmbeddingTests(SynchronousTestCase):
    """What goes into a calling number, and comes out."""

    def test_the_seed_puts_two_asterisks_between(self) -> None:
        carrier = CallingNumberSerialCarrier()
        self.assertEqual(carrier.embed("13800138000", "007"), Signalled("13800138000**007"))
        self.assertEqual(carrier.extract(Signalled("13800138000**007")), ("13800138000", "007"))

    @given(separators, st.text("0123456789*#", max_size=30), serials())
    @quick
    def test_with_any_separator_extract_undoes_embed(self, separator: str, number: str, serial: str) -> None:
        carrier = CallingNumberSerialCarrier(separator)
        try:
            embedded = carrier.embed(number, serial)
        except SerialError:
            return
        self.assertEqual(carrier.extract(embedded), (number, serial))

    @given(separators, st.text("0123456789*#", max_size=30), serials())
    @example("*#", "138**", "7")
    @example("*#*", "138*#*#", "7")
    @quick
    def test_with_any_separator_a_stripped_number_takes_a_serial(
        self, separator: str, number: str, serial: str
    ) -> None:
        carrier = CallingNumberSerialCarrier(separator)
        stripped = carrier.strip(Signalled(number))
        self.assertEqual(carrier.strip(stripped), stripped)
        self.assertEqual(carrier.extract(stripped), (stripped.calling_number, None))
        embedded = carrier.embed(stripped.calling_number, serial)
        self.assertEqual(carrier.extract(embedded), (stripped.calling_number, serial))

    @given(separators, calling_numbers, serials())
    @quick
    def test_a_number_that_holds_the_separator_is_refused(self, separator: str, number: str, serial: str) -> None:
        carrier = CallingNumberSerialCarrier(separator, 255)
        for bad in (separator + number, number + separator, number[:3] + separator + number[3:]):
            self.assertRaises(SerialError, carrier.embed, bad, serial)

    @given(st.text("*#", min_size=2, max_size=8), st.from_regex("[0-9]{0,15}", fullmatch=True), st.data())
    @quick
    def test_a_number_that_ends_in_a_part_of_it_is_refused(
        self, separator: str, number: str, data: st.DataObject
    ) -> None:
        part = separator[: data.draw(st.integers(1, len(separator) - 1))]
        carrier = CallingNumberSerialCarrier(separator)
        self.assertRaises(SerialError, carrier.embed, number + part, "1")
        self.assertEqual(carrier.strip(Signalled(number + part)), Signalled(number))

    def test_the_capacity_counts_bytes(self) -> None:
        carrier = CallingNumberSerialCarrier("**", 30)
        self.assertEqual(carrier.embed("1" * 8, "1" * 20), Signalled("1" * 8 + "**" + "1" * 20))
        error = self.assertRaises(SerialError, carrier.embed, "1" * 9, "1" * 20)
        self.assertIn("31 bytes", str(error))
        self.assertEqual(carrier.embed("\u00e9" * 4, "1" * 20), Signalled("\u00e9" * 4 + "**" + "1" * 20))
        self.assertRaises(SerialError, carrier.embed, "\u00e9" * 4 + "1", "1" * 20)

    def test_a_number_that_no_utf8_can_hold_is_refused(self) -> None:
        self.assertRaises(SerialError, CallingNumberSerialCarrier().embed, "\ud800", "1")

    def test_what_stands_behind_the_first_separator_must_be_a_serial(self) -> None:
        carrier = CallingNumberSerialCarrier()
        for number in ("138**", "138**x", "138**1**2", "138**" + "1" * 21, "138*1", "138** 1", "138", ""):
            self.assertEqual(carrier.extract(Signalled(number)), (number, None))
        self.assertEqual(carrier.extract(Signalled("**7")), ("", "7"))

    def test_parameters_behind_the_serial_are_the_number_s(self) -> None:
        carrier = CallingNumberSerialCarrier()
        for arrived, number in (
            ("138**007;phone-context=+86", "138;phone-context=+86"),
            ("138**007;phone-context=example.com;isub=12", "138;phone-context=example.com;isub=12"),
            ("+86138**007;ext=5", "+86138;ext=5"),
            ("138**007;npdi;rn=+1-201-5550000", "138;npdi;rn=+1-201-5550000"),
            ("tel:138**007;phone-context=+86", "tel:138;phone-context=+86"),
            ("138**007%3Bphone-context=+86", "138;phone-context=+86"),
            ("138;phone-context=+86**007", "138;phone-context=+86"),
        ):
            self.assertEqual(carrier.extract(Signalled(arrived)), (number, "007"), arrived)
        for arrived in (
            "138**007;",
            "138**;ext=5",
            "138**007 ;ext=5",
            "138**007;ext= 5",
            "138**0-0-7",
            "138**007x;ext=5",
        ):
            self.assertEqual(carrier.extract(Signalled(arrived)), (arrived, None))

    def test_a_separator_may_come_percent_encoded(self) -> None:
        for arrived in ("138%2A%2A007", "138%2a%2A007", "138*%2a007", "138%2A*007"):
            self.assertEqual(CallingNumberSerialCarrier().extract(Signalled(arrived)), ("138", "007"), arrived)
        self.assertEqual(CallingNumberSerialCarrier("#").extract(Signalled("138%23007")), ("138", "007"))
        self.assertEqual(CallingNumberSerialCarrier().extract(Signalled("138%2B%2B007")), ("138%2B%2B007", None))

    @given(separators, st.lists(st.sampled_from(["%2A", "%2a", "%23", "%3B", "%", "2", "A", "*", "#", "1", ";", "x"])))
    @quick
    def test_a_stripped_number_brings_no_serial_however_it_was_encoded(self, separator: str, parts: list[str]) -> None:
        carrier = CallingNumberSerialCarrier(separator, 255)
        stripped = carrier.strip(Signalled("".join(parts)[:60]))
        self.assertEqual(carrier.strip(stripped), stripped)
        self.assertIsNone(carrier.extract(stripped)[1])
        embedded = carrier.embed(stripped.calling_number, "7")
        self.assertEqual(carrier.extract(embedded), (stripped.calling_number, "7"))

    def test_strip_cuts_at_the_first_separator(self) -> None:
        carrier = CallingNumberSerialCarrier()
        for number, stripped in (
            ("138**7", "138"),
            ("138***7**8", "138"),
            ("138*", "138"),
            ("1*38", "1*38"),
            ("*", ""),
        ):
            self.assertEqual(carrier.strip(Signalled(number)), Signalled(stripped))


class ConfigurationTests(SynchronousTestCase):
    """What the configuration may say."""

    def build(self, **settings: Any) -> ISerialCarrier:
        carrier: ISerialCarrier = build_plugin(ISerialCarrierPlugin, "calling-number", settings)
        return carrier

    def test_without_settings_it_is_the_seed_with_79_bytes(self) -> None:
        self.assertEqual(self.build(), CallingNumberSerialCarrier("**", 79))

    @given(separators, st.data())
    @quick
    def test_a_capacity_for_the_longest_serial_will_do(self, separator: str, data: st.DataObject) -> None:
        capacity = data.draw(st.integers(len(separator) + 20, 255))
        carrier = self.build(separator=separator, capacity=capacity)
        self.assertEqual(carrier.extract(carrier.embed("", "1" * 20)), ("", "1" * 20))

    @given(separators, st.data())
    @quick
    def test_a_capacity_that_a_serial_might_not_fit_is_refused(self, separator: str, data: st.DataObject) -> None:
        capacity = data.draw(st.integers(max_value=len(separator) + 19) | st.integers(min_value=256))
        error = self.assertRaises(ConfigurationError, self.build, separator=separator, capacity=capacity)
        self.assertRegex(str(error), f"capacity: found .*, expected .*({len(separator) + 20}|255)")

    def test_separators_of_other_characters_are_refused(self) -> None:
        for separator in ("", "*" * 9, "0", "*1", "-", ".", " ", "(", "%23", ";", "*\n", 5, None, ["*"]):
            error = self.assertRaises(ConfigurationError, self.build, separator=separator)
            self.assertIn("expected 1 to 8 characters out of * and #", str(error))

    def test_capacities_that_are_no_integers_are_refused(self) -> None:
        for capacity in (True, "79", 79.0, None):
            self.assertRaises(ConfigurationError, self.build, capacity=capacity)

    def test_unknown_keys_are_refused(self) -> None:
        error = self.assertRaises(ConfigurationError, self.build, seperator="**")
        self.assertIn("seperator: found an unknown key, expected one of: capacity, separator", str(error))
