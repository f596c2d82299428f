"""What is counted is what the store has: bytes, calls and records, whatever happens."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.fields import Fields
from ctiex.messages import (
    ConnectReply,
    DataRequest,
)
from ctiex.testing.fakes import WaitingStore

from .effort import examples
from .quota_bench import _SERVING, Bench


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
