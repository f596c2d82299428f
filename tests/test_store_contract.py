"""The contract of journals: sound ones pass it, and each known fault is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import Call, CallState, Change, StoreSnapshot
from ctiex.testing.store_contract import JournalContract

from .list_journals import Kept, ListJournal, PromptGroups, snapshot_of

Make = Callable[[Kept], ListJournal]


class _Contract(JournalContract):
    """One test of the contract, under a clock of its own."""

    def __init__(self, make: Make) -> None:
        self.reactor = Clock()
        self._make = make
        self._places: dict[str, Kept] = {}

    def addCleanup(self, *_: Any) -> None:  # noqa: N802, trial's name
        """Nothing that is opened here outlives the test."""

    def make_journal(self, place: str) -> IJournal:
        return self._make(self._places.setdefault(place, []))

    def break_journal(self, journal: Any) -> bool:
        journal.full = True
        return True

    def mend_journal(self, journal: Any) -> None:
        journal.full = False

    def finds(self, name: str) -> bool:
        """Whether this test fails, for a reason of the contract's."""
        outcome: list[Any] = []
        ensureDeferred(getattr(self, name)()).addBoth(outcome.append)
        for _ in range(1_000):
            self.reactor.advance(0)
        assert outcome, f"{name} waits for ever"
        return isinstance(outcome[0], Failure)


def found(make: Make) -> Iterator[str]:
    """The tests of the contract that fail."""
    for name in dir(JournalContract):
        if name.startswith("test_") and _Contract(make).finds(name):
            yield name


@pytest.mark.parametrize("make", [ListJournal, PromptGroups])
def test_a_sound_journal_passes(make: Make) -> None:
    assert list(found(make)) == []


# ---------------------------------------------------------------- known faults


def _gives(**parts: Callable[[Any], Any]) -> Make:
    """A journal that gives something else than it was given."""

    class Faulty(ListJournal):
        def open(self, reactor: Any) -> StoreSnapshot:
            snapshot = super().open(reactor)
            return evolve(snapshot, **{name: change(getattr(snapshot, name)) for name, change in parts.items()})

    return Faulty


def _each(change: Callable[[Call], Call]) -> Callable[[Sequence[Call]], Sequence[Call]]:
    return lambda calls: tuple(change(call) for call in calls)


class _Takes(ListJournal):
    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        for change in changes:
            for taken in self.taken(change):
                super().append([taken], before)
        return None

    def taken(self, change: Change) -> Sequence[Change]:
        """What it makes of a change."""
        raise NotImplementedError


class _ForgetsFirst(_Takes):
    def taken(self, change: Change) -> Sequence[Change]:
        return Change(forgotten=change.forgotten), evolve(change, forgotten=())


class _TellsContentByItsData(ListJournal):
    """It writes a call's content anew only where its data or its number is another."""

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        return super().append([evolve(one, calls=tuple(map(self._taken, one.calls))) for one in changes], before)

    def _taken(self, call: Call) -> Call:
        old = snapshot_of(self.kept)
        for one in old.calls:
            if (one.serial, one.data, one.calling_number) == (call.serial, call.data, call.calling_number):
                return evolve(call, digest=one.digest, reference=one.reference, asked=one.asked)
        return call


class _DropsFirst(_Takes):
    def taken(self, change: Change) -> Sequence[Change]:
        return Change(dropped=change.dropped), evolve(change, dropped=())


class _DropsWhatComesLater(ListJournal):
    def open(self, reactor: Any) -> StoreSnapshot:
        snapshot = super().open(reactor)
        dropped = dict(drop for change in self.kept for drop in change.dropped)
        return evolve(snapshot, events=[one for one in snapshot.events if one.sequence > dropped.get(one.agent, 0)])


class _KeepsAPart(ListJournal):
    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        if self.full:
            self.kept += [Change(calls=change.calls) for change in changes]
        return super().append(changes, before)


class _SaysThatAllIsKept(ListJournal):
    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        return None if self.full else super().append(changes, before)


class _RaisesSomethingElse(ListJournal):
    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        try:
            return super().append(changes, before)
        except StoreUnavailable as error:
            raise OSError(str(error)) from None


class _KeepsTheLastOfAGroup(PromptGroups):
    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        return super().append(changes[-1:], before)


class _SaysAtOnceAndMakesOneWait(PromptGroups):
    in_groups = False


class _LetsGoOfNothing(ListJournal):
    _TAKEN: list[Kept] = []

    def open(self, reactor: Any) -> StoreSnapshot:
        if any(one is self.kept for one in self._TAKEN):
            raise StoreUnavailable("another one has it")
        self._TAKEN.append(self.kept)
        return super().open(reactor)


FAULTS: dict[str, Make] = {
    "calls are lost": _gives(calls=lambda calls: calls[1:]),
    "closed calls are lost": _gives(calls=lambda calls: [one for one in calls if one.state is not CallState.CLOSED]),
    "calls are there twice": _gives(calls=lambda calls: [*calls, *calls]),
    "moments are rounded": _gives(calls=_each(lambda call: evolve(call, deadline=round(call.deadline, 3)))),
    "event ids are cut": _gives(
        calls=_each(lambda call: evolve(call, reports={number % 2**63: said for number, said in call.reports.items()}))
    ),
    "what was reported is lost": _gives(
        calls=_each(lambda call: evolve(call, reports=dict.fromkeys(call.reports, b"")))
    ),
    "references are lost": _gives(calls=_each(lambda call: evolve(call, reference=""))),
    "what was asked for is lost": _gives(calls=_each(lambda call: evolve(call, asked=b""))),
    "times are rounded": _gives(calls=_each(lambda call: evolve(call, since=call.since // 1_000 * 1_000))),
    "the beginning is lost": _gives(calls=_each(lambda call: evolve(call, begun=0))),
    "an end that is to be told is lost": _gives(calls=_each(lambda call: evolve(call, ended_as=0))),
    "a change that is to be told is lost": _gives(calls=_each(lambda call: evolve(call, changed=False))),
    "serials are numbers": _gives(calls=_each(lambda call: evolve(call, serial=call.serial.lstrip("0")))),
    "texts end at a zero": _gives(calls=_each(lambda call: evolve(call, data=call.data.partition(b"\0")[0]))),
    "events are lost": _gives(events=lambda events: ()),
    "events are in no order": _gives(events=lambda events: events[::-1]),
    "numbering is lost with the events": _gives(last_sequences=lambda last: {a: n for a, n in last.items() if n != 6}),
    "metadata is lost": _gives(metadata=lambda metadata: {}),
    "it forgets before it puts": _ForgetsFirst,
    "it tells content by its data": _TellsContentByItsData,
    "it drops before it appends": _DropsFirst,
    "it drops what comes later": _DropsWhatComesLater,
    "it keeps a part of what fails": _KeepsAPart,
    "it says that all is kept": _SaysThatAllIsKept,
    "it raises something else": _RaisesSomethingElse,
    "it keeps the last of a group": _KeepsTheLastOfAGroup,
    "it is said to take changes at once": _SaysAtOnceAndMakesOneWait,
    "it lets go of nothing": _LetsGoOfNothing,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    assert list(found(FAULTS[fault]))
