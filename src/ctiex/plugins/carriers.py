"""The built-in carriers of serials, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberCarrier
from ctiex.carriers.sip_header import SipHeaderCarrier
from ctiex.carriers.user_to_user import UserToUserCarrier
from ctiex.interfaces import ICarrier, ICarrierPlugin


@implementer(IPlugin, ICarrierPlugin)
class CallingNumberPlugin:
    """``[carrier] kind = "calling-number"``, with ``separator`` and ``capacity``."""

    name = "calling-number"

    def build(self, settings: Mapping[str, Any]) -> ICarrier:
        """A carrier.

        :raise ConfigurationError: a key is unknown or its value no good.
        """
        return CallingNumberCarrier.from_settings(settings)


@implementer(IPlugin, ICarrierPlugin)
class UserToUserPlugin:
    """``[carrier] kind = "user-to-user"``, without settings."""

    name = "user-to-user"

    def build(self, settings: Mapping[str, Any]) -> ICarrier:
        """A carrier.

        :raise ConfigurationError: a key is given.
        """
        return UserToUserCarrier.from_settings(settings)


@implementer(IPlugin, ICarrierPlugin)
class SipHeaderPlugin:
    """``[carrier] kind = "sip-header"``, with ``header``."""

    name = "sip-header"

    def build(self, settings: Mapping[str, Any]) -> ICarrier:
        """A carrier.

        :raise ConfigurationError: a key is unknown or its value no good.
        """
        return SipHeaderCarrier.from_settings(settings)


calling_number = CallingNumberPlugin()
user_to_user = UserToUserPlugin()
sip_header = SipHeaderPlugin()
