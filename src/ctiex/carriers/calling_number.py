"""Takes the serial through the network in the calling number: ``calling**serial`` [0074]."""

from __future__ import annotations

import re
from typing import Annotated

from attrs import frozen
from zope.interface import implementer

from ctiex.errors import ConfigurationError, SerialError
from ctiex.interfaces import ISerialCarrier, Signalled
from ctiex.serials import MAX_DIGITS, check_serial, is_serial
from ctiex.settings.checks import Check, hold, is_whole

_SEPARATOR_CHARACTERS = frozenset("*#")
_MAX_SEPARATOR = 8
_MAX_CAPACITY = 255
"""What the wire format holds in a calling number, in bytes."""
_PARAMETERS = re.compile(r"(?:;[!-:<-~]+)+")
"""What a network puts behind a number of its own (RFC 3966): ``;phone-context=+86``, ``;isub=1``, ``;ext=2``."""
_ESCAPED = {"%2A": "*", "%23": "#", "%3B": ";"}
"""What may be written either way in the user part of a SIP URI, and what stands in front of parameters."""
_ESCAPES = re.compile("|".join(_ESCAPED), re.IGNORECASE)


def _is_separator(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_SEPARATOR and set(value) <= _SEPARATOR_CHARACTERS


Separator = Annotated[
    str,
    Check(
        f"1 to {_MAX_SEPARATOR} characters out of * and # "
        "(digits would be ambiguous; SIP stacks strip or rewrite - . ( ) % ; and spaces)",
        _is_separator,
    ),
]
Capacity = Annotated[
    int,
    Check(
        f"a whole number of bytes, up to {_MAX_CAPACITY}",
        lambda value: is_whole(value) and 0 < value <= _MAX_CAPACITY,
    ),
]


@implementer(ISerialCarrier)
@frozen
class CallingNumberSerialCarrier:
    """Number, separator and serial in one calling number of at most ``capacity`` bytes.

    :raise ConfigurationError: the separator is invalid, or the longest serial can't fit.
    """

    separator: Separator = "**"
    """1 to 8 of ``*`` and ``#``. Digits would be ambiguous beside number and serial, and
    SIP stacks strip or rewrite ``- . ( ) % ;`` and spaces."""
    capacity: Capacity = 79
    """The most that the network passes as a calling number, in bytes."""

    def __attrs_post_init__(self) -> None:
        hold(self)
        least = len(self.separator) + MAX_DIGITS
        if self.capacity < least:
            raise ConfigurationError(
                f"capacity: found {self.capacity}, expected at least {least} bytes, "
                f"for the separator and a serial of {MAX_DIGITS} digits"
            )

    def embed(self, calling_number: str, serial: str) -> Signalled:
        """The calling number with the serial behind the separator; ``extract`` gives both back.

        :raise SerialError: the serial is invalid, the whole doesn't fit, or the number holds the
            separator or ends in a part of it, as it is or percent-encoded.
        """
        check_serial(serial)
        plain = _decoded(calling_number)
        if self.separator in plain:
            raise SerialError(f"a calling number that holds {self.separator!r} could carry a serial already")
        if self._partial(plain):
            raise SerialError(f"a calling number that ends in a part of {self.separator!r} is ambiguous")
        whole = calling_number + self.separator + serial
        size = _size(whole)
        if size > self.capacity:
            raise SerialError(f"number, separator and serial take {size} bytes: at most {self.capacity} fit")
        return Signalled(whole)

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        """The number and the serial behind the first separator.

        Parameters that stand behind the serial are the number's, and come back behind it. What is percent-encoded is
        decoded where nothing is found else. Where exactly a serial doesn't stand there, the number comes back
        unchanged, with None; visual separators (RFC 3966) don't belong to a serial.
        """
        arrived = signalled.calling_number
        return self._found(arrived) or self._found(_decoded(arrived)) or (arrived, None)

    def _found(self, arrived: str) -> tuple[str, str] | None:
        number, _, behind = arrived.partition(self.separator)
        serial, semicolon, rest = behind.partition(";")
        parameters = semicolon + rest
        if is_serial(serial) and (not parameters or _PARAMETERS.fullmatch(parameters)):
            return number + parameters, serial
        return None

    def strip(self, signalled: Signalled) -> Signalled:
        """An untrusted number up to the first separator, without the parts of one at its end.

        One that holds it percent-encoded comes back decoded.
        """
        number, plain = signalled.calling_number, _decoded(signalled.calling_number)
        if self.separator in plain or self._partial(plain):
            number = plain.partition(self.separator)[0]
        while part := self._partial(number):
            number = number[:-part]
        return Signalled(number, signalled.headers)

    def _partial(self, number: str) -> int:
        """How many characters at the number's end begin a separator, short of a whole one."""
        lengths = range(len(self.separator) - 1, 0, -1)
        return next((length for length in lengths if number.endswith(self.separator[:length])), 0)


def _decoded(number: str) -> str:
    return _ESCAPES.sub(lambda escape: _ESCAPED[escape[0].upper()], number) if "%" in number else number


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise SerialError("a calling number that can't be encoded in UTF-8") from None
