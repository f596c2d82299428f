"""What calls, records, agent numbers and fields one peer may make the exchange hold: counted right, always."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from attrs import asdict, evolve, fields
from hypothesis import HealthCheck, given, settings
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
    CancelReply,
    CancelRequest,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.monitoring.counters import Counters
from ctiex.processing.account import size_of_call, size_of_event
from ctiex.processing.presence import AgentPresence, is_number_label, label_of
from ctiex.records import CallState
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakeAgentConnection, FakeServiceSession, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .effort import examples

_TWO = {"bill": make_service("bill"), "fax": make_service("fax")}
_SERVING = services("services", "bill", "fax")


class Bench:
    """An exchange with a session that serves both services, and the agent numbers of two identities."""

    def __init__(self, store: CallStore | None = None, /, **limits: int) -> None:
        self.exchange = MemoryExchange(
            identities=(agents("north"), agents("south"), _SERVING),
            services=_TWO,
            limits=Limits(**limits),
            store=CallStore() if store is None else store,
        )
        self.outlets = {"north": FakeAgentConnection(), "south": FakeAgentConnection()}
        self.session = FakeServiceSession("services")
        self.exchange.sessions.add(self.session, _SERVING)
        self.last_serial = 0

    def login(self, identity: str, agent: str) -> None:
        if self.exchange.presence.bring(agent, identity):
            self.exchange.mailboxes.login(agent, self.outlets[identity], 0)

    def logout(self, identity: str, agent: str) -> None:
        self.exchange.presence.logout(agent, self.outlets[identity])

    def connect(
        self, identity: str = "north", agent: str = "1", service: str = "bill", serial: str = "", **changes: Any
    ) -> list[ConnectReply]:
        """The replies so far; later ones are added."""
        self.last_serial += 1
        request = ConnectRequest(serial or str(self.last_serial), agent, service, "138")
        replies: list[ConnectReply] = []
        who = agents(identity)
        self.exchange.processing.connect(who, self.outlets[identity], evolve(request, **changes), replies.append)
        return replies

    def cancel(self, serial: str) -> list[CancelReply]:
        replies: list[CancelReply] = []
        self.exchange.processing.cancel(agents("north"), CancelRequest(serial), replies.append)
        return replies

    def report(self, serial: str, event_id: int, condition: int = 1, fields: int = 0) -> list[ServiceEventReply]:
        replies: list[ServiceEventReply] = []
        values = Fields({f"f{number}": 1 for number in range(fields)})
        event = ServiceEvent(event_id, serial, "", Condition(condition), values)
        self.exchange.processing.report(_SERVING, event, replies.append)
        return replies

    def acknowledge(self, agent: str) -> None:
        """Acknowledge all that was sent, wherever the agent is."""
        mailboxes = self.exchange.mailboxes
        for outlet in self.outlets.values():
            mailboxes.acknowledge(agent, outlet, mailboxes._committed.get(agent, 0))

    def check_books(self, case: SynchronousTestCase) -> None:
        """What is counted is what the store has."""
        calls = list(self.exchange.store.calls())
        open_calls = [call for call in calls if call.state is not CallState.CLOSED]
        held = self.exchange.context.quotas
        case.assertEqual(held.calls_open, len(open_calls))
        for counted, expected in (
            (held._of_identity, [call.identity for call in open_calls]),
            (held._of_service, [call.service for call in open_calls]),
            (held._records, [call.identity for call in calls]),
            (held._of_agent, [call.agent for call in open_calls]),
        ):
            case.assertEqual(+counted, Counter(expected))
            case.assertFalse(any(count < 0 for count in counted.values()))
        self.check_bytes(case)

    def check_bytes(self, case: SynchronousTestCase) -> None:
        """Every byte of the store is in the account, of whom it is for; also while it isn't certain to be kept."""
        context, store = self.exchange.context, self.exchange.store
        of_identity: Counter[str] = Counter()
        of_mailbox: Counter[str] = Counter()
        for call in store.calls():
            of_identity[call.identity] += size_of_call(call)
        for agent in store.agents():
            for event in store.events(agent):
                of_mailbox[agent] += size_of_event(event)
                of_identity[context.presence.registered_by(agent)] += size_of_event(event)
        account, reserved = context.account, context.quotas._of_agent
        case.assertEqual((account.of_identity, account.of_mailbox), (of_identity, of_mailbox))
        case.assertEqual(account.in_all, of_identity.total())
        case.assertEqual(account._ends, reserved.total())
        ends: Counter[str] = Counter()
        for agent, count in reserved.items():
            ends[context.presence.registered_by(agent)] += count
        case.assertEqual(account._ends_of_identity, ends)


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
        self.assertEqual((refused.status, bench.exchange.counts.requests_over_limit), (14, 1))
        self.assertEqual(bench.exchange.counts.calls_refused, 1)
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
    def test_a_request_with_more_is_14(self, count: int) -> None:
        self.setUp()
        [reply] = self.bench.connect(fields=Fields({f"f{number}": 1 for number in range(count)}))
        self.assertEqual(reply.status, 14 if count > 3 else 0)
        self.assertEqual("fields_per_message" in reply.detail, count > 3)
        self.assertEqual(self.bench.exchange.counts.requests_over_limit, int(count > 3))

    def test_it_is_checked_behind_34_and_before_the_fields_are_organized(self) -> None:
        class Broken:
            secret = ()

            def organize(self, fields: Fields) -> Fields:
                raise AssertionError("nobody is to be asked")

        service = evolve(_TWO["bill"], request=cast(Any, Broken()))
        self.bench.exchange.services["bill"] = service  # type: ignore[index]
        try:
            many = Fields({f"f{number}": 1 for number in range(4)})
            statuses = [self.bench.connect(fields=many, calling_number=number)[0].status for number in ("1**2", "12")]
            self.assertEqual(statuses, [34, 14])
        finally:
            self.bench.exchange.services["bill"] = make_service("bill")  # type: ignore[index]

    def test_a_report_with_more_is_14_and_may_be_repeated_with_fewer(self) -> None:
        self.assertEqual(self.bench.connect()[0].status, 0)
        got = [self.bench.report("1", 1, fields=count)[0].status for count in (4, 3)]
        self.assertEqual(got, [14, 0])
        counts = self.bench.exchange.counts
        self.assertEqual((counts.requests_over_limit, counts.service_events_refused), (1, 1))

    def test_what_is_wrong_otherwise_is_told_first(self) -> None:
        self.assertEqual(self.bench.connect()[0].status, 0)
        self.assertEqual(self.bench.report("404", 1, fields=4)[0].status, 20)
        self.assertEqual(self.bench.report("1", 1)[0].status, 0)
        self.assertEqual([self.bench.report("1", event_id, fields=4)[0].status for event_id in (1, 2)], [43, 24])


