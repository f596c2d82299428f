"""The audit: one record for each request, no secret in any, and a file that never hurts a call."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack
from unittest import mock

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL.SSL import Error as SSLError
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.exchange import Exchange
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError, Status
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import (
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    Bind,
    BindReply,
    CancelReply,
    Condition,
    ConnectReply,
    DataResult,
    Error,
    Message,
    Role,
    ServiceEventReply,
)
from ctiex.monitoring.audit_events import About, AuditEvent
from ctiex.monitoring.audit_log import AuditLog, line_of
from ctiex.monitoring.counters import Counters
from ctiex.monitoring.observer import Observer
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .test_docs import list_tables, section

MARKER = "e5c0-marker"
NUMBER = "13800138000"


@define
class Recorded:
    """An audit that keeps what it hears."""

    records: list[tuple[AuditEvent, About]] = field(factory=list)

    def record(self, event: AuditEvent, **about: Unpack[About]) -> None:
        self.records.append((event, about))

    def of(self, *events: AuditEvent) -> list[About]:
        return [about for event, about in self.records if event in events]

    @property
    def told(self) -> list[str]:
        return [event.value for event, _ in self.records]

    def text(self) -> str:
        """All of it as it would stand in a file."""
        return b"".join(line_of(event, 0.0, about) for event, about in self.records).decode()


# ---------------------------------------------------------------- what is recorded


TELL_ALL = Limits(audited_refusals_per_second=1_000_000)


class RecordTests(SynchronousTestCase):
    """What the links and the processing service tell."""

    def setUp(self) -> None:
        self.audit = Recorded()
        self.exchange = self.make()

    def make(self, **more: Any) -> MemoryExchange:
        known = (agents(), agents("others", "2000"), services(), services("strangers", "other"))
        offered = {"bill": make_service("bill"), "other": make_service("other")}
        return MemoryExchange(identities=known, services=offered, audit=self.audit, **more)

    def hand_off(self, serial: str = "7") -> tuple[FakeAgent, FakeService]:
        """A call that a service has."""
        service, agent = self.exchange.service(), self.exchange.agent("1001")
        agent.connect("1001", "bill", serial, NUMBER, Fields({"pin": MARKER}))
        self.exchange.pump()
        return agent, service

    def test_a_whole_hand_off_is_told_in_order(self) -> None:
        agent, service = self.hand_off()
        service.fetch("7")
        self.exchange.pump()
        service.report("7", fields=Fields({"answer": MARKER}))
        self.exchange.pump()
        agent.unbind()
        self.exchange.pump()
        self.exchange.advance(601)
        self.assertEqual(
            self.audit.told,
            [
                *("bound", "bound", "agent_logged_in", "connect_kept", "call_offered", "call_accepted"),
                *("data_given", "report_kept", "call_ended", "unbound", "call_forgotten"),
            ],
        )
        for about in self.audit.of(AuditEvent.CONNECT_KEPT, AuditEvent.CALL_OFFERED, AuditEvent.CALL_ENDED):
            self.assertEqual((about["serial"], about["agent"], about["service"]), ("7", "1001", "bill"))
        (given_to,) = self.audit.of(AuditEvent.DATA_GIVEN)
        (offered,) = self.audit.of(AuditEvent.CALL_OFFERED)
        self.assertEqual((given_to["identity"], given_to["session"]), ("services", offered["session"]))
        self.assertEqual(given_to["peer"], "127.0.0.1:7300")
        self.assertNotIn(MARKER, self.audit.text())
        self.assertNotIn(NUMBER, self.audit.text())

    def test_the_serial_that_the_exchange_allocated_is_recorded(self) -> None:
        agent, _ = self.hand_off("")
        (reply,) = agent.every(ConnectReply)
        (about,) = self.audit.of(AuditEvent.CONNECT_KEPT)
        self.assertEqual(about["serial"], reply.serial)

    def test_a_refused_bind_tells_inside_what_the_outside_does_not_hear(self) -> None:
        for identity, secret, role, reason in (
            ("nobody\x1b[2J" + "x" * 100, "secret", Role.AGENT, "unknown identity"),
            ("agents", "wrong-" + MARKER, Role.AGENT, "wrong secret"),
            ("services", "secret", Role.AGENT, "an identity of the role service"),
            ("services", "secret", Role.SERVICE, "an identity of the role service"),
        ):
            with self.subTest(reason=reason, role=role):
                self.audit.records.clear()
                peer, _, _ = self.exchange.link_agent(FakePeer())
                peer.bind(identity, secret, role)
                self.exchange.pump()
                self.exchange.advance(10)
                (reply,) = peer.every(BindReply)
                self.assertEqual((reply.status, reply.detail), (11, "refused credentials"))
                (about,) = self.audit.of(AuditEvent.BIND_REFUSED)
                self.assertEqual((about["status"], about["reason"]), (11, reason))
                self.assertTrue(about["identity"].isprintable())
                self.assertLessEqual(len(about["identity"]), 64)
                self.assertNotIn(MARKER, self.audit.text())

    def test_refused_data_tells_inside_why_it_is_unknown(self) -> None:
        _, service = self.hand_off()
        stranger = self.exchange.service("strangers")
        stranger.fetch("7")
        stranger.fetch("8")
        self.exchange.pump()
        service.fetch("7", "elsewhere:1")
        self.exchange.pump()
        service.report("7")
        self.exchange.pump()
        service.fetch("7")
        self.exchange.pump()
        refused = self.audit.of(AuditEvent.DATA_REFUSED)
        self.assertEqual(
            [(about["identity"], about["status"], about["reason"]) for about in refused],
            [
                ("strangers", 20, "not offered to this identity"),
                ("strangers", 20, "no such call"),
                ("services", 26, ""),
                ("services", 20, "closed"),
            ],
        )
        self.assertEqual({reply.status for reply in stranger.every(DataResult)}, {20})

    def test_refused_reports_and_cancels_tell_inside_why(self) -> None:
        _, service = self.hand_off()
        self.exchange.service("strangers").report("7")
        service.report("7", agent="1002")
        self.exchange.agent("2000", identity="others").cancel("7")
        self.exchange.pump()
        refused = self.audit.of(AuditEvent.REPORT_REFUSED, AuditEvent.CANCEL_REFUSED)
        self.assertEqual(
            sorted(about["reason"] for about in refused),
            ["not a call of its agent numbers", "not a call of that agent number", "not offered to this identity"],
        )

    def test_a_repeated_report_is_no_refusal(self) -> None:
        _, service = self.hand_off()
        service.report("7")
        service.report("7")
        self.exchange.pump()
        self.assertEqual([about["status"] for about in self.audit.of(AuditEvent.REPORT_KEPT)], [0, 43])

    def test_every_session_that_does_not_accept_is_recorded(self) -> None:
        refusing, dying = self.exchange.service(), self.exchange.service()
        refusing.accepts, dying.accepts = Status.UNKNOWN_SERVICE, None
        self.exchange.agent("1001").connect("1001", "bill", "7")
        self.exchange.pump()
        self.exchange.pair_of(dying).disconnect()
        self.exchange.pump()
        told = self.audit.of(AuditEvent.OFFER_REFUSED)
        self.assertEqual(sorted(about["status"] for about in told), [30, 31])
        (ended,) = self.audit.of(AuditEvent.CALL_ENDED)
        self.assertEqual((ended["condition"], ended["serial"]), (Condition.UNREACHABLE, "7"))

    def test_a_call_that_is_cancelled_or_times_out_has_one_end(self) -> None:
        agent, _ = self.hand_off("7")
        agent.connect("1001", "bill", "8")
        agent.cancel("7")
        self.exchange.pump()
        self.exchange.advance(121)
        ends = [(about["serial"], about["condition"]) for about in self.audit.of(AuditEvent.CALL_ENDED)]
        self.assertEqual(ends, [("7", Condition.CANCELLED), ("8", Condition.TIMED_OUT)])

    def test_a_take_over_is_recorded_on_both_links(self) -> None:
        first, second = self.exchange.agent("1001"), self.exchange.agent("1001")
        (lost,) = self.audit.of(AuditEvent.AGENT_TAKEN_OVER)
        logins = self.audit.of(AuditEvent.AGENT_LOGGED_IN)
        self.assertEqual(lost["session"], logins[0]["session"])
        self.assertNotEqual(lost["session"], logins[1]["session"])
        self.assertEqual((len(first.every(Error)), len(second.every(Error))), (1, 0))

    def test_requests_that_get_an_error_are_recorded_without_their_content(self) -> None:
        peer, _, _ = self.exchange.link_service(FakeService())
        peer.fetch("7")
        self.exchange.pump()
        self.exchange.service().send(AgentLogin(MARKER, 0))
        self.exchange.pump()
        told = [(about["status"], about["reason"]) for about in self.audit.of(AuditEvent.REQUEST_REFUSED)]
        self.assertEqual(told, [(10, "DataRequest"), (5, "AgentLogin")])
        self.assertNotIn(MARKER, self.audit.text())

    def test_of_the_requests_over_a_limit_of_a_link_one_a_second_is_recorded_and_the_others_are_counted(self) -> None:
        self.exchange = self.make(session_limits=SessionLimits(frames_per_second=10), limits=TELL_ALL)
        service = self.exchange.service()
        for seconds in (0, 1):
            self.exchange.advance(seconds)
            for _ in range(15):
                service.fetch("7")
            self.exchange.pump()
        self.exchange.pair_of(service).disconnect()
        self.exchange.pump()
        busy = Counter(reply.status for reply in service.every(DataResult))[Status.TOO_BUSY]
        first, second = (a for a in self.audit.of(AuditEvent.DATA_REFUSED) if a["status"] == Status.TOO_BUSY)
        (unbound,) = self.audit.of(AuditEvent.UNBOUND)
        more = [about["more"] for _, about in self.audit.records if "more" in about]
        self.assertEqual((first["reason"], second["serial"]), ("over a limit of the link", "7"))
        self.assertNotIn("more", first)
        self.assertEqual(2 + sum(more), busy)
        self.assertEqual(unbound["more"], more[-1])

    @settings(deadline=None, max_examples=40)
    @given(
        st.integers(1, 8),
        st.lists(st.tuples(st.integers(1, 20), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=8),
    )
    def test_records_and_more_come_to_all_requests_over_a_limit(
        self, most: int, bursts: list[tuple[int, float]]
    ) -> None:
        self.audit.records.clear()
        self.exchange = self.make(session_limits=SessionLimits(frames_per_second=most), limits=TELL_ALL)
        service = self.exchange.service()
        for size, pause in bursts:
            for _ in range(size):
                service.fetch("7")
            self.exchange.pump()
            self.exchange.advance(pause)
        self.exchange.pair_of(service).disconnect()
        self.exchange.pump()
        busy = self.exchange.counts.requests_over_limit  # replies to a flood are lost with its link
        recorded = [about for about in self.audit.of(AuditEvent.DATA_REFUSED) if about["status"] == Status.TOO_BUSY]
        more = sum(about.get("more", 0) for _, about in self.audit.records)
        self.assertEqual(len(recorded) + more, busy)
        self.assertLessEqual(len(recorded), 1 + sum(pause for _, pause in bursts))

    def test_of_the_refusals_of_an_identity_so_many_a_second_are_recorded_and_the_others_counted(self) -> None:
        self.exchange = self.make(limits=Limits(audited_refusals_per_second=3))
        services = [self.exchange.service() for _ in range(4)]
        granted = len(self.audit.records)
        for second in range(5):
            for service in services:
                for number in range(10):
                    service.fetch(f"{second}{number}")
            self.exchange.pump()
            self.exchange.advance(1)
        told = self.audit.of(AuditEvent.DATA_REFUSED)
        self.assertLessEqual(len(told), 3 * (5 + 2))
        self.assertGreaterEqual(len(told), 3 * 5)
        for service in services:
            self.exchange.pair_of(service).disconnect()
        more = sum(about.get("more", 0) for _, about in self.audit.records)
        self.assertEqual(len(told) + more, 200, "every one is told of")
        self.assertEqual(self.exchange.counts.audit_refusals_left_out, more)
        self.assertEqual(granted, 4, "what was granted is always recorded")
        self.assertEqual(len(self.audit.of(AuditEvent.UNBOUND)), 4)

    def test_the_refusals_of_one_identity_leave_those_of_others_alone(self) -> None:
        self.exchange = self.make(limits=Limits(audited_refusals_per_second=1))
        service, agent = self.exchange.service(), self.exchange.agent("1001")
        for number in range(100):
            service.fetch(str(number))
        self.exchange.pump()
        agent.cancel("404")
        self.exchange.pump()
        (refused,) = self.audit.of(AuditEvent.CANCEL_REFUSED)
        self.assertEqual((refused["serial"], refused.get("more")), ("404", None))

    def test_links_that_come_again_and_again_without_a_bind_are_told_of_as_seldom(self) -> None:
        self.exchange = self.make(limits=Limits(audited_refusals_per_second=2))
        for _ in range(50):
            peer, pair, _ = self.exchange.link_service(FakeService())
            peer.fetch("7")
            self.exchange.pump()
            pair.disconnect()
        self.assertEqual(len(self.audit.of(AuditEvent.REQUEST_REFUSED)), 4)
        self.assertEqual(self.exchange.counts.audit_refusals_left_out, 46)

    def test_connections_that_are_turned_away_are_recorded_once_in_a_while(self) -> None:
        self.exchange = self.make(limits=Limits(links_per_source=1))
        self.exchange.service()
        for _ in range(3):
            self.exchange.link_agent(FakePeer())
        self.exchange.pump()
        (about,) = self.audit.of(AuditEvent.LINK_REFUSED)
        self.assertEqual(about["reason"], "too many links from this source")
        self.exchange.advance(61, 10.0)
        self.exchange.link_agent(FakePeer())
        self.assertEqual(len(self.audit.of(AuditEvent.LINK_REFUSED)), 2)

    def test_what_comes_in_floods_at_one_port_hides_nothing_of_the_other(self) -> None:
        self.exchange = self.make(limits=Limits(unbound_links_per_source=1))
        for _ in range(3):
            self.exchange.link_agent(FakePeer())
        self.exchange.link_service(FakePeer())
        self.assertEqual([about["role"] for about in self.audit.of(AuditEvent.LINK_REFUSED)], ["agent", "service"])

    def test_behind_a_proxy_the_peer_is_the_one_that_it_tells_of_once_the_link_is_open(self) -> None:
        self.exchange = self.make(session_limits=SessionLimits(bytes_per_second=100))
        _, pair, link = self.exchange.link_agent(FakePeer())
        pair.first_transport._address = IPv4Address("TCP", "203.0.113.9", 5555)
        link.dataReceived(bytes(200))
        (about,) = self.audit.of(AuditEvent.LINK_REFUSED)
        self.assertEqual(about["peer"], "203.0.113.9:5555")

    def test_a_handshake_that_fails_is_recorded_once_in_a_while(self) -> None:
        for _ in range(3):
            _, _, link = self.exchange.link_agent(FakePeer())
            link.connectionLost(Failure(SSLError([("SSL routines", "", "http request")])))
        self.assertEqual(self.exchange.counts.tls_refused, 3)
        (about,) = self.audit.of(AuditEvent.LINK_REFUSED)
        self.assertEqual(about["reason"], "TLS refused: the peer speaks HTTP in plain text, not TLS")

    def test_a_client_that_goes_away_in_its_handshake_was_not_refused(self) -> None:
        _, _, link = self.exchange.link_agent(FakePeer())
        link.connectionLost(Failure(SSLError([("SSL routines", "", "unexpected eof while reading")])))
        self.assertEqual((self.exchange.counts.tls_refused, self.audit.told), (0, []))

    def test_a_link_that_never_binds_and_a_bind_of_another_version_are_told_apart(self) -> None:
        _, pair, _ = self.exchange.link_agent(FakePeer())
        pair.disconnect()
        self.assertEqual(self.audit.told, [])
        peer, _, _ = self.exchange.link_agent(FakePeer())
        peer.send(Bind(Role.AGENT, "agents", "secret", min_version=2, max_version=3))
        self.exchange.pump()
        (about,) = self.audit.of(AuditEvent.BIND_REFUSED)
        self.assertEqual((about["status"], about["reason"]), (3, "no version in common"))

    def test_data_that_a_service_of_this_process_asks_for_is_recorded(self) -> None:
        self.hand_off()
        self.exchange.processing.fields(services(), "7")
        (about,) = self.audit.of(AuditEvent.DATA_GIVEN)
        self.assertEqual((about["identity"], about["serial"]), ("services", "7"))


_REPLIES = {
    AgentLoginReply: {AuditEvent.AGENT_LOGGED_IN, AuditEvent.AGENT_LOGIN_REFUSED},
    AgentLogoutReply: {AuditEvent.AGENT_LOGGED_OUT, AuditEvent.AGENT_LOGOUT_REFUSED},
    BindReply: {AuditEvent.BOUND, AuditEvent.BIND_REFUSED},
    CancelReply: {AuditEvent.CANCEL_KEPT, AuditEvent.CANCEL_REFUSED},
    ConnectReply: {AuditEvent.CONNECT_KEPT, AuditEvent.CONNECT_REFUSED},
    DataResult: {AuditEvent.DATA_GIVEN, AuditEvent.DATA_REFUSED},
    Error: {AuditEvent.REQUEST_REFUSED, AuditEvent.AGENT_TAKEN_OVER},
    ServiceEventReply: {AuditEvent.REPORT_KEPT, AuditEvent.REPORT_REFUSED},
}
"""Each reply that a peer can get, and the records one of which tells of it."""

_serials = st.sampled_from(["", "1", "2", "3"])
_numbers = st.sampled_from(["1001", "1002", "2000"])
_steps = st.one_of(
    st.tuples(st.just("login"), _numbers),
    st.tuples(st.just("logout"), _numbers),
    st.tuples(st.just("connect"), _numbers, st.sampled_from(["bill", "other", "none"]), _serials),
    st.tuples(st.just("cancel"), st.sampled_from(["1", "2", "3"])),
    st.tuples(st.just("fetch"), st.sampled_from(["1", "2", "3", "9"])),
    st.tuples(st.just("report"), st.sampled_from(["1", "2", "3"]), st.sampled_from(sorted(Condition)[:4])),
    st.tuples(st.just("bind"), st.sampled_from(["agents", "others", "services", "nobody", MARKER + "-who"])),
    st.tuples(st.just("wrong_link"), _numbers),
    st.tuples(st.just("answer"), st.sampled_from([Status.OK, Status.UNKNOWN_SERVICE, None])),
    st.tuples(st.just("cut")),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 31.0, 130.0])),
)
_FIELDS = Fields({"pin": MARKER, "name-" + MARKER: 1})


@define
class Player:
    """Does generated steps on a whole exchange, by two peers of each kind."""

    audit: Recorded = field(factory=Recorded)
    exchange: MemoryExchange = field(init=False)
    agents: list[FakeAgent] = field(init=False)
    services: list[FakeService] = field(init=False)
    others: list[FakePeer] = field(factory=list)
    refused: set[tuple[str, str]] = field(factory=set)
    """Identities and secrets whose Bind was refused."""
    events: int = 0

    def __attrs_post_init__(self) -> None:
        known = (agents(), agents("others", "2000"), services(), services("strangers", "other"))
        offered = {"bill": make_service("bill"), "other": make_service("other")}
        self.exchange = MemoryExchange(identities=known, services=offered, audit=self.audit)
        self.agents = [self.exchange.agent("1001"), self.exchange.agent("2000", identity="others")]
        self.services = [self.exchange.service(), self.exchange.service("strangers")]

    def play(self, who: int, step: str, *about: Any) -> None:
        agent, service = self.agents[who], self.services[who]
        self.events += 1
        match step:
            case "login":
                agent.login(*about)
            case "logout":
                agent.logout(*about)
            case "connect":
                number, wanted, serial = about
                agent.connect(number, wanted, serial, NUMBER, _FIELDS)
            case "cancel":
                agent.cancel(*about)
            case "fetch":
                service.fetch(*about)
            case "report":
                service.report(about[0], about[1], self.events % 5, _FIELDS)
            case "bind":
                self.bind(about[0], ("secret", f"{MARKER}{len(self.others)}")[who])
            case "wrong_link":
                service.send(AgentLogout(*about))
            case "answer":
                service.accepts = about[0]
            case "cut":
                self.others += [agent, service]
                self.exchange.pair_of(agent).disconnect()
                self.exchange.pair_of(service).disconnect()
                self.agents[who] = self.exchange.agent(identity=("agents", "others")[who])
                self.services[who] = self.exchange.service(("services", "strangers")[who])
        self.exchange.pump()
        if step == "wait":
            self.exchange.advance(about[0], 5.0)

    def bind(self, identity: str, secret: str) -> None:
        """A Bind on the agent link; not one that was refused before, of which one a minute is recorded."""
        if (identity, secret) in self.refused:
            return
        peer, _, _ = self.exchange.link_agent(FakeAgent())
        peer.bind(identity, secret)
        self.others.append(peer)
        if secret != "secret" or identity not in ("agents", "others"):
            self.refused.add((identity, secret))

    @property
    def peers(self) -> list[FakePeer]:
        return [*self.agents, *self.services, *self.others]


def _locked_out(message: Message) -> bool:
    return isinstance(message, BindReply) and message.status == Status.TOO_BUSY


class PropertyTests(SynchronousTestCase):
    """Whatever happens."""

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 1), _steps), max_size=25))
    def test_every_answer_has_exactly_one_record_and_none_holds_data(self, steps: list[tuple[int, Any]]) -> None:
        player = Player()
        for who, step in steps:
            player.play(who, *step)
        player.exchange.advance(6)  # a refused Bind is recorded at once, and its answer waits a while
        answered = Counter(
            type(message)
            for peer in player.peers
            for _, message in peer.received
            if type(message) in _REPLIES and not _locked_out(message)
        )
        recorded = Counter(
            kind
            for event, about in player.audit.records
            for kind, events in _REPLIES.items()
            if event in events and about.get("reason") != "its source is locked out"
        )
        # Of Errors the first of each kind is recorded, and of a source that is locked out one Bind in a while.
        self.assertLessEqual(recorded.pop(Error, 0), answered.pop(Error, 0))
        self.assertEqual(recorded, answered)
        text = player.audit.text().replace(MARKER + "-who", "")  # an identity that somebody claimed to be
        self.assertNotIn(MARKER, text)
        self.assertNotIn(NUMBER, text)

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.tuples(st.integers(0, 1), _steps), max_size=25))
    def test_every_call_that_was_kept_has_one_end_once_all_time_has_passed(self, steps: list[tuple[int, Any]]) -> None:
        player = Player()
        for who, step in steps:
            player.play(who, *step)
        player.exchange.advance(4_400, 50.0)
        kept = {about["serial"] for about in player.audit.of(AuditEvent.CONNECT_KEPT)}
        ended = [about["serial"] for about in player.audit.of(AuditEvent.CALL_ENDED)]
        forgotten = [about["serial"] for about in player.audit.of(AuditEvent.CALL_FORGOTTEN)]
        self.assertEqual(set(ended), kept)
        self.assertEqual(sorted(forgotten), sorted(ended))


# ---------------------------------------------------------------- the file


class FileTests(SynchronousTestCase):
    """The file, on a clock that stands still."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "audit.jsonl"
        self.clock = Clock()
        self.clock.advance(1_000_000_000.25)

    def open(self, path: Path | None = None, most_waiting: int = 10_000) -> AuditLog:
        self.counts = Counters()
        log = AuditLog(str(path or self.path), self.clock, self.counts, most_waiting, self.clock.seconds)
        log.open()
        self.addCleanup(log.close)
        return log

    def serials(self, path: Path | None = None) -> list[str]:
        """The serials of the records in a file, ``lost N`` for those that are missing."""
        records = [json.loads(line) for line in (path or self.path).read_text().splitlines() if line]
        return [record.get("serial") or f"lost {record['lost']}" for record in records]

    def record(self, log: AuditLog, *serials: str) -> None:
        for serial in serials:
            log.record(AuditEvent.DATA_GIVEN, serial=serial)

    def test_a_record_is_one_object_on_one_line(self) -> None:
        log = self.open()
        log.record(
            AuditEvent.REPORT_REFUSED, serial="7", reason="a\nb\u2028\ud800", condition=Condition.COMPLETED, status=20
        )
        log.close()
        (line,) = self.path.read_bytes().splitlines()
        self.assertEqual(
            json.loads(line),
            {
                "time": "2001-09-09T01:46:40.250Z",
                "event": "report_refused",
                "serial": "7",
                "status": 20,
                "status_text": "unknown serial",
                "condition": 1,
                "condition_text": "completed",
                "reason": "a\nb\u2028\ud800",
            },
        )

    def test_records_of_one_turn_go_out_at_its_end_in_one_write(self) -> None:
        log = self.open()
        writes: list[bytes] = []
        write = os.write
        self.patch(os, "write", lambda descriptor, data: writes.append(data) or write(descriptor, data))
        self.record(log, "1", "2", "3")
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual([data.count(b"\n") for data in writes], [3])
        self.assertEqual(self.serials(), ["1", "2", "3"])

    def test_only_its_owner_may_read_a_file_that_it_makes(self) -> None:
        self.open()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_file_that_others_may_read_is_told(self) -> None:
        self.path.touch(0o644)
        self.path.chmod(0o644)
        with capturedLogs() as events:
            self.open()
        self.assertIn(f"{self.path} has mode 0644: every user of this machine", str(formatEvent(events[0])))

    def test_two_logs_and_a_restart_append_to_one_file(self) -> None:
        first, second = self.open(), self.open()
        for serial in ("1", "3", "5"):
            self.record(first, serial)
            self.record(second, str(int(serial) + 1))
            self.clock.advance(0)
        first.close()
        second.close()
        self.record(self.open(), "7")
        self.clock.advance(0)
        self.assertEqual(self.serials(), ["1", "2", "3", "4", "5", "6", "7"])

    def test_a_rotated_file_is_let_go_of_within_a_second(self) -> None:
        log = self.open()
        self.record(log, "1")
        self.clock.advance(0)
        self.path.rename(self.folder / "old")
        self.record(log, "2")
        self.clock.advance(0)
        self.clock.advance(1)
        self.record(log, "3")
        self.clock.advance(0)
        self.assertEqual(self.serials(self.folder / "old"), ["1", "2"])
        self.assertEqual(self.serials(), ["3"])
        self.path.unlink()
        self.clock.advance(1)
        self.record(log, "4")
        self.clock.advance(0)
        self.assertEqual(self.serials(), ["4"])

    def test_a_file_that_cannot_be_made_anew_leaves_the_old_one_in_use(self) -> None:
        log = self.open()
        self.path.rename(self.folder / "old")
        self.path.mkdir()
        self.clock.advance(1)
        self.record(log, "1")
        with capturedLogs() as logged:
            self.clock.advance(0)
        self.assertEqual(self.serials(self.folder / "old"), ["1"])
        self.assertEqual((len(logged), self.counts.audit_failures), (1, 1))

    def test_a_full_disk_is_told_once_and_its_records_wait(self) -> None:
        named = self.folder / "named"
        named.symlink_to("/dev/full")
        log = self.open(named, most_waiting=3)
        with capturedLogs() as logged:
            for number in range(5):
                self.record(log, str(number))
                self.clock.advance(1)
            self.assertEqual(len(logged), 1)
            self.assertIn("No space left on device", str(formatEvent(logged[0])))
            self.assertGreaterEqual(self.counts.audit_failures, 5)
            self.assertEqual(self.counts.audit_records_lost, 2)
            named.unlink()
            named.symlink_to(self.path)
            self.clock.advance(1)
            self.record(log, "5")
            self.clock.advance(0)
        self.assertEqual(self.serials(), ["0", "1", "2", "lost 2", "5"])
        self.assertEqual(len(logged), 2)
        self.assertIn("is written again", str(formatEvent(logged[1])))

    def test_what_is_left_at_the_end_is_told(self) -> None:
        log = self.open(Path("/dev/full"))
        self.record(log, "1")
        with capturedLogs() as logged:
            log.close()
        self.assertIn("closed without its last 1 records", str(formatEvent(logged[-1])))
        self.assertEqual(self.counts.audit_records_lost, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.record(log, "2")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 250)), min_size=1, max_size=12))
    def test_a_disk_that_takes_a_part_tears_a_line_and_loses_no_record(self, turns: list[tuple[int, int]]) -> None:
        self.path.unlink(missing_ok=True)
        log = self.open(most_waiting=4)
        room = 0
        write = os.write

        def write_some(descriptor: int, data: bytes) -> int:
            nonlocal room
            if not room:
                raise OSError(28, "No space left on device")
            taken = write(descriptor, data if room < 0 else data[:room])
            room = max(room - taken, -1) if room > 0 else room
            return taken

        made = 0
        with self.patched_write(write_some):
            for count, room in [*turns, (0, -1), (1, -1)]:  # noqa: B007
                self.record(log, *(str(made + number) for number in range(count)))
                made += count
                self.clock.advance(1)
        log.close()
        whole: list[str] = []
        for line in self.path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            whole += [record["serial"]] if "serial" in record else ["lost"] * record["lost"]
        self.assertEqual(len(whole), made)
        written = [int(serial) for serial in whole if serial != "lost"]
        self.assertEqual(written, sorted(set(written)))
        self.assertEqual(whole[-1], str(made - 1))

    def patched_write(self, write: Any) -> Any:
        return mock.patch.object(os, "write", write)

    def test_a_line_that_a_crash_has_torn_does_not_spoil_the_next(self) -> None:
        self.path.write_bytes(b'{"time": "2001-09')
        self.record(self.open(), "1")
        self.clock.advance(0)
        self.assertEqual(self.path.read_text().splitlines()[0], '{"time": "2001-09')
        self.assertEqual(json.loads(self.path.read_text().splitlines()[1])["serial"], "1")


