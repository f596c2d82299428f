"""How many bytes are held for whom: counted behind every change of the store, and held against the limits.

Calls with their data count for the identity that asked for them; an event counts for its agent's mailbox, and for the
identity that brought the agent number. Each open call keeps room for its end in both, whatever else is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ctiex.limits import Limits
from ctiex.records import Call, Change, StoredEvent
from ctiex.stores.call_store import CallStore

RECORD_BYTES = 256
"""What the record of a call takes beside its texts and its data."""
EVENT_BYTES = 160
"""What an event in a mailbox takes beside its body."""
_REPORT_BYTES = 40
"""What the number of one report takes, by which a repeat is known."""


def size_of_call(call: Call) -> int:
    """What a call takes, in bytes."""
    texts = len(call.calling_number) + len(call.digest) + len(call.data) + len(call.reference) + len(call.asked)
    return RECORD_BYTES + texts + _REPORT_BYTES * len(call.reports)


def size_of_event(event: StoredEvent) -> int:
    """What an event takes, in bytes."""
    return EVENT_BYTES + len(event.body)


class ByteAccount:
    """What is held, in bytes, and what is reserved for the end events of open calls."""

    def __init__(
        self, limits: Limits, registered_by: Callable[[str], str], serial_of: Callable[[StoredEvent], str]
    ) -> None:
        """Nothing is held.

        :param registered_by: the identity that registered an agent number; empty: unknown.
        :param serial_of: the call that an event is about; empty if none.
        """
        self._limits = limits
        self._whose = registered_by
        self._serial_of = serial_of
        self.events_of: Counter[str] = Counter()
        """By serial: how many events of that call wait in mailboxes."""
        self.in_all = 0
        self.of_identity: Counter[str] = Counter()
        self.of_mailbox: Counter[str] = Counter()
        self._owners: dict[str, str] = {}
        """By agent number: whom a mailbox counts for, as long as anything is in it."""
        self._ends_of_identity: Counter[str] = Counter()
        self._ends = 0

    # ------------------------------------------------------------ what is held

    def add(self, identity: str, size: int) -> None:
        """An identity's calls and mailboxes take so much more, or less."""
        self.of_identity[identity] += size
        self.in_all += size

    def add_events(self, events: Sequence[StoredEvent], by: int) -> None:
        """Events of one agent have come to its mailbox (1), or have left it (-1)."""
        size, about, count = 0, "", 0
        for event in events:
            size += EVENT_BYTES + len(event.body)
            serial = event.serial if event.serial is not None else self._serial_of(event)
            if serial != about:  # most are about the same call as the one before
                if about:
                    _add(self.events_of, about, count)
                about, count = serial, 0
            count += by
        if about:
            _add(self.events_of, about, count)
        self._add_to_mailbox(events[0].agent, by * size)

    def _add_to_mailbox(self, agent: str, size: int) -> None:
        owner = self._owners.get(agent)
        if owner is None:
            owner = self._owners[agent] = self._whose(agent)
        self.of_identity[owner] += size
        self.in_all += size
        held = self.of_mailbox.get(agent, 0) + size
        if held:
            self.of_mailbox[agent] = held
        else:
            self.of_mailbox.pop(agent)
            self._owners.pop(agent)

    def keep_for_end(self, agent: str, count: int = 1) -> None:
        """Room is kept for the end of one more call of this agent number, or of one less."""
        _add(self._ends_of_identity, self._whose(agent), count)
        self._ends += count

    # ------------------------------------------------------------ what may be

    def takes_event(self, agent: str, ends: int, size: int) -> bool:
        """Whether an event of this size may go to a mailbox.

        :param ends: for how many ends of calls of this agent number room is kept.
        """
        limits = self._limits
        return (
            self.mailbox_takes(agent, ends, size)
            and self._of(self._whose(agent)) + size <= limits.bytes_per_identity
            and self._all() + size <= limits.bytes_in_all
        )

    def mailbox_takes(self, agent: str, ends: int, size: int) -> bool:
        """The same of the bytes of that mailbox alone."""
        return self.of_mailbox[agent] + ends * self._limits.end_bytes + size <= self._limits.mailbox_bytes

    def takes_report(self, call: Call) -> bool:
        """Whether there is room for the number of one more report of this call."""
        return self._of(call.identity) + _REPORT_BYTES <= self._limits.bytes_per_identity

    def over(self, call: Call) -> str:
        """Which limit one more such call would pass, with room for its end, in words; empty if none."""
        whose = self._whose(call.agent)
        size, end = size_of_call(call), self._limits.end_bytes
        return self._over(
            ("bytes_per_identity", self._of(call.identity) + size + (end if whose == call.identity else 0)),
            ("bytes_per_identity", self._of(whose) + end),
            ("bytes_in_all", self._all() + size + end),
        )

    def over_by_growth(self, call: Call, updated: Call) -> str:
        """Which limit a call would pass with other data, in words; empty if none, or if it doesn't grow."""
        growth = size_of_call(updated) - size_of_call(call)
        if growth <= 0:
            return ""
        return self._over(
            ("bytes_per_identity", self._of(call.identity) + growth), ("bytes_in_all", self._all() + growth)
        )

    def _over(self, *held: tuple[str, int]) -> str:
        for limit, size in held:
            if size > getattr(self._limits, limit):
                return f"{size} bytes with this call: {limit} allows {getattr(self._limits, limit)}"
        return ""

    def _of(self, identity: str) -> int:
        return self.of_identity[identity] + self._ends_of_identity[identity] * self._limits.end_bytes

    def _all(self) -> int:
        return self.in_all + self.kept_for_ends

    @property
    def kept_for_ends(self) -> int:
        """The room reserved for the end events of all open calls, in bytes."""
        return self._ends * self._limits.end_bytes


