"""What every journal of the call store keeps to: mix :class:`JournalContract` into a test case of your own."""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface.verify import verifyObject

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import Call, CallState, Change, StoredEvent, StoreSnapshot
from ctiex.stores.call_store import CallStore, JournaledCallStore


def make_call(serial: str, **changes: Any) -> Call:
    """A call in its first state, with ``changes`` to its attributes."""
    call = Call(
        serial=serial,
        agent="1001",
        service="number-broadcast",
        identity="agents",
        calling_number="13800138000",
        digest=b"digest",
        data=b"data",
        state=CallState.REQUESTED,
        deadline=100.0,
    )
    return evolve(call, **changes)


def make_event(agent: str, sequence: int) -> StoredEvent:
    """An event whose body tells its number."""
    return StoredEvent(agent, sequence, b"event %d" % sequence, 1000.0)


class JournalContract:
    """Tests of :class:`ctiex.interfaces.IJournal`, before ``TestCase`` of trial in the bases.

    Give ``make_journal``, and ``break_journal`` and ``mend_journal`` where it can fail. A journal is used as an
    exchange uses it, by a call store: opened again, that shows what it showed before.
    """

    reactor: Any = None
    """The reactor that runs the tests, for a journal that needs one."""

    def make_journal(self, place: str) -> IJournal:
        """A journal that isn't opened yet.

        :param place: names where it keeps things: in each test empty at first, and then the same one each time.
        """
        raise NotImplementedError

    def break_journal(self, journal: IJournal) -> bool:
        """Have every append fail from now on, as on a disk that is full; False for a journal that can't fail."""
        return False

    def mend_journal(self, journal: IJournal) -> None:
        """Have changes kept again."""

    async def opened(self, place: str = "here") -> JournaledCallStore:
        """The call store of the next process: that of the one before is closed, and this one when the test ends."""
        stores: dict[str, JournaledCallStore] = vars(self).setdefault("_stores", {})
        if place in stores:
            await stores[place].close()
        store = stores[place] = JournaledCallStore(self.make_journal(place))
        await store.open(self.reactor)
        self.addCleanup(store.close)  # type: ignore[attr-defined]
        return store

    async def kept(self, *changes: Change) -> None:
        """Commit changes one by one, and in another place all in a row; the next process shows the same as this one."""
        for place in ("one by one", "in a row"):
            store = await self.opened(place)
            for change in changes:
                waiting = store.commit(change)
                if place == "one by one":
                    await _done(waiting)
            await _done(store.commit(Change()))
            shown = _shown(store)
            assert _shown(await self.opened(place)) == shown, place

    async def snapshot(self) -> StoreSnapshot:
        """What the journal of the next process gives."""
        journal: Any = self.make_journal("here")
        snapshot: StoreSnapshot = await maybeDeferred(journal.open, self.reactor)
        await maybeDeferred(journal.close)
        return snapshot

    # ------------------------------------------------------------ what is kept

    async def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IJournal, (await self.opened()).journal)

    async def test_it_begins_empty(self) -> None:
        snapshot = await self.snapshot()
        assert not (snapshot.calls or snapshot.last_sequences or snapshot.events or snapshot.metadata)

    async def test_it_takes_changes_in_groups_or_at_once(self) -> None:
        journal = (await self.opened()).journal
        for changes in ([Change(metadata=(("codec", "json"),))], []):
            appended = journal.append(changes, lambda serial: None)
            assert isinstance(appended, Deferred) if journal.in_groups else appended is None
            await _done(appended)

    async def test_every_value_of_a_call_is_kept(self) -> None:
        call = make_call(
            "007", agent="100*", service="bill", identity="platform-1", calling_number="+86 138 \u0663", digest=b"\0",
            data=bytes(range(256)) * 20, state=CallState.FETCHED, deadline=1_764_547_200.123456, owner="ivr",
            told=frozenset({10, 11, 13}), reports={0: b"\0" * 16, 2**64 - 1: b"\xff" * 16},
            reference="R\u00e9f", asked=b"\0", begun=1, since=2**53, ended_as=16, changed=True,
        )  # fmt: skip
        await self.kept(Change(calls=(call, *(make_call(state.value, state=state) for state in CallState))))

    async def test_serials_are_strings(self) -> None:
        await self.kept(Change(calls=(make_call("007"), make_call("7", agent="1"))))

    async def test_a_call_takes_the_place_of_the_one_before(self) -> None:
        fetched = make_call("7", state=CallState.FETCHED, owner="ivr", data=b"other", told=frozenset({10}))
        closed = evolve(fetched, state=CallState.CLOSED, calling_number="", data=b"", digest=b"")
        await self.kept(Change(calls=(make_call("7"),)), Change(calls=(fetched,)))
        await self.kept(Change(calls=(closed,)))

    async def test_a_forgotten_call_is_gone_and_others_stay(self) -> None:
        await self.kept(Change(calls=(make_call("7"), make_call("8"))), Change(forgotten=("7", "never there")))
        await self.kept(Change(calls=(make_call("8", owner="ivr"), make_call("9")), forgotten=("8", "9")))

    async def test_a_serial_that_is_forgotten_and_used_again_has_its_new_data(self) -> None:
        for data in (b"new", b"data"):
            again = make_call("7", data=data)
            await self.kept(Change(calls=(make_call("7"),)), Change(forgotten=("7",)), Change(calls=(again,)))

    async def test_a_call_that_differs_in_one_part_of_its_content_is_another(self) -> None:
        parts = {"digest": b"other", "reference": "other", "asked": b"other", "calling_number": "1", "data": b""}
        for part, other in parts.items():
            await self.kept(Change(calls=(make_call("7"),)), Change(calls=(make_call("7", **{part: other}),)))
            await self.kept(Change(forgotten=("7",)))

    async def test_events_are_in_order_and_each_agents_own(self) -> None:
        events = [make_event("1001", sequence) for sequence in range(1, 13)]
        other = StoredEvent("1002", 1, bytes(range(256)), 1_764_547_200.123456)
        await self.kept(*(Change(events=(event,)) for event in events), Change(events=(other, make_event("1002", 2))))

    async def test_dropped_events_leave_and_the_numbering_goes_on(self) -> None:
        events = Change(events=tuple(make_event("1001", sequence) for sequence in range(1, 7)))
        await self.kept(events, Change(dropped=(("1001", 3),)), Change(dropped=(("1001", 1),)))
        await self.kept(Change(dropped=(("1001", 6),)))
        await self.kept(Change(events=(make_event("1001", 7),)))

    async def test_events_of_a_change_come_before_what_it_drops(self) -> None:
        await self.kept(Change(events=(make_event("1001", 1), make_event("1001", 2)), dropped=(("1001", 1),)))

    async def test_an_event_behind_a_drop_that_went_too_far_stays(self) -> None:
        first = Change(events=(make_event("1001", 1),), dropped=(("1001", 9), ("1002", 9)))
        await self.kept(first, Change(events=(make_event("1001", 2), make_event("1002", 1))))

    async def test_metadata_that_was_removed_is_gone(self) -> None:
        """Whatever else the same group has of it."""
        await self.kept(Change(metadata=(("call a", "1"), ("call b", "2"), ("other", "3"))))
        removed = Change(removed=("call a", "none")), Change(removed=("other",))
        await self.kept(Change(metadata=(("call a", "4"),)), *removed)
        for place in ("one by one", "in a row"):
            store = await self.opened(place)
            assert [store.metadata(name) for name in ("call a", "call b", "other")] == [None, "2", None], place

    async def test_metadata_is_what_was_last_put_there(self) -> None:
        await self.kept(
            Change(metadata=(("codec", "binary"), ("other", ""))), Change(metadata=(("codec", "\u00fcber"),))
        )

    async def test_what_still_waits_is_kept_at_the_close(self) -> None:
        waiting = (await self.opened()).commit(Change(calls=(make_call("7"),)))
        assert (await self.opened()).get("7") == make_call("7")
        await _done(waiting)

    async def test_any_run_of_changes_is_there_again(self) -> None:
        random = Random(14)
        for _ in range(3):
            store = await self.opened()
            for _ in range(50):
                waiting = store.commit(_drawn(random, store))
                if random.random() < 0.3:
                    await _done(waiting)
            await _done(store.commit(Change()))
            shown = _shown(store)
            assert _shown(await self.opened()) == shown

    async def test_what_it_gives_has_no_gap_and_nothing_twice(self) -> None:
        store = await self.opened()
        for change in (_BASE, *_EVERYTHING):
            await _done(store.commit(change))
        await store.close()
        snapshot = await self.snapshot()
        serials, agents = [call.serial for call in snapshot.calls], {event.agent for event in snapshot.events}
        assert (
            list(snapshot.gaps()) == [] and len(serials) == len(set(serials)) and agents <= set(snapshot.last_sequences)
        )

    # ------------------------------------------------------------ what isn't kept

    async def test_a_change_that_fails_leaves_everything_as_it_was(self) -> None:
        store = await self.opened()
        await _done(store.commit(_BASE))
        before = _shown(store)
        for change in _EVERYTHING:
            if self.break_journal(store.journal):
                assert not await _outcome(store, change)
                assert _shown(store) == before, "nothing of it is seen any more"
        self.mend_journal(store.journal)
        assert _shown(await self.opened()) == before, "nor is it there again"

    async def test_changes_in_a_row_fail_together_and_the_next_are_kept(self) -> None:
        store = await self.opened()
        await _done(store.commit(_BASE))
        before = _shown(store)
        if self.break_journal(store.journal):
            outcomes = [_outcome(store, change) for change in _EVERYTHING]
            assert [await outcome for outcome in outcomes] == [False] * len(outcomes)
            assert _shown(store) == before
        self.mend_journal(store.journal)
        for change in _EVERYTHING:
            assert await _outcome(store, change)
        shown = _shown(store)
        assert _shown(await self.opened()) == shown


