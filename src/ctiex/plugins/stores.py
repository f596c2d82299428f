"""The built-in journals of the call store, by name."""

from __future__ import annotations

from pathlib import Path

from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.extras import need
from ctiex.interfaces import IJournal, IJournalPlugin, IPlacedJournalPlugin
from ctiex.settings import NoSettings
from ctiex.stores.sqlite_settings import SqliteSettings


@implementer(IPlugin, IJournalPlugin)
class MemoryStorePlugin:
    """``[store] kind = "memory"``: nothing outlives the process."""

    name = "memory"
    settings = NoSettings

    def build(self, settings: NoSettings) -> None:
        """No journal."""


@implementer(IPlugin, IPlacedJournalPlugin)
class SqliteStorePlugin:
    """``[store] kind = "sqlite"``: outlives the process, in a file."""

    name = "sqlite"
    settings = SqliteSettings

    def build(self, settings: SqliteSettings) -> IJournal:
        """A journal in its file.

        :raise ConfigurationError: the extra ``durable`` isn't installed.
        """
        need("durable", "the sqlite store")
        from ctiex.stores.sqlite import SqliteJournal  # needs what the extra brings

        return SqliteJournal(Path(settings.path), Path(settings.key_file), settings.lock_wait)

    def check_place(self, settings: SqliteSettings) -> None:
        """Check that its files can be used.

        :raise ConfigurationError: with a line for each thing that is wrong.
        """
        from ctiex.stores.places import check_places

        check_places(Path(settings.path), Path(settings.key_file))


memory = MemoryStorePlugin()
sqlite = SqliteStorePlugin()
