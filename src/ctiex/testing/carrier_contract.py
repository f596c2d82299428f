"""What every carrier keeps to: mix :class:`CarrierContract` into a test case of your own."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from ctiex.errors import SerialError
from ctiex.interfaces import ICarrier
from ctiex.serials import is_serial
from ctiex.testing.strategies import serials

calling_numbers: st.SearchStrategy[str] = st.one_of(
    st.from_regex(r"\+?[0-9]{0,24}", fullmatch=True),
    st.text("0123456789*#+", max_size=30),
    st.text(max_size=30),
)
"""Telephone numbers, what resembles them, and what doesn't."""

_quick = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.differing_executors])


class CarrierContract:
    """Tests of :class:`ctiex.interfaces.ICarrier`, before a synchronous test case in the bases.

    Give ``make_carrier``; it must have room for a number of 16 bytes beside the longest serial.
    """

    def make_carrier(self) -> ICarrier:
        """The carrier under test."""
        raise NotImplementedError

    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(ICarrier, self.make_carrier())

    @given(calling_numbers, serials())
    @_quick
    def test_extract_gives_back_what_embed_took(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        try:
            embedded = carrier.embed(number, serial)
        except SerialError:
            return
        assert carrier.extract(embedded) == (number, serial)

    @given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True), serials())
    @_quick
    @example("+" + "9" * 15, "9" * 20)
    def test_any_number_of_the_telephone_network_takes_any_serial(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        assert carrier.extract(carrier.embed(number, serial)) == (number, serial)

    @given(calling_numbers, st.text(max_size=25).filter(lambda text: not is_serial(text)))
    @_quick
    @example("138", "")
    @example("138", "1" * 21)
    @example("138", "\u0663")
    def test_what_is_no_serial_is_refused(self, number: str, text: str) -> None:
        try:
            self.make_carrier().embed(number, text)
        except SerialError:
            return
        raise AssertionError(f"{text!r} was taken for a serial")

    @given(calling_numbers, serials())
    @_quick
    def test_a_number_that_carries_a_serial_takes_no_other(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        carried = carrier.embed(carrier.strip(_short(number)), serial)
        try:
            carrier.embed(carried, serial)
        except SerialError:
            return
        raise AssertionError(f"{carried!r} took a second serial")

    @given(calling_numbers)
    @_quick
    def test_extract_takes_anything(self, number: str) -> None:
        rest, serial = self.make_carrier().extract(number)
        assert rest == number if serial is None else is_serial(serial)

    @given(calling_numbers, serials())
    @_quick
    def test_nothing_in_a_stripped_number_can_be_read_as_a_serial(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        stripped = carrier.strip(number)
        assert carrier.extract(stripped) == (stripped, None)
        assert carrier.strip(stripped) == stripped
        short = carrier.strip(_short(number))
        assert carrier.extract(carrier.embed(short, serial)) == (short, serial)


def _short(number: str) -> str:
    """The head of a number, in 15 bytes: any carrier has room for it."""
    return number.encode()[:15].decode(errors="ignore")
