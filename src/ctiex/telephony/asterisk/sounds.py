"""Which sound files stand for a prompt: a table by name, with defaults out of Asterisk's own English prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations

from attrs import field, frozen

from ctiex.errors import ConfigurationError

SOUND_EXPECTED = "a sound file below Asterisk's sounds, without its language and ending, such as custom/welcome"
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9_][A-Za-z0-9_-]*)*")
_LONGEST_SOUND = 120
_MOST_VARIANTS = 4

CALL_UNKNOWN = "call-unknown"
"""This customer wasn't handed over."""
PLEASE_WAIT = "please-wait"
"""The exchange takes its time."""
UNAVAILABLE = "unavailable"
"""The service can't be given now."""
CURRENCY = "currency"
"""Behind the whole amount, with the code behind a dot: ``currency.EUR``."""
CURRENCY_PART = "currency-part"
"""Behind the hundredths, likewise; nothing is said there where it has no sound."""

PRESS_1, PRESS_2, PRESS_3 = (("vm-press", f"digits/{key}") for key in "123")
DEFAULT_SOUNDS: Mapping[str, tuple[str, ...]] = {
    "enter-password": ("agent-pass",),
    "password-accepted": ("auth-thankyou",),
    "password-wrong": ("vm-invalidpassword",),
    "number-is": ("telephone-number", "is"),
    "next-number": ("vm-next", "number"),
    "plus": ("letters/plus",),
    "again-or-satisfied": ("to-listen-to-it", *PRESS_1, "if-correct-press", "digits/2", "vm-no", *PRESS_3),
    "satisfied": ("if-correct-press", "digits/2", "vm-no", *PRESS_3),
    "bill-item": ("vm-next",),
    "again-or-return": ("to-listen-to-it", *PRESS_1, "transfer", *PRESS_2),
    "not-understood": ("vm-sorry",),
    "back-to-agent": ("one-moment-please",),
    CALL_UNKNOWN: ("im-sorry", "cannot-complete-as-dialed"),
    PLEASE_WAIT: ("one-moment-please",),
    UNAVAILABLE: ("im-sorry", "please-try-call-later"),
    f"{CURRENCY}.USD": ("digits/dollars",),
}
"""What the package asterisk-core-sounds-en has for the prompts of the services; what it has no words for is spelled."""


def is_sound(text: object) -> bool:
    """Whether it names a sound file, and can't lead out of the sounds or into another command."""
    return isinstance(text, str) and len(text) <= _LONGEST_SOUND and _SOUND.fullmatch(text) is not None


def _check_sounds(_: object, __: object, table: Mapping[str, tuple[str, ...]]) -> None:
    for prompt, sounds in table.items():
        for sound in sounds:
            if not is_sound(sound):
                raise ConfigurationError(f"prompt {prompt!r}: found {sound!r}, expected {SOUND_EXPECTED}")


@frozen
class Sounds:
    """The table: by prompt name, maybe with variants behind dots, the sounds to play one after the other.

    :raise ConfigurationError: a name isn't that of a sound file.
    """

    table: Mapping[str, tuple[str, ...]] = field(default=DEFAULT_SOUNDS, validator=_check_sounds)

    @classmethod
    def with_own(cls, own: Mapping[str, tuple[str, ...]]) -> Sounds:
        """The defaults with some changed and others added.

        :raise ConfigurationError: a name isn't that of a sound file.
        """
        return cls({**DEFAULT_SOUNDS, **own})

    def candidates(self, prompt: str) -> Iterator[tuple[str, ...]]:
        """The sounds for a prompt, those that fit most of its variants first.

        For ``number-is.vip.fr``: of ``number-is.vip.fr``, ``number-is.vip``, ``number-is.fr`` and ``number-is``.
        A variant only chooses among the names of the table, so that no field can point to another file.
        """
        name, *variants = prompt.split(".")[: 1 + _MOST_VARIANTS]
        for count in range(len(variants), -1, -1):
            for chosen in combinations(variants, count):
                if sounds := self.table.get(".".join((name, *chosen))):
                    yield sounds
