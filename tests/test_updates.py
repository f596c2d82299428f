"""UpdateRequest: what is put over what, what is kept of it, what it takes, and what a store that fails makes of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import FieldError, Status
from ctiex.fields import Fields
from ctiex.interfaces import decoded
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import KIND_OF, DataResult, UpdateRequest
from ctiex.processing.account import size_of_call
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.records import Call
from ctiex.testing.pairs import agents

from .failing_bench import _Failing
from .processing_bench import _BILL, Bench
from .quota_bench import Bench as QuotaBench

_ONE_AND_THREE = Fields({"a": 1, "c": 3})


def organized(**rules: Any) -> Bench:
    """A bench whose service gets its fields by these rules."""
    return Bench(services={"bill": evolve(_BILL, request=RuleOrganizer(RuleSettings(**rules)))})


def organized_by(organize: Callable[..., Fields]) -> Bench:
    """A bench whose service gets its fields as this makes them."""
    return Bench(services={"bill": evolve(_BILL, request=cast(Any, SimpleNamespace(organize=organize, secret=())))})


def data_of(bench: Bench) -> Fields:
    body = bench.data()
    assert isinstance(body, bytes)
    result = decoded(bench.exchange.codec, KIND_OF[DataResult], body)
    assert isinstance(result, DataResult)
    return result.fields


def kept(bench: Bench) -> Call:
    call = bench.store.get("007")
    assert call is not None
    return call


class WhatIsKept(SynchronousTestCase):
    """The data, and the fields as they were asked for where those are others."""

    def test_what_was_asked_for_is_kept_apart_only_where_the_organizer_changes_it(self) -> None:
        bench = organized(rename={"vip": "level"})
        bench.connect(fields=Fields({"area": "Köln"}))
        self.assertEqual(kept(bench).asked, b"")
        bench.update(Fields({"vip": 3}))
        asked = decoded(bench.exchange.codec, KIND_OF[UpdateRequest], kept(bench).asked)
        self.assertEqual(asked, UpdateRequest("007", Fields({"area": "Köln", "vip": 3})))
        self.assertEqual(data_of(bench), Fields({"area": "Köln", "level": 3}))

    def test_one_that_changes_the_type_alone_or_how_a_number_is_written_changes_it(self) -> None:
        for before, after in ((1, True), (Decimal("1.0"), Decimal("1.00")), (1, Decimal(1))):
            bench = organized_by(lambda fields, value=after: Fields(dict.fromkeys(fields, value)))
            bench.connect(fields=Fields({"one": before}))
            asked = decoded(bench.exchange.codec, KIND_OF[UpdateRequest], kept(bench).asked)
            self.assertEqual(asked, UpdateRequest("007", Fields({"one": before})))

    def test_it_is_organized_anew_from_what_was_asked_for_over_a_restart_too(self) -> None:
        bench = organized(constants={"kind": "bill"}, rename={"area": "region"})
        bench.connect(fields=Fields({"name": "Li"}))
        bench.processing.stop()
        again = Bench(bench.store, bench.clock, services=bench.exchange.services)
        again.clock.advance(1)
        again.session.accept()
        self.assertEqual([reply.status for reply in again.update(Fields({"area": "Bonn"}))], [0])
        self.assertEqual(data_of(again), Fields({"name": "Li", "region": "Bonn", "kind": "bill"}))

    @given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), max_size=3), max_size=5))
    @settings(deadline=None)
    def test_later_ones_are_put_over_earlier_ones_and_nothing_is_lost(self, updates: list[dict[str, int]]) -> None:
        for bench in (Bench(), organized(rename={"a": "z"}, keep=("a", "b", "c"))):
            bench.accepted()
            put: dict[str, int] = {}
            for update in updates:
                self.assertEqual([reply.status for reply in bench.update(Fields(update))], [0])
                put |= update
            organizer = bench.exchange.services["bill"].request
            self.assertEqual(data_of(bench), organizer.organize(Fields(put)))

    def test_a_repeat_of_the_request_is_known_by_what_it_asked_for_whatever_has_changed_since(self) -> None:
        bench = Bench()
        fields = Fields({"area": "Köln", "vip": True})
        bench.connect(fields=fields)
        bench.update(Fields({"area": "Bonn"}))
        statuses = [bench.status(fields=one) for one in (fields, Fields({"area": "Bonn", "vip": True}))]
        self.assertEqual(statuses, [0, 22])

    def test_reference_and_agent_stay_in_the_data(self) -> None:
        bench = Bench()
        bench.connect(reference="ticket 7")
        bench.update(Fields({"a": 1}))
        body = bench.data()
        assert isinstance(body, bytes)
        result = decoded(bench.exchange.codec, KIND_OF[DataResult], body)
        self.assertEqual(result, DataResult(0, "007", "1001", "ticket 7", Fields({"a": 1})))


class Refusals(SynchronousTestCase):
    """20, 24, 36, 35, and whatever the organizer makes of it; nothing has changed then."""

    def _bench(self, **settings: Any) -> Bench:
        bench = Bench(
            session_limits=SessionLimits(max_frame=500), limits=Limits(fields_per_message=3, mailbox=100), **settings
        )
        bench.accepted()
        self.assertEqual([reply.status for reply in bench.update(_ONE_AND_THREE)], [0])
        return bench

    def _refused(self, bench: Bench, fields: Fields, **changes: Any) -> int:
        before = bench.store.get("007")
        [reply] = bench.update(fields, **changes)
        self.assertEqual(bench.store.get("007"), before)
        self.assertEqual(reply.serial, changes.get("serial", "007"))
        self.assertTrue(reply.detail)
        return reply.status

    def test_what_comes_of_it_counts_and_not_what_is_asked(self) -> None:
        bench = self._bench()
        self.assertEqual(self._refused(bench, Fields({"b": 2, "d": 4})), 36)
        self.assertEqual([reply.status for reply in bench.update(Fields({"a": 2, "c": 4, "d": 5}))], [0])
        self.assertEqual(self._refused(bench, Fields({"a": "x" * 480})), 35)
        self.assertEqual(bench.exchange.counters.requests_over_limit, 1)

    def test_the_first_in_the_order_is_told(self) -> None:
        bench = self._bench()
        worst = Fields({"a": "x" * 600, "b": 2, "d": 4})
        self.assertEqual(self._refused(bench, worst, serial="404"), 20)
        self.assertEqual(self._refused(bench, worst, who=agents("few", "1002")), 20)
        self.assertEqual(self._refused(bench, worst), 36)
        bench.report()
        self.assertEqual(self._refused(bench, worst), 24)
        self.assertEqual(self._refused(bench, worst, who=agents("few", "1002")), 20)
        bench.clock.advance(601)
        self.assertEqual(self._refused(bench, worst), 20)

    def test_an_organizer_that_fails_is_51_and_one_that_makes_too_much_of_it_35(self) -> None:
        for error, status in ((ZeroDivisionError("secret"), 51), (FieldError("secret"), 35)):

            def organize(fields: Fields, error: Exception = error) -> Fields:
                if "bad" in fields:
                    raise error
                return fields

            bench = self._bench(services=organized_by(organize).exchange.services)
            self.assertEqual(self._refused(bench, Fields({"bad": 1})), status)
            self.assertNotIn("secret", bench.update(Fields({"bad": 1}))[0].detail)


class TheAccount(SynchronousTestCase):
    """The bytes of a call follow its updates."""

    def setUp(self) -> None:
        self.bench = QuotaBench(bytes_per_identity=20_000, bytes_in_all=1_000_000)
        self.bench.login("north", "1")
        self.assertEqual(self.bench.connect()[0].status, 0)

    def _update(self, **fields: Any) -> int:
        answers: list[Any] = []
        update = UpdateRequest("1", Fields(fields))
        self.bench.exchange.processing.update(agents("north"), update, answers.append)
        self.bench.check_books(self)
        return int(answers[0].status)

    def test_it_grows_and_shrinks_with_the_data(self) -> None:
        account = self.bench.exchange.context.account
        before, first = account.in_all, size_of_call(kept_of(self.bench))
        for size in (1_000, 10_000, 10, 5_000):
            self.assertEqual(self._update(text="x" * size), 0)
            self.assertEqual(account.in_all - before, size_of_call(kept_of(self.bench)) - first)
        self.bench.cancel("1")
        self.bench.exchange.clock.advance(700)
        self.bench.check_books(self)

    def test_only_what_it_grows_by_has_to_fit(self) -> None:
        self.assertEqual(self._update(text="x" * 12_000), 0, "twice that would be too much")
        self.assertEqual(self._update(text="y" * 12_000), 0)
        self.assertEqual(self._update(more="y" * 12_000), 14)
        self.assertEqual(self._update(text="x" * 17_800), 14)
        self.assertEqual(self._update(text="x"), 0)
        self.assertEqual(self.bench.exchange.counters.requests_over_limit, 2)

    def test_one_that_takes_no_more_is_taken_though_a_limit_is_passed_now(self) -> None:
        self.assertEqual(self._update(text="x" * 12_000), 0)
        self.bench.exchange.context.limits.bytes_per_identity = 5_000
        self.assertEqual(self._update(text="y" * 12_000), 0)
        self.assertEqual(self._update(text="y" * 12_001), 14)


def kept_of(bench: QuotaBench) -> Call:
    call = bench.exchange.store.get("1")
    assert call is not None
    return call


class Failures(_Failing):
    """An update is all there or not at all."""

    def test_one_that_is_not_kept_is_50_and_undone_with_its_bytes(self) -> None:
        for in_time in (True, False):
            self.setUp()
            self.bench.accepted()
            account = self.bench.exchange.context.account
            before, held = kept(self.bench), account.in_all
            replies: list[Any] = []
            self.failing(lambda: replies.extend([self.bench.update(_ONE_AND_THREE)]), in_time)  # noqa: B023
            self.assertEqual([reply.status for reply in replies[0]], [Status.STORE_UNAVAILABLE])
            self.assertEqual((kept(self.bench), account.in_all), (before, held))
            self.assertEqual([reply.status for reply in self.bench.update(_ONE_AND_THREE)], [0])
            self.assertEqual(data_of(self.bench), _ONE_AND_THREE)

    def test_it_waits_for_what_is_on_its_way_before_it(self) -> None:
        self.bench.accepted()
        for kept_then, status in ((False, 0), (True, 24)):
            self.store.waits = True
            self.bench.report()
            replies = self.bench.update(_ONE_AND_THREE)
            self.assertEqual(replies, [])
            self.store.waits = False
            self.store.fire() if kept_then else self.store.fail()
            while self.store.waiting:
                self.store.fire()
            self.assertEqual([reply.status for reply in replies], [status])

    def test_several_behind_one_another_are_all_there(self) -> None:
        self.bench.accepted()
        self.store.waits = True
        replies = [self.bench.update(Fields({name: 1})) for name in "abc"]
        while self.store.waiting:
            self.store.fire()
        self.assertEqual([[reply.status for reply in one] for one in replies], [[0]] * 3)
        self.store.waits = False
        self.assertEqual(data_of(self.bench), Fields({"a": 1, "b": 1, "c": 1}))

    def test_what_happens_meanwhile_is_taken_behind_it(self) -> None:
        self.bench.connect()
        for fate in ("fire", "fail"):
            self.store.waits = True
            self.bench.update(Fields({"a": fate}))
            if fate == "fire":
                self.session.accept()
            getattr(self.store, fate)()
            while self.store.waiting:
                self.store.fire()
            self.store.waits = False
        self.assertEqual(self.bench.heard, [10, 11])
        self.assertEqual(data_of(self.bench), Fields({"a": "fire"}))
