"""What a link may send in a second and leave unread or unanswered: a peer beyond it is refused or cut off, alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ctiex.clients.link import client_limits
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import LinkBusy
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.links.rate_limit import Traffic
from ctiex.links.refusals import refusal
from ctiex.links.session import Session
from ctiex.messages import (
    KIND_OF,
    REPLY_OF,
    AgentEventAck,
    Bind,
    BindReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectionReply,
    DataRequest,
    DataResult,
    Message,
    Ping,
    Pong,
    Role,
)
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.monitoring.counters import CounterListener, Counters
from ctiex.monitoring.observer import Observers
from ctiex.testing.fakes import FakeAgent, FakeService
from ctiex.testing.pairs import BUFFER, LinkedPair, MemoryExchange

from .recorded_audit import Recorded

_CODEC = BinaryCodec()
_quick = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
_moments = st.lists(st.floats(0, 0.7), min_size=1, max_size=40)
"""The seconds between arrivals."""


def frame(message: Message, invoke_id: int) -> bytes:
    return _CODEC.frame(KIND_OF[type(message)], invoke_id, _CODEC.encode_body(message))


_ASKING_NOTHING = {
    "ack": frame(AgentEventAck("1", 1), 0),
    "pong": frame(Pong(), 7),
    "reply": frame(ConnectionReply(0), 7),
}


class Conversation:
    """The exchange's end of a bound link; everything is answered at once."""

    def __init__(self, role: Role, limits: SessionLimits) -> None:
        self.handled: list[Message] = []
        self.counts = Counters()
        observer = Observers([CounterListener(self.counts)])
        self.session = Session(_CODEC, limits, self, 0.0, observer=observer)
        self._read = _CODEC.decoder(1 << 24)
        self.hear(frame(Bind(role, "x", "y"), 1), -2.0)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        self.session.bound(BindReply(0), invoke_id, bind.role)

    def request_received(self, message: Message, invoke_id: int) -> None:
        self.handled.append(message)
        if type(message) in REPLY_OF:
            self.session.reply(refusal(message, 0), invoke_id)

    def error_received(self, error: object) -> None:
        raise AssertionError("nobody sends one here")

    def hear(self, data: bytes, now: float = 0.0) -> list[tuple[int, Message]]:
        """What answers bytes, with the invoke ids."""
        self.session.receive(data, now)
        self._read.receive(self.session.take_output())
        return [(one.invoke_id, _CODEC.decode_body(one)) for one in self._read.frames()]


def statuses(answers: Iterable[tuple[int, Message]]) -> list[int]:
    return [cast(Any, answer).status for _, answer in answers]


def most_in_a_second(moments: list[float]) -> int:
    """The most that any second holds, wherever it begins."""
    return max((sum(one <= other < one + 1 for other in moments) for one in moments), default=0)


class Windows(SynchronousTestCase):
    """One window of a second after the other, for any sequence of arrivals."""

    @given(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 50), st.integers(0, 5)), max_size=40))
    @_quick
    def test_what_is_counted_is_what_came_in_the_second_that_has_begun(
        self, arrivals: list[tuple[float, int, int]]
    ) -> None:
        traffic, now, began = Traffic(SessionLimits(frames_per_second=10, bytes_per_second=100)), 0.0, 0.0
        window: list[tuple[int, int]] = []
        for gap, size, frames in arrivals:  # a clock may be put back, too
            now += gap
            traffic.took(size, now)
            traffic.frames += frames
            if not window or not began <= now < began + 1:
                window, began = [], now
            window.append((size, frames))
            came, handled = (sum(column) for column in zip(*window, strict=True))
            self.assertEqual((traffic.bytes, traffic.frames), (came, handled))
            self.assertEqual(traffic.flood is not None, came > 100 or handled > 20)

    def test_an_idle_link_keeps_a_few_numbers_and_no_dictionary(self) -> None:
        self.assertFalse(hasattr(Traffic(SessionLimits()), "__dict__"))


