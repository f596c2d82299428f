"""The built-in organizers of fields, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import IOrganizer, IOrganizerPlugin
from ctiex.processing.field_rules import RuleOrganizer


@implementer(IPlugin, IOrganizerPlugin)
class RulesPlugin:
    """``organizer = "rules"``: keep, map, rename, constants and secret."""

    name = "rules"

    def build(self, settings: Mapping[str, Any]) -> IOrganizer:
        """An organizer for one direction of one service.

        :raise ConfigurationError: an unknown key, or an invalid value.
        """
        return RuleOrganizer.from_settings(settings)


rules = RulesPlugin()
