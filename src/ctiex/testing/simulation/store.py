"""The durable store on a simulated disk, which outlives the exchange.

The real grouping and undoing of :class:`ctiex.stores.sqlite.SQLiteCallStore`; only the file and the
thread are simulated: a group takes its time, may fail, and is lost by a crash before it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ctiex.errors import StoreUnavailable
from ctiex.records import Call, StoredEvent
from ctiex.stores.sqlite import SQLiteCallStore
from ctiex.stores.sqlite_file import Group, Kept, SqliteFile
from ctiex.testing.simulation.clock import ProcessClock


@define
class Disk:
    """What is written; the same tables as in the file of the SQLite store."""

    calls: dict[str, Call] = field(factory=dict)
    contexts: dict[str, tuple[str, bytes, bytes]] = field(factory=dict)
    last_sequences: dict[str, int] = field(factory=dict)
    events: dict[str, dict[int, StoredEvent]] = field(factory=dict)
    labels: dict[str, str] = field(factory=dict)
    failing: bool = False
    """Whether nothing can be written: the disk is full, or gone."""
    usual: float = 0.01
    """How long a group takes at most when the disk is well, in seconds."""
    slow: float = 0.0
    """How long it takes at most now, when that is longer."""
    groups: int = 0

    def write(self, group: Group) -> None:
        """Write a group, all of it.

        :raise StoreUnavailable: it can't be written now, none of it.
        """
        if self.failing:
            raise StoreUnavailable("the disk is full")
        self.groups += 1
        for serial, call in group.calls.items():
            _put(self.calls, serial, None if call is None else call.wiped())
        for serial, call in group.contexts.items():
            _put(self.contexts, serial, None if call is None else (call.calling_number, call.digest, call.data))
        for (agent, sequence), event in group.events.items():
            self.events.setdefault(agent, {})[sequence] = event
        self.last_sequences.update(group.last_sequences)
        self.labels.update(group.labels)
        for agent, dropped in group.dropped.items():
            kept = self.events.get(agent, {})
            for sequence in [sequence for sequence in kept if sequence <= dropped]:
                del kept[sequence]

    def read(self) -> Kept:
        """Everything that is written."""
        calls = []
        for serial in sorted(self.calls):
            number, digest, data = self.contexts.get(serial, ("", b"", b""))
            calls.append(evolve(self.calls[serial], calling_number=number, digest=digest, data=data))
        events = [
            self.events[agent][sequence] for agent in sorted(self.events) for sequence in sorted(self.events[agent])
        ]
        return Kept(tuple(calls), dict(self.last_sequences), tuple(events), dict(self.labels))

    def close(self) -> None:
        """What is written stays."""


def _put(table: dict[str, Any], key: str, value: object) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


class _NoThreads:
    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


class SimulatedStore(SQLiteCallStore):
    """The SQLite store of one process, on a simulated disk."""

    def __init__(self, disk: Disk, process: ProcessClock, random: Random) -> None:
        super().__init__(Path("simulated"), Path("simulated.key"))
        self._disk = disk
        self._process = process
        self._random = random
        self._threads = cast(Any, _NoThreads())

    def _opened(self) -> Kept:
        self._file = cast(SqliteFile, self._disk)
        return self._disk.read()

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Done after a while, and known of a while later: a crash may come before, between or behind."""
        done: Deferred[Any] = Deferred()
        slowest = max(self._disk.usual, self._disk.slow)

        def run() -> None:
            try:
                outcome = work()
            except StoreUnavailable:
                outcome = Failure()
            self._process.callLater(self._random.uniform(0, slowest), done.callback, outcome)

        self._process.callLater(self._random.uniform(0, slowest), run)
        return done