class Frames(SynchronousTestCase):
    """``frames_per_second``."""

    @given(_moments, st.integers(1, 8))
    @_quick
    def test_no_second_has_more_than_twice_as_many_requests(self, gaps: list[float], most: int) -> None:
        talk, now = Conversation(Role.SERVICE, SessionLimits(frames_per_second=most)), 0.0
        handled: list[float] = []
        for invoke_id, gap in enumerate(gaps, 2):
            now += gap
            before = len(talk.handled)
            [(found, answer)] = talk.hear(frame(DataRequest("1"), invoke_id), now)
            taken = len(talk.handled) > before
            self.assertEqual((found, type(answer), cast(Any, answer).status), (invoke_id, DataResult, 14 * (not taken)))
            handled += [now] * taken
            self.assertEqual(talk.counts.requests_over_limit, invoke_id - 1 - len(handled))
            if talk.session.flooding:
                break
        self.assertLessEqual(most_in_a_second(handled), 2 * most)

    @given(_moments)
    @_quick
    def test_who_keeps_to_it_in_every_second_notices_nothing(self, gaps: list[float]) -> None:
        moments = [sum(gaps[: at + 1]) for at in range(len(gaps))]
        talk = Conversation(Role.SERVICE, SessionLimits(frames_per_second=most_in_a_second(moments)))
        for invoke_id, moment in enumerate(moments, 2):
            self.assertEqual(statuses(talk.hear(frame(DataRequest("1"), invoke_id), moment)), [0])

    @given(st.integers(0, 12))
    @_quick
    def test_requests_beyond_are_14_by_their_own_reply_and_twice_as_many_the_end(self, count: int) -> None:
        talk = Conversation(Role.AGENT, SessionLimits(frames_per_second=5))
        answers = talk.hear(b"".join(frame(CancelRequest("1"), 10 + n) for n in range(count)))
        self.assertEqual([invoke_id for invoke_id, _ in answers], list(range(10, 10 + count)))
        self.assertEqual(statuses(answers), [0] * min(count, 5) + [14] * (count - 5))
        self.assertEqual(len(talk.handled), min(count, 5))
        self.assertEqual(talk.session.flooding, count > 10)
        self.assertEqual(talk.session.ended is not None, count > 10)
        self.assertEqual(talk.counts.links_flooding, int(count > 10))

    @given(st.lists(st.sampled_from(["ack", "pong", "reply"]), min_size=11, max_size=11))
    @_quick
    def test_what_asks_for_no_reply_counts_for_the_end_alone(self, kinds: list[str]) -> None:
        for role, fitting in ((Role.AGENT, ("ack", "pong")), (Role.SERVICE, ("reply", "pong"))):
            talk = Conversation(role, SessionLimits(frames_per_second=5))
            for at, kind in enumerate(one if one in fitting else "pong" for one in kinds):
                self.assertIsNone(talk.session.ended, f"{at} frames are no flood")
                self.assertEqual(talk.hear(_ASKING_NOTHING[kind]), [])
            self.assertTrue(talk.session.flooding)

    def test_a_ping_is_answered_as_long_as_the_link_is_there(self) -> None:
        talk = Conversation(Role.AGENT, SessionLimits(frames_per_second=2))
        for _ in range(4):
            self.assertEqual(talk.hear(frame(Ping(), 7)), [(7, Pong())])
        self.assertEqual(statuses(talk.hear(frame(CancelRequest("1"), 8))), [14])
        self.assertTrue(talk.session.flooding)

    def test_what_is_wrong_with_a_frame_is_told_as_ever(self) -> None:
        talk = Conversation(Role.AGENT, SessionLimits(frames_per_second=1))
        wrong = [
            _CODEC.frame(KIND_OF[CancelRequest], 5, b""),
            frame(CancelRequest("1"), 0),
            frame(DataRequest("1"), 7),
            _CODEC.frame(0x77, 8, b""),
        ]
        told = []
        for second, data in enumerate(wrong):
            talk.hear(frame(CancelRequest("1"), 9), second * 2.0)
            told += statuses(talk.hear(data, second * 2.0))
        self.assertEqual(told, [1, 1, 5, 2])

    def test_the_next_second_begins_afresh(self) -> None:
        talk = Conversation(Role.AGENT, SessionLimits(frames_per_second=1))
        got = [statuses(talk.hear(frame(CancelRequest("1"), 9), now)) for now in (0.0, 0.5, 1.0, 1.9, 2.1)]
        self.assertEqual(got, [[0], [14], [0], [14], [0]])


