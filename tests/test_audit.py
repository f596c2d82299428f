"""The audit's records: what the links and the processing service tell, and how often."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL.SSL import Error as SSLError
from twisted.internet.address import IPv4Address
from twisted.python.failure import Failure

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import (
    AgentLogin,
    Bind,
    BindReply,
    Condition,
    ConnectReply,
    DataResult,
    Error,
    Role,
    UpdateRequest,
)
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakePeer, FakeService
from ctiex.testing.pairs import make_service, services

from .recorded_audit import MARKER, NUMBER, AuditCase

TELL_ALL = Limits(audited_refusals_per_second=1_000_000)


class RecordTests(AuditCase):
    """What the links and the processing service tell."""

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
                ("services", 20, "over"),
            ],
        )
        self.assertEqual({reply.status for reply in stranger.every(DataResult)}, {20})

    def test_refused_reports_cancels_and_updates_tell_inside_why(self) -> None:
        _, service = self.hand_off()
        self.exchange.service("strangers").report("7")
        service.report("7", agent="1002")
        other = self.exchange.agent("2000", identity="others")
        other.cancel("7")
        other.send(UpdateRequest("7", Fields({"pin": MARKER})))
        self.exchange.pump()
        refused = self.audit.of(AuditEvent.REPORT_REFUSED, AuditEvent.CANCEL_REFUSED, AuditEvent.UPDATE_REFUSED)
        self.assertEqual(
            sorted((about["status"], about["serial"], about["reason"]) for about in refused),
            [
                *[(20, "7", "not a call of its agent numbers")] * 2,
                (20, "7", "not a call of that agent number"),
                (20, "7", "not offered to this identity"),
            ],
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
        self.assertEqual(sorted(about["status"] for about in told), [30, 33])
        self.exchange.advance(make_service("bill").timeouts.rebind_grace)
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
        busy = self.exchange.counters.requests_over_limit  # replies to a flood are lost with its link
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
        self.assertEqual(self.exchange.counters.audit_refusals_left_out, more)
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
        self.assertEqual(self.exchange.counters.audit_refusals_left_out, 46)

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
        self.assertEqual(self.exchange.counters.tls_refused, 3)
        (about,) = self.audit.of(AuditEvent.LINK_REFUSED)
        self.assertEqual(about["reason"], "TLS refused: the peer speaks HTTP in plain text, not TLS")

    def test_a_client_that_goes_away_in_its_handshake_was_not_refused(self) -> None:
        _, _, link = self.exchange.link_agent(FakePeer())
        link.connectionLost(Failure(SSLError([("SSL routines", "", "unexpected eof while reading")])))
        self.assertEqual((self.exchange.counters.tls_refused, self.audit.told), (0, []))

    def test_a_link_that_never_binds_and_a_bind_of_another_version_are_told_apart(self) -> None:
        _, pair, _ = self.exchange.link_agent(FakePeer())
        pair.disconnect()
        self.assertEqual(self.audit.told, [])
        peer, _, _ = self.exchange.link_agent(FakePeer())
        peer.send(Bind(Role.AGENT, "agents", "secret", min_version=3, max_version=4))
        self.exchange.pump()
        (about,) = self.audit.of(AuditEvent.BIND_REFUSED)
        self.assertEqual((about["status"], about["reason"]), (3, "no version in common"))

    def test_data_that_a_service_of_this_process_asks_for_is_recorded(self) -> None:
        self.hand_off()
        self.exchange.processing.fields(services(), "7")
        (about,) = self.audit.of(AuditEvent.DATA_GIVEN)
        self.assertEqual((about["identity"], about["serial"]), ("services", "7"))
