"""The store against the contract, and what it is for: a file that outlives the process."""

from __future__ import annotations

from pathlib import Path

from ctiex_smallsite.one_file import OneFileCallStore
from twisted.trial.unittest import TestCase

from ctiex import ConfigurationError, StoreUnavailable
from ctiex.interfaces import ICallStore, ICallStorePlugin
from ctiex.plugins import build_plugin
from ctiex.records import Change
from ctiex.testing.store_contract import CallStoreContract, make_call, make_event


class OneFileTests(CallStoreContract, TestCase):
    """Every rule of ICallStore."""

    def make_store(self) -> ICallStore:
        """The store as an exchange finds it."""
        return build_plugin(ICallStorePlugin, "one-file", {"path": str(self.mktemp())})

    def break_store(self, store: ICallStore) -> bool:
        """Nothing can be written, as on a disk that is full."""
        assert isinstance(store, OneFileCallStore)
        store._database.execute("PRAGMA query_only = ON")
        return True

    def mend_store(self, store: ICallStore) -> None:
        """It can be written again."""
        assert isinstance(store, OneFileCallStore)
        store._database.execute("PRAGMA query_only = OFF")

    def test_what_was_kept_is_there_when_it_is_opened_again(self) -> None:
        path = self.mktemp()
        before, after = OneFileCallStore(path), OneFileCallStore(path)
        call = make_call("7", told=frozenset({10}), event_ids=frozenset({2**64 - 1}))
        before.open(None)
        before.commit(Change(calls=(call,), events=(make_event("1001", 1), make_event("1001", 2))))
        before.commit(Change(dropped=(("1001", 1),)))
        before.close()
        after.open(None)
        self.addCleanup(after.close)
        self.assertEqual(after.get("7"), call)
        self.assertEqual((after.last_sequence("1001"), list(after.events("1001"))), (2, [make_event("1001", 2)]))

    def test_a_file_of_something_else_is_told(self) -> None:
        path = self.mktemp()
        Path(path).write_text("no database at all, and long enough to be taken for one" * 20)
        self.assertRaises(StoreUnavailable, OneFileCallStore(path).open, None)

    def test_its_settings_are_checked(self) -> None:
        for settings in ({}, {"path": ""}, {"path": 3}, {"path": "calls.sqlite", "speed": "high"}):
            self.assertRaises(ConfigurationError, build_plugin, ICallStorePlugin, "one-file", settings)
