"""The durable store on a simulated disk, which outlives the exchange.

The call store itself, with its groups and its undoing; only the journal is simulated: a group takes its time, may fail,
and is lost by a crash before it is written. When the disk has troubles, each change may be refused at once, and each
group fail or take seconds, independently of those before and behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from random import Random
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import EPOCH, Call, Change, StoredEvent, StoreSnapshot
from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.groups import Group
from ctiex.testing.simulation.clock import ProcessClock
from ctiex.testing.simulation.faults import WELL, Troubles


class StoreWitness:
    """Hears of every change, whatever becomes of it; this one leaves it at that."""

    def asked(self, change: Change, before: Callable[[str], Call | None]) -> None:
        """The store is asked to keep it. ``before`` tells the call that stands under a serial until then."""

    def kept(self, change: Change) -> None:
        """It is kept; whoever waits for that hears of it next."""

    def lost(self, change: Change) -> None:
        """It isn't kept, and is undone."""


def _nothing() -> None:
    pass


_Context = tuple[str, bytes, bytes, str]
"""What stands apart from a call's record until it is over."""


@define
class Tables:
    """The same as in the file of the SQLite store."""

    calls: dict[str, Call] = field(factory=dict)
    contexts: dict[str, _Context] = field(factory=dict)
    last_sequences: dict[str, int] = field(factory=dict)
    events: dict[str, dict[int, StoredEvent]] = field(factory=dict)
    metadata: dict[str, str] = field(factory=dict)
    groups: int = 0
    """How many groups of changes were written."""

    def copy(self) -> Tables:
        """What stands in them now."""
        events = {agent: dict(waiting) for agent, waiting in self.events.items()}
        return Tables(
            dict(self.calls), dict(self.contexts), dict(self.last_sequences), events, dict(self.metadata), self.groups
        )

    def put_back(self, other: Tables) -> None:
        """Have other tables in their place."""
        self.calls, self.contexts, self.last_sequences = other.calls, other.contexts, other.last_sequences
        self.events, self.metadata, self.groups = other.events, other.metadata, other.groups


@define
class Disk(Tables):
    """What is written."""

    progress: int = 0
    """How many groups were written, as it stands beside the tables, where no backup takes it along."""
    backup: tuple[float, Tables] | None = None
    """A copy, and when it was made."""
    failing: bool = False
    """Whether nothing can be written: the disk is full, or gone."""
    usual: float = 0.01
    """How long a group takes at most when the disk is well, in seconds."""
    slow: float = 0.0
    """How long it takes at most now, when that is longer."""
    troubles: Troubles = WELL
    """What befalls single changes now."""
    happened: Counter[str] = field(factory=Counter)
    """How often what befell a change."""
    witness: StoreWitness = field(factory=StoreWitness)
    once_written: dict[str, Callable[[], None]] = field(factory=dict)
    """By serial, what happens once something of its call is written."""

    def write(self, group: Group) -> None:
        """Write a group, all of it.

        :raise StoreUnavailable: it can't be written now, none of it.
        """
        if self.failing:
            raise StoreUnavailable("the disk is full")
        for serial, call in group.calls.items():
            _put(self.calls, serial, None if call is None else _apart(call))
        for serial, call in group.contexts.items():
            _put(self.contexts, serial, None if call is None else _context(call))
        for (agent, sequence), event in group.events.items():
            self.events.setdefault(agent, {})[sequence] = event
        self.last_sequences.update(group.last_sequences)
        for name, value in group.metadata.items():
            _put(self.metadata, name, value)
        for agent, dropped in group.dropped.items():
            waiting = self.events.get(agent, {})
            self.events[agent] = {sequence: event for sequence, event in waiting.items() if sequence > dropped}
        self.groups += 1
        self.progress = self.groups
        for serial in group.calls:
            self.once_written.pop(serial, _nothing)()

    def back_up(self, now: float) -> None:
        """Put a copy of everything aside."""
        self.backup = now, self.copy()

    def restore(self) -> float:
        """Have the backup again, which is there; when that was made."""
        assert self.backup is not None
        since, tables = self.backup
        self.put_back(tables.copy())
        return since

    def forget(self) -> float:
        """Lose everything, backups too, as a store in memory does; since when."""
        self.put_back(Tables())
        self.backup = None
        return 0.0

    def read(self) -> StoreSnapshot:
        """Everything that is written; without the epoch where it is a copy of an earlier state, as for SQLite's."""
        calls = [
            _whole(self.calls[serial], self.contexts[serial]) if serial in self.contexts else self.calls[serial]
            for serial in sorted(self.calls)
        ]
        events = [
            self.events[agent][sequence] for agent in sorted(self.events) for sequence in sorted(self.events[agent])
        ]
        metadata = dict(self.metadata)
        if self.progress > self.groups:
            metadata.pop(EPOCH, None)
        return StoreSnapshot(tuple(calls), dict(self.last_sequences), tuple(events), metadata)


