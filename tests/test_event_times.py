"""``time`` and ``reference`` of agents' events: when something happened, and what the agent's application calls it."""

from __future__ import annotations

from ctiex.fields import Fields
from ctiex.messages import Condition

from .failing_bench import _Failing, _Seeing
from .processing_bench import Bench


class Times(_Failing):
    """An event tells when it happened, whenever the store takes it."""

    def _times(self, bench: Bench) -> list[tuple[int, float]]:
        return [(int(event.condition), event.time / 1_000) for event in bench.outlet.events]

    def test_each_event_tells_when_it_happened(self) -> None:
        for step in (self.bench.connect, self.session.accept, self.bench.data, self.bench.report):
            self.bench.clock.advance(10)
            step()
        self.assertEqual(self._times(self.bench), [(10, 10), (11, 20), (12, 30), (1, 40)])

    def test_it_is_the_wall_clocks_time(self) -> None:
        bench = Bench(wall=lambda: 1_764_180_000.123)
        bench.connect()
        self.assertEqual([event.time for event in bench.outlet.events], [1_764_180_000_123])

    def test_what_the_store_did_not_take_at_once_happened_when_it_happened(self) -> None:
        for in_time in (True, False):
            self.setUp()
            self.bench.connect()
            self.bench.clock.advance(5)
            self.failing(self.session.accept, in_time)
            self.bench.clock.advance(10)
            self.well_again()
            self.assertEqual(self._times(self.bench), [(10, 0), (11, 5)])
            call = self.store.get("007")
            assert call is not None
            self.assertEqual(call.since, 5_000)

    def test_an_offer_that_the_store_did_not_take_begins_when_it_does(self) -> None:
        self.store.waits = True
        self.bench.connect()
        self.store.waits = False
        self.failing(lambda: self.store.fire(1))  # the call is kept; what comes next isn't
        self.bench.clock.pump([0.5, 0.5])
        self.assertEqual(self._times(self.bench), [(10, 0.5)])

    def test_a_hang_up_that_is_told_later_too(self) -> None:
        self.bench = Bench(self.store, drivers={"link": _Seeing()})
        listener = self.bench.processing.listener
        self.bench.connect()
        listener.offered("007", self.bench.session, lambda: None)
        self.store.unavailable = True
        self.bench.clock.advance(20)
        listener.hung_up("007")
        self.bench.clock.advance(8)
        self.store.unavailable = False
        self.bench.clock.pump([1] * 10)
        self.assertEqual(self._times(self.bench), [(10, 0), (3, 20)])

    def test_and_what_comes_behind_it_has_its_own_time(self) -> None:
        self.bench.connect()
        self.bench.clock.advance(5)
        self.failing(self.session.accept)
        self.bench.clock.advance(1)
        self.failing(self.bench.data)
        self.bench.clock.advance(1)
        self.well_again()
        self.bench.report()
        self.assertEqual(self._times(self.bench)[:3], [(10, 0), (11, 5), (12, 6)])
        self.assertGreater(self._times(self.bench)[3][1], 6)


class References(_Failing):
    """Every event of a call has its reference, also those behind its close."""

    def test_each_event_has_it_and_nothing_of_it_is_kept_behind_the_close(self) -> None:
        driver = _Seeing()
        self.bench = Bench(self.store, drivers={"link": driver})
        listener = self.bench.processing.listener
        self.bench.connect(reference="ticket 7")
        listener.offered("007", self.bench.session, lambda: None)
        listener.accepted("007")
        self.bench.data()
        self.bench.report(condition=0, event_id=1, fields=Fields({"step": 1}))
        self.bench.report(event_id=2)
        listener.returned("007")
        self.assertEqual(self.bench.heard, [10, 11, 12, 0, 1, 13])
        self.assertEqual({event.reference for event in self.bench.outlet.events}, {"ticket 7"})
        call = self.store.get("007")
        assert call is not None
        self.assertEqual(call.reference, "")

    def test_so_has_the_end_however_late_it_is_told(self) -> None:
        self.bench.connect(reference="ticket 7")
        self.failing(lambda: self.bench.clock.advance(31))
        self.bench.clock.pump([1] * 10)
        self.assertEqual(self.bench.heard, [10, Condition.UNREACHABLE])
        self.assertEqual({event.reference for event in self.bench.outlet.events}, {"ticket 7"})

    def test_it_goes_on_over_a_restart_in_events_and_data(self) -> None:
        self.bench.accepted()
        self.bench.connect("008", reference="ticket 8")
        self.session.accept()
        self.bench.processing.stop()
        again = Bench(self.store, self.bench.clock)
        again.report("008")
        self.assertEqual(again.outlet.events[-1].reference, "ticket 8")
        self.assertEqual(again.status("008", reference="ticket 8"), 24)
        self.assertEqual(again.status("008"), 22)
