"""The built-in call stores, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.errors import ConfigurationError
from ctiex.extras import need
from ctiex.interfaces import ICallStore, ICallStorePlugin, IPlacedStorePlugin
from ctiex.stores.memory import MemoryCallStore


@implementer(IPlugin, ICallStorePlugin)
class MemoryStorePlugin:
    """``[store] kind = "memory"``: nothing outlives the process."""

    name = "memory"

    def build(self, settings: Mapping[str, Any]) -> ICallStore:
        """An empty store.

        :raise ConfigurationError: there are settings; it takes none.
        """
        if settings:
            raise ConfigurationError(f"unknown key {min(settings)!r}: the memory store takes no settings")
        return MemoryCallStore()


memory = MemoryStorePlugin()


@implementer(IPlugin, IPlacedStorePlugin)
class SqliteStorePlugin:
    """``[store] kind = "sqlite"``: outlives the process, in a file."""

    name = "sqlite"

    def build(self, settings: Mapping[str, Any]) -> ICallStore:
        """A store on the file ``path``, its key in ``key_file``.

        :raise ConfigurationError: a key is unknown or its value no good, or the extra ``durable`` isn't installed.
        """
        need("durable", "the sqlite store")
        from ctiex.stores.sqlite import SQLiteCallStore  # needs what the extra brings

        return SQLiteCallStore.from_settings(settings)

    def check_place(self, settings: Mapping[str, Any]) -> None:
        """Check that its files can be used.

        :raise ConfigurationError: with a line for each thing that is wrong.
        """
        from ctiex.stores.places import check_places

        path = Path(settings.get("path", "calls.sqlite"))
        check_places(path, Path(settings.get("key_file", f"{path}.key")))


sqlite = SqliteStorePlugin()
