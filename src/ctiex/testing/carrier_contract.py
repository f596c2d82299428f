"""What every carrier keeps to: mix :class:`SerialCarrierContract` into a test case of your own."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from ctiex.errors import SerialError
from ctiex.interfaces import ISerialCarrier, Signalled
from ctiex.serials import is_serial
from ctiex.testing.strategies import QUICK, serials

calling_numbers: st.SearchStrategy[str] = st.one_of(
    st.from_regex(r"\+?[0-9]{0,24}", fullmatch=True),
    st.text("0123456789*#+", max_size=30),
    st.text(max_size=30),
)
"""Telephone numbers, what resembles them, and what doesn't."""

_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[A-Za-z0-9.;=-]+")
_MOST_IN_A_HEADER = 320
"""Characters: a protocol discriminator and 128 octets in hexadecimal digits, and parameters."""


class SerialCarrierContract:
    """Tests of :class:`ctiex.interfaces.ISerialCarrier`, before a synchronous test case in the bases.

    Give ``make_carrier``; it must have room for a number of 16 bytes beside the longest serial.
    """

    def make_carrier(self) -> ISerialCarrier:
        """The carrier under test."""
        raise NotImplementedError

    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(ISerialCarrier, self.make_carrier())

    @given(calling_numbers, serials())
    @QUICK
    def test_extract_gives_back_what_embed_took(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        try:
            embedded = carrier.embed(number, serial)
        except SerialError:
            return
        assert carrier.extract(embedded) == (number, serial)

    @given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True), serials())
    @QUICK
    @example("+" + "9" * 15, "9" * 20)
    def test_any_number_of_the_telephone_network_takes_any_serial(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        assert carrier.extract(carrier.embed(number, serial)) == (number, serial)

    @given(calling_numbers, st.text(max_size=25).filter(lambda text: not is_serial(text)))
    @QUICK
    @example("138", "")
    @example("138", "1" * 21)
    @example("138", "\u0663")
    @example("138", "1\r\nX: 2")
    def test_what_is_no_serial_is_refused(self, number: str, text: str) -> None:
        assert _refuses(self.make_carrier(), number, text), f"{text!r} was taken for a serial"

    @given(calling_numbers, serials())
    @QUICK
    def test_a_number_that_carries_a_serial_takes_no_other(self, number: str, serial: str) -> None:
        carrier = self.make_carrier()
        free = carrier.strip(Signalled(_short(number))).calling_number
        carried = carrier.embed(free, serial).calling_number
        in_a_header = carried == free
        assert in_a_header or _refuses(carrier, carried, serial), f"{carried!r} took a second serial"

    @given(serials())
    @QUICK
    def test_header_fields_are_of_letters_that_sip_passes(self, serial: str) -> None:
        for name, value in self.make_carrier().embed("138", serial).headers.items():
            assert _HEADER_NAME.fullmatch(name), name
            assert _HEADER_VALUE.fullmatch(value), value
            assert len(value) <= _MOST_IN_A_HEADER, value

    @given(st.data())
    @QUICK
    def test_extract_takes_anything(self, data: st.DataObject) -> None:
        carrier = self.make_carrier()
        signalled = data.draw(signalled_to(carrier))
        number, serial = carrier.extract(signalled)
        assert number == signalled.calling_number if serial is None else is_serial(serial)

    @given(st.data(), serials())
    @QUICK
    def test_nothing_in_a_stripped_call_can_be_read_as_a_serial(self, data: st.DataObject, serial: str) -> None:
        carrier = self.make_carrier()
        signalled = data.draw(signalled_to(carrier))
        stripped = carrier.strip(signalled)
        assert carrier.extract(stripped) == (stripped.calling_number, None)
        assert carrier.strip(stripped) == stripped
        short = carrier.strip(Signalled(_short(signalled.calling_number))).calling_number
        assert carrier.extract(carrier.embed(short, serial)) == (short, serial)


def signalled_to(carrier: ISerialCarrier) -> st.SearchStrategy[Signalled]:
    """Anything that may arrive with a call, above all what resembles what this carrier writes."""
    names = st.sampled_from(sorted(carrier.embed("1", "1").headers) or ["X-Nothing"])
    either_case = st.builds(lambda name, lower: name.lower() if lower else name, names, st.booleans())
    values = st.one_of(st.text(max_size=30), _near(carrier))
    return st.builds(Signalled, calling_numbers, st.dictionaries(either_case | st.just("Subject"), values, max_size=3))


def _near(carrier: ISerialCarrier) -> st.SearchStrategy[str]:
    """What the carrier writes in its header fields, as it is, twice, or with something put in."""
    written = serials().map(lambda serial: ", ".join(carrier.embed("1", serial).headers.values()))
    twice = st.builds("{}, {}".format, written, written)
    spoilt = st.builds(
        lambda whole, place, text: whole[: place % (len(whole) + 1)] + text + whole[place % (len(whole) + 1) :],
        written,
        st.integers(0, 200),
        st.text(max_size=3) | st.text(',;="\\ 0a', max_size=3),
    )
    return st.one_of(written, twice, spoilt)


def _refuses(carrier: ISerialCarrier, number: str, serial: str) -> bool:
    try:
        carrier.embed(number, serial)
    except SerialError:
        return True
    return False


def _short(number: str) -> str:
    """The head of a number, in 15 bytes: any carrier has room for it."""
    return number.encode()[:15].decode(errors="ignore")
