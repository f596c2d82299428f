"""The audit, whatever happens: one record for each request, no secret in any."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    BindReply,
    CallQuery,
    CallQueryReply,
    CancelReply,
    Condition,
    ConnectReply,
    DataResult,
    Error,
    Message,
    ServiceEventReply,
    UpdateReply,
    UpdateRequest,
)
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .recorded_audit import MARKER, NUMBER, Recorded

_REPLIES = {
    AgentLoginReply: {AuditEvent.AGENT_LOGGED_IN, AuditEvent.AGENT_LOGIN_REFUSED},
    AgentLogoutReply: {AuditEvent.AGENT_LOGGED_OUT, AuditEvent.AGENT_LOGOUT_REFUSED},
    BindReply: {AuditEvent.BOUND, AuditEvent.BIND_REFUSED},
    CallQueryReply: {AuditEvent.QUERY_ANSWERED, AuditEvent.QUERY_REFUSED},
    CancelReply: {AuditEvent.CANCEL_KEPT, AuditEvent.CANCEL_REFUSED},
    ConnectReply: {AuditEvent.CONNECT_KEPT, AuditEvent.CONNECT_REFUSED},
    DataResult: {AuditEvent.DATA_GIVEN, AuditEvent.DATA_REFUSED},
    Error: {AuditEvent.REQUEST_REFUSED, AuditEvent.AGENT_TAKEN_OVER},
    ServiceEventReply: {AuditEvent.REPORT_KEPT, AuditEvent.REPORT_REFUSED},
    UpdateReply: {AuditEvent.UPDATE_KEPT, AuditEvent.UPDATE_REFUSED},
}
"""Each reply that a peer can get, and the records one of which tells of it."""

_serials = st.sampled_from(["", "1", "2", "3"])
_numbers = st.sampled_from(["1001", "1002", "2000"])
_steps = st.one_of(
    st.tuples(st.just("login"), _numbers),
    st.tuples(st.just("logout"), _numbers),
    st.tuples(st.just("connect"), _numbers, st.sampled_from(["bill", "other", "none"]), _serials),
    st.tuples(st.just("cancel"), st.sampled_from(["1", "2", "3"])),
    st.tuples(st.just("update"), st.sampled_from(["1", "2", "3"])),
    st.tuples(st.just("query"), _numbers),
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
            case "update":
                agent.send(UpdateRequest(*about, _FIELDS))
            case "query":
                agent.send(CallQuery(*about))
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
