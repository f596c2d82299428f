"""What is configured of call control: ``[calls]``, ``[call_data]`` and ``[supervision]``."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from ctiex.settings.checks import Check, Seconds, ShortText

_WORD = "text of 1 to 64 letters, digits, dots, - and _"


def _is_word(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 64
        and all(c.isascii() and (c.isalnum() or c in "._-") for c in value)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, str) and (not value or is_dialable(value))


def is_dialable(number: str) -> bool:
    """Whether a number may be dialled at all: 1 to 32 digits, ``*``, ``#`` and ``+``."""
    return 1 <= len(number) <= 32 and all(character in "0123456789*#+" for character in number)


QueueName = Annotated[str, Check(_WORD, _is_word)]
_Number = Annotated[str, Check("a number of digits, *, # and +, or empty text", _is_number)]
_Wait = Annotated[
    float, Check("a number of seconds from 0", lambda value: type(value) in (int, float) and 0 <= value <= 86_400)
]


@frozen(kw_only=True)
class CallSettings:
    """``[calls]``."""

    queues: tuple[QueueName, ...] = ()
    """The platform's queues, into which agents log in and customers may be sent."""
    not_ready_reasons: tuple[ShortText, ...] = ()
    """Those that an agent may give; empty: any."""
    wrap_up_codes: tuple[ShortText, ...] = ()
    """Those that after-call work may be closed with; empty: any."""
    after_call_work: _Wait = 0.0
    """How long it lasts behind each call of a queue, in seconds; 0: there is none."""
    ring: Seconds = 30.0
    """How long a called device may ring."""
    shown_number: _Number = ""
    """The calling number that is shown to those whom agents call."""
    order_timeout: Seconds = 5.0
    """How long the platform may take to do what it was told, in seconds."""
    order_wait: Seconds = 2.0
    """How long an order waits for the one before; then it is 67."""
    left_alone: Seconds = 2.0
    """How long a customer may be with nobody until they are looked after, in seconds."""


@frozen(kw_only=True)
class CallDataSettings:
    """``[call_data]``."""

    secret: tuple[ShortText, ...] = ()
    """Names of fields that only the agent who has the call sees."""


@frozen(kw_only=True)
class SupervisionSettings:
    """``[supervision]``."""

    tell_agent: bool = False
    """Whether an agent is told that a supervisor listens or whispers."""
