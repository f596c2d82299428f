"""Every exception that CTIEX raises on purpose.

One family leaves each part: :class:`CodecError` the codecs, :class:`LinkError`
the links and the clients, :class:`CallError` whatever concerns one call.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Repeat(Enum):
    """Whether what was refused with a status may be asked for again, unchanged.

    A request whose answer never came is another matter: it is repeated under the same serial or event id.
    """

    AT_ONCE = "at once"
    """As soon as what was missing is done: the Bind, the login."""
    LATER = "later"
    """After a pause: nothing is wrong with the request."""
    NEVER = "never"
    """It would be answered the same again, or it is done already."""


class Status(IntEnum):
    """Status codes of the wire format."""

    OK = 0
    MALFORMED = 1
    UNKNOWN_KIND = 2
    UNSUPPORTED_VERSION = 3
    TOO_LONG = 4
    NOT_ALLOWED_HERE = 5
    NOT_BOUND = 10
    REFUSED_CREDENTIALS = 11
    SESSION_TAKEN_OVER = 13
    TOO_BUSY = 14
    GOING_AWAY = 15
    UNKNOWN_SERIAL = 20
    NUMBERING_ANEW = 21
    DUPLICATE_SERIAL = 22
    ALREADY_FINISHED = 24
    EVENT_ID_USED = 25
    OTHER_EXCHANGE = 26
    UNKNOWN_SERVICE = 30
    SERVICE_UNREACHABLE = 31
    SERVICE_REFUSED = 32
    TIMED_OUT = 33
    SERIAL_DOES_NOT_FIT = 34
    DATA_TOO_LARGE = 35
    MORE_THAN_ALLOWED = 36
    QUEUED_AGENT_AWAY = 40
    QUEUE_FULL = 41
    AGENT_NOT_LOGGED_IN = 42
    DUPLICATE_EVENT = 43
    STORE_UNAVAILABLE = 50
    INTERNAL = 51
    NO_SUCH_CALL = 60
    WRONG_STATE = 61
    NOT_SUPPORTED = 62
    BUSY = 63
    NO_ANSWER = 64
    NO_SUCH_DESTINATION = 65
    OUT_OF_SERVICE = 66
    CALL_BUSY = 67

    @classmethod
    def of(cls, code: int) -> Status:
        """The status with this code; an unknown one is treated as INTERNAL (51)."""
        try:
            return cls(code)
        except ValueError:
            return cls.INTERNAL

    @property
    def text(self) -> str:
        """The status in words, for people: ``unknown serial``."""
        return self.name.lower().replace("_", " ")

    @property
    def repeat(self) -> Repeat:
        """Whether the request may be asked for again."""
        return REPEATS[self]


REPEATS: dict[Status, Repeat] = {
    Status.OK: Repeat.NEVER,
    Status.MALFORMED: Repeat.NEVER,
    Status.UNKNOWN_KIND: Repeat.NEVER,
    Status.UNSUPPORTED_VERSION: Repeat.NEVER,
    Status.TOO_LONG: Repeat.NEVER,
    Status.NOT_ALLOWED_HERE: Repeat.NEVER,
    Status.NOT_BOUND: Repeat.AT_ONCE,  # behind a Bind
    Status.REFUSED_CREDENTIALS: Repeat.NEVER,
    Status.SESSION_TAKEN_OVER: Repeat.NEVER,  # two links would take the number from each other without end
    Status.TOO_BUSY: Repeat.LATER,
    Status.GOING_AWAY: Repeat.LATER,
    Status.UNKNOWN_SERIAL: Repeat.NEVER,
    Status.NUMBERING_ANEW: Repeat.NEVER,  # the login holds
    Status.DUPLICATE_SERIAL: Repeat.NEVER,
    Status.ALREADY_FINISHED: Repeat.NEVER,
    Status.EVENT_ID_USED: Repeat.NEVER,
    Status.OTHER_EXCHANGE: Repeat.NEVER,
    Status.UNKNOWN_SERVICE: Repeat.NEVER,
    Status.SERVICE_UNREACHABLE: Repeat.LATER,  # by a new request: the call is over
    Status.SERVICE_REFUSED: Repeat.LATER,  # likewise
    Status.TIMED_OUT: Repeat.LATER,  # likewise
    Status.SERIAL_DOES_NOT_FIT: Repeat.NEVER,
    Status.DATA_TOO_LARGE: Repeat.NEVER,
    Status.MORE_THAN_ALLOWED: Repeat.NEVER,
    Status.QUEUED_AGENT_AWAY: Repeat.NEVER,  # it is kept
    Status.QUEUE_FULL: Repeat.LATER,  # once the agent has acknowledged events
    Status.AGENT_NOT_LOGGED_IN: Repeat.AT_ONCE,  # behind an AgentLogin
    Status.DUPLICATE_EVENT: Repeat.NEVER,  # it was kept before
    Status.STORE_UNAVAILABLE: Repeat.LATER,
    Status.INTERNAL: Repeat.LATER,
    Status.NO_SUCH_CALL: Repeat.NEVER,
    Status.WRONG_STATE: Repeat.NEVER,  # what may be done now stands in the party's actions
    Status.NOT_SUPPORTED: Repeat.NEVER,
    Status.BUSY: Repeat.LATER,
    Status.NO_ANSWER: Repeat.LATER,
    Status.NO_SUCH_DESTINATION: Repeat.NEVER,
    Status.OUT_OF_SERVICE: Repeat.LATER,
    Status.CALL_BUSY: Repeat.LATER,
}
"""Of every status, whether the request may be asked for again."""


class CtiexError(Exception):
    """The root of everything CTIEX raises on purpose."""


class FieldError(CtiexError, ValueError):
    """A channel associated data field breaks a limit of the wire format."""


class SerialError(CtiexError, ValueError):
    """A call serial number, or a calling number that carries one, is not acceptable."""


class ConfigurationError(CtiexError):
    """The configuration can't be used; the text says where, what, and what was expected."""


