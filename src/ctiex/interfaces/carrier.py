"""How a call serial number travels with a call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field
from zope.interface import Attribute, Interface

from ctiex.frozen import frozen

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@frozen
class Signalled:
    """What travels with a call through the telephone network."""

    calling_number: str = field(repr=False)
    headers: Mapping[str, str] = field(default=NO_HEADERS, repr=False)
    """SIP header fields beside it: their values by name."""

    def header(self, name: str) -> str | None:
        """The value of a header field; several whose names are the same to SIP are joined by commas."""
        values = [value for other, value in self.headers.items() if other.lower() == name.lower()]
        return ", ".join(values) if values else None

    def without_header(self, name: str) -> Signalled:
        """The same, less a header field."""
        kept = {other: value for other, value in self.headers.items() if other.lower() != name.lower()}
        return Signalled(self.calling_number, kept)


class ISerialCarrier(Interface):
    """Takes a serial through the network in something that the network passes [0074]."""

    def embed(calling_number: str, serial: str) -> Signalled:
        """What to send with a call from this calling number, including the serial.

        A carrier that uses header fields leaves the calling number as it is.

        :raise SerialError: it doesn't fit, or the number could be read as carrying one already.
        """

    def extract(signalled: Signalled) -> tuple[str, str | None]:
        """The calling number without the serial, and the serial (None without one), of a call that arrived."""

    def strip(signalled: Signalled) -> Signalled:
        """What came with an untrusted call, without anything that could be read as a serial."""


class ISerialCarrierPlugin(Interface):
    """Finds a carrier by name."""

    name: str = Attribute("What the configuration calls it: ``[carrier] kind = NAME``.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any) -> ISerialCarrier:
        """A carrier.

        :param settings: an instance of ``settings``, from the other keys of ``[carrier]``.
        """
