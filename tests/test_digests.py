"""Keyed digests: what tells a repeat from something else, and tells nobody without the key anything."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.fields import Fields
from ctiex.messages import Condition, ConnectRequest, ServiceEvent
from ctiex.processing.digests import KEY_LABEL, KEY_SIZE, Digests
from ctiex.records import DIGEST_SIZE, EPOCH, Call
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import WaitingStore

from .processing_bench import Bench

_FIELDS = st.dictionaries(
    st.text("ab1", min_size=1, max_size=2),
    st.one_of(
        st.text("ab1", max_size=3),
        st.integers(-2, 12),
        st.booleans(),
        st.binary(max_size=2),
        st.sampled_from([Decimal("1"), Decimal("1.0"), datetime.fromtimestamp(0, UTC)]),
    ),
    max_size=3,
)
_TEXTS = st.text("ab1", max_size=2)
_DIGESTS = Digests(bytes(KEY_SIZE))


def requests() -> st.SearchStrategy[ConnectRequest]:
    return st.builds(ConnectRequest, st.just("7"), _TEXTS, _TEXTS, _TEXTS, _TEXTS, st.builds(Fields, _FIELDS))


class Digested(SynchronousTestCase):
    """What counts, and what doesn't."""

    @given(requests(), requests())
    @settings(deadline=None)
    def test_requests_have_the_same_digest_only_where_they_are_the_same(
        self, one: ConnectRequest, other: ConnectRequest
    ) -> None:
        self.assertEqual(_DIGESTS.of_request(one) == _DIGESTS.of_request(other), one == other)

    @given(requests(), st.randoms())
    @settings(deadline=None)
    def test_the_order_of_the_fields_does_not_count(self, request: ConnectRequest, random: Random) -> None:
        names = list(request.fields)
        random.shuffle(names)
        shuffled = evolve(request, fields=Fields({name: request.fields[name] for name in names}))
        self.assertEqual(_DIGESTS.of_request(shuffled), _DIGESTS.of_request(request))

    @given(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2, 3]), _FIELDS, _FIELDS)
    @settings(deadline=None)
    def test_reports_are_the_same_by_condition_and_fields_alone(
        self, one: int, other: int, fields: dict[str, str], others: dict[str, str]
    ) -> None:
        first = ServiceEvent(1, "7", "", Condition(one), Fields(fields))
        second = ServiceEvent(2, "8", "1001", Condition(other), Fields(others))
        same = (one, first.fields) == (other, second.fields)
        self.assertEqual(_DIGESTS.of_report(first) == _DIGESTS.of_report(second), same)

    def test_another_key_gives_another_digest(self) -> None:
        request, report = ConnectRequest("7", "1001", "bill", "138"), ServiceEvent(1, "7", "", Condition.COMPLETED)
        other = Digests(b"k" * KEY_SIZE)
        self.assertNotEqual(_DIGESTS.of_request(request), other.of_request(request))
        self.assertNotEqual(_DIGESTS.of_report(report), other.of_report(report))
        self.assertEqual(len(other.of_request(request)), DIGEST_SIZE)


class Exchanges(SynchronousTestCase):
    """The key is the store's."""

    def _kept(self, bench: Bench) -> Call:
        call = bench.store.get("007")
        assert call is not None
        return call

    def _used(self, seed: int, store: CallStore | None = None) -> Bench:
        bench = Bench(store, random=Random(seed))
        bench.accepted()
        bench.report(condition=0)
        return bench

    def test_two_exchanges_give_the_same_request_and_report_different_digests(self) -> None:
        one, other = (self._kept(self._used(seed)) for seed in (1, 2))
        self.assertNotEqual(one.digest, other.digest)
        self.assertNotEqual(one.reports[1], other.reports[1])

    def test_a_restart_gives_the_same_ones_and_knows_repeats(self) -> None:
        before = self._used(1)
        before.processing.stop()
        again = Bench(before.store, before.clock, random=Random(2))
        self.assertEqual((again.status(), again.status(number="139")), (0, 22))
        self.assertEqual([again.report(condition=one)[0].status for one in (0, 1)], [43, 25])
        again.connect("008")
        again.exchange.context.digests.of_request(ConnectRequest("007", "1001", "bill", "138"))
        digests = before.exchange.context.digests, again.exchange.context.digests
        self.assertEqual(digests[0].key, digests[1].key)

    def test_the_key_and_the_epoch_are_kept_before_any_call(self) -> None:
        store = WaitingStore(new=True)
        store.waits = False
        store.unavailable = True
        bench = Bench(store)
        key, epoch = bench.exchange.context.digests.key, bench.exchange.mailboxes.epoch
        self.assertEqual(bench.status(), 50)
        self.assertIsNone(store.metadata(KEY_LABEL))
        store.unavailable = False
        self.assertEqual(bench.status(), 0)
        self.assertEqual((store.metadata(KEY_LABEL), store.metadata(EPOCH)), (key.hex(), str(epoch)))
        self.flushLoggedErrors(StoreUnavailable)

    def test_a_key_that_is_lost_with_its_call_is_kept_with_the_next(self) -> None:
        store = WaitingStore(new=True)
        bench = Bench(store)
        bench.connect()
        store.fail()
        self.assertIsNone(store.metadata(KEY_LABEL))
        store.waits = False
        self.assertEqual(bench.status("008"), 0)
        self.assertEqual(store.metadata(KEY_LABEL), bench.exchange.context.digests.key.hex())
        again = Bench(store, bench.clock, random=Random(3))
        self.assertEqual(again.status("008"), 0)
        self.flushLoggedErrors(StoreUnavailable)

    def test_a_store_that_has_one_of_the_two_is_given_the_other(self) -> None:
        for label in (KEY_LABEL, EPOCH):
            store = CallStore()
            before = self._used(1, store)
            key, epoch = before.exchange.context.digests.key, before.exchange.mailboxes.epoch
            before.processing.stop()
            del store._metadata[label]
            again = Bench(store, before.clock, random=Random(2))
            self.assertEqual(again.exchange.context.digests.key == key, label != KEY_LABEL)
            self.assertEqual(again.exchange.mailboxes.epoch == epoch, label != EPOCH)
            self.assertIsNotNone(store.metadata(label))
