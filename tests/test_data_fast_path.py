"""The fast path of a DataRequest gives what the usual way gives, byte by byte."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest.mock import Mock, patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.data_fast_path import DataResponder
from ctiex.codecs.framing import extension_bytes
from ctiex.errors import Status
from ctiex.field_values import decimal_of, time_of
from ctiex.fields import Fields
from ctiex.limits import SessionLimits
from ctiex.links import turns
from ctiex.messages import (
    KIND_OF,
    MOST_MAX_FRAME,
    ConnectRequest,
    DataRequest,
    DataResult,
    Error,
    Message,
    Ping,
    Unbind,
    UnbindReply,
)
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.records import Call
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeService
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .effort import examples

_CODEC = BinaryCodec()
_SERIALS = ("007", "7", "123456789012345678", "1001", "1002")
_FETCHED = _SERIALS[:3]
"""The calls that the service under test has fetched; 1001 is another's, 1002 was never fetched."""


class _NoQuickAnswers(BinaryCodec):
    def data_responder(self, *_: Any) -> None:  # type: ignore[override]
        """None: everything goes the usual way."""


def _frame(message: Message, invoke_id: int) -> bytes:
    return _CODEC.frame(KIND_OF[type(message)], invoke_id, _CODEC.encode_body(message))


_ADDRESSES = st.sampled_from(("", "exchange:7301", "exchange:7302"))
_REQUESTS = st.builds(
    _frame, st.builds(DataRequest, st.sampled_from((*_SERIALS, "404", "0")), _ADDRESSES), st.integers(0, 9)
)
_GIVEN = st.builds(_frame, st.builds(DataRequest, st.sampled_from(_FETCHED)), st.integers(1, 9))
_OTHERS = st.builds(_frame, st.sampled_from((Ping(), Error(1), Unbind())), st.integers(1, 9))


def _extended(request: bytes, behind: bytes, flags: int) -> bytes:
    """A frame with something behind its body, under these flags."""
    data = request[12:] + behind
    return (len(data) + 8).to_bytes(4, "big") + request[4:6] + flags.to_bytes(2, "big") + request[8:12] + data