class TheBytes(SynchronousTestCase):
    """``mailbox_bytes``, ``bytes_per_identity``, ``bytes_in_all`` and ``end_bytes``: data of any size takes no more."""

    def _bench(self, **limits: int) -> Bench:
        bench = Bench(None, **limits)
        for identity, agent in (("north", "1"), ("north", "2"), ("south", "3")):
            bench.login(identity, agent)
        return bench

    def _large(self, bench: Bench, identity: str, agent: str) -> ConnectReply:
        [reply] = bench.connect(identity, agent, fields=Fields({"text": "x" * 3_000}))
        return reply

    def _fill(self, bench: Bench, *who: str) -> tuple[int, str]:
        """How many large calls are taken, and the words that refuse the next."""
        for taken in range(1_000):
            reply = self._large(bench, *who)
            if reply.status:
                self.assertEqual(reply.status, 14)
                return taken, reply.detail
        raise AssertionError("no end of it")

    def test_calls_beyond_the_bytes_of_an_identity_are_14_and_another_identity_notices_nothing(self) -> None:
        bench = self._bench(bytes_per_identity=60_000)
        taken, words = self._fill(bench, "north", "1")
        self.assertIn("bytes_per_identity allows 60000", words)
        self.assertEqual(taken, 60_000 // (3_000 + 2_048 + 256 + 200), "their data, room for their ends, and a little")
        self.assertEqual(self._large(bench, "north", "2").status, 14)
        self.assertEqual(self._large(bench, "south", "3").status, 0)
        self.assertEqual(bench.cancel("1")[0].status, 0)
        self.assertEqual(self._large(bench, "north", "2").status, 0, "there is room again")
        bench.check_books(self)

    def test_calls_beyond_the_bytes_of_all_are_14(self) -> None:
        bench = self._bench(bytes_in_all=60_000)
        taken, words = self._fill(bench, "north", "1")
        self.assertIn("bytes_in_all allows 60000", words)
        self.assertGreater(taken, 5)
        self.assertEqual(self._large(bench, "south", "3").status, 14)
        bench.check_books(self)

    def _absent(self, **limits: int) -> Bench:
        """A call is open for an agent who has left."""
        bench = self._bench(**limits)
        self.assertEqual(bench.connect("north", "1")[0].status, 0)
        bench.session.accept()
        bench.logout("north", "1")
        return bench

    def _progress(self, bench: Bench) -> int:
        """How many reports of progress are kept until one is answered 41."""
        for count in range(100_000):
            [reply] = bench.report("1", count, 0, fields=500)
            if reply.status != 40:
                self.assertEqual(reply.status, 41)
                return count
        raise AssertionError("no end of it")

    def test_progress_to_an_agent_who_is_away_ends_at_the_bytes_of_the_mailbox_and_the_result_is_kept(self) -> None:
        for limit in ("mailbox_bytes", "bytes_per_identity", "bytes_in_all"):
            bench = self._absent(**{limit: 100_000}, events_per_call=100_000, mailbox=100_000)
            self.assertLess(self._progress(bench), 25)
            self.assertLessEqual(bench.exchange.context.account.of_mailbox["1"], 100_000 - 2_048)
            self.assertEqual(bench.report("1", 10_000, 1, fields=100)[0].status, 40)
            self.assertEqual(bench.exchange.store.events("1")[-1].agent, "1")
            self.assertLessEqual(bench.exchange.context.account.in_all, 100_000)
            bench.check_books(self)

    def test_a_result_larger_than_the_room_that_is_kept_is_taken_while_there_is_more(self) -> None:
        bench = self._absent(mailbox_bytes=100_000, mailbox=100_000, events_per_call=100_000)
        self.assertEqual(bench.report("1", 10_000, 1, fields=1_000)[0].status, 40)
        full = self._absent(mailbox_bytes=100_000, mailbox=100_000, events_per_call=100_000)
        self._progress(full)
        self.assertEqual(full.report("1", 10_000, 1, fields=1_000)[0].status, 35)
        self.assertEqual(full.report("1", 10_000, 1, fields=100)[0].status, 40, "one that is shorter is taken")

    def test_the_end_that_the_exchange_tells_is_kept_whatever_the_mailbox_holds(self) -> None:
        bench = self._absent(mailbox_bytes=100_000, mailbox=100_000, events_per_call=100_000)
        self._progress(bench)
        self.assertEqual(bench.cancel("1")[0].status, 0)
        self.assertLessEqual(bench.exchange.context.account.of_mailbox["1"], 100_000)
        bench.check_books(self)

    @given(st.lists(st.tuples(st.sampled_from(["connect", "progress", "result", "cancel", "acknowledge"]),
                              st.integers(1, 8), st.integers(0, 400)), max_size=40))  # fmt: skip
    @settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    def test_no_sequence_of_steps_passes_the_limits_and_a_restart_finds_the_same(
        self, steps: list[tuple[str, int, int]]
    ) -> None:
        limits = {"mailbox_bytes": 12_000, "bytes_per_identity": 20_000, "bytes_in_all": 30_000}
        bench = self._bench(**limits)
        for number, (step, which, size) in enumerate(steps):
            match step:
                case "connect":
                    self._connect(bench, which, size)
                case "progress" | "result":
                    bench.report(str(which), number, int(step == "result"), fields=size)
                case "cancel":
                    bench.cancel(str(which))
                case "acknowledge":
                    bench.acknowledge(str(which))
            self._hold(bench, limits)
        bench.exchange.processing.stop()
        again = Bench(bench.exchange.store, **limits)
        self._hold(again, limits)
        found, before = again.exchange.context.account, bench.exchange.context.account
        self.assertEqual((found.of_identity, found.of_mailbox), (before.of_identity, before.of_mailbox))
        self.assertEqual((found.in_all, found._all()), (before.in_all, before._all()))
        again.exchange.processing.stop()

    def _connect(self, bench: Bench, which: int, size: int) -> None:
        identity, agent = (("north", "1"), ("north", "2"), ("south", "3"))[which % 3]
        bench.connect(identity, agent, fields=Fields({f"f{number}": 1 for number in range(size)}))

    def _hold(self, bench: Bench, limits: dict[str, int]) -> None:
        bench.check_books(self)
        account = bench.exchange.context.account
        self.assertLessEqual(max(account.of_mailbox.values(), default=0), limits["mailbox_bytes"])
        for identity in ("north", "south"):
            self.assertLessEqual(account._of(identity), limits["bytes_per_identity"])
        self.assertLessEqual(account._all(), limits["bytes_in_all"])


_steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("connect"),
            st.sampled_from(["north", "south"]),
            st.sampled_from("123"),
            st.sampled_from(["bill", "fax"]),
        ),
        st.tuples(st.sampled_from(["login", "logout"]), st.sampled_from(["north", "south"]), st.sampled_from("123")),
        st.tuples(st.sampled_from(["cancel", "accept", "fetch", "report", "repeat"]), st.integers(0, 7)),
        st.tuples(st.just("progress"), st.integers(0, 7), st.integers(0, 20)),
        st.tuples(st.just("acknowledge"), st.sampled_from("123")),
        st.sampled_from([("fire",), ("fire",), ("fail",), ("refuse",)]),
        st.tuples(st.just("pass"), st.sampled_from([1.0, 31.0, 601.0])),
    ),
    max_size=40,
)


