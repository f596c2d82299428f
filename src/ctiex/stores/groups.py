"""What a group of changes comes to: the rows that are written, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field

from ctiex.records import Call, Change, StoredEvent


@define
class Group:
    """What many changes come to, written by one commit."""

    calls: dict[str, Call | None] = field(factory=dict)
    """By serial; None: forgotten."""
    contexts: dict[str, Call | None] = field(factory=dict)
    """Calls whose content (their number, digest, reference and data) is to be written; None: forgotten."""
    last_sequences: dict[str, int] = field(factory=dict)
    events: dict[tuple[str, int], StoredEvent] = field(factory=dict)
    dropped: dict[str, int] = field(factory=dict)
    """By agent: its events up to and including this sequence leave the mailbox."""
    metadata: dict[str, str | None] = field(factory=dict)
    """By name; None: removed."""

    def __bool__(self) -> bool:
        return bool(self.calls or self.events or self.dropped or self.metadata)

    @classmethod
    def of(cls, changes: Iterable[Change], before: Callable[[str], Call | None]) -> Group:
        """What these changes come to.

        :param before: the call that stood under a serial before all of them.
        """
        group = cls()
        for change in changes:
            group._add(change)
        for serial, call in group.calls.items():
            group._add_context(serial, call, before(serial))
        return group

    def _add(self, change: Change) -> None:
        self.calls.update((call.serial, call) for call in change.calls)
        self.calls.update((serial, None) for serial in change.forgotten)
        for event in change.events:
            self._append(event)
        for agent, sequence in change.dropped:
            self.dropped[agent] = max(sequence, self.dropped.get(agent, 0))
        self.metadata.update(change.metadata)
        self.metadata.update((name, None) for name in change.removed)

    def _append(self, event: StoredEvent) -> None:
        self.events[event.agent, event.sequence] = event
        self.last_sequences[event.agent] = event.sequence
        if event.sequence <= self.dropped.get(event.agent, 0):
            # Dropped was more than there was: an event that comes after it stays.
            self.dropped[event.agent] = event.sequence - 1

    def _add_context(self, serial: str, call: Call | None, before: Call | None) -> None:
        if call is None or before is None or not _same_context(before, call):
            self.contexts[serial] = call


def _same_context(old: Call, new: Call) -> bool:
    return (old.data, old.digest, old.asked, old.calling_number, old.reference) == (
        new.data,
        new.digest,
        new.asked,
        new.calling_number,
        new.reference,
    )
