"""Serials: what is one, what check digits catch, what allocation gives."""

from __future__ import annotations

from random import Random

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import SerialError
from ctiex.serials import (
    MAX_DIGITS,
    SerialAllocator,
    check_digits,
    check_exchange_id,
    check_serial,
    has_check_digits,
    is_serial,
    names_a_told_call,
)

digits = st.text("0123456789", min_size=1, max_size=18)
exchange_ids = st.from_regex(r"[0-9]{1,3}", fullmatch=True)
quick = settings(deadline=None)


def allocator(exchange_id: str = "1", now: float = 1_790_000_000.0, seed: int = 1) -> SerialAllocator:
    return SerialAllocator(exchange_id, lambda: now, Random(seed))


class SerialTests(SynchronousTestCase):
    """Strings of 1 to 20 decimal digits of ASCII."""

    @given(st.text("0123456789", max_size=25))
    @quick
    def test_one_to_twenty_digits_are_a_serial(self, text: str) -> None:
        self.assertEqual(is_serial(text), 1 <= len(text) <= MAX_DIGITS)

    @given(st.text(max_size=22).filter(lambda text: not all(c in "0123456789" for c in text)))
    @example("\u0661\u0662")
    @example("\u00b2")
    @example("12 ")
    @example("12\n")
    @quick
    def test_anything_but_digits_of_ascii_is_none(self, text: str) -> None:
        self.assertFalse(is_serial(text))
        error = self.assertRaises(SerialError, check_serial, text)
        self.assertIn("1 to 20 decimal digits", str(error))

    def test_leading_zeros_count(self) -> None:
        self.assertEqual(check_serial("007"), "007")


class CheckDigitTests(SynchronousTestCase):
    """ISO 7064 MOD 97-10."""

    def test_the_example_of_the_standard(self) -> None:
        # The worked example of ISO 7064: the check digits of 794 are 44.
        self.assertEqual(check_digits("794"), "44")
        self.assertTrue(has_check_digits("79444"))

    @given(digits)
    @quick
    def test_what_they_are_put_behind_passes(self, text: str) -> None:
        self.assertTrue(has_check_digits(text + check_digits(text)))

    @given(digits, st.data())
    @quick
    def test_every_single_wrong_digit_is_caught(self, text: str, data: st.DataObject) -> None:
        serial = text + check_digits(text)
        position = data.draw(st.integers(0, len(serial) - 1))
        wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != serial[position]]))
        self.assertFalse(has_check_digits(serial[:position] + wrong + serial[position + 1 :]))

    @given(digits, st.data())
    @quick
    def test_every_transposition_of_neighbours_is_caught(self, text: str, data: st.DataObject) -> None:
        serial = text + check_digits(text)
        position = data.draw(st.integers(0, len(serial) - 2))
        first, second = serial[position], serial[position + 1]
        assume(first != second)
        self.assertFalse(has_check_digits(serial[:position] + second + first + serial[position + 2 :]))

    @given(st.text(max_size=3))
    @quick
    def test_what_is_no_serial_has_none(self, text: str) -> None:
        self.assertFalse(has_check_digits(text[:2]))


class AllocationTests(SynchronousTestCase):
    """Exchange id, time, random digits, check digits."""

    @given(exchange_ids, st.floats(0, 1e11), st.integers())
    @quick
    def test_an_allocated_serial_has_twenty_digits_with_check_digits(
        self, identity: str, now: float, seed: int
    ) -> None:
        serial = allocator(identity, now, seed).allocate(lambda _: False)
        self.assertEqual(len(serial), MAX_DIGITS)
        self.assertTrue(has_check_digits(serial))
        self.assertEqual(serial[:3], identity.zfill(3))

    @given(st.integers(0, 10**9 - 2), st.integers())
    @quick
    def test_later_serials_sort_behind_earlier_ones(self, now: int, seed: int) -> None:
        first = allocator(now=now, seed=seed).allocate(lambda _: False)
        later = allocator(now=now + 1, seed=seed + 1).allocate(lambda _: False)
        self.assertLess(first, later)

    @given(st.integers(), st.integers(1, 20))
    @quick
    def test_serials_in_use_are_skipped(self, seed: int, count: int) -> None:
        used: set[str] = set()
        for _ in range(count):
            # The same seed proposes the same serials again, from the first one on.
            used.add(allocator(seed=seed).allocate(used.__contains__))
        self.assertEqual(len(used), count)

    @given(exchange_ids, st.integers(0, 10**11), st.integers(), st.booleans())
    @quick
    def test_a_serial_shows_whether_it_names_a_call_that_was_told(
        self, identity: str, now: int, seed: int, told: bool
    ) -> None:
        serial = allocator(identity, float(now), seed).allocate(lambda _: False, told=told)
        self.assertEqual((len(serial), has_check_digits(serial)), (MAX_DIGITS, True))
        self.assertEqual(names_a_told_call(serial), told)

    @given(st.text("0123456789", min_size=1, max_size=17))
    @quick
    def test_a_shorter_serial_names_no_told_call(self, text: str) -> None:
        self.assertFalse(names_a_told_call(text + check_digits(text)))

    def test_it_gives_up_where_all_are_in_use(self) -> None:
        self.assertRaises(SerialError, allocator().allocate, lambda _: True)

    @given(st.text(max_size=5).filter(lambda text: not (text.isascii() and text.isdigit() and len(text) <= 3)))
    @quick
    def test_an_exchange_id_is_one_to_three_digits(self, text: str) -> None:
        self.assertRaises(SerialError, allocator, text)
        self.assertRaises(SerialError, check_exchange_id, text)