class TheBooks(SynchronousTestCase):
    """The counts are what the store has, whatever the sequence of steps, failures of the store included."""

    @given(_steps)
    @settings(deadline=None, max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
    def test_whatever_happens_the_counts_agree(self, steps: list[tuple[Any, ...]]) -> None:
        store = WaitingStore()
        limits = {"calls_per_agent": 3, "calls_per_service": 4, "calls_per_identity": 4, "records_per_identity": 6}
        bench = Bench(store, **limits, agents_per_identity=2)
        bench.login("north", "1")
        bench.login("south", "3")
        replies: list[list[Any]] = []
        for step in steps:
            self._take(bench, store, step, replies)
            self._check(bench, store, limits)
        store.fire()
        while store.waiting:
            store.fire()
        store.waits = store.unavailable = False
        self.assertTrue(all(len(one) == 1 for one in replies), "each request is answered once")
        for _ in range(3):
            bench.exchange.clock.advance(4_000)
        bench.check_books(self)
        self.assertEqual(list(store.calls()), [], "nothing is kept for ever")
        self._check_numbers(bench, store)
        again = Bench(store, agents_per_identity=2)
        self._check_numbers(again, store)
        self.flushLoggedErrors(StoreUnavailable)

    def test_a_number_whose_only_call_was_never_kept_leaves_nothing(self) -> None:
        store = WaitingStore()
        bench = Bench(store)
        bench.login("north", "1")
        replies = bench.connect()
        bench.logout("north", "1")
        self.assertEqual(len(bench.exchange.context.presence), 1, "its call may still be kept")
        store.fail()
        self.assertEqual(([reply.status for reply in replies], len(bench.exchange.context.presence)), ([50], 0))
        self.flushLoggedErrors(StoreUnavailable)

    def test_a_number_that_left_before_its_first_event_counts_from_that_event_on(self) -> None:
        store = WaitingStore()
        bench = Bench(store)
        bench.login("north", "1")
        bench.connect()
        bench.logout("north", "1")
        store.fire()
        bench.cancel("1")
        self._check_numbers(bench, store)
        store.fire()
        self.assertEqual(store.last_sequence("1"), 1)
        self._check_numbers(bench, store)

    def _take(self, bench: Bench, store: WaitingStore, step: tuple[Any, ...], replies: list[list[Any]]) -> None:
        match step:
            case "connect", identity, agent, service:
                replies.append(bench.connect(identity, agent, service))
            case "login", identity, agent:
                bench.login(identity, agent)
            case "logout", identity, agent:
                bench.logout(identity, agent)
            case "cancel", serial:
                replies.append(bench.cancel(str(serial)))
            case "report", serial:
                replies.append(bench.report(str(serial), len(replies)))
            case "progress", serial, size:
                replies.append(bench.report(str(serial), 1_000 + len(replies), 0, fields=size))
            case "acknowledge", agent:
                bench.acknowledge(agent)
            case "repeat", serial:
                replies.append(bench.connect("north", "1", "bill", str(serial)))
            case "fetch", serial:
                bench.exchange.processing.data(_SERVING, DataRequest(str(serial)), lambda _: None)
            case "accept", at if bench.session.unanswered:
                bench.session.accept(bench.session.unanswered[at % len(bench.session.unanswered)])
            case ("fire",):
                store.unavailable = False
                store.fire(1)
            case ("fail",):
                store.fail()
            case ("refuse",):
                store.unavailable = True
            case "pass", seconds:
                bench.exchange.clock.advance(seconds)

    def _check(self, bench: Bench, store: WaitingStore, limits: dict[str, int]) -> None:
        held = bench.exchange.processing._calls.quotas
        self.assertLessEqual(max(held._records.values(), default=0), limits["records_per_identity"])
        self.assertLessEqual(max(held._of_service.values(), default=0), limits["calls_per_service"])
        self.assertLessEqual(len(list(store.calls())), 2 * limits["records_per_identity"])
        bench.check_bytes(self)
        if not store.waiting:
            bench.check_books(self)
            self._check_numbers(bench, store)

    def _check_numbers(self, bench: Bench, store: WaitingStore) -> None:
        numbers = bench.exchange.context.presence
        in_use = {*bench.exchange.presence._logins, *bench.exchange.context.quotas._of_agent, *store.agents()}
        self.assertEqual(set(numbers._registered_by), in_use)
        self.assertEqual(+numbers._count, Counter(numbers._registered_by.values()))
        self.assertLessEqual(max(numbers._count.values(), default=0), 2)


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
        self.assertEqual((answer.status, exchange.counts.requests_over_limit), (14, 1))
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
        self.assertEqual((set(store.told), store.metadata(label_of("1"))), ({label_of("1")}, "north"))
        self.assertLessEqual(len(store.told), 1)
        self.assertTrue(is_number_label(store.told[0]))


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
