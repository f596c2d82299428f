"""What this distribution adds to CTIEX, by the names that a configuration gives them.

This module is imported whenever an exchange looks for plugins: keep it small, and let nothing happen at import.
"""

from __future__ import annotations

from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import ICodec, ICodecPlugin, IJournal, IJournalPlugin
from ctiex.settings import FileName
from ctiex_smallsite.one_file import OneFileJournal
from ctiex_smallsite.prefixed_json import PrefixedJsonCodec


@implementer(IPlugin, ICodecPlugin)
class PrefixedJsonPlugin:
    """``codec = "prefixed-json"``."""

    name = "prefixed-json"

    def build(self) -> ICodec:
        """The codec; it holds nothing, so one serves all links."""
        return PrefixedJsonCodec()


@frozen(kw_only=True)
class OneFileSettings:
    """The journal's own key."""

    path: FileName


@implementer(IPlugin, IJournalPlugin)
class OneFilePlugin:
    """``[store] kind = "one-file"``, with ``path``."""

    name = "one-file"
    settings = OneFileSettings

    def build(self, settings: OneFileSettings) -> IJournal:
        """A journal, not opened yet."""
        return OneFileJournal(settings.path)


# getPlugins finds instances at the top of a module.
prefixed_json = PrefixedJsonPlugin()
one_file = OneFilePlugin()
