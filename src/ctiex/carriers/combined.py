"""Several carriers at once: the serial goes by all of them, and is taken from whichever arrives."""

from __future__ import annotations

from attrs import field, frozen
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ISerialCarrier, Signalled


def changes_the_number(carrier: ISerialCarrier) -> bool:
    """Whether a carrier puts the serial into the calling number, and not beside it."""
    return carrier.embed("1", "1").calling_number != "1"


@implementer(ISerialCarrier)
@frozen
class CombinedSerialCarrier:
    """What each carrier of a call does, one after the other.

    No carrier is trusted more than another: a network may write any of them. Where two bring different serials,
    the call has none. So the order of the carriers changes nothing that arrives.

    :raise ConfigurationError: none are given, or two would write the same place.
    """

    carriers: tuple[ISerialCarrier, ...] = field()

    @carriers.validator
    def _check_carriers(self, _: object, value: tuple[ISerialCarrier, ...]) -> None:
        if not value:
            raise ConfigurationError("no carrier is given, expected at least one")
        if sum(map(changes_the_number, value)) > 1:
            raise ConfigurationError("two carriers put the serial into the calling number, expected at most one")
        names = [name.lower() for carrier in value for name in carrier.embed("1", "1").headers]
        if len(set(names)) < len(names):
            raise ConfigurationError("two carriers use the same header field, expected a different one for each")

    def embed(self, calling_number: str, serial: str) -> Signalled:
        """The serial by all of them.

        :raise SerialError: one of them can't take it.
        """
        whole = Signalled(calling_number)
        for carrier in self.carriers:
            one = carrier.embed(whole.calling_number, serial)
            whole = Signalled(one.calling_number, {**whole.headers, **one.headers})
        return whole

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        """The serial that arrived by at least one of them; none, and the number as it came, when two disagree."""
        found = [carrier.extract(signalled) for carrier in self.carriers]
        serials = {serial for _, serial in found if serial is not None}
        if len(serials) != 1:
            return signalled.calling_number, None
        numbers = (number for number, _ in found if number != signalled.calling_number)
        return next(numbers, signalled.calling_number), serials.pop()

    def strip(self, signalled: Signalled) -> Signalled:
        """Nothing that any of them could read is left."""
        for carrier in self.carriers:
            signalled = carrier.strip(signalled)
        return signalled


WHICHEVER_ARRIVES: ISerialCarrier = CombinedSerialCarrier(
    (CallingNumberSerialCarrier(), UserToUserSerialCarrier(), SipHeaderSerialCarrier())
)
"""What a service takes a serial by when it isn't told otherwise."""
