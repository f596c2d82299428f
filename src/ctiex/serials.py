"""Call serial numbers: strings of up to 20 decimal digits (``007`` is not ``7``).

An allocated serial is the exchange's id (3 digits), the time in seconds (9), random
digits (6) and two check digits by ISO 7064 MOD 97-10: 20 in all. An agent's own
serials need no check digits.

The first of the random digits is odd if the serial names a call that an agent is notified of, and even in all others.
So it is known, also after a restart, that the serial names one particular customer.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random, SystemRandom

from attrs import define, field

from ctiex.errors import SerialError

MAX_DIGITS = 20
_ID_DIGITS, _TIME_DIGITS, _RANDOM_DIGITS = 3, 9, 6
_KIND_AT = _ID_DIGITS + _TIME_DIGITS
_ODD = frozenset("13579")
_ATTEMPTS = 1_000


def is_serial(text: str) -> bool:
    """Whether the text is 1 to 20 decimal digits of ASCII."""
    return 1 <= len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()


def check_serial(text: str) -> str:
    """The serial itself, when it is one.

    :raise SerialError: it is empty, too long, or holds something else than digits.
    """
    if not is_serial(text):
        raise SerialError(f"a serial is 1 to {MAX_DIGITS} decimal digits, not {text[:40]!r}")
    return text


def check_digits(digits: str) -> str:
    """The two check digits of a string of decimal digits (ISO 7064 MOD 97-10)."""
    return f"{98 - int(digits + '00') % 97:02d}"


def has_check_digits(serial: str) -> bool:
    """Whether a serial ends in its right check digits, as every allocated one does."""
    return is_serial(serial) and len(serial) > 2 and int(serial) % 97 == 1


def names_a_told_call(serial: str) -> bool:
    """Whether a serial was allocated for a call that an agent was notified of: it names only that call's customer."""
    return len(serial) == MAX_DIGITS and has_check_digits(serial) and serial[_KIND_AT] in _ODD


def check_exchange_id(text: str) -> str:
    """The exchange id itself, when it is 1 to 3 decimal digits.

    :raise SerialError: it is something else.
    """
    if not (1 <= len(text) <= _ID_DIGITS and text.isascii() and text.isdigit()):
        raise SerialError(f"an exchange id is 1 to {_ID_DIGITS} decimal digits, not {text[:40]!r}")
    return text


@define
class SerialAllocator:
    """Makes serials that no call in use has."""

    exchange_id: str = field(converter=check_exchange_id)
    wall_clock: Callable[[], float]
    """Seconds since the epoch."""
    random: Random = field(factory=SystemRandom)

    def allocate(self, in_use: Callable[[str], bool], told: bool = False) -> str:
        """A new serial.

        :param in_use: tells whether a serial is taken; taken ones are skipped.
        :param told: it is for a call that an agent is notified of (:func:`names_a_told_call`).
        :raise SerialError: none was free after many tries.
        """
        head = self.exchange_id.zfill(_ID_DIGITS)
        moment = int(self.wall_clock()) % 10**_TIME_DIGITS
        for _ in range(_ATTEMPTS):
            digits = f"{head}{moment:0{_TIME_DIGITS}d}{self._draw(told):0{_RANDOM_DIGITS}d}"
            serial = digits + check_digits(digits)
            if not in_use(serial):
                return serial
        raise SerialError(f"no free serial in {_ATTEMPTS} tries")

    def _draw(self, told: bool) -> int:
        place: int = 10 ** (_RANDOM_DIGITS - 1)
        kind, others = divmod(self.random.randrange(10 * place), place)
        return (kind // 2 * 2 + told) * place + others
