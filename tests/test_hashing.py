"""Secrets that wait to be hashed: the sources in turn, none of them harming another."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import CheckBusy
from ctiex.login.hashing_queue import HashingQueue

from .checking import Threads


def always() -> bool:
    return True


class QueueCase(SynchronousTestCase):
    """A queue, and what has been hashed."""

    def setUp(self) -> None:
        self.threads = Threads()
        self.queue = HashingQueue(self.threads)
        self.done: list[str] = []

    def hashing(self, what: str) -> Callable[[], bool]:
        """Work that notes that it was done; what ends in ``!`` is right."""

        def work() -> bool:
            self.done.append(what)
            return what.endswith("!")

        return work

    def ask(self, source: str, what: str, wanted: Callable[[], bool] = always) -> Deferred[bool]:
        return self.queue.verify(what.encode(), source, self.hashing(what), wanted)

    def ask_in_vain(self, *asked: Deferred[bool]) -> None:
        """None of them is refused, whatever comes of it."""
        for one in asked:
            one.addErrback(lambda failure: failure.trap(CheckBusy))


class TurnTests(QueueCase):
    """Who is served when."""

    def test_one_hashing_runs_at_a_time(self) -> None:
        for what in "abc":
            self.ask("x", what)
        self.assertEqual((self.threads.begun, len(self.queue._hashings)), (1, 3))
        self.threads.finish()
        self.assertEqual((self.done, len(self.queue._hashings)), (["a", "b", "c"], 0))

    def test_another_source_waits_for_what_runs_and_not_for_the_flood(self) -> None:
        for number in range(60):
            self.ask("flood", f"guess {number}")
        right = self.ask("platform", "secret!")
        self.threads.finish_one()
        self.threads.finish_one()
        self.threads.finish_one()
        self.assertTrue(self.successResultOf(right))
        self.assertEqual(self.done, ["guess 0", "guess 1", "secret!"])
        self.threads.finish()

    @given(st.lists(st.sampled_from("abcd"), max_size=60))
    @settings(deadline=None)
    def test_whoever_waits_is_served_after_one_of_each_other_source(self, sources: list[str]) -> None:
        self.setUp()
        for number, source in enumerate(["x", *sources]):
            self.ask(source, f"{source}{number}")
        waiting = {source: sources.count(source) for source in sources}
        self.threads.finish()
        served = [what[0] for what in self.done[1:]]
        for turn in range(max(waiting.values(), default=0)):
            due = {source for source, count in waiting.items() if count > turn}
            self.assertEqual(set(served[: len(due)]), due)
            del served[: len(due)]

    def test_the_same_secret_is_hashed_once_for_all_who_wait(self) -> None:
        self.ask("x", "first")
        same = [self.ask(source, "secret!") for source in ("x", "y", "x", "z") for _ in range(20)]
        self.threads.finish_one()
        while self.threads.work:
            self.threads.finish_one()
            same.append(self.ask("late", "secret!")) if self.threads.work else None
        self.threads.finish()
        self.assertTrue(all(self.successResultOf(one) for one in same))
        self.assertEqual(self.done, ["first", "secret!"])

    def test_a_shared_secret_is_hashed_in_the_turn_of_the_source_that_is_served_first(self) -> None:
        for number in range(20):
            self.ask("flood", f"guess {number}")
        self.ask("flood", "secret!")
        right = self.ask("platform", "secret!")
        for _ in range(3):
            self.threads.finish_one()
        self.assertTrue(self.successResultOf(right))
        self.threads.finish()
        self.assertEqual(self.done.count("secret!"), 1)

    def test_work_that_is_done_at_once_goes_no_deeper_for_each(self) -> None:
        queue = HashingQueue(lambda work: succeed(work()), per_source=10_000, most=10_000)
        held: Deferred[bool] = Deferred()
        blocked = HashingQueue(lambda work: held if not held.called else succeed(work()), 10_000, 10_000)
        for which in (queue, blocked):
            asked = [which.verify(b"%d" % number, "x", always, always) for number in range(3_000)]
            if which is blocked:
                held.callback(True)
            self.assertTrue(all(self.successResultOf(one) for one in asked))


class BoundTests(QueueCase):
    """How much may wait."""

    def test_a_source_has_so_many_places_and_others_have_theirs(self) -> None:
        self.queue.per_source = 3
        for number in range(4):
            self.ask("flood", f"{number}")
        self.assertRaises(CheckBusy, self.ask, "flood", "one more")
        self.ask("platform", "secret!")
        self.assertEqual(len(self.queue._hashings), 5)
        self.threads.finish()

    def test_a_newcomer_takes_the_last_place_of_the_source_with_the_most(self) -> None:
        self.queue.most = 6
        flood = [self.ask("flood", f"guess {number}") for number in range(4)]
        other = [self.ask("other", f"other {number}") for number in range(2)]
        right = self.ask("platform", "secret!")
        self.failureResultOf(flood[-1], CheckBusy)
        self.threads.finish()
        self.assertTrue(self.successResultOf(right))
        self.assertEqual([self.successResultOf(one) for one in flood[:-1] + other], [False] * 5)

    def test_where_everyone_has_one_place_a_newcomer_is_told_to_come_again(self) -> None:
        self.queue.most = 3
        for source in "abc":
            self.ask(source, source)
        self.assertRaises(CheckBusy, self.ask, "d", "d")
        self.threads.finish()

    def test_whoever_joins_a_hashing_takes_no_place_in_all(self) -> None:
        self.queue.most = 2
        self.ask("a", "first")
        same = [self.ask(f"source {number}", "secret!") for number in range(10)]
        self.threads.finish()
        self.assertTrue(all(self.successResultOf(one) for one in same))


class LeavingTests(QueueCase):
    """Those who don't wait any more."""

    def test_a_wait_given_up_leaves_the_others_waiting(self) -> None:
        gone, stays = self.ask("x", "secret!"), self.ask("x", "secret!")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.threads.finish()
        self.assertTrue(self.successResultOf(stays))

    def test_a_hashing_nobody_waits_for_is_not_begun_and_takes_no_place(self) -> None:
        self.ask("x", "first")
        second = self.ask("x", "second")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(len(self.queue._hashings), 1)
        self.threads.finish()
        self.assertEqual(self.done, ["first"])

    def test_what_is_not_wanted_when_its_turn_comes_is_not_hashed(self) -> None:
        self.ask("x", "first")
        unwanted, wanted = self.ask("x", "second", lambda: False), self.ask("x", "third!")
        self.threads.finish()
        self.failureResultOf(unwanted, CheckBusy)
        self.assertTrue(self.successResultOf(wanted))
        self.assertEqual(self.done, ["first", "third!"])

    def test_a_hashing_that_fails_tells_everyone_and_is_forgotten(self) -> None:
        both = [self.ask("x", "a"), self.ask("y", "a")]
        self.threads.work.pop()[1].errback(MemoryError())
        for one in both:
            self.failureResultOf(one, MemoryError)
        again = self.ask("x", "a")
        self.threads.finish()
        self.assertFalse(self.successResultOf(again))