def _apart(call: Call) -> Call:
    """A call's record without its context."""
    return evolve(call, calling_number="", data=b"", asked=b"", reference="")


def _context(call: Call) -> _Context:
    return call.calling_number, call.data, call.asked, call.reference


def _whole(call: Call, context: _Context) -> Call:
    number, data, asked, reference = context
    return evolve(call, calling_number=number, data=data, asked=asked, reference=reference)


def _put(table: dict[str, Any], key: str, value: object) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _lost(witness: StoreWitness, change: Change, failure: Failure) -> Failure:
    witness.lost(change)
    return failure


@implementer(IJournal)
@define(eq=False)
class SimulatedJournal:
    """A journal of one process, on a simulated disk."""

    _disk: Disk
    _process: ProcessClock
    _random: Random
    in_groups: bool = True

    def open(self, reactor: Any) -> Deferred[StoreSnapshot]:
        """Read what the disk holds."""
        return self._after_a_while(self._disk.read)

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        """Write a group, when nothing befalls it."""
        failed, slowest = self._drawn_fate()
        return self._after_a_while(lambda: self._write(Group.of(changes, before), failed), slowest)

    def close(self) -> Deferred[None]:
        """What is written stays."""
        return self._after_a_while(_nothing)

    def _drawn_fate(self) -> tuple[bool, float]:
        """Whether the next group isn't written, and how many seconds its troubles take at most."""
        troubles, dice = self._disk.troubles, self._random
        if troubles == WELL:
            return False, 0.0
        failed = dice.random() < troubles.failed
        slow = dice.random() < troubles.slow
        self._disk.happened["a group of changes failed"] += failed
        self._disk.happened["a group of changes took seconds"] += slow
        return failed, troubles.slowest if slow else 0.0

    def _write(self, group: Group, failed: bool) -> None:
        if failed:
            raise StoreUnavailable("a group isn't written")
        if group:
            self._disk.write(group)

    @inlineCallbacks
    def _after_a_while(self, work: Callable[[], Any], slowest: float = 0.0) -> Generator[Deferred[Any], None, Any]:
        """Done after a while, and known of a while later: a crash may come before, between or behind."""
        slowest = max(self._disk.usual, self._disk.slow, slowest)
        yield deferLater(self._process, self._random.uniform(0, slowest))
        try:
            return work()
        finally:
            yield deferLater(self._process, self._random.uniform(0, slowest))


class SimulatedStore(JournaledCallStore):
    """The call store of one process, whose witness hears of every change."""

    def __init__(self, disk: Disk, process: ProcessClock, random: Random) -> None:
        super().__init__(SimulatedJournal(disk, process, random))
        self._disk = disk
        self._random = random

    def commit(self, change: Change) -> Deferred[None] | None:
        """Keep a change, when nothing befalls it."""
        witness = self._disk.witness
        witness.asked(change, self.get)
        try:
            if self._random.random() < self._disk.troubles.refused:
                self._disk.happened["a change was refused"] += 1
                raise StoreUnavailable("a change is refused")
            waiting = super().commit(change)
        except StoreUnavailable:
            witness.lost(change)
            raise
        if waiting is None:
            witness.kept(change)
        else:
            waiting.addCallbacks(lambda _: witness.kept(change), lambda failure: _lost(witness, change, failure))
        return waiting
