"""The call store without a journal, and its index: by the rules of all call stores, and beside a simple model."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import ConfigurationError
from ctiex.interfaces import IJournalPlugin
from ctiex.plugins import build_plugin
from ctiex.records import Change, StoredEvent
from ctiex.stores.call_store import CallStore
from ctiex.testing.store_contract import make_call, make_event

from .call_store_rules import CallStoreRules

quick = settings(deadline=None)
agents = st.sampled_from(["1001", "1002"])
serials = st.sampled_from(["1", "2", "01"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), serials, st.integers(0, 9)),
        st.tuples(st.just("forget"), serials, st.just(0)),
        st.tuples(st.just("event"), agents, st.integers(0, 9)),
        st.tuples(st.just("drop"), agents, st.integers(0, 12)),
    ),
    max_size=8,
)


class MemoryStoreTests(CallStoreRules, TestCase):
    """The rules of all call stores."""

    def make_store(self) -> CallStore:
        return CallStore()


class Model:
    """Every event ever kept, and how far each agent's are dropped."""

    def __init__(self) -> None:
        self.calls: dict[str, object] = {}
        self.events: dict[str, list[StoredEvent]] = {}
        self.dropped: dict[str, int] = {}

    def waiting(self, agent: str, after: int = 0) -> list[StoredEvent]:
        gone = max(after, self.dropped.get(agent, 0))
        return [event for event in self.events.get(agent, []) if event.sequence > gone]

    def commit(self, change: Change) -> bool:
        lengths = {agent: len(events) for agent, events in self.events.items()}
        for event in change.events:
            if event.sequence != lengths.get(event.agent, 0) + 1:
                return False
            lengths[event.agent] = event.sequence
        self.calls.update((call.serial, call) for call in change.calls)
        for serial in change.forgotten:
            self.calls.pop(serial, None)
        for event in change.events:
            self.events.setdefault(event.agent, []).append(event)
        for agent, sequence in change.dropped:
            self.dropped[agent] = max(self.dropped.get(agent, 0), min(sequence, len(self.events.get(agent, []))))
        return True


def change_of(model: Model, plan: list[tuple[str, str, int]]) -> Change:
    """A change out of drawn steps; an event's number is wrong where 9 was drawn."""
    lengths = {agent: len(events) for agent, events in model.events.items()}
    events = []
    for what, agent, number in plan:
        if what == "event":
            sequence = lengths.get(agent, 0) + 1 + number // 9
            lengths[agent] = sequence
            events.append(make_event(agent, sequence))
    return Change(
        calls=tuple(make_call(serial, deadline=float(number)) for what, serial, number in plan if what == "call"),
        forgotten=tuple(serial for what, serial, _ in plan if what == "forget"),
        events=tuple(events),
        dropped=tuple((agent, number) for what, agent, number in plan if what == "drop"),
    )


class MemoryStoreModelTests(SynchronousTestCase):
    """Any run of changes leaves what the model says."""

    @given(st.lists(steps, max_size=8))
    @quick
    def test_it_agrees_with_the_model(self, plans: list[list[tuple[str, str, int]]]) -> None:
        model = Model()
        store = CallStore()
        for plan in plans:
            change = change_of(model, plan)
            if model.commit(change):
                self.assertIsNone(store.commit(change))
            else:
                self.assertRaises(ValueError, store.commit, change)
            self.assert_same(store, model)

    def assert_same(self, store: CallStore, model: Model) -> None:
        self.assertEqual({call.serial: call for call in store.calls()}, model.calls)
        self.assertEqual(set(store.agents()), set(model.events))
        for agent in ("1001", "1002"):
            self.assertEqual(store.last_sequence(agent), len(model.events.get(agent, [])))
            self.assertEqual(store.pending(agent), len(model.waiting(agent)))
            for after in range(5):
                self.assertEqual(list(store.events(agent, after)), model.waiting(agent, after))


class MemoryStoreUseTests(SynchronousTestCase):
    """What is particular to it."""

    def test_the_error_of_a_wrong_sequence_says_which_was_expected(self) -> None:
        store = CallStore()
        error = self.assertRaises(ValueError, store.commit, Change(events=(make_event("1001", 2),)))
        self.assertEqual(str(error), "event 2 of agent '1001': 1 was expected")

    def test_calls_may_be_walked_through_while_they_change(self) -> None:
        store = CallStore()
        store.commit(Change(calls=(make_call("1"), make_call("2"))))
        for call in store.calls():
            store.commit(Change(forgotten=(call.serial,)))
        self.assertEqual(list(store.calls()), [])

    def test_a_change_that_can_t_be_taken_is_not_there_at_all(self) -> None:
        store = CallStore()
        change = Change(calls=(make_call("1"), make_call("2", calling_number="\ud800")), forgotten=("1",))
        self.assertRaises(UnicodeEncodeError, store.commit, change)
        self.assertEqual(list(store.calls()), [])

    def test_close_lets_go_of_everything(self) -> None:
        store = CallStore()
        store.commit(Change(calls=(make_call("1"),), events=(make_event("1001", 1),)))
        store.close()
        self.assertIsNone(store.get("1"))
        self.assertEqual(list(store.agents()), [])

    def test_the_plugin_is_found_and_takes_no_settings(self) -> None:
        self.assertIsNone(build_plugin(IJournalPlugin, "memory", {}), "no journal")
        error = self.assertRaises(ConfigurationError, build_plugin, IJournalPlugin, "memory", {"path": "calls.sqlite"})
        self.assertEqual("path: found an unknown key, expected none", str(error))