class ExchangeTests(SynchronousTestCase):
    """An exchange that is configured to keep one."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "audit.jsonl"

    def made(self, path: str) -> Exchange:
        return Exchange(parse({"audit": {"file": path}}), MemoryReactorClock())

    def stop(self, exchange: Exchange) -> None:
        stopped = exchange.stopService()
        exchange._reactor.advance(10)
        self.successResultOf(stopped)

    def test_it_tells_of_its_start_and_its_stop_each_time(self) -> None:
        exchange = self.made(str(self.path))
        for _ in range(2):
            exchange.startService()
            self.successResultOf(exchange.started())
            self.stop(exchange)
        told = [json.loads(line) for line in self.path.read_text().splitlines()]
        self.assertEqual([record["event"] for record in told], ["exchange_started", "exchange_stopping"] * 2)
        self.assertEqual({record["exchange"] for record in told}, {"1"})

    def test_a_file_that_cannot_be_opened_keeps_it_from_starting(self) -> None:
        missing = self.path.parent / "nowhere" / "audit.jsonl"
        exchange = self.made(str(missing))
        error = self.assertRaises(ConfigurationError, exchange.startService)
        self.assertEqual(
            str(error), f"audit.file: {missing} can't be opened to append to it: No such file or directory"
        )
        self.stop(exchange)

    def test_without_one_nothing_is_told_to_anybody(self) -> None:
        observer = Exchange(parse({}), MemoryReactorClock()).parts.observer
        self.assertFalse(observer.hears(Observer.request_answered))
        self.assertFalse(observer.hears(Observer.call_offered))


class DocumentationTests(SynchronousTestCase):
    """The page has every event and every key, and no other."""

    def test_events_and_keys_are_documented(self) -> None:
        events, keys = list_tables(section("docs/audit.rst", "Records"))
        self.assertEqual([row[0] for row in events], [f"``{event.value}``" for event in AuditEvent])
        self.assertEqual([row[0] for row in keys], [f"``{key}``" for key in About.__annotations__])