class CheckBusy(CtiexError):
    """A checker can't look at a Bind now: it is answered 14, and may be tried again later."""


class StoreUnavailable(CtiexError):
    """The call store can't take or give records now: status 50 on the wire."""


class CallerHungUp(CtiexError):
    """The customer left the call while a service was serving them."""


class CodecError(CtiexError):
    """Bytes that are no message, or a message that fits no frame.

    ``status`` is the wire's code for it.
    """

    status = Status.MALFORMED


class MalformedFrame(CodecError):
    """The frame or its body breaks the declared layout."""


class UnknownKind(CodecError):
    """A frame of a kind that the wire format doesn't have."""

    status = Status.UNKNOWN_KIND


class UnsupportedVersion(CodecError):
    """A frame header of another version than 2."""

    status = Status.UNSUPPORTED_VERSION


class FrameTooLong(CodecError):
    """A frame whose length passes the limit of the link."""

    status = Status.TOO_LONG


class LinkError(CtiexError):
    """The link can't do what was asked of it."""


class LinkLost(LinkError):
    """The link ended before the answer came."""


class LinkBusy(LinkError):
    """As many requests wait to go out on the link as may."""


class NotBound(LinkError):
    """Something was asked of a link that isn't bound."""


class BrokenExchange(LinkError):
    """The exchange said what no exchange may say; it is as if it had said nothing."""


class UnsafeLink(LinkError):
    """Nothing is sent: others could read it on the way, or the peer isn't verified."""


class TlsRefused(LinkError):
    """The TLS handshake failed: one side doesn't trust the other's certificate, or it doesn't speak TLS."""


class RequestTimedOut(LinkError):
    """The other side didn't answer in time."""


class BindRefused(LinkError):
    """The exchange refused the Bind; ``status`` says why."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = Status.of(status)
        self.detail = detail
        super().__init__(_worded(status, detail))


class CallError(CtiexError):
    """The other side answered with a status other than 0; ``status`` says which."""

    def __init__(self, status: int, detail: str = "") -> None:
        self.status = Status.of(status)
        self.detail = detail
        super().__init__(_worded(status, detail))


def _worded(status: int, detail: str) -> str:
    text = f"status {int(status)} ({Status.of(status).text})"
    return f"{text}: {detail}" if detail else text