class QueueMachine(RuleBasedStateMachine):
    """Whatever is asked, given up and finished: everyone hears once, and nothing stays."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = Threads()
        self.queue = HashingQueue(self.threads, per_source=3, most=6)
        self.asked: list[tuple[Deferred[bool], list[object]]] = []

    @rule(source=st.sampled_from("abc"), key=st.binary(min_size=1, max_size=1), wanted=st.booleans())
    def ask(self, source: str, key: bytes, wanted: bool) -> None:
        try:
            asked = self.queue.verify(key, source, always, lambda: wanted)
        except CheckBusy:
            return
        heard: list[object] = []
        asked.addBoth(heard.append)
        self.asked.append((asked, heard))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.asked))[0].cancel()

    @precondition(lambda self: self.threads.work)
    @rule()
    def finish_one(self) -> None:
        self.threads.finish_one()

    @invariant()
    def it_is_bounded_and_never_idle(self) -> None:
        queues = self.queue._queues
        assert all(0 < len(queue) <= 3 for queue in queues.values())
        assert len(self.queue._hashings) <= 7, "six that wait, and one that runs"
        assert len(self.threads.work) == (1 if len(self.queue._hashings) else 0)

    def teardown(self) -> None:
        self.threads.finish()
        assert len(self.queue._hashings) == 0 and not self.queue._queues
        assert all(len(heard) == 1 for _, heard in self.asked)


QueueMachine.TestCase.settings = settings(deadline=None, max_examples=100, stateful_step_count=40)
QueueMachineTests = QueueMachine.TestCase
