"""What every call store keeps to, whatever its journal: mix :class:`CallStoreRules` into a test case."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ctiex.errors import StoreUnavailable
from ctiex.records import CallState, Change, StoredEvent
from ctiex.stores.call_store import CallStore
from ctiex.testing.store_contract import make_call, make_event


class CallStoreRules:
    """Tests of :class:`ctiex.stores.call_store.CallStore`, before ``TestCase`` of trial in the bases.

    Give ``make_store``, and ``break_store`` and ``mend_store`` where its commits can fail. A store may keep things at
    once or later, and fail by an exception or by the Deferred: the tests await what it returns.
    """

    reactor: Any = None
    """The reactor that runs the tests, for a store that needs one."""

    def make_store(self) -> CallStore:
        """A new store that holds nothing, not opened yet."""
        raise NotImplementedError

    def break_store(self, store: CallStore) -> bool:
        """Have every commit fail from now on, as on a disk that is full; False for a store that can't fail."""
        return False

    def mend_store(self, store: CallStore) -> None:
        """Have commits kept again."""

    async def opened(self) -> CallStore:
        """A store in use; it is closed when the test ends."""
        store = self.make_store()
        await _done(store.open(self.reactor))
        self.addCleanup(store.close)  # type: ignore[attr-defined]
        return store

    async def test_it_begins_empty(self) -> None:
        store = await self.opened()
        assert store.get("7") is None
        assert list(store.calls()) == [] and list(store.agents()) == []
        assert store.last_sequence("1001") == 0 and store.pending("1001") == 0
        assert list(store.events("1001")) == []

    async def test_what_was_committed_is_seen_before_it_is_kept(self) -> None:
        store = await self.opened()
        call, event = make_call("7"), make_event("1001", 1)
        kept = store.commit(Change(calls=(call,), events=(event,)))
        assert store.get("7") == call and list(store.calls()) == [call]
        assert list(store.events("1001")) == [event] and store.pending("1001") == 1
        await _done(kept)
        assert store.get("7") == call and list(store.events("1001")) == [event]

    async def test_serials_are_strings(self) -> None:
        store = await self.opened()
        await _done(store.commit(Change(calls=(make_call("007"),))))
        assert store.get("7") is None
        assert store.get("007") == make_call("007")

    async def test_a_call_takes_the_place_of_the_one_before(self) -> None:
        store = await self.opened()
        closed = make_call(
            "7", state=CallState.CLOSED, owner="ivr", told=frozenset({10, 11}),
            reports={1: b"\1" * 16, 2**64 - 1: b"\2" * 16}, begun=1, since=2**53, ended_as=16,
            calling_number="", data=b"", digest=b"",
        )  # fmt: skip
        open_one = make_call("7", reference="R-7", asked=b"as it was asked for", changed=True)
        await _done(store.commit(Change(calls=(open_one,))))
        assert store.get("7") == open_one
        await _done(store.commit(Change(calls=(closed,))))
        assert store.get("7") == closed and list(store.calls()) == [closed]

    async def test_a_forgotten_call_is_gone_and_others_stay(self) -> None:
        store = await self.opened()
        await _done(store.commit(Change(calls=(make_call("7"), make_call("8")))))
        await _done(store.commit(Change(forgotten=("7", "never there"))))
        assert store.get("7") is None
        assert list(store.calls()) == [make_call("8")]

    async def test_fetched_data_is_given_to_its_owner_alone_and_while_it_is_fetched(self) -> None:
        store = await self.opened()
        for state in CallState:
            await _done(store.commit(Change(calls=(make_call("7", state=state, owner="ivr"),))))
            assert store.fetched("7", "ivr") == (b"data" if state is CallState.FETCHED else None)
            assert store.fetched("7", "other") is None and store.fetched("7", "") is None
        await _done(store.commit(Change(calls=(make_call("7", state=CallState.FETCHED, owner="ivr", changed=True),))))
        assert store.fetched("7", "ivr") is None, "what was changed since isn't what was fetched before"
        assert store.fetched("404", "ivr") is None

    async def test_it_counts_the_calls(self) -> None:
        store = await self.opened()
        assert store.stored() == 0
        await _done(store.commit(Change(calls=(make_call("7"), make_call("8")))))
        assert store.stored() == 2
        await _done(store.commit(Change(forgotten=("7", "404"))))
        assert store.stored() == 1

    async def test_fetch_finds_nothing_that_never_was(self) -> None:
        store = await self.opened()
        found = store.fetch("404")
        assert found is None or await found is None

    async def test_events_come_in_order_and_beyond_what_was_asked(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 3)
        await self._fill(store, "1002", 1)
        for after, expected in ((0, [1, 2, 3]), (1, [2, 3]), (3, []), (9, [])):
            assert _sequences(store.events("1001", after)) == expected
        assert _sequences(store.events("1002")) == [1]
        assert sorted(store.agents()) == ["1001", "1002"]

    async def test_what_events_gave_is_not_changed_by_later_commits(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 2)
        given = store.events("1001")
        await _done(store.commit(Change(events=(make_event("1001", 3),), dropped=(("1001", 1),))))
        assert _sequences(given) == [1, 2]

    async def test_dropped_events_leave_and_the_numbering_goes_on(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 6)
        await _done(store.commit(Change(dropped=(("1001", 3),))))
        assert _sequences(store.events("1001")) == [4, 5, 6] and store.pending("1001") == 3
        await _done(store.commit(Change(dropped=(("1001", 1),))))
        assert store.pending("1001") == 3, "dropping what is gone changes nothing"
        await _done(store.commit(Change(dropped=(("1001", 9),))))
        assert store.pending("1001") == 0 and store.last_sequence("1001") == 6
        await _done(store.commit(Change(events=(make_event("1001", 7),))))
        assert _sequences(store.events("1001", 2)) == [7] and list(store.agents()) == ["1001"]

    async def test_dropping_for_an_unknown_agent_changes_nothing(self) -> None:
        store = await self.opened()
        await _done(store.commit(Change(dropped=(("1001", 5),))))
        assert store.last_sequence("1001") == 0 and list(store.agents()) == []

    async def test_a_change_with_a_wrong_sequence_is_refused_whole(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 2)
        await _done(store.commit(Change(calls=(make_call("7"),))))
        for wrong in ((2,), (4,), (3, 3), (3, 5)):
            events = tuple(make_event("1001", sequence) for sequence in wrong)
            change = Change((make_call("8"),), ("7",), (make_event("1002", 1), *events), (("1001", 1),))
            assert await _refused(store, change)
            assert store.get("8") is None and list(store.calls()) == [make_call("7")]
            assert _sequences(store.events("1001")) == [1, 2] and list(store.agents()) == ["1001"]

    async def test_a_label_is_what_was_last_put_there(self) -> None:
        store = await self.opened()
        assert store.metadata("codec") is None
        await _done(store.commit(Change(metadata=(("codec", "binary"), ("other", "x")))))
        await _done(store.commit(Change(metadata=(("codec", "json"),))))
        assert (store.metadata("codec"), store.metadata("other"), store.metadata("third")) == ("json", "x", None)

    async def test_an_empty_change_waits_for_those_before_it(self) -> None:
        store = await self.opened()
        kept: list[int] = []
        before = store.commit(Change(calls=(make_call("7"),)))
        if before is None:
            kept.append(1)
        else:
            before.addCallback(lambda _: kept.append(1))
        await _done(store.commit(Change()))
        assert kept == [1] and store.get("7") == make_call("7")

    async def test_a_commit_that_fails_leaves_everything_as_it_was(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 3)
        await _done(store.commit(Change(calls=(make_call("7"), make_call("8")), metadata=(("codec", "binary"),))))
        before = _seen(store)
        changes = self._everything()
        for change in (*changes, *changes):
            if self.break_store(store):
                assert not await _kept(store, change)
                assert _seen(store) == before, "nothing of it is seen any more"
        self.mend_store(store)
        await _done(store.commit(Change(events=(make_event("1001", 4),))))
        assert _sequences(store.events("1001")) == [1, 2, 3, 4], "the numbering goes on where it was"

    async def test_commits_in_a_row_fail_together_and_the_next_are_kept(self) -> None:
        store = await self.opened()
        await self._fill(store, "1001", 3)
        await _done(store.commit(Change(calls=(make_call("7"), make_call("8")), metadata=(("codec", "binary"),))))
        before = _seen(store)
        if self.break_store(store):
            outcomes = [_outcome(store, change) for change in self._everything()]
            assert [await outcome for outcome in outcomes] == [False] * len(outcomes)
            assert _seen(store) == before
        self.mend_store(store)
        for change in self._everything():
            assert await _kept(store, change)
        assert store.get("7") is None and store.get("8") == make_call("8", state=CallState.CLOSED)
        assert _sequences(store.events("1001")) == [3, 4, 5] and store.metadata("codec") == "json"

    def _everything(self) -> tuple[Change, ...]:
        """Changes of every kind, each of which goes on with the one before."""
        return (
            Change(calls=(make_call("9"), make_call("8", owner="ivr")), events=(make_event("1001", 4),)),
            Change(forgotten=("7", "9"), dropped=(("1001", 2),), metadata=(("codec", "json"), ("new", "x"))),
            Change(calls=(make_call("8", state=CallState.CLOSED),), events=(make_event("1001", 5), make_event("2", 1))),
        )

    async def _fill(self, store: CallStore, agent: str, count: int) -> None:
        events = tuple(make_event(agent, sequence) for sequence in range(1, count + 1))
        await _done(store.commit(Change(events=events)))


async def _done(result: Deferred[None] | None) -> None:
    if result is not None:
        await result


async def _refused(store: CallStore, change: Change) -> bool:
    try:
        await _done(store.commit(change))
    except ValueError:
        return True
    return False


def _outcome(store: CallStore, change: Change) -> Awaitable[bool]:
    """Whether a change is kept; it is committed now, and may be waited for later."""
    try:
        waiting = store.commit(change)
    except (StoreUnavailable, ValueError):  # a number that follows a lost one is invalid
        return succeed(False)
    if waiting is None:
        return succeed(True)
    return waiting.addCallbacks(lambda _: True, lambda failure: failure.trap(StoreUnavailable) is None)


async def _kept(store: CallStore, change: Change) -> bool:
    return await _outcome(store, change)


def _seen(store: CallStore) -> tuple[object, ...]:
    """Everything that a store shows."""
    mailboxes = {agent: (store.last_sequence(agent), _sequences(store.events(agent))) for agent in store.agents()}
    calls = {call.serial: call for call in store.calls()}
    return calls, mailboxes, store.stored(), store.metadata("codec"), store.metadata("new")


def _sequences(events: Sequence[StoredEvent]) -> list[int]:
    return [event.sequence for event in events]