_EXTENSIONS = st.sampled_from(
    (extension_bytes([]), extension_bytes([(0x8000, b"\1")]), extension_bytes([(1, b"")] * 3), b"", b"\1", b"\0\0")
)
_EXTENDED = st.builds(_extended, _REQUESTS, _EXTENSIONS, st.sampled_from((1, 1, 1, 0, 2)))
"""Requests with extensions, good ones and bad ones, and with flags that tell of none or that there aren't."""


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    frame = bytearray(draw(_REQUESTS))
    # Not the first byte of the length: most of what it gives ends the link and nothing else.
    frame[draw(st.integers(3, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame)


_WRAPPED = _REQUESTS.map(lambda request: _CODEC.frame(0x7E, 5, request))
"""A request inside a frame of no known kind: it is none, also where a read begins with it."""
_STREAMS = st.lists(
    st.one_of(_REQUESTS, _REQUESTS, _REQUESTS, _mutated(), _WRAPPED, _OTHERS, _EXTENDED), max_size=12
).map(b"".join)


class _Bytes(FakeService):
    """A service that keeps what comes as bytes, once told to."""

    written: bytes | None = None

    def dataReceived(self, data: bytes) -> None:
        if self.written is None:
            super().dataReceived(data)
        else:
            self.written += data


def _exchange(codec: BinaryCodec, limits: SessionLimits, store: CallStore) -> tuple[MemoryExchange, _Bytes]:
    """An exchange with calls in several states, and a bound service whose bytes are looked at."""
    known = (agents(), services(), services("others", "other"))
    offered = {"bill": make_service("bill"), "other": make_service("other")}
    exchange = MemoryExchange(known, offered, codec=codec, session_limits=limits, store=store)
    agent, other = exchange.agent("1001"), exchange.service("others")
    service, _, _ = exchange.link_service(_Bytes())
    service.bind("services")
    exchange.pump()
    for serial in _SERIALS:
        agent.connect("1001", "other" if serial == "1001" else "bill", serial)
    exchange.pump()
    for peer, serials in ((service, _FETCHED), (other, ("1001",))):
        for serial in serials:
            peer.fetch(serial)
    exchange.advance(2)  # a new window of traffic
    service.written = b""
    return exchange, service


def _answers(
    codec: BinaryCodec,
    reads: list[bytes],
    limits: SessionLimits,
    share: int = turns.SHARE,
    together: bool = False,
    leaves: int | None = None,
) -> tuple[bytes, str | None]:
    """What is answered to these reads.

    :param share: pieces of work that the service's identity has in a turn.
    :param together: all of them come before the next turn.
    :param leaves: the exchange says goodbye before the read of this index; that Unbind is left out of the answers.
    """
    with patch.object(turns, "SHARE", share):
        written, lost = _answered(codec, reads, limits, together, leaves)
    return _without_goodbye(written or b""), lost


def _answered(
    codec: BinaryCodec, reads: list[bytes], limits: SessionLimits, together: bool, leaves: int | None
) -> tuple[bytes | None, str | None]:
    exchange, service = _exchange(codec, limits, CallStore())
    link = exchange.pair_of(service).first
    for at, read in enumerate(reads):
        if at == leaves:
            exchange.ivr_links.going_away()
        if service.lost is None:
            link.dataReceived(read)  # type: ignore[attr-defined]
            if not together:
                exchange.pump()
    exchange.advance(1)
    return service.written, service.lost


def _without_goodbye(written: bytes) -> bytes:
    decoder = _CODEC.decoder(MOST_MAX_FRAME)
    decoder.receive(written)
    frames = [frame for frame in decoder.frames() if frame.kind != KIND_OF[Unbind]]
    return b"".join(_CODEC.frame(frame.kind, frame.invoke_id, frame.body) for frame in frames)


def _split(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(edge for edge in at if edge < len(stream)), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges) if begin < end]


class QuickAnswersTests(SynchronousTestCase):
    """ctiex.codecs.data_fast_path, and what the session lets it do."""

    @given(_STREAMS, st.lists(st.integers(0, 300), max_size=4))
    @settings(deadline=None, max_examples=examples(300))
    def test_it_gives_what_the_usual_way_gives(self, stream: bytes, at: list[int]) -> None:
        reads, limits = _split(stream, at), SessionLimits()
        self.assertEqual(_answers(BinaryCodec(), reads, limits), _answers(_NoQuickAnswers(), reads, limits))

    @given(
        _STREAMS,
        st.lists(st.integers(0, 300), max_size=4),
        st.integers(1, 8),
        st.booleans(),
        st.none() | st.integers(0, 4),
    )
    @settings(deadline=None, max_examples=examples(150))
    def test_and_no_other_where_reads_wait_for_their_turn_and_the_exchange_leaves(
        self, stream: bytes, at: list[int], share: int, together: bool, leaves: int | None
    ) -> None:
        reads, limits = _split(stream, at), SessionLimits()
        quick = _answers(BinaryCodec(), reads, limits, share, together, leaves)
        self.assertEqual(quick, _answers(_NoQuickAnswers(), reads, limits, share, together, leaves))

    def test_what_waits_for_its_turn_stays_in_order_when_the_exchange_leaves(self) -> None:
        request = _frame(DataRequest("007"), 9)
        reads = [request * 2, request[:5], request[5:] + request]
        answers, lost = _answers(BinaryCodec(), reads, SessionLimits(), share=2, together=True, leaves=2)
        self.assertEqual((answers, lost), (_result("007", 9) * 4, None))

    def test_what_waited_is_answered_on_the_fast_path_and_a_link_that_sends_on_is_read_no_more(
        self,
    ) -> None:
        with patch.object(turns, "SHARE", 2):
            exchange, service = _exchange(BinaryCodec(), SessionLimits(), CallStore())
            link: Any = exchange.pair_of(service).first
            request = _frame(DataRequest("007"), 9)
            self.patch(link.session, "receive", Mock(side_effect=AssertionError("the usual way")))
            for _ in range(2):
                link.dataReceived(request * 2)
            self.assertTrue(exchange.pair_of(service).first_transport.reading)
            link.dataReceived(request * 300)
            self.assertFalse(exchange.pair_of(service).first_transport.reading)
            exchange.pump()
            self.assertEqual(service.written, _result("007", 9) * 304)
            self.assertTrue(exchange.pair_of(service).first_transport.reading)

    def test_a_request_inside_another_frame_is_none(self) -> None:
        frame = _CODEC.frame(0x7E, 5, _frame(DataRequest("007"), 9))
        reads, limits = [frame[:12], frame[12:]], SessionLimits()
        self.assertEqual(_answers(BinaryCodec(), reads, limits), _answers(_NoQuickAnswers(), reads, limits))

    @given(st.lists(_GIVEN, min_size=5, max_size=40).map(b"".join), st.integers(8, 40), st.integers(300, 1_000))
    @settings(deadline=None, max_examples=examples(150))
    def test_it_keeps_to_the_limits_of_the_link(self, stream: bytes, frames: int, size: int) -> None:
        limits = SessionLimits(frames_per_second=frames, bytes_per_second=size)
        reads = _split(stream, [len(stream) // 2])
        self.assertEqual(_answers(BinaryCodec(), reads, limits), _answers(_NoQuickAnswers(), reads, limits))

    def test_a_request_with_extensions_goes_the_usual_way_and_gets_the_same(self) -> None:
        request = _frame(DataRequest("007"), 9)
        extended = _extended(request, extension_bytes([(0x8000, b"\0\xff")]), 1)
        reads = [request + extended + request]
        answers = _answers(BinaryCodec(), reads, SessionLimits())
        self.assertEqual(answers, (_result("007", 9) * 3, None))
        self.assertEqual(answers, _answers(_NoQuickAnswers(), reads, SessionLimits()))
        responder = DataResponder.of(lambda serial, identity: b"body", "services", "exchange:7301")
        self.assertEqual(responder.answer(extended, [], 9, 9_999), (0, 0))

    def test_the_reference_and_every_type_of_value_stand_in_its_answers(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        values = {"bill": decimal_of("012.50"), "due": time_of(1_795_694_400_000), "vip": True}
        agent.send(ConnectRequest("007", "1001", "bill", "138", "order 1", Fields(values)))
        exchange.pump()
        for _ in range(3):
            service.fetch("007")
            exchange.pump()
        expected = DataResult(Status.OK, "007", "1001", "order 1", Fields(values))
        self.assertEqual(service.every(DataResult), [expected] * 3)
        self.assertEqual(list(service.every(DataResult)[-1].fields.items()), list(values.items()))

    def test_it_is_what_answers(self) -> None:
        asked: list[str] = []

        class Store(CallStore):
            def get(self, serial: str) -> Call | None:
                asked.append(serial)
                return super().get(serial)

        exchange, service = _exchange(BinaryCodec(), SessionLimits(), Store())
        asked.clear()
        for serial in _FETCHED:
            service.fetch(serial)
            exchange.pump()
        self.assertEqual(asked, [], "no call was looked up")
        self.assertEqual(len(service.written or b""), sum(len(_result(serial)) for serial in _FETCHED))

    def test_a_store_with_a_fault_of_its_own_is_met_the_usual_way(self) -> None:
        store, asked = CallStore(), Mock(side_effect=OSError("no such disk"))
        store.fetched = asked
        exchange, service = _exchange(BinaryCodec(), SessionLimits(), store)
        service.fetch("007")
        exchange.pump()
        self.assertEqual(service.written, _result("007", 5))
        asked.assert_called()

    def test_with_an_audit_every_request_goes_the_usual_way(self) -> None:
        audit = _Audit()
        exchange = MemoryExchange(audit=audit)
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "007")
        exchange.pump()
        for _ in range(3):
            service.fetch("007")
            exchange.pump()
        self.assertEqual(audit.heard.count(AuditEvent.DATA_GIVEN), 3)

    def test_nothing_is_answered_behind_an_unbind(self) -> None:
        exchange, service = _exchange(BinaryCodec(), SessionLimits(), CallStore())
        service.write(_frame(Unbind(), 8) + _frame(DataRequest("007"), 9))
        exchange.pump()
        self.assertEqual(service.written, _frame(UnbindReply(), 8))

    @given(st.binary(max_size=60), st.integers(-3, 3), st.integers(-10, 10))
    @settings(deadline=None)
    def test_any_bytes_and_bounds_come_to_an_end(self, data: bytes, most: int, full: int) -> None:
        answers = DataResponder.of(lambda serial, identity: b"body", "services", "exchange:7301")
        output: list[bytes] = []
        for one in (data, _frame(DataRequest("7"), 1) + data, _frame(DataRequest("7", "x"), 1) + data):
            taken, frames = answers.answer(one, output, most, full)
            self.assertLessEqual((taken > 0) * max(frames, 1), max(most, 0))
            self.assertEqual(len(b"".join(output)), 16 * frames)
            output.clear()


class _Audit:
    def __init__(self) -> None:
        self.heard: list[AuditEvent] = []

    def record(self, event: AuditEvent, **about: Any) -> None:
        self.heard.append(event)


def _result(serial: str, invoke_id: int = 1) -> bytes:
    return _frame(DataResult(Status.OK, serial, "1001"), invoke_id)