_BASE = Change(
    calls=(make_call("7"), make_call("8")),
    events=tuple(make_event("1001", sequence) for sequence in (1, 2, 3)),
    metadata=(("codec", "binary"),),
)
_EVERYTHING = (
    Change(calls=(make_call("9"), make_call("8", owner="ivr")), events=(make_event("1001", 4),)),
    Change(forgotten=("7", "9"), dropped=(("1001", 2),), metadata=(("codec", "json"), ("new", "x"))),
    Change(calls=(make_call("8", state=CallState.CLOSED),), events=(make_event("1001", 5), make_event("2", 1))),
)
"""Changes of every kind, each of which goes on with the one before."""


def _drawn(random: Random, store: CallStore) -> Change:
    """Any change that may follow."""
    serials, agents = "01234567", ("1001", "1002")
    agent, state = random.choice(agents), random.choice(list(CallState))
    last, new = store.last_sequence(agent), random.randrange(3)
    return Change(
        tuple(make_call(one, data=random.randbytes(9), state=state) for one in random.sample(serials, new)),
        tuple(random.sample(serials, random.randrange(2))),
        tuple(make_event(agent, last + number) for number in range(1, 1 + new)),
        tuple((one, random.randrange(last + 5)) for one in agents if random.random() < 0.3),
        (("codec", str(last)),) if random.random() < 0.2 else (),
    )


async def _done(result: Deferred[None] | None) -> None:
    if result is not None:
        await result


def _outcome(store: CallStore, change: Change) -> Deferred[bool]:
    """Whether a change is kept; it is committed now, and may be waited for later."""
    outcome: Deferred[Any] = maybeDeferred(store.commit, change)
    # A number that follows a lost one is invalid.
    return outcome.addCallbacks(lambda _: True, lambda failure: failure.trap(StoreUnavailable, ValueError) is None)


def _shown(store: CallStore) -> tuple[object, ...]:
    """Everything that a store shows; which call an event is about needs not be kept apart."""
    mailboxes = {
        agent: (store.last_sequence(agent), [evolve(event, serial=None) for event in store.events(agent)])
        for agent in store.agents()
    }
    metadata = [store.metadata(name) for name in ("codec", "new", "other")]
    return {call.serial: call for call in store.calls()}, mailboxes, store.stored(), metadata
