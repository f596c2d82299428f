"""The index: calls by serial, and agents' mailboxes, in this process' memory. Every read is answered from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field

from ctiex.errors import StoreUnavailable
from ctiex.records import Call, Change, StoredEvent, StoreSnapshot
from ctiex.stores.compact import Calls, Held, as_call


@define
class _Mailbox:
    """One agent number's events: ``waiting`` holds the last ones, without a gap."""

    last_sequence: int = 0
    waiting: list[StoredEvent] = field(factory=list)

    def append(self, event: StoredEvent) -> None:
        self.waiting.append(event)
        self.last_sequence = event.sequence

    def drop(self, sequence: int) -> None:
        gone = self.last_sequence - len(self.waiting)
        if sequence > gone:
            del self.waiting[: sequence - gone]


_NO_MAILBOX = _Mailbox()


@define
class Undo:
    """What changes have replaced since it was made, so that all of them can be undone together."""

    calls: dict[str, Held | None] = field(factory=dict)
    """By serial: the call that stood under it."""
    mailboxes: dict[str, tuple[int, tuple[StoredEvent, ...]]] = field(factory=dict)
    """By agent: the last sequence, and the events that waited."""
    metadata: dict[str, str | None] = field(factory=dict)

    def before(self, serial: str) -> Call | None:
        """The call that stood under one of the serials of these changes."""
        held = self.calls[serial]
        return None if held is None else as_call(serial, held)


class CallIndex:
    """Calls, mailboxes and metadata, in dictionaries. What is read is what was applied last."""

    def __init__(self) -> None:
        self._calls = Calls()
        self.fetched: Callable[[str, str], bytes | None] = self._calls.fetched
        """The data of a call that this owner has fetched before: every DataRequest asks it, with no call in between."""
        self._mailboxes: dict[str, _Mailbox] = {}
        self._metadata: dict[str, str] = {}

    # ------------------------------------------------------------ changes

    def apply(self, change: Change) -> None:
        """Apply a change, all of it or nothing.

        :raise ValueError: an event isn't numbered one beyond its agent's last; nothing is applied.
        """
        if change.events:
            self._check_numbering(change.events)
        for call in change.calls:  # first, since what can't be packed is an error
            self._calls.check(call)
        for call in change.calls:
            self._calls.put(call)
        for serial in change.forgotten:
            self._calls.forget(serial)
        for event in change.events:
            box = self._mailboxes.get(event.agent)
            if box is None:
                box = self._mailboxes[event.agent] = _Mailbox()
            box.append(event)
        for agent, sequence in change.dropped:
            if agent in self._mailboxes:
                self._mailboxes[agent].drop(sequence)
        if change.metadata:
            self._metadata.update(change.metadata)
        for name in change.removed:
            self._metadata.pop(name, None)

    def remember(self, change: Change, undo: Undo) -> None:
        """Note what a change that is about to be applied replaces, where nothing is noted yet."""
        for call in change.calls:
            if call.serial not in undo.calls:
                undo.calls[call.serial] = self._calls.held(call.serial)
        for serial in change.forgotten:
            undo.calls.setdefault(serial, self._calls.held(serial))
        for event in change.events:
            self._remember_mailbox(event.agent, undo)
        for agent, _ in change.dropped:
            self._remember_mailbox(agent, undo)
        for name in (*(name for name, _ in change.metadata), *change.removed):
            undo.metadata.setdefault(name, self._metadata.get(name))

    def _remember_mailbox(self, agent: str, undo: Undo) -> None:
        if agent not in undo.mailboxes:
            box = self._mailboxes.get(agent, _NO_MAILBOX)
            undo.mailboxes[agent] = box.last_sequence, tuple(box.waiting)

    def undo(self, undo: Undo) -> None:
        """Put back what was remembered; everything that was applied later has to be undone before."""
        for serial, held in undo.calls.items():
            self._calls.put_back(serial, held)
        for agent, (last_sequence, waiting) in undo.mailboxes.items():
            if last_sequence:
                self._mailboxes[agent] = _Mailbox(last_sequence, list(waiting))
            else:
                self._mailboxes.pop(agent, None)  # its first event came with the changes
        for name, value in undo.metadata.items():
            if value is None:
                self._metadata.pop(name, None)
            else:
                self._metadata[name] = value

    def load(self, snapshot: StoreSnapshot) -> None:
        """Begin with what a journal holds.

        :raise StoreUnavailable: something of it isn't as it may be.
        """
        self._metadata.update(snapshot.metadata)
        for call in snapshot.calls:
            try:
                self._calls.put_packed(call)
            except (TypeError, ValueError) as error:
                raise StoreUnavailable(f"call {call.serial} of the journal isn't as it may be: {error}") from None
        for agent, last_sequence in snapshot.last_sequences.items():
            self._mailboxes[agent] = _Mailbox(last_sequence)
        for event in snapshot.events:
            self._mailboxes[event.agent].waiting.append(event)

    def clear(self) -> None:
        """Let go of everything."""
        self._calls.clear()
        self._mailboxes.clear()
        self._metadata.clear()

    def _check_numbering(self, events: Iterable[StoredEvent]) -> None:
        last: dict[str, int] = {}
        for event in events:
            expected = last.get(event.agent, self.last_sequence(event.agent)) + 1
            if event.sequence != expected:
                raise ValueError(f"event {event.sequence} of agent {event.agent!r}: {expected} was expected")
            last[event.agent] = expected

    # ------------------------------------------------------------ reads

    def get(self, serial: str) -> Call | None:
        """The call with this serial, or None."""
        return self._calls.get(serial)

    def calls(self) -> Iterable[Call]:
        """Every call, as of now: later changes don't disturb who walks through them."""
        return tuple(self._calls)

    def stored(self) -> int:
        """How many calls are stored. O(1)."""
        return len(self._calls)

    def agents(self) -> Iterable[str]:
        """Every agent number that ever had an event, as of now."""
        return tuple(self._mailboxes)

    def last_sequence(self, agent: str) -> int:
        """The last sequence assigned to this agent's events; 0 before the first."""
        return self._mailboxes.get(agent, _NO_MAILBOX).last_sequence

    def pending(self, agent: str) -> int:
        """How many events wait in the agent's mailbox. O(1)."""
        return len(self._mailboxes.get(agent, _NO_MAILBOX).waiting)

    def events(self, agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""
        box = self._mailboxes.get(agent, _NO_MAILBOX)
        gone = box.last_sequence - len(box.waiting)
        return box.waiting[after - gone if after > gone else 0 :]

    def metadata(self, name: str) -> str | None:
        """What was last put under this name."""
        return self._metadata.get(name)

    def metadata_beginning(self, start: str) -> Sequence[tuple[str, str]]:
        """The names that begin so, and what was last put under each."""
        return [(name, value) for name, value in self._metadata.items() if name.startswith(start)]
