"""CallQuery: which hand-offs of an agent number are open, by what is kept; nothing is left of those that are over."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status
from ctiex.fields import EMPTY
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.messages import CallQueryReply, OpenCall, OpenCallState
from ctiex.processing.open_calls import OpenCalls
from ctiex.testing.pairs import agents, make_service

from .failing_bench import _Failing
from .processing_bench import Bench, _SeeingDriver

_REQUESTED, _CONNECTING, _CONNECTED = OpenCallState.REQUESTED, OpenCallState.CONNECTING, OpenCallState.CONNECTED
_FETCHED, _REPORTED = OpenCallState.FETCHED, OpenCallState.REPORTED


def index_of(bench: Bench) -> OpenCalls:
    return bench.processing._calls.open


def listed(bench: Bench, agent: str = "1001") -> list[tuple[str, OpenCallState, float]]:
    """Serial, state, and since when, in seconds."""
    [reply] = bench.open_calls(agent)
    assert reply.status == 0
    return [(call.serial, OpenCallState(call.state), call.since / 1_000) for call in reply.calls]


class States(SynchronousTestCase):
    """Each state, and when the call came into it."""

    def test_a_call_goes_through_all_of_them(self) -> None:
        driver = _SeeingDriver()
        bench = Bench(drivers={"link": driver})
        told = []
        for step in (
            bench.connect,
            lambda: bench.processing.listener.offered("007", bench.session, lambda: None),
            lambda: bench.processing.listener.accepted("007"),
            bench.data,
            lambda: bench.report(condition=0, event_id=1),
            lambda: bench.update(EMPTY),
            lambda: bench.report(event_id=2),
            lambda: bench.processing.listener.returned("007"),
        ):
            bench.clock.advance(1)
            step()
            told += listed(bench)
        states = [("007", _REQUESTED, 1), ("007", _CONNECTING, 2), ("007", _CONNECTED, 3), ("007", _FETCHED, 4)]
        self.assertEqual(told, [*states, ("007", _FETCHED, 4), ("007", _FETCHED, 4), ("007", _REPORTED, 7)])
        self.assertEqual((len(index_of(bench)), index_of(bench).agents), (0, 0))

    def test_calls_of_one_millisecond_have_an_order_that_is_kept(self) -> None:
        bench, serials = Bench(), ["9", "2", "7", "1", "8", "3"]
        for serial in serials:
            bench.connect(serial)
        self.assertEqual([call.serial for call in sorted(bench.store.calls(), key=lambda call: call.begun)], serials)
        self.assertEqual(len({call.begun for call in bench.store.calls()}), len(serials))
        self.assertEqual([serial for serial, _, _ in listed(bench)], serials)

    def test_service_and_reference_are_those_of_the_request(self) -> None:
        bench = Bench()
        bench.connect(reference="ticket 7")
        self.assertEqual(
            bench.open_calls(), [CallQueryReply(0, (OpenCall("007", "bill", "ticket 7", _CONNECTING, 0),))]
        )

    def test_one_that_the_identity_may_not_act_for_is_5(self) -> None:
        bench = Bench()
        bench.connect()
        refused = bench.open_calls(who=agents("few", "1002"))
        self.assertEqual(refused, [CallQueryReply(Status.NOT_ALLOWED_HERE)])

    def test_where_not_all_fit_as_many_as_do_are_there(self) -> None:
        waiting = make_service("bill", Timeouts(signalling_timeout=1_000))
        limits = Limits(mailbox=1_000)
        bench = Bench(session_limits=SessionLimits(max_frame=500), limits=limits, services={"bill": waiting})
        for count in range(1, 60):
            bench.connect(str(count))
            bench.clock.advance(1)
            [reply] = bench.open_calls()
            fitting = [call.serial for call in reply.calls]
            self.assertEqual(fitting, [str(number) for number in range(1, len(fitting) + 1)])
            self.assertEqual(reply.status, 0 if len(fitting) == count else 35)
            self.assertTrue(bench.exchange.context.fits_agent_link(reply))
            next_one = OpenCall(str(len(fitting) + 1), "bill", "", _CONNECTING, 1_000)
            more = CallQueryReply(35, (*reply.calls, next_one))
            self.assertTrue(reply.status == 0 or not bench.exchange.context.fits_agent_link(more))
        self.assertEqual(reply.status, 35)


class Order(SynchronousTestCase):
    """The oldest first, whatever happens to them."""

    def setUp(self) -> None:
        self.bench = Bench(limits=Limits(mailbox=1_000))
        for number in (5, 3, 9, 1):
            self.bench.clock.advance(1)
            self.bench.connect(str(number))

    def _serials(self, bench: Bench) -> list[str]:
        return [serial for serial, _, _ in listed(bench)]

    def test_it_is_that_of_the_requests(self) -> None:
        self.assertEqual(self._serials(self.bench), ["5", "3", "9", "1"])
        self.bench.cancel("3")
        self.bench.connect("4")
        self.assertEqual(self._serials(self.bench), ["5", "9", "1", "4"])

    def test_it_is_the_same_after_a_restart_with_what_each_had_come_to(self) -> None:
        self.bench.clock.advance(1)
        self.bench.session.accept(1)
        self.bench.cancel("9")
        before = listed(self.bench)
        self.assertEqual(before[1], ("3", _CONNECTED, 5))
        self.bench.processing.stop()
        again = Bench(self.bench.store, self.bench.clock, bound=False)
        again.clock.advance(1)
        self.assertEqual(listed(again), before)

    def test_a_call_that_was_offered_again_is_as_old_as_it_was(self) -> None:
        self.bench.processing.stop()
        self.bench.clock.advance(10)
        again = Bench(self.bench.store, self.bench.clock)
        again.clock.advance(1)
        again.connect("2")
        self.assertEqual(self._serials(again), ["5", "3", "9", "1", "2"])


class Failures(_Failing):
    """Nothing is told that isn't kept, and no leak comes of what isn't."""

    def test_what_is_on_its_way_is_told_once_it_is_kept(self) -> None:
        self.store.waits = True
        self.bench.connect()
        replies = self.bench.open_calls()
        self.assertEqual(replies, [])
        self.store.fire()
        self.assertEqual([[call.serial for call in reply.calls] for reply in replies], [["007"]])

    def test_what_is_lost_is_told_to_nobody(self) -> None:
        self.store.waits = True
        self.bench.connect()
        replies = self.bench.open_calls()
        self.store.fail()
        self.assertEqual([reply.status for reply in replies], [50])
        self.assertEqual((len(index_of(self.bench)), index_of(self.bench).agents), (0, 0))
        self.store.waits = False
        self.assertEqual(listed(self.bench), [])

    def test_a_call_whose_end_is_lost_has_its_place_again(self) -> None:
        for serial in "123":
            self.bench.accepted(serial)
        for in_time in (True, False):
            self.failing(lambda: self.bench.cancel("1"), in_time)
            self.assertEqual([serial for serial, _, _ in listed(self.bench)], ["1", "2", "3"])

    def test_a_call_that_is_cancelled_before_it_is_kept_leaves_nothing_either_way(self) -> None:
        for fate in ("fire", "fail"):
            self.setUp()
            self.store.waits = True
            self.bench.connect()
            self.bench.cancel()
            while self.store.waiting:
                getattr(self.store, fate)()
            self.assertEqual((len(index_of(self.bench)), index_of(self.bench).agents), (0, 0))

    def test_thousands_of_numbers_that_had_calls_leave_nothing(self) -> None:
        for number in range(2_000):
            agent = str(10_000 + number)
            self.bench.login(agent)
            self.assertEqual(self.bench.status(str(number), agent=agent), 0)
            self.bench.cancel(str(number))
        self.assertEqual((len(index_of(self.bench)), index_of(self.bench).agents), (0, 0))
