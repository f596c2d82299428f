"""What calls, records, agent numbers and fields one peer may make the exchange hold."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from attrs import asdict, evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.assembly import assemble
from ctiex.app.store_codecs import AGENT_CODEC, IVR_CODEC
from ctiex.config.model import LinkSettings
from ctiex.config.reading import parse
from ctiex.errors import Status, StoreUnavailable
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import (
    DataRequest,
)
from ctiex.monitoring.counters import Counters
from ctiex.processing.presence import AgentPresence, is_number_label, label_of
from ctiex.records import CallState
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .quota_bench import _SERVING, _TWO, Bench


class TheLimits(SynchronousTestCase):
    """Each of them: 14 beyond it, with its name; others notice nothing."""

    def _full(self, limit: str, most: int = 2) -> tuple[Bench, str]:
        """A bench where one more call of agent 1 passes the limit, and the words that refuse it."""
        bench = Bench(None, **{limit: most})
        for identity, agent in (("north", "1"), ("north", "2"), ("south", "3")):
            bench.login(identity, agent)
        for _ in range(most):
            self.assertEqual([reply.status for reply in bench.connect()], [0])
        [refused] = bench.connect()
        self.assertEqual((refused.status, bench.exchange.counters.requests_over_limit), (14, 1))
        self.assertEqual(bench.exchange.counters.calls_refused, 1)
        return bench, refused.detail

    def _status(self, bench: Bench, *args: str, **changes: str) -> int:
        [reply] = bench.connect(*args, **changes)
        return reply.status

    def test_calls_of_an_agent_number(self) -> None:
        bench, words = self._full("calls_per_agent")
        self.assertIn("calls_per_agent", words)
        self.assertEqual(self._status(bench, "north", "2"), 0)
        self.assertEqual(bench.cancel("1")[0].status, 0)
        self.assertEqual(self._status(bench), 0, "an ended call makes room")

    def test_calls_of_a_service(self) -> None:
        bench, words = self._full("calls_per_service")
        self.assertIn("calls_per_service", words)
        self.assertEqual(self._status(bench, "south", "3"), 14)
        self.assertEqual(self._status(bench, "south", "3", "fax"), 0)
        self.assertEqual(bench.report("1", 1)[0].status, 0)
        self.assertEqual(self._status(bench, "south", "3"), 0, "a result makes room")

    def test_calls_of_an_identity(self) -> None:
        bench, words = self._full("calls_per_identity")
        self.assertIn("calls_per_identity", words)
        self.assertEqual([self._status(bench, "north", "2"), self._status(bench, "south", "3")], [14, 0])

    def test_records_of_an_identity_until_they_are_forgotten(self) -> None:
        bench, words = self._full("records_per_identity")
        self.assertIn("records_per_identity", words)
        self.assertEqual([bench.cancel("1")[0].status, bench.cancel("2")[0].status], [0, 0])
        self.assertEqual([self._status(bench, "north", "2"), self._status(bench, "south", "3")], [14, 0])
        bench.exchange.clock.advance(601)
        self.assertEqual(self._status(bench), 0)

    def test_a_repeat_is_not_one_more(self) -> None:
        for limit in ("calls_per_agent", "calls_per_service", "calls_per_identity", "records_per_identity"):
            bench, _ = self._full(limit)
            self.assertEqual(self._status(bench, "north", "1", "bill", "2"), 0)

    def test_they_hold_after_a_restart(self) -> None:
        for limit in ("calls_per_agent", "calls_per_service", "calls_per_identity", "records_per_identity"):
            bench, _ = self._full(limit)
            again = Bench(bench.exchange.store, **{limit: 2})
            again.login("north", "1")
            self.assertEqual(self._status(again, serial="9"), 14)

    def test_ended_calls_count_as_records_after_a_restart(self) -> None:
        bench, _ = self._full("records_per_identity")
        self.assertEqual([bench.cancel("1")[0].status, bench.cancel("2")[0].status], [0, 0])
        again = Bench(bench.exchange.store, records_per_identity=2)
        again.login("north", "1")
        self.assertEqual(self._status(again, serial="9"), 14)
        again.exchange.clock.advance(601)
        self.assertEqual(self._status(again, serial="9"), 0)


class FieldsOfAMessage(SynchronousTestCase):
    """``fields_per_message``."""

    def setUp(self) -> None:
        self.bench = Bench(fields_per_message=3)
        self.bench.login("north", "1")

    @given(st.integers(0, 6))
    @settings(deadline=None)
    def test_a_request_with_more_is_36(self, count: int) -> None:
        self.setUp()
        [reply] = self.bench.connect(fields=Fields({f"f{number}": 1 for number in range(count)}))
        self.assertEqual(reply.status, 36 if count > 3 else 0)
        self.assertEqual("fields_per_message" in reply.detail, count > 3)
        self.assertEqual(self.bench.exchange.counters.requests_over_limit, int(count > 3))

    def test_it_is_checked_before_34_and_before_the_fields_are_organized(self) -> None:
        class Broken:
            secret = ()

            def organize(self, fields: Fields) -> Fields:
                raise AssertionError("nobody is to be asked")

        service = evolve(_TWO["bill"], request=cast(Any, Broken()))
        self.bench.exchange.services["bill"] = service  # type: ignore[index]
        try:
            many = Fields({f"f{number}": 1 for number in range(4)})
            statuses = [self.bench.connect(fields=many, calling_number=number)[0].status for number in ("1**2", "12")]
            self.assertEqual(statuses, [36, 36])
        finally:
            self.bench.exchange.services["bill"] = make_service("bill")  # type: ignore[index]

    def test_a_report_with_more_is_36_and_may_be_repeated_with_fewer(self) -> None:
        self.assertEqual(self.bench.connect()[0].status, 0)
        got = [self.bench.report("1", 1, fields=count)[0].status for count in (4, 3)]
        self.assertEqual(got, [36, 0])
        counts = self.bench.exchange.counters
        self.assertEqual((counts.requests_over_limit, counts.service_events_refused), (1, 1))

    def test_what_is_wrong_otherwise_is_told_first(self) -> None:
        self.assertEqual(self.bench.connect()[0].status, 0)
        self.assertEqual(self.bench.report("404", 1, fields=4)[0].status, 20)
        self.assertEqual(self.bench.report("1", 1)[0].status, 0)
        self.assertEqual([self.bench.report("1", event_id, fields=4)[0].status for event_id in (1, 2)], [25, 24])
        self.assertEqual(self.bench.report("1", 1)[0].status, 43)


class Numbers(SynchronousTestCase):
    """``agents_per_identity``."""

    @given(st.lists(st.tuples(st.sampled_from(["bring", "put", "use", "release"]), st.sampled_from("123456"),
                              st.sampled_from("ab")), max_size=40), st.integers(1, 3))  # fmt: skip
    @settings(deadline=None)
    def test_a_number_counts_once_for_whoever_brought_it_first(
        self, steps: list[tuple[str, str, str]], most: int
    ) -> None:
        numbers = AgentPresence(Limits(agents_per_identity=most), {"6": 1}.get)  # type: ignore[arg-type]
        model, uses = cast(dict[str, str], {}), cast(Counter[str], Counter())
        for step, agent, identity in steps:
            if step == "use" and agent in model:
                numbers.use(agent)
                uses[agent] += 1
            elif step == "release" and uses[agent]:
                numbers.release(agent)
                uses[agent] -= 1
                if not uses[agent] and agent != "6":  # it had an event
                    del model[agent]
            if step in ("use", "release"):
                continue
            allowed = agent in model or step == "put" or list(model.values()).count(identity) < most
            if step == "put":
                numbers.put(agent, identity)
            else:
                self.assertEqual(numbers.bring(agent, identity), allowed)
            if allowed:
                model.setdefault(agent, identity)
            self.assertEqual((len(numbers), numbers.registered_by(agent)), (len(model), model.get(agent, "")))

    def _exchange(self, store: CallStore | None = None) -> MemoryExchange:
        return MemoryExchange(
            identities=(agents("north"), agents("south"), services()),
            limits=Limits(agents_per_identity=2),
            store=CallStore() if store is None else store,
        )

    def _login(self, exchange: MemoryExchange, agent: FakeAgent, number: str) -> int:
        asked = agent.login(number)
        exchange.pump()
        return int(cast(Any, agent.answer(asked)).status)

    def _use(self, exchange: MemoryExchange, agent: FakeAgent, number: str) -> None:
        """Have a call for a number, and with it an event."""
        agent.connect(number, "bill", number)
        exchange.pump()
        agent.cancel(number)
        exchange.pump()

    def test_one_more_is_14_with_the_name_of_the_limit_and_another_identity_notices_nothing(self) -> None:
        exchange = self._exchange()
        north, south = exchange.agent("1", "2", identity="north"), exchange.agent(identity="south")
        asked = north.login("3")
        exchange.pump()
        answer = cast(Any, north.answer(asked))
        self.assertEqual((answer.status, exchange.counters.requests_over_limit), (14, 1))
        self.assertIn("agents_per_identity", answer.detail)
        self.assertEqual([self._login(exchange, south, one) for one in ("3", "2", "4", "5")], [0, 0, 0, 14])

    def test_a_number_that_was_never_sent_anything_leaves_nothing(self) -> None:
        exchange = self._exchange()
        north = exchange.agent(identity="north")
        for number in range(10):
            self.assertEqual(self._login(exchange, north, str(number)), 0)
            north.logout(str(number))
            exchange.pump()
        self.assertEqual(len(exchange.context.presence), 0)

    def test_nor_does_a_link_that_is_lost(self) -> None:
        exchange = self._exchange()
        for number in range(6):
            north = exchange.agent(str(number), identity="north")
            exchange.pair_of(north).disconnect()
        self.assertEqual(len(exchange.context.presence), 0)

    def test_one_that_had_an_event_counts_for_ever_and_may_always_come_back(self) -> None:
        exchange = self._exchange()
        north = exchange.agent(identity="north")
        for number in ("1", "2"):
            self.assertEqual(self._login(exchange, north, number), 0)
            self._use(exchange, north, number)
            north.logout(number)
        exchange.pump()
        self.assertEqual([self._login(exchange, north, one) for one in ("3", "1", "2")], [14, 0, 0])

    def test_so_it_does_after_a_restart(self) -> None:
        exchange = self._exchange()
        north = exchange.agent("1", "2", identity="north")
        for number in ("1", "2"):
            self._use(exchange, north, number)
        again = self._exchange(exchange.store)
        north, south = again.agent(identity="north"), again.agent(identity="south")
        self.assertEqual([self._login(again, north, one) for one in ("3", "1", "2")], [14, 0, 0])
        self.assertEqual([self._login(again, south, one) for one in ("1", "3", "4", "5")], [0, 0, 0, 14])

    @given(st.text())
    @settings(deadline=None)
    def test_no_number_is_taken_for_another_label(self, agent: str) -> None:
        self.assertTrue(is_number_label(label_of(agent)))
        self.assertNotIn(label_of(agent), (AGENT_CODEC, IVR_CODEC))
        self.assertFalse(any(is_number_label(name) for name in (AGENT_CODEC, IVR_CODEC)))

    def test_a_store_keeps_who_brought_a_number_once(self) -> None:
        class Counting(CallStore):
            told: list[str]

            def apply(self, change: Any) -> None:
                self.told += [name for name, _ in change.metadata]
                super().apply(change)

        store = Counting()
        store.told = []
        exchange = self._exchange(store)
        north = exchange.agent("1", identity="north")
        for _ in range(3):
            self._use(exchange, north, "1")
            exchange.advance(601, 601)
        self.assertEqual(store.metadata(label_of("1")), "north")
        self.assertEqual([name for name in store.told if is_number_label(name)], [label_of("1")])


class Retries(SynchronousTestCase):
    """A step that the store didn't take is taken again later, however often the peer repeats it."""

    def test_a_service_that_asks_again_and_again_while_the_store_is_away_adds_nothing(self) -> None:
        store = WaitingStore()
        store.waits = False
        bench = Bench(store)
        bench.login("north", "1")
        self.assertEqual(bench.connect()[0].status, 0)
        bench.session.accept()
        store.unavailable = True
        timers = len(bench.exchange.clock.getDelayedCalls())
        answers: list[bytes | Status] = []
        for _ in range(50):
            bench.exchange.processing.data(_SERVING, DataRequest("1"), answers.append)
        self.assertTrue(answers and all(isinstance(found, bytes) for found in answers))
        self.assertEqual(len(bench.exchange.clock.getDelayedCalls()), timers + 1)
        bench.exchange.clock.advance(5)
        self.assertEqual(len(bench.exchange.clock.getDelayedCalls()), timers + 1, "and once more while it is away")
        store.unavailable = False
        bench.exchange.clock.advance(5)
        call = store.get("1")
        assert call is not None
        self.assertIs(call.state, CallState.FETCHED)
        self.assertEqual(bench.cancel("1")[0].status, Status.OK)
        self.flushLoggedErrors(StoreUnavailable)