def _add(counter: Counter[str], key: str, size: int) -> None:
    """Add to one of very many counters, of which those at zero take no room."""
    held = counter.get(key, 0) + size
    if held:
        counter[key] = held
    else:
        counter.pop(key, None)


Entry = tuple[Callable[[Any, int], None], Any, int]
"""A change of the account: of whom or what, and by how much."""


def commit_accounted(store: CallStore, account: ByteAccount, change: Change) -> Deferred[None] | None:
    """Commit a change to a store, and keep the account of what it changes; undone with it where it isn't kept.

    :raise StoreUnavailable: it wasn't kept.
    """
    entries = _entries(store, account, change)
    waiting = store.commit(change)
    for add, what, by in entries:
        add(what, by)
    if waiting is not None and entries:
        waiting.addErrback(_undo, entries)
    return waiting


def _entries(store: CallStore, account: ByteAccount, change: Change) -> list[Entry]:
    """What a change that is about to be committed means to the account."""
    entries: list[Entry] = []
    for call in change.calls:
        before = store.get(call.serial)
        if before is None:
            entries.append((account.add, call.identity, size_of_call(call)))
        elif before.data is not call.data:
            entries.append((account.add, call.identity, size_of_call(call) - size_of_call(before)))
        elif before.reports is not call.reports:  # all that grows while a call goes on
            grown = _REPORT_BYTES * (len(call.reports) - len(before.reports))
            entries.append((account.add, call.identity, grown))
    for serial in change.forgotten:
        gone = store.get(serial)
        if gone is not None:
            entries.append((account.add, gone.identity, -size_of_call(gone)))
    for event in change.events:
        entries.append((account.add_events, (event,), 1))
    for agent, sequence in change.dropped:
        waiting = store.events(agent)
        if waiting and waiting[0].sequence <= sequence:
            entries.append((account.add_events, waiting[: sequence - waiting[0].sequence + 1], -1))
    return entries


def _undo(failure: Failure, entries: list[Entry]) -> Failure:
    for add, what, by in entries:
        add(what, -by)
    return failure
