"""The built-in call stores, by name."""

from __future__ import annotations

from pathlib import Path

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.extras import need
from ctiex.interfaces import ICallStore, ICallStorePlugin, IPlacedStorePlugin
from ctiex.settings import NoSettings
from ctiex.stores.memory import MemoryCallStore
from ctiex.stores.sqlite_settings import SqliteSettings


@implementer(IPlugin, ICallStorePlugin)
class MemoryStorePlugin:
    """``[store] kind = "memory"``: nothing outlives the process."""

    name = "memory"
    settings = NoSettings

    def build(self, settings: NoSettings) -> ICallStore:
        """An empty store."""
        return MemoryCallStore()


@implementer(IPlugin, IPlacedStorePlugin)
class SqliteStorePlugin:
    """``[store] kind = "sqlite"``: outlives the process, in a file."""

    name = "sqlite"
    settings = SqliteSettings

    def build(self, settings: SqliteSettings) -> ICallStore:
        """A store on its file.

        :raise ConfigurationError: the extra ``durable`` isn't installed.
        """
        need("durable", "the sqlite store")
        from ctiex.stores.sqlite import SQLiteCallStore  # needs what the extra brings

        return SQLiteCallStore(Path(settings.path), Path(settings.key_file), settings.lock_wait)

    def check_place(self, settings: SqliteSettings) -> None:
        """Check that its files can be used.

        :raise ConfigurationError: with a line for each thing that is wrong.
        """
        from ctiex.stores.places import check_places

        check_places(Path(settings.path), Path(settings.key_file))


memory = MemoryStorePlugin()
sqlite = SqliteStorePlugin()