class Bytes(SynchronousTestCase):
    """``bytes_per_second``."""

    @given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
    @_quick
    def test_nothing_of_what_goes_beyond_is_handled(self, sizes: list[int]) -> None:
        data = b"".join(frame(CancelRequest("1"), 9) for _ in range(sum(sizes) // 14))
        length, talk = (
            len(frame(CancelRequest("1"), 9)),
            Conversation(Role.AGENT, SessionLimits(bytes_per_second=1_000)),
        )
        came = 0
        for size in sizes:
            talk.hear(data[:size])
            came += len(data[:size])
            data = data[size:]
            if came > 1_000:
                self.assertTrue(talk.session.flooding)
                self.assertLessEqual(len(talk.handled) * length, 1_000)
                return
            self.assertIsNone(talk.session.ended)
            self.assertEqual(len(talk.handled), came // length)

    def test_a_client_trusts_its_exchange(self) -> None:
        talk = Conversation(Role.SERVICE, client_limits())
        answers = talk.hear(b"".join(frame(DataRequest("1"), 9) for _ in range(50_000)))
        while talk.session.held:
            talk.session.read_on()
            talk.session.take_output()
        self.assertNotIn(14, statuses(answers))
        self.assertEqual((len(talk.handled), talk.session.ended), (50_000, None))


class CutOff(SynchronousTestCase):
    """What the others see of a flood: nothing."""

    def _flood(self, peer: FakeAgent | FakeService, count: int, exchange: MemoryExchange) -> None:
        peer.write(frame(Ping(), 3) * count)
        exchange.pump()

    def test_the_link_is_cut_at_once_counted_and_logged_once_by_name_and_address(self) -> None:
        exchange = MemoryExchange(session_limits=SessionLimits(frames_per_second=50))
        agent = exchange.agent("1001")
        transport = exchange.pair_of(agent).first_transport
        with capturedLogs() as events:
            self._flood(agent, 200, exchange)
        self.assertTrue(transport.aborted, "what it doesn't read is not waited for")
        self.assertIsNotNone(agent.lost)
        warned = [one for one in events if one["log_level"].name == "warn"]
        self.assertEqual(
            [(one["identity"], one["session"], one["peer"]) for one in warned], [("agents", "1", "127.0.0.1:7300")]
        )
        self.assertEqual(exchange.counters.links_flooding, 1)
        self.assertEqual((exchange.counters.links_evicted, exchange.counters.links_silent), (0, 0))
        self.assertEqual(list(exchange.agent_links.links), [])
        self.assertFalse(exchange.presence.is_here("1001"))

    def test_a_link_that_is_not_bound_is_cut_too(self) -> None:
        exchange = MemoryExchange(session_limits=SessionLimits(bytes_per_second=1_000))
        peer, pair, _ = exchange.link_agent(FakeAgent())
        peer.write(bytes(1_001))
        exchange.pump()
        self.assertTrue(pair.first_transport.aborted)
        self.assertEqual(peer.received, [])

    def test_links_that_are_not_bound_are_logged_and_recorded_once_in_a_while(self) -> None:
        audit = Recorded()
        exchange = MemoryExchange(session_limits=SessionLimits(bytes_per_second=1_000), audit=audit)
        with capturedLogs() as events:
            for _ in range(5):
                peer, _, _ = exchange.link_agent(FakeAgent())
                peer.write(bytes(1_001))
                exchange.pump()
        self.assertEqual(len([one for one in events if one["log_level"].name == "warn"]), 1)
        self.assertEqual(
            [about["reason"] for about in audit.of(AuditEvent.LINK_REFUSED)], ["more than 1000 bytes in a second"]
        )
        self.assertEqual(exchange.counters.links_flooding, 5)

    def test_a_pair_that_keeps_to_it_finishes_every_hand_off_meanwhile(self) -> None:
        exchange = MemoryExchange(session_limits=SessionLimits(frames_per_second=100))
        agent, service = exchange.agent("1001"), exchange.service()
        for number in range(1, 11):
            self._flood(exchange.agent(f"9{number}"), 300, exchange)
            serial = str(number)
            agent.connect("1001", "bill", serial)
            exchange.pump()
            fetched, reported = service.fetch(serial), service.report(serial)
            exchange.pump()
            self.assertEqual([cast(Any, service.answer(one)).status for one in (fetched, reported)], [0, 0])
        results = [event for event in agent.events if event.condition is Condition.COMPLETED]
        self.assertEqual((len(results), exchange.counters.links_flooding), (10, 10))


class Unanswered(SynchronousTestCase):
    """``max_queued`` of a service that doesn't answer; ``max_in_flight`` is a client's alone."""

    def _exchange(self, most: int, queued: int) -> tuple[MemoryExchange, FakeAgent, FakeService]:
        limits = SessionLimits(max_in_flight=most, max_queued=queued)
        exchange = MemoryExchange(session_limits=limits, limits=Limits(calls_per_agent=1_000))
        agent, service = exchange.agent("1001"), exchange.service()
        service.accepts = None
        return exchange, agent, service

    def _connect(self, exchange: MemoryExchange, agent: FakeAgent, serials: Iterable[int]) -> None:
        for serial in serials:
            agent.connect("1001", "bill", str(serial))
            exchange.pump()

    @given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 12))
    @_quick
    def test_so_many_are_written_and_the_rest_reaches_nobody(self, most: int, queued: int, calls: int) -> None:
        exchange, agent, service = self._exchange(most, queued)
        self._connect(exchange, agent, range(1, calls + 1))
        self.assertEqual(len(service.connections), min(calls, queued))
        self.assertEqual(self._unreachable(agent), [], "one may bind yet that takes them")
        exchange.advance(3)
        self.assertEqual(self._unreachable(agent), [31] * max(0, calls - queued))
        self.assertEqual(len(service.connections), min(calls, queued))
        self.assertEqual(bool(exchange.sessions.for_service("bill")), calls < queued)

    def _unreachable(self, agent: FakeAgent) -> list[int]:
        return [event.status for event in agent.events if event.condition is Condition.UNREACHABLE]

    def test_another_session_gets_the_calls_and_this_one_again_once_it_answers(self) -> None:
        exchange, agent, stuck = self._exchange(2, 4)
        self._connect(exchange, agent, range(1, 5))
        other = exchange.service()
        self._connect(exchange, agent, range(5, 8))
        self.assertEqual((len(stuck.connections), len(other.connections)), (4, 3))
        for invoke_id in [one for one, message in stuck.received if isinstance(message, Connection)]:
            stuck.send(ConnectionReply(0), invoke_id)
        exchange.pump()
        self._connect(exchange, agent, range(8, 10))
        self.assertEqual((len(stuck.connections), len(other.connections)), (5, 4))

    def test_a_request_beyond_is_told_so_at_once_and_counted(self) -> None:
        talk = Conversation(Role.SERVICE, SessionLimits(max_in_flight=1, max_queued=2))
        heard: list[Any] = []
        for number in range(3):
            talk.session.request(Connection("1", str(number)), heard.append, 9.0)
        self.assertEqual([type(one) for one in heard], [LinkBusy])
        self.assertEqual(talk.counts.requests_not_sent, 1)


class Unread(SynchronousTestCase):
    """``max_unread``: whatever a peer reads, it holds no more than its bound."""

    @given(st.lists(st.integers(0, 9_000), min_size=30, max_size=60), st.integers(1_000, 30_000))
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    def test_reading_a_little_now_and_then_holds_no_more(self, reads: list[int], most: int) -> None:
        limits = SessionLimits(max_unread=most, max_in_flight=100_000)
        wide = Limits(mailbox=100_000, calls_per_agent=100_000)
        exchange = MemoryExchange(session_limits=limits, limits=wide)
        agent, service = exchange.agent("1001"), exchange.service()
        service.accepts = None
        pair, serial, fullest = exchange.pair_of(service), 0, 0
        for read in reads:
            for _ in range(100):  # 7 KB of Connections
                serial += 1
                agent.connect("1001", "bill", str(serial))
            exchange.pair_of(agent).pump()
            fullest = max(fullest, self._held(pair))
            if not pair.first_transport.aborted:
                pair.deliver(to_first=False, count=read or 1)
        self.assertLessEqual(fullest, BUFFER + most + 100)
        self.assertEqual(exchange.counters.links_evicted, int(pair.first_transport.aborted))

    def _held(self, pair: LinkedPair) -> int:
        session: Session = cast(Any, pair.first).session
        return len(pair.first_transport.under_way) + session._output_size

    @given(st.lists(st.integers(1, 50_000), min_size=1, max_size=30))
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    def test_events_stay_in_the_mailbox_and_nothing_is_held_for_the_link(self, reads: list[int]) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "7")
        exchange.pump()
        pair = exchange.pair_of(agent)
        for event_id, read in enumerate(reads):
            service.report("7", Condition.PROGRESS, event_id, Fields({"text": "x" * 20_000}))
            exchange.pair_of(service).pump()
            self.assertLessEqual(self._held(pair), BUFFER + 21_000)
            pair.deliver(to_first=False, count=read)
        exchange.pump()
        self.assertEqual([event.sequence for event in agent.events], list(range(1, len(reads) + 3)))
        self.assertEqual(exchange.counters.links_evicted, 0)
