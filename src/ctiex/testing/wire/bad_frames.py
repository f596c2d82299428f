"""Frames that break the binary layouts, for the test vectors."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ctiex.errors import Status
from ctiex.messages import Role
from ctiex.testing.wire.cases import Case, error, features_for, raw

_UPDATE = 0x1C
_SERIAL = "01 37"

_FIELDS: list[tuple[str, str]] = [
    ("a doubled field name", "0002" + "01 61 02 0001 01" * 2),
    ("field names that are equal to Unicode and differ in bytes are two, and the second is cut",
     "0002 02 c3a9 02 0001 01 03 65cc81 02 0001"),
    ("an empty field name", "0001 00 02 0001 01"),
    ("a field name of 65 bytes", "0001 41" + "61" * 65 + "02 0001 01"),
    ("a field name that isn't UTF-8", "0001 01 ff 02 0001 01"),
    ("a field of an unknown type", "0001 01 61 06 0000"),
    ("a boolean of 2", "0001 01 61 02 0001 02"),
    ("a boolean of two bytes", "0001 01 61 02 0002 0001"),
    ("an integer of 4 bytes", "0001 01 61 01 0004 00000001"),
    ("an integer of 9 bytes", "0001 01 61 01 0009 000000000000000001"),
    ("a text that isn't UTF-8", "0001 01 61 00 0001 80"),
    ("an empty decimal", "0001 01 61 04 0000"),
    ("a decimal that ends with its point", "0001 01 61 04 0003 31322e"),
    ("a decimal with a plus sign", "0001 01 61 04 0002 2b31"),
    ("a decimal with an exponent", "0001 01 61 04 0003 316535"),
    ("a decimal of 19 digits", "0001 01 61 04 0013" + "39" * 19),
    ("a decimal with 10 digits behind its point", "0001 01 61 04 000c 312e" + "30" * 10),
    ("a decimal with a line feed behind it", "0001 01 61 04 0002 310a"),
    ("a decimal with digits that aren't ASCII", "0001 01 61 04 0002 d9a1"),
    ("a time before the year 1", "0001 01 61 05 0008" + struct.pack(">q", -62_135_596_800_001).hex()),
    ("a time behind the year 9999", "0001 01 61 05 0008" + struct.pack(">q", 253_402_300_800_000).hex()),
    ("a time of 4 bytes", "0001 01 61 05 0004 00000001"),
    ("a field value longer than the body", "0001 01 61 00 0005 6162"),
    ("fewer fields than the count", "0002 01 61 02 0001 01"),
    ("more fields than the count", "0001" + "01 61 02 0001 01 01 62 02 0001 01"),
]  # fmt: skip

_BODIES: list[tuple[str, int, str, Role]] = [
    ("bytes left over", 0x05, "00", Role.AGENT),
    ("a body that ends too early", 0x22, "03 3030", Role.SERVICE),
    ("bad UTF-8", 0x12, "02 c328", Role.AGENT),
    ("half a surrogate pair in UTF-8", 0x12, "03 eda080", Role.AGENT),
    ("a serial with a letter", 0x16, "03 303061", Role.AGENT),
    ("a serial with digits that aren't ASCII", 0x16, "02 d9a1", Role.AGENT),
    ("a serial of 21 digits", 0x16, "15" + "30" * 21, Role.AGENT),
    ("an empty serial", 0x16, "00", Role.AGENT),
    ("a condition of the exchange in a ServiceEvent", 0x24, "00" * 8 + _SERIAL + "00 0a 0000", Role.SERVICE),
    ("an unknown condition in a ServiceEvent", 0x24, "00" * 8 + _SERIAL + "00 04 0000", Role.SERVICE),
    ("fields that are missing altogether", _UPDATE, _SERIAL, Role.AGENT),
    ("a mode that there isn't", 0x30, "01 31 02", Role.AGENT),
    ("a state of an agent that there isn't", 0x32, "01 31 07 00 00 0000 0000", Role.AGENT),
    ("an action of 0", 0x34, "00 01 31" + "00" * 8, Role.AGENT),
    ("an action that there isn't", 0x34, "1c 01 31" + "00" * 8, Role.AGENT),
    ("an action without its fields", 0x34, "02 01 31" + "00" * 6, Role.AGENT),
    ("an empty name of a field to drop", 0x36, "01 31 01 63 00000000 0000 0001 00", Role.AGENT),
    ("a name of 65 bytes of a field to drop", 0x36, "01 31 01 63 00000000 0000 0001 41" + "61" * 65, Role.AGENT),
    ("fewer names to drop than the count", 0x36, "01 31 01 63 00000000 0000 0002 01 61", Role.AGENT),
    ("a doubled field name in the data of a call", 0x36, "01 31 01 63 00000000 0002" + "01 61 02 0001 01" * 2 + "0000",
     Role.AGENT),
]  # fmt: skip
"""Those of call control come on links that have the feature."""

_EVENT = "01 31" + "00" * 8 + "02 00 0000 00 01 63 01 37 00 00"
"""A CallEvent up to its recording."""
_PARTY = "01 70 01 00 01 31 02 00000000"
_EVENTS: list[tuple[str, int, str]] = [
    ("a recording that there isn't", 0x3A, _EVENT + "03 0000 00000000 0000"),
    (
        "a serial with a letter in a CallEvent",
        0x3A,
        "01 31" + "00" * 8 + "02 00 0000 00 01 63 01 61 00 00 00" + "00" * 8,
    ),
    ("a party whose role there isn't", 0x3A, _EVENT + "00 0001 01 70 05 00 00 02 00000000 00000000 0000"),
    ("a party whose state there isn't", 0x3A, _EVENT + "00 0001 01 70 01 00 00 08 00000000 00000000 0000"),
    ("fewer parties than the count", 0x3A, _EVENT + "00 0002" + _PARTY + "00000000 0000"),
    ("more parties than the count", 0x3A, _EVENT + "00 0001" + _PARTY * 2 + "00000000 0000"),
    ("a page that is neither the last nor another one", 0x3C, "01 31" + "00" * 8 + "02" + "00" * 13),
    ("a pending state that there isn't", 0x38, "01 31" + "00" * 8 + "01 00 00" + "00" * 16 + "08 00 00 0000"),
]
"""What the exchange tells, as a client gets it."""

_EXTENSIONS: list[tuple[str, str]] = [
    ("the flag without extensions", ""),
    ("an extension that ends too early", "01 8000 0002 00"),
    ("fewer extensions than the count", "02 8000 0000"),
    ("bytes behind the extensions", "01 8000 0000 00"),
]

_FLAGS: list[tuple[str, int]] = [
    ("a flag that there isn't", 2),
    ("a flag that there isn't, beside the one for extensions", 3),
    ("the highest flag", 0x8000),
]


def bad_frames() -> Iterator[Case]:
    """All of them, on a bound link: as an exchange gets them, but for what the exchange alone says."""
    for name, kind, body, role in _BODIES:
        told = error(Status.MALFORMED, kind)
        yield Case(name, raw(kind, body), told, role=role, features=features_for(kind))
    for name, kind, body in _EVENTS:
        told = error(Status.MALFORMED, kind, 0)
        yield Case(name, raw(kind, body, invoke_id=0), told, side="client", features=features_for(kind))
    for name, fields in _FIELDS:
        yield Case(name, raw(_UPDATE, _SERIAL + fields), error(Status.MALFORMED, _UPDATE))
    for name, behind in _EXTENSIONS:
        yield Case(name, raw(0x05, behind, flags=1), error(Status.MALFORMED, 0x05))
    for name, flags in _FLAGS:
        yield Case(name, raw(0x05, flags=flags), error(Status.MALFORMED, 0x05))
    yield Case("extensions that no flag tells of", raw(0x05, "01 8000 0000"), error(Status.MALFORMED, 0x05))
    yield Case("an unknown kind", raw(0x08), error(Status.UNKNOWN_KIND, 0x08))
    yield Case("an unknown kind with a bad flag", raw(0x08, flags=2), error(Status.MALFORMED, 0x08))
    yield from _ends()


def _ends() -> Iterator[Case]:
    for side in ("exchange", "client"):
        told = error(Status.UNSUPPORTED_VERSION, invoke_id=0)
        yield Case(f"version 1 in the header, to the {side}", raw(0x05, version=1), told, side=side, ends_link=True)
        told = error(Status.TOO_LONG, invoke_id=0)
        long = struct.pack(">I", 65_537)
        yield Case(f"a length over the limit, to the {side}", long, told, side=side, ends_link=True)
    told = error(Status.UNSUPPORTED_VERSION, invoke_id=0)
    yield Case("version 3 in the header of a Bind", raw(0x01, version=3), told, bound=False, ends_link=True)
    short = struct.pack(">I", 7)
    yield Case("a length below 8", short, error(Status.MALFORMED, invoke_id=0), ends_link=True)
