"""The built-in carriers of serials, by name."""

from __future__ import annotations

from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.interfaces import ISerialCarrier, ISerialCarrierPlugin


@implementer(IPlugin, ISerialCarrierPlugin)
@frozen
class BuiltInCarrier:
    """``[carrier] kind = NAME``; the keys are the attributes of the carrier itself."""

    name: str
    settings: type[ISerialCarrier]

    def build(self, settings: ISerialCarrier) -> ISerialCarrier:
        """The carrier, which its settings are."""
        return settings


calling_number = BuiltInCarrier("calling-number", CallingNumberSerialCarrier)
user_to_user = BuiltInCarrier("user-to-user", UserToUserSerialCarrier)
sip_header = BuiltInCarrier("sip-header", SipHeaderSerialCarrier)
