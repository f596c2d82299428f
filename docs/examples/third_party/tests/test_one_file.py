"""The journal against the contract, and what is its own."""

from __future__ import annotations

from pathlib import Path

from ctiex_smallsite.one_file import OneFileJournal
from twisted.trial.unittest import TestCase

from ctiex import ConfigurationError, StoreUnavailable
from ctiex.interfaces import IJournal, IJournalPlugin
from ctiex.plugins import build_plugin
from ctiex.testing.store_contract import JournalContract


class OneFileTests(JournalContract, TestCase):
    """Every rule of IJournal."""

    def setUp(self) -> None:
        """A folder for each test."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def make_journal(self, place: str) -> IJournal:
        """The journal as an exchange finds it."""
        return build_plugin(IJournalPlugin, "one-file", {"path": str(self.folder / place)})

    def break_journal(self, journal: IJournal) -> bool:
        """Nothing can be written, as on a disk that is full."""
        assert isinstance(journal, OneFileJournal)
        journal._database.execute("PRAGMA query_only = ON")
        return True

    def mend_journal(self, journal: IJournal) -> None:
        """It can be written again."""
        assert isinstance(journal, OneFileJournal)
        journal._database.execute("PRAGMA query_only = OFF")

    def test_a_file_of_something_else_is_told(self) -> None:
        path = self.folder / "something else"
        path.write_text("no database at all, and long enough to be taken for one" * 20)
        self.assertRaises(StoreUnavailable, OneFileJournal(str(path)).open, None)

    def test_its_settings_are_checked(self) -> None:
        for settings in ({}, {"path": ""}, {"path": 3}, {"path": "calls.sqlite", "speed": "high"}):
            self.assertRaises(ConfigurationError, build_plugin, IJournalPlugin, "one-file", settings)
