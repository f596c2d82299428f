"""Signalling by link: the contract of every driver, and what is this one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ISignalling, SignallingContext
from ctiex.messages import Connection
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.settings import structure
from ctiex.signalling.dial import DialSignallingPlugin
from ctiex.signalling.link import LinkSignalling, LinkSignallingPlugin
from ctiex.testing.fakes import FakeServiceSession
from ctiex.testing.pairs import services
from ctiex.testing.signalling_contract import RecordingListener, SignallingContract, make_offer

from .signalling_bench import _Withdrawing


class _AnsweringSession(FakeServiceSession):
    """Answers each Connection a moment later."""

    def __init__(self, clock: Any, status: int | None) -> None:
        super().__init__("services")
        self._clock, self._status = clock, status

    def connect(self, connection: Connection, answered: Any, deadline: float) -> None:
        super().connect(connection, answered, deadline)
        if self._status is not None:
            self._clock.callLater(0, answered, self._status)


class LinkKeepsTheContract(SignallingContract, TestCase):
    """Signalling by link against ctiex.testing.signalling_contract."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.clock = reactor  # type: ignore[assignment]
        self.sessions = ServiceSessions()

    def make_ready(self, answer: int | None) -> None:
        self.session = _AnsweringSession(self.clock, answer)
        self.sessions.add(self.session, services())

    def make_driver(self) -> ISignalling:
        return LinkSignalling(self.listener, self.sessions, self.clock)

    def connections(self) -> Sequence[Connection]:
        return self.session.connections


class ByLink(SynchronousTestCase):
    """What is the link driver's own."""

    def setUp(self) -> None:
        self.listener, self.sessions, self.clock = RecordingListener(), ServiceSessions(), Clock()
        self.driver = LinkSignalling(self.listener, self.sessions, self.clock)

    def _bound(self, count: int) -> list[FakeServiceSession]:
        made = [FakeServiceSession("services") for _ in range(count)]
        for session in made:
            self.sessions.add(session, services())
        return made

    def test_no_session_is_31_at_once(self) -> None:
        self.driver.offer(make_offer("1"))
        self.assertEqual((self.listener.told, self.listener.statuses), ([("unreachable", "1")], [31]))

    @given(st.integers(1, 5), st.integers(1, 20))
    @settings(deadline=None)
    def test_calls_are_spread_evenly(self, count: int, calls: int) -> None:
        self.setUp()
        made = self._bound(count)
        for serial in range(calls):
            self.driver.offer(make_offer(str(serial)))
        loads = [len(session.connections) for session in made]
        self.assertEqual(sum(loads), calls)
        self.assertLessEqual(max(loads) - min(loads), 1)

    @given(st.lists(st.sampled_from(["refuse", "die"]), min_size=1, max_size=5), st.booleans())
    @settings(deadline=None)
    def test_each_session_is_tried_once_and_the_last_outcome_is_told(self, fates: list[str], accepted: bool) -> None:
        self.setUp()
        made = self._bound(len(fates) + accepted)
        self.driver.offer(make_offer("1"))
        for fate in fates:
            asked = next(session for session in made if session.unanswered)
            if fate == "die":
                self.sessions.remove(asked)
            getattr(asked, fate)()
        self.assertEqual([len(session.connections) for session in made], [1] * len(made))
        if accepted:
            next(session for session in made if session.unanswered).accept()
            self.assertEqual(self.listener.of("1"), ["offered"] * len(made) + ["accepted"])
        else:
            self.assertEqual(self.listener.of("1"), ["offered"] * len(made) + ["unreachable"])
            self.assertEqual(self.listener.statuses, [32 if fates[-1] == "refuse" else 33])

    def test_a_call_that_is_taken_back_as_it_is_offered_goes_nowhere(self) -> None:
        driver = LinkSignalling(_Withdrawing(lambda serial: driver.withdraw(serial)), self.sessions, self.clock)
        sessions = self._bound(2)
        driver.offer(make_offer("1"))
        self.assertEqual([session.connections for session in sessions], [[], []])

    def test_a_late_answer_of_a_withdrawn_call_does_nothing(self) -> None:
        [session] = self._bound(1)
        self.driver.offer(make_offer("1"))
        self.driver.withdraw("1")
        session.accept()
        self.assertEqual(self.listener.of("1"), ["offered"])

    def test_a_late_answer_of_an_earlier_call_with_the_same_serial_does_nothing(self) -> None:
        first, _ = self._bound(2)
        self.driver.offer(make_offer("1"))
        self.driver.withdraw("1")
        self.driver.offer(make_offer("1"))
        first.refuse()
        self.assertEqual(self.listener.of("1"), ["offered", "offered"])

    def test_after_a_restart_a_call_waits_for_a_session(self) -> None:
        self.driver.offer(make_offer("1", resumed=True))
        self.driver.offer(make_offer("2", resumed=True))
        self.assertEqual(self.listener.told, [])
        self.assertEqual(self.driver.withdraw("2"), 31)
        [session] = self._bound(1)
        self.clock.advance(1)
        self.assertEqual(len(session.connections), 1)
        session.refuse()
        self.assertEqual((self.listener.of("1"), self.listener.statuses), (["offered", "unreachable"], [32]))

    def test_after_a_restart_the_first_session_leaves_the_others_their_share(self) -> None:
        for serial in range(100):
            self.driver.offer(make_offer(str(serial), resumed=True))
        made = self._bound(4)
        self.clock.advance(1)
        self.assertEqual([len(session.connections) for session in made], [25, 25, 25, 25])

    def test_withdrawing_the_last_call_that_waits_leaves_no_timer(self) -> None:
        self.driver.offer(make_offer("1", resumed=True))
        self._bound(1)
        self.driver.withdraw("1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_session_that_joins_in_between_is_tried_too(self) -> None:
        [first] = self._bound(1)
        self.driver.offer(make_offer("1"))
        [second] = self._bound(1)
        first.refuse()
        second.accept()
        self.assertEqual(self.listener.of("1"), ["offered", "offered", "accepted"])

    def test_it_has_no_settings(self) -> None:
        structure({}, LinkSignallingPlugin.service_settings)
        with self.assertRaises(ConfigurationError):
            structure({"address": "x"}, LinkSignallingPlugin.service_settings)

    def test_its_plugin_makes_it(self) -> None:
        context = SignallingContext(Clock(), self.listener, self.sessions, BinaryCodec(), {})
        self.assertFalse(LinkSignallingPlugin().build(context).sees_return)
        self.assertFalse(DialSignallingPlugin().build(context).sees_return)