class TheConfiguration(SynchronousTestCase):
    """Each limit of the file is the limit that holds, and without a file the defaults are the same."""

    def _settings(self, kind: type, first: int) -> dict[str, int]:
        numbers = [one for one in fields(kind) if one.name != "plain_secrets"]
        return {one.name: first + at for at, one in enumerate(numbers)}

    def test_what_stands_in_the_file_arrives(self) -> None:
        names = {one.name for one in fields(LinkSettings)}
        wanted = self._settings(Limits, 1_101)
        wanted["end_bytes"], wanted["mailbox_bytes"] = sorted((wanted["end_bytes"], wanted["mailbox_bytes"]))
        on_link = {name: value for name, value in self._settings(SessionLimits, 2_001).items() if name in names}
        tables = {"limits": wanted, "links": {"agent": on_link, "ivr": on_link}}
        parts = assemble(parse(tables), Clock(), {}, Counters())
        self.assertEqual(asdict(parts.context.limits), wanted)
        for factory in (parts.agent_links, parts.ivr_links):
            self.assertLessEqual(on_link.items(), asdict(factory._context.limits).items())

    def test_the_defaults_are_the_same_with_and_without_a_file(self) -> None:
        parts = assemble(parse({}), Clock(), {}, Counters())
        self.assertEqual(parts.context.limits, Limits())
        for factory in (parts.agent_links, parts.ivr_links):
            self.assertLessEqual(asdict(SessionLimits()).items(), asdict(factory._context.limits).items())
