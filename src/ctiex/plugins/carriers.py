"""The built-in carriers of serials, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import ICarrier, ICarrierPlugin
from ctiex.signalling.calling_number import CallingNumberCarrier


@implementer(IPlugin, ICarrierPlugin)
class CallingNumberPlugin:
    """``[carrier] kind = "calling-number"``, with ``separator`` and ``capacity``."""

    name = "calling-number"

    def build(self, settings: Mapping[str, Any]) -> ICarrier:
        """A carrier.

        :raise ConfigurationError: a key is unknown or its value no good.
        """
        return CallingNumberCarrier.from_settings(settings)


calling_number = CallingNumberPlugin()
