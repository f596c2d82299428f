"""The built-in carriers of serials, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.interfaces import ISerialCarrier, ISerialCarrierPlugin


@implementer(IPlugin, ISerialCarrierPlugin)
class CallingNumberPlugin:
    """``[carrier] kind = "calling-number"``, with ``separator`` and ``capacity``."""

    name = "calling-number"

    def build(self, settings: Mapping[str, Any]) -> ISerialCarrier:
        """A carrier.

        :raise ConfigurationError: an unknown key, or an invalid value.
        """
        return CallingNumberSerialCarrier.from_settings(settings)


@implementer(IPlugin, ISerialCarrierPlugin)
class UserToUserPlugin:
    """``[carrier] kind = "user-to-user"``, without settings."""

    name = "user-to-user"

    def build(self, settings: Mapping[str, Any]) -> ISerialCarrier:
        """A carrier.

        :raise ConfigurationError: a key is given.
        """
        return UserToUserSerialCarrier.from_settings(settings)


@implementer(IPlugin, ISerialCarrierPlugin)
class SipHeaderPlugin:
    """``[carrier] kind = "sip-header"``, with ``header``."""

    name = "sip-header"

    def build(self, settings: Mapping[str, Any]) -> ISerialCarrier:
        """A carrier.

        :raise ConfigurationError: an unknown key, or an invalid value.
        """
        return SipHeaderSerialCarrier.from_settings(settings)


calling_number = CallingNumberPlugin()
user_to_user = UserToUserPlugin()
sip_header = SipHeaderPlugin()
