"""Three plugins in one module: a signalling driver, a carrier, and an organizer.

An exchange finds them when this file is installed as ``ctiex/plugins/house_plugins.py``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessValue
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex import Fields, SerialError, Status
from ctiex.interfaces import (
    BaseSignalling,
    BaseSignallingPlugin,
    IOrganizer,
    IOrganizerPlugin,
    ISerialCarrier,
    ISerialCarrierPlugin,
    ISignalling,
    ISignallingPlugin,
    Offer,
    Signalled,
    SignallingContext,
)
from ctiex.serials import check_serial
from ctiex.settings import Count, FileName, ShortText

# ---------------------------------------------------------------- a signalling driver


@frozen(kw_only=True)
class CommandSettings:
    """The driver's own key of a service."""

    program: FileName


@implementer(ISignalling)
class CommandSignalling(BaseSignalling):
    """Forwards a customer by a program of the house: ``PROGRAM ACCESS_CODE CALLING_NUMBER``.

    It ends with 0 once the service has taken the call.
    """

    sees_return = False

    def __init__(self, context: SignallingContext) -> None:
        self._context = context
        self._waiting: set[str] = set()
        self._running: dict[str, Deferred[int]] = {}

    def offer(self, offer: Offer) -> None:
        """Which session will come for the data is not known: any that serves the service."""
        self._waiting.add(offer.serial)
        self._context.listener.offered(offer.serial, None, lambda: self._run(offer))

    def _run(self, offer: Offer) -> None:
        """Run the program: it is kept that the customer goes."""
        if offer.serial not in self._waiting:
            return  # withdrawn
        self._waiting.remove(offer.serial)
        program = self._context.services[offer.service].program
        connection = offer.connection
        running = getProcessValue(
            program, [connection.access_code, connection.calling_number], reactor=self._context.reactor
        )
        self._running[offer.serial] = running
        running.addBoth(self._ended, offer.serial)

    def withdraw(self, serial: str) -> int:
        """Take no notice of the program any more."""
        self._waiting.discard(serial)
        return Status.SERVICE_UNREACHABLE if self._running.pop(serial, None) is None else Status.TIMED_OUT

    def _ended(self, code: int | Failure, serial: str) -> None:
        if self._running.pop(serial, None) is None:
            return  # withdrawn
        if code == 0:
            self._context.listener.accepted(serial)
        else:
            self._context.listener.unreachable(serial, Status.SERVICE_REFUSED)


@implementer(IPlugin, ISignallingPlugin)
class CommandSignallingPlugin(BaseSignallingPlugin):
    """``signalling = "command"``, with ``program``."""

    name = "command"
    service_settings = CommandSettings

    def build(self, context: SignallingContext) -> ISignalling:
        """One driver for all services that name it."""
        return CommandSignalling(context)


# ---------------------------------------------------------------- a carrier

_CARRIED = re.compile(r"\*([0-9]{1,20})\*([^*].*|)", re.DOTALL)


@implementer(ISerialCarrier)
@frozen
class LeadingCarrier:
    """The serial ahead of the number, between stars: ``*4711*13800138000``."""

    capacity: Count = 79

    def embed(self, calling_number: str, serial: str) -> Signalled:
        """Put a serial ahead of a number.

        @raise SerialError: it doesn't fit, or the number begins with a star.
        """
        carried = f"*{check_serial(serial)}*{calling_number}"
        if calling_number.startswith("*"):
            raise SerialError("the calling number begins with a star, as if it carried a serial")
        if len(carried.encode()) > self.capacity:
            raise SerialError(f"the calling number and the serial pass {self.capacity} bytes")
        return Signalled(carried)

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        """The number and its serial."""
        found = _CARRIED.fullmatch(signalled.calling_number)
        return (signalled.calling_number, None) if found is None else (found[2], found[1])

    def strip(self, signalled: Signalled) -> Signalled:
        """A number that begins with no star carries nothing."""
        return Signalled(signalled.calling_number.lstrip("*"), signalled.headers)


@implementer(IPlugin, ISerialCarrierPlugin)
class LeadingCarrierPlugin:
    """``[carrier] kind = "leading"``, with ``capacity``: the carrier is its own settings."""

    name = "leading"
    settings = LeadingCarrier

    def build(self, settings: LeadingCarrier) -> ISerialCarrier:
        """The carrier."""
        return settings


# ---------------------------------------------------------------- an organizer


@implementer(IOrganizer)
@frozen
class LastFourOrganizer:
    """Leaves the last four characters of one field to be seen; everything else passes."""

    name: str
    secret: Collection[str] = ()

    def organize(self, fields: Fields) -> Fields:
        """The fields, one of them shortened."""
        text = fields.text(self.name)
        return Fields({**fields, self.name: f"...{text[-4:]}"}) if len(text) > 4 else fields


@frozen(kw_only=True)
class LastFourSettings:
    """The organizer's own key."""

    field: ShortText
    """The name of the field to shorten."""


@implementer(IPlugin, IOrganizerPlugin)
class LastFourPlugin:
    """``organizer = "last-four"``, with ``field``."""

    name = "last-four"
    settings = LastFourSettings

    def build(self, settings: LastFourSettings) -> IOrganizer:
        """An organizer for one direction of one service."""
        return LastFourOrganizer(settings.field, frozenset({settings.field}))


# What stands at the top of the module is what is found.
command = CommandSignallingPlugin()
leading = LeadingCarrierPlugin()
last_four = LastFourPlugin()
