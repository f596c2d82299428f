"""What this distribution adds to CTIEX, by the names that a configuration gives them.

This module is imported whenever an exchange looks for plugins: keep it small, and let nothing happen at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex import ConfigurationError
from ctiex.interfaces import ICallStore, ICallStorePlugin, ICodec, ICodecPlugin
from ctiex_smallsite.one_file import OneFileCallStore
from ctiex_smallsite.prefixed_json import PrefixedJsonCodec


@implementer(IPlugin, ICodecPlugin)
class PrefixedJsonPlugin:
    """``codec = "prefixed-json"``."""

    name = "prefixed-json"

    def build(self) -> ICodec:
        """The codec; it holds nothing, so one serves all links."""
        return PrefixedJsonCodec()


@implementer(IPlugin, ICallStorePlugin)
class OneFilePlugin:
    """``[store] kind = "one-file"``, with ``path``."""

    name = "one-file"

    def build(self, settings: Mapping[str, Any]) -> ICallStore:
        """A store, not opened yet.

        @raise ConfigurationError: a key is unknown, or there is no path.
        """
        for key in settings:
            if key != "path":
                raise ConfigurationError(f"unknown key {key!r}: the one-file store takes path")
        path = settings.get("path")
        if not isinstance(path, str) or not path:
            raise ConfigurationError('path: expected the name of a file, such as "calls.sqlite"')
        return OneFileCallStore(path)


# getPlugins finds instances at the top of a module.
prefixed_json = PrefixedJsonPlugin()
one_file = OneFilePlugin()
