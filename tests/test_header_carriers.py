"""The carriers beside the calling number: User-to-User, a header field of its own, and several at once."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.combined import WHICHEVER_ARRIVES, CombinedSerialCarrier, changes_the_number
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.errors import ConfigurationError, SerialError
from ctiex.interfaces import ISerialCarrier, ISerialCarrierPlugin, Signalled
from ctiex.plugins import build_plugin
from ctiex.serials import is_serial
from ctiex.testing.carrier_contract import SerialCarrierContract
from ctiex.testing.strategies import serials

quick = settings(deadline=None)
NUMBER = "13800138000"
UUI_OF_7 = "0463746965783d37"
"""04, ``ctiex=7`` in ASCII."""
PLACES = st.sampled_from(["number", "header", "uui"])


class UserToUserContractTests(SerialCarrierContract, SynchronousTestCase):
    """User-to-User."""

    def make_carrier(self) -> ISerialCarrier:
        return UserToUserSerialCarrier()


class SipHeaderContractTests(SerialCarrierContract, SynchronousTestCase):
    """A header field of its own."""

    def make_carrier(self) -> ISerialCarrier:
        return SipHeaderSerialCarrier()


class AllAtOnceContractTests(SerialCarrierContract, SynchronousTestCase):
    """The three built-in carriers together."""

    def make_carrier(self) -> ISerialCarrier:
        return WHICHEVER_ARRIVES


class HeadersAloneContractTests(SerialCarrierContract, SynchronousTestCase):
    """The two that leave the calling number alone."""

    def make_carrier(self) -> ISerialCarrier:
        return CombinedSerialCarrier((SipHeaderSerialCarrier("X-Office-Call"), UserToUserSerialCarrier()))


# ---------------------------------------------------------------- what came with a call


class SignalledTests(SynchronousTestCase):
    """The value that goes out and comes in."""

    @given(st.sampled_from(["User-to-User", "user-to-user", "USER-TO-USER"]))
    @quick
    def test_case_is_nothing_to_the_name_of_a_header_field(self, name: str) -> None:
        signalled = Signalled(NUMBER, {"User-To-User": "1", "Subject": "2"})
        self.assertEqual(signalled.header(name), "1")
        self.assertEqual(signalled.without_header(name), Signalled(NUMBER, {"Subject": "2"}))

    def test_fields_of_one_name_are_a_list_as_in_sip(self) -> None:
        self.assertEqual(Signalled(NUMBER, {"X-A": "1", "x-a": "2"}).header("X-A"), "1, 2")

    def test_what_did_not_come_is_none(self) -> None:
        self.assertIsNone(Signalled(NUMBER).header("X-A"))

    def test_neither_number_nor_values_are_shown(self) -> None:
        self.assertEqual(repr(Signalled(NUMBER, {"X-A": "secret"})), "Signalled()")


# ---------------------------------------------------------------- User-to-User


def uui(value: str) -> str | None:
    """The serial that a header field User-to-User carries."""
    return UserToUserSerialCarrier().extract(Signalled(NUMBER, {"User-to-User": value}))[1]


class UserToUserTests(SynchronousTestCase):
    """What RFC 7433 and RFC 7434 say of the header field."""

    @given(serials())
    @example("007")
    @quick
    def test_its_data_are_a_discriminator_and_octets_of_isdn(self, serial: str) -> None:
        signalled = UserToUserSerialCarrier().embed(NUMBER, serial)
        self.assertEqual(signalled.calling_number, NUMBER)
        data, *parameters = signalled.headers["User-to-User"].split(";")
        self.assertEqual(set(parameters), {"purpose=isdn-uui", "content=isdn-uui", "encoding=hex"})
        octets = bytes.fromhex(data)
        self.assertEqual(octets[0], 4, "IA5 characters")
        self.assertEqual(octets[1:], b"ctiex=" + serial.encode())
        self.assertLessEqual(len(octets) - 1, 32, "what networks of ISDN pass at least")

    def test_parameters_may_miss_and_stand_in_any_order_and_case(self) -> None:
        for value in (
            UUI_OF_7,
            UUI_OF_7 + ";encoding=hex",
            UUI_OF_7.upper() + ";encoding=HEX;purpose=ISDN-UUI",
            f" {UUI_OF_7} ; content = isdn-uui ; encoding = hex ",
            f'"{UUI_OF_7}";encoding=hex',
            UUI_OF_7 + ";x;y=1",
        ):
            self.assertEqual(uui(value), "7", value)

    def test_the_dialects_of_other_platforms_are_read(self) -> None:
        bare = UUI_OF_7.removeprefix("04")
        for value in (
            bare + ";pd=04;encoding=hex",
            UUI_OF_7 + ";pd=04;encoding=hex",
            bare + ";encoding=hex;pd=4",
            bare.upper() + ";PD=04;Encoding=Hex",
            f"{bare} ; pd = 04 ; encoding = hex",
            f'"{bare}";pd="04";encoding="hex"',
            bare + ";pd=0x04",
            bare + ";encoding=hex",
            bare,
            UUI_OF_7 + ";purpose=isdn-interwork;content=isdn-uui;encoding=hex",
            UUI_OF_7 + ';purpose="isdn-uui";content="isdn-uui"',
        ):
            self.assertEqual(uui(value), "7", value)
        for other in (
            bare + ";pd=00;encoding=hex",
            UUI_OF_7 + ";pd=08",
            "04" + UUI_OF_7,
            bare + ";pd=",
            bare + ";pd=44",
        ):
            self.assertIsNone(uui(other), other)

    def test_data_of_other_applications_stand_beside_it_undisturbed(self) -> None:
        for other in (
            "00c81030a35a;encoding=hex",
            "0432303033",
            '"a, 0463746965783d38, b";purpose=notes',
            '"a \\", 0463746965783d38, b";purpose=notes',
            "0463746965783d38;purpose=other",
            "0463746965783d38;encoding=base64",
            "0463746965783d38;content=other",
        ):
            self.assertEqual(uui(f"{other}, {UUI_OF_7}"), "7", other)
            self.assertEqual(uui(f"{UUI_OF_7},{other}"), "7", other)
            self.assertIsNone(uui(other), other)

    @given(serials(), serials())
    @quick
    def test_two_serials_in_it_are_none_unless_they_are_the_same(self, one: str, other: str) -> None:
        carrier = UserToUserSerialCarrier()
        both = ",".join(carrier.embed(NUMBER, serial).headers["User-to-User"] for serial in (one, other))
        self.assertEqual(uui(both), one if one == other else None)

    def test_what_is_no_serial_of_ours_is_none(self) -> None:
        for value in (
            "",
            ";",
            ",",
            "04",
            "7",
            UUI_OF_7[:-1],
            "00" + UUI_OF_7[2:],
            UUI_OF_7 + "20",
            UUI_OF_7.replace("d3", "d 3"),
            "04" + b"ctiex=".hex(),
            "04" + ("ctiex=" + "7" * 21).encode().hex(),
            "04" + "ctiex=\u0667".encode().hex(),
            "04ff",
            f'"{UUI_OF_7}',
        ):
            self.assertIsNone(uui(value), value)

    def test_a_header_field_without_an_end_is_not_looked_at(self) -> None:
        self.assertIsNone(uui('"' * 1_000_000 + UUI_OF_7))
        self.assertIsNone(uui(f"{UUI_OF_7}," * 1_000))


# ---------------------------------------------------------------- a header field of its own


class SipHeaderTests(SynchronousTestCase):
    """``X-CTIEX-Serial``, or another name."""

    def test_the_value_is_the_serial(self) -> None:
        self.assertEqual(SipHeaderSerialCarrier().embed(NUMBER, "007"), Signalled(NUMBER, {"X-CTIEX-Serial": "007"}))

    @given(st.text("0123456789 ,;*", max_size=25))
    @quick
    def test_nothing_but_a_serial_is_taken(self, value: str) -> None:
        number, serial = SipHeaderSerialCarrier().extract(Signalled(NUMBER, {"x-ctiex-serial": value}))
        self.assertEqual((number, serial), (NUMBER, value.strip() if is_serial(value.strip()) else None))

    def test_a_field_that_came_twice_is_nothing(self) -> None:
        twice = Signalled(NUMBER, {"X-CTIEX-Serial": "7", "x-ctiex-serial": "7"})
        self.assertEqual(SipHeaderSerialCarrier().extract(twice), (NUMBER, None))

    def test_names_that_sip_uses_or_that_are_none_are_refused(self) -> None:
        for name in ("From", "call-id", "User-to-User", "t", "", "X", "-X-A", "X-A-", "X A", "X:A", "X-\u00e9", 5, None,
                     "X" * 65, "X-A\r\n"):  # fmt: skip
            self.assertRaises(ConfigurationError, SipHeaderSerialCarrier, name)


# ---------------------------------------------------------------- several at once


class SeveralCarriersTests(SynchronousTestCase):
    """The serial goes by all, and is taken from whichever arrives."""

    @given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True), serials(), st.sets(PLACES))
    @quick
    def test_whichever_arrives_is_taken(self, number: str, serial: str, lost: set[str]) -> None:
        sent = WHICHEVER_ARRIVES.embed(number, serial)
        self.assertEqual(sent.calling_number, f"{number}**{serial}")
        self.assertEqual(set(sent.headers), {"User-to-User", "X-CTIEX-Serial"})
        arrived = Signalled(number, sent.headers) if "number" in lost else sent
        arrived = arrived.without_header("X-CTIEX-Serial") if "header" in lost else arrived
        arrived = arrived.without_header("User-to-User") if "uui" in lost else arrived
        self.assertEqual(WHICHEVER_ARRIVES.extract(arrived), (number, None if len(lost) == 3 else serial))

    @given(st.tuples(serials(), serials(), serials()))
    @quick
    def test_two_that_disagree_give_nothing(self, three: tuple[str, str, str]) -> None:
        arrived = Signalled(
            f"{NUMBER}**{three[0]}",
            {"X-CTIEX-Serial": three[1], **UserToUserSerialCarrier().embed(NUMBER, three[2]).headers},
        )
        expected = (NUMBER, three[0]) if len(set(three)) == 1 else (arrived.calling_number, None)
        self.assertEqual(WHICHEVER_ARRIVES.extract(arrived), expected)

    @given(
        st.permutations([CallingNumberSerialCarrier(), UserToUserSerialCarrier(), SipHeaderSerialCarrier()]), st.data()
    )
    @quick
    def test_their_order_changes_nothing(self, order: list[ISerialCarrier], data: st.DataObject) -> None:
        few = st.sampled_from(["7", "8", "", "x"])
        number, header, information = (data.draw(few) for _ in range(3))
        octets = f"ctiex={information}".encode().hex()
        arrived = Signalled(f"138**{number}", {"X-CTIEX-Serial": header, "User-to-User": f"04{octets}"})
        self.assertEqual(CombinedSerialCarrier(tuple(order)).extract(arrived), WHICHEVER_ARRIVES.extract(arrived))

    def test_a_number_that_one_of_them_cannot_take_goes_by_none(self) -> None:
        self.assertRaises(SerialError, WHICHEVER_ARRIVES.embed, "138**1", "7")
        self.assertRaises(SerialError, WHICHEVER_ARRIVES.embed, "1" * 60, "7" * 20)

    def test_two_in_the_same_place_are_refused(self) -> None:
        for carriers in (
            (),
            (CallingNumberSerialCarrier(), CallingNumberSerialCarrier("#")),
            (SipHeaderSerialCarrier("X-A-B"), SipHeaderSerialCarrier("x-a-b")),
            (UserToUserSerialCarrier(), UserToUserSerialCarrier()),
        ):
            self.assertRaises(ConfigurationError, CombinedSerialCarrier, carriers)

    def test_only_the_calling_numbers_carrier_changes_the_number(self) -> None:
        self.assertTrue(changes_the_number(CallingNumberSerialCarrier()))
        self.assertTrue(changes_the_number(WHICHEVER_ARRIVES))
        self.assertFalse(changes_the_number(UserToUserSerialCarrier()))
        self.assertFalse(changes_the_number(SipHeaderSerialCarrier()))


# ---------------------------------------------------------------- configuration


class PluginTests(SynchronousTestCase):
    """What the configuration may say."""

    def build(self, kind: str, **settings: Any) -> ISerialCarrier:
        carrier: ISerialCarrier = build_plugin(ISerialCarrierPlugin, kind, settings)
        return carrier

    def test_they_are_found_by_name(self) -> None:
        self.assertEqual(self.build("user-to-user"), UserToUserSerialCarrier())
        self.assertEqual(self.build("sip-header"), SipHeaderSerialCarrier("X-CTIEX-Serial"))
        self.assertEqual(self.build("sip-header", header="X-Call"), SipHeaderSerialCarrier("X-Call"))

    def test_unknown_keys_are_refused(self) -> None:
        for kind in ("user-to-user", "sip-header"):
            error = self.assertRaises(ConfigurationError, self.build, kind, heeder="X-Call")
            self.assertTrue(re.match("heeder: found an unknown key, ", str(error)), str(error))
