"""The built-in organizers of fields, by name."""

from __future__ import annotations

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import IOrganizer, IOrganizerPlugin
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings


@implementer(IPlugin, IOrganizerPlugin)
class RulesPlugin:
    """``organizer = "rules"``: keep, map, rename, constants and secret."""

    name = "rules"
    settings = RuleSettings

    def build(self, settings: RuleSettings) -> IOrganizer:
        """An organizer for one direction of one service."""
        return RuleOrganizer(settings)


rules = RulesPlugin()
