"""Takes the serial through the network in the SIP header field User-to-User (RFC 7433).

What CTIEX writes, for the serial 007::

    User-to-User: 0463746965783d303037;purpose=isdn-uui;content=isdn-uui;encoding=hex

It is the package for ISDN (RFC 7434), which gateways turn into the user-user information element of a telephone
network without SIP, and back. Its data are a protocol discriminator and at most 128 octets, in hexadecimal digits.
The discriminator 04 says that the octets are characters of IA5, which is ASCII; they are ``ctiex=`` and the serial.
Several applications may use the header field of one call, with commas between their data: only what begins with
``ctiex=`` is taken for a serial.

Other platforms write the discriminator as a parameter (``;pd=04``), with or without it in the data as well, or leave it
out; the drafts before the RFC had ``purpose=isdn-interwork``. All of these are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen
from zope.interface import implementer

from ctiex.interfaces import ISerialCarrier, Signalled
from ctiex.serials import check_serial, is_serial

USER_TO_USER = "User-to-User"

_IA5_CHARACTERS = "04"
"""The protocol discriminator (ITU-T Q.931, 4.5.30)."""
_IA5_DATA = re.compile("(?:[0-9A-Fa-f]{2})+")
_MARK = "ctiex="
_PARAMETERS = {"purpose": "isdn-uui", "content": "isdn-uui", "encoding": "hex"}
_ALSO_READ = {"purpose": re.compile("isdn-(?:uui|interwork)"), "content": re.compile("isdn-uui"),
              "encoding": re.compile("hex"), "pd": re.compile("(?:0x)?0?4")}  # fmt: skip
"""Each also holds where it isn't given; with another value the data are another application's."""
_LONGEST_READ = 4_096
"""Characters of a header field that are looked at; a longer one isn't what a telephone network passes."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")


@implementer(ISerialCarrier)
@frozen
class UserToUserSerialCarrier:
    """The mark and the serial as user-to-user information: 26 octets at most, where ISDN passes 128, or 32 at least."""

    def embed(self, calling_number: str, serial: str) -> Signalled:
        """The number as it is, and the header field.

        :raise SerialError: it is no serial.
        """
        data = _IA5_CHARACTERS + (_MARK + check_serial(serial)).encode().hex()
        parameters = "".join(f";{name}={value}" for name, value in _PARAMETERS.items())
        return Signalled(calling_number, {USER_TO_USER: data + parameters})

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        """The number as it came, and the one serial in the header field; None where there are two different ones."""
        value = signalled.header(USER_TO_USER) or ""
        serials = set(_serials(value)) if len(value) <= _LONGEST_READ else set()
        return signalled.calling_number, serials.pop() if len(serials) == 1 else None

    def strip(self, signalled: Signalled) -> Signalled:
        """What came, without the header field."""
        return signalled.without_header(USER_TO_USER)


def _serials(value: str) -> Iterator[str]:
    """The serials among the data of a header field."""
    for one in _QUOTED.sub(_unquoted, value).split(","):
        data, *parameters = (part.strip() for part in one.split(";"))
        if all(_is_ours(parameter) for parameter in parameters):
            yield from _serial_in(data)


def _unquoted(quoted: re.Match[str]) -> str:
    """A token may stand in quotes as well; anything else that does isn't a serial, and must not be split."""
    return quoted[1] if _TOKEN.fullmatch(quoted[1]) else '""'


def _is_ours(parameter: str) -> bool:
    name, _, value = (part.strip().lower() for part in parameter.partition("="))
    return name not in _ALSO_READ or _ALSO_READ[name].fullmatch(value) is not None


def _serial_in(data: str) -> Iterator[str]:
    if not _IA5_DATA.fullmatch(data):
        return
    # The mark can't be taken for a discriminator: none begins like it.
    text = bytes.fromhex(data.removeprefix(_IA5_CHARACTERS)).decode(errors="replace")
    serial = text.removeprefix(_MARK)
    if text.startswith(_MARK) and is_serial(serial):
        yield serial
