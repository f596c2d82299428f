"""The processing service against a small model of its own, by agents, services and time in any order."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import decoded
from ctiex.limits import Limits
from ctiex.messages import (
    KIND_OF,
    AgentLogin,
    CallQuery,
    CancelRequest,
    Condition,
    ConnectRequest,
    DataRequest,
    DataResult,
    OpenCall,
    OpenCallState,
    ServiceEvent,
    UpdateRequest,
)
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession
from ctiex.testing.pairs import MemoryExchange, make_service

from .effort import examples
from .processing_model import (
    AGENTS,
    CANCELLERS,
    FINAL,
    MAILBOX,
    SERIALS,
    SERVERS,
    TIMES,
    TTL,
    CallModel,
    ModelCall,
    RecordingStore,
)


class ProcessingMachine(CallModel, RuleBasedStateMachine):
    """What the design says about calls, written down a second time and simply."""

    @initialize()
    def begin(self) -> None:
        self.store = RecordingStore()
        self.exchange = MemoryExchange(
            services={"bill": make_service("bill", TIMES)},
            limits=Limits(mailbox=MAILBOX, mailbox_ttl=TTL),
            store=self.store,
        )
        self.outlets = [FakeAgentConnection(), FakeAgentConnection()]
        self.begin_model()
        for at, agent in enumerate(AGENTS):
            self.login(agent, at, "start")
        for identity in ("a", "b"):
            self.bind(identity)

    def some_serial(self, data: Any) -> str:
        """One that is in use, as a rule."""
        serial: str = data.draw(st.sampled_from([*list(self.calls) * 4, *SERIALS]), label="serial")
        return serial

    def some_server(self, data: Any, serial: str) -> str:
        """The call's owner, as a rule."""
        owners = [self.calls[serial].owner] * 9 if serial in self.calls and self.calls[serial].owner else []
        who: str = data.draw(st.sampled_from([*owners, *sorted(SERVERS)]), label="identity")
        return who

    # ------------------------------------------------------------ agents

    @rule(
        agent=st.sampled_from(AGENTS),
        at=st.integers(0, 1),
        resume=st.sampled_from(["start", "last", "beyond", "nowhere", "another epoch"]),
    )
    def login(self, agent: str, at: int, resume: str) -> None:
        outlet, before = self.outlets[at], self.logins.get(agent)
        after = {"start": 0, "beyond": self.last[agent] + 3}.get(resume, self.last[agent])
        epoch = self.exchange.mailboxes.epoch
        asked = AgentLogin(agent, {"nowhere": 0, "another epoch": epoch + 1}.get(resume, epoch), after)
        told = [len(other.lost) for other in self.outlets]
        self.begun[agent] = (len(outlet.bodies), after if resume in ("start", "last") else 0)
        reply = self.exchange.mailboxes.login(outlet, asked)
        self.exchange.mailboxes.resume(agent, outlet)
        anew = resume in ("beyond", "another epoch")
        assert (reply.status, reply.epoch) == (Status.NUMBERING_ANEW if anew else Status.OK, epoch)
        assert reply.last_sequence == self.last[agent]
        assert reply.first_sequence == self.last[agent] - len(self.mailboxes[agent]) + 1
        for number, other in enumerate(self.outlets):
            taken_over = before is other and other is not outlet
            assert other.lost[told[number] :] == [agent] * taken_over
        self.logins[agent] = outlet

    @rule(agent=st.sampled_from(AGENTS), at=st.integers(0, 1))
    def logout(self, agent: str, at: int) -> None:
        here = self.logins.get(agent) is self.outlets[at]
        assert self.exchange.presence.logout(agent, self.outlets[at]) == here
        if here:
            del self.logins[agent]

    @rule(at=st.integers(0, 1))
    def lose_the_agents_link(self, at: int) -> None:
        for agent in AGENTS:
            self.logout(agent, at)

    @rule(agent=st.sampled_from(AGENTS), at=st.integers(0, 1), back=st.integers(-1, 4))
    def acknowledge(self, agent: str, at: int, back: int) -> None:
        sequence = max(0, self.last[agent] - back)
        self.exchange.mailboxes.acknowledge(agent, self.outlets[at], sequence)
        if self.logins.get(agent) is self.outlets[at] and sequence <= self.last[agent]:
            waiting = self.mailboxes[agent]
            del waiting[: max(0, len(waiting) - (self.last[agent] - sequence))]

    @rule(at=st.integers(0, 1), writable=st.booleans())
    def read_or_not(self, at: int, writable: bool) -> None:
        outlet = self.outlets[at]
        outlet.writable = writable
        for agent in AGENTS if writable else ():
            self.exchange.mailboxes.resume(agent, outlet)

    @rule(data=st.data(), agent=st.sampled_from(AGENTS), value=st.sampled_from([0, 0, 0, 1]))
    def connect_new(self, data: Any, agent: str, value: int) -> None:
        """A serial that is free, on the link where the agent is, as a rule."""
        free = [serial for serial in SERIALS if serial not in self.calls and not self.awaited(serial)]
        serial = data.draw(st.sampled_from([*free * 4, *SERIALS]), label="serial")
        here = [at for at, outlet in enumerate(self.outlets) if self.logins.get(agent) is outlet]
        self.connect(agent, data.draw(st.sampled_from([*here * 5, 0, 1]), label="link"), serial, value)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), other=st.booleans())
    def connect_again(self, data: Any, other: bool) -> None:
        call = self.calls[data.draw(st.sampled_from(sorted(self.calls)), label="serial")]
        agent, value = call.request
        outlet = self.logins.get(agent, self.outlets[0])
        self.connect(agent, self.outlets.index(outlet), call.serial, value ^ other)

    def connect(self, agent: str, at: int, serial: str, value: int) -> None:
        expected, known = Status.OK, self.calls.get(serial)
        if self.logins.get(agent) is not self.outlets[at]:
            expected = Status.AGENT_NOT_LOGGED_IN
        elif known is not None:
            same = Status.OK if known.is_open else Status.ALREADY_FINISHED
            expected = same if known.request == (agent, value) else Status.DUPLICATE_SERIAL
        elif self.awaited(serial):
            expected = Status.DUPLICATE_SERIAL
        elif not self.has_room(agent):
            expected = Status.QUEUE_FULL
        replies: list[Any] = []
        fields = {"value": value}
        request = ConnectRequest(serial, agent, "bill", "138", f"R{value}", Fields(fields))
        self.exchange.processing.connect(CANCELLERS["all"], self.outlets[at], request, replies.append)
        assert [(reply.status, reply.serial) for reply in replies] == [(expected, serial)]
        if expected is Status.OK and known is None:
            until = self.now + TIMES.signalling_timeout
            call = ModelCall(serial, agent, (agent, value), until, self.now, f"R{value}", fields)
            self.calls[serial] = call
            self.tell(call, 10)
            self.try_next(call, 31)

    @rule(data=st.data(), who=st.sampled_from(["all", "all", "one"]))
    def cancel(self, data: Any, who: str) -> None:
        serial = self.some_serial(data)
        call = self.calls.get(serial)
        expected = Status.OK
        if call is None or (who == "one" and call.agent != "1"):
            expected = Status.UNKNOWN_SERIAL
        elif call.state == "closed":
            expected = Status.ALREADY_FINISHED
        replies: list[Any] = []
        self.exchange.processing.cancel(CANCELLERS[who], CancelRequest(serial), replies.append)
        assert [(reply.status, reply.serial) for reply in replies] == [(expected, serial)]
        if expected is Status.OK and call is not None:
            self.end(call, 16)

    @rule(data=st.data(), who=st.sampled_from(["all", "all", "one"]), value=st.integers(1, 3))
    def update(self, data: Any, who: str, value: int) -> None:
        serial = self.some_serial(data)
        call = self.calls.get(serial)
        expected = Status.OK
        if call is None or (who == "one" and call.agent != "1"):
            expected = Status.UNKNOWN_SERIAL
        elif not call.is_open:
            expected = Status.ALREADY_FINISHED
        replies: list[Any] = []
        request = UpdateRequest(serial, Fields({f"more {value}": value, "value": value}))
        self.exchange.processing.update(CANCELLERS[who], request, replies.append)
        assert [(reply.status, reply.serial) for reply in replies] == [(expected, serial)]
        if expected is Status.OK and call is not None:
            call.fields = call.fields | dict(request.fields)  # type: ignore[arg-type]
            call.changed = call.changed or call.fetched
            self.notices.tell(call)

    # ------------------------------------------------------------ services

    @precondition(lambda self: len(self.sessions) < 4)
    @rule(identity=st.sampled_from(sorted(SERVERS)))
    def bind(self, identity: str) -> None:
        session = FakeServiceSession(identity)
        self.exchange.sessions.add(session, SERVERS[identity])
        self.notices.bound(session, list(self.calls.values()))
        for call in self.calls.values():
            if call.given_up is not None and identity != "other":
                self.try_next(call, call.met)

    @precondition(lambda self: self.sessions)
    @rule(at=st.integers(0, 3))
    def die(self, at: int) -> None:
        session = self.sessions.pop(at % len(self.sessions))
        self.exchange.sessions.remove(session)
        session.die()
        for call in list(self.calls.values()):
            if call.asked is session:
                self.try_next(call, 33)

    @precondition(lambda self: any(session.unanswered for session in self.sessions))
    @rule(data=st.data(), accepts=st.sampled_from([True, True, False]))
    def answer(self, data: Any, accepts: bool) -> None:
        session = data.draw(st.sampled_from([session for session in self.sessions if session.unanswered]))
        at = data.draw(st.sampled_from(session.unanswered))
        serial = session.connections[at].calling_number.partition("**")[2]
        last = max(n for n, one in enumerate(session.connections) if one.calling_number.endswith("**" + serial))
        session.answer(Status.OK if accepts else Status.SERVICE_REFUSED, at)
        call = self.calls.get(serial)
        if call is None or call.asked is not session or at != last:
            return
        call.asked = None
        if not accepts:
            call.refused = True
            self.try_next(call, 32)
            return
        call.accepted = True
        if call.state == "connecting":
            call.moves("connected", self.now)
            call.deadline = self.now + TIMES.fetch_timeout
        else:
            call.deadline = self.now + TIMES.service_timeout
        self.tell(call, 11)

    @rule(data=st.data())
    def fetch(self, data: Any) -> None:
        serial = self.some_serial(data)
        who = self.some_server(data, serial)
        call = self.calls.get(serial)
        answers: list[bytes | Status] = []
        self.exchange.processing.data(SERVERS[who], DataRequest(serial), answers.append)
        found = answers[0]
        if call is None or call.owner != who or call.state == "closed":
            assert found is Status.UNKNOWN_SERIAL
            return
        assert isinstance(found, bytes), "its owner gets the data"
        result = decoded(self.exchange.codec, KIND_OF[DataResult], found)
        assert result == DataResult(0, serial, call.agent, call.reference, Fields(call.fields))
        if call.state != "fetched":
            call.moves("fetched", self.now)
            if call.accepted:
                call.deadline = self.now + TIMES.service_timeout
            call.fetched, call.refused = True, False
        self.tell(call, 12)

    @rule(data=st.data(), event_id=st.integers(1, 2), condition=st.sampled_from([0, 0, 0, 1, 2, 3]))
    def report(self, data: Any, event_id: int, condition: int) -> None:
        serial = self.some_serial(data)
        who = self.some_server(data, serial)
        call = self.calls.get(serial)
        expected = Status.OK
        if call is None or call.owner != who:
            expected = Status.UNKNOWN_SERIAL
        elif event_id in call.reported:
            same = call.reported[event_id] == condition
            expected = Status.DUPLICATE_EVENT if same else Status.EVENT_ID_USED
        elif call.state == "closed":
            expected = Status.ALREADY_FINISHED
        elif condition == 0 and not self.has_room(call.agent):
            expected = Status.QUEUE_FULL
        elif call.agent not in self.logins:
            expected = Status.QUEUED_AGENT_AWAY
        replies: list[Any] = []
        event = ServiceEvent(event_id, serial, "", Condition(condition))
        self.exchange.processing.report(SERVERS[who], event, replies.append)
        assert [(reply.status, reply.event_id) for reply in replies] == [(expected, event_id)]
        if call is not None and expected in (Status.OK, Status.QUEUED_AGENT_AWAY):
            call.reported[event_id] = condition
            call.refused = False
            self.post(call, condition)
            if condition:
                self.close(call)

    # ------------------------------------------------------------ time

    @rule(seconds=st.sampled_from([1, 1, 1, 5, 10, 30, 60, 200]))
    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.exchange.clock.advance(1)
            for call in list(self.calls.values()):
                if call.given_up is not None and call.given_up <= self.now:
                    self.end(call, 14, call.met)
                elif call.deadline <= self.now:
                    self.time_out(call)
            for agent, waiting in self.mailboxes.items():
                self.mailboxes[agent] = [event for event in waiting if event[0] > self.now]

    # ------------------------------------------------------------ what always holds

    @invariant()
    def each_agent_hears_what_it_should(self) -> None:
        heard: dict[str, list[tuple[int, int, float, str]]] = defaultdict(list)
        expected: dict[str, list[tuple[int, int, float, str]]] = defaultdict(list)
        for event in self.store.history:
            heard[event.serial].append((event.condition, event.status, event.time, event.reference))
        for call in [*self.gone, *self.calls.values()]:
            if call.expected:
                expected[call.serial] += call.expected
            finals = [condition for condition, *_ in call.expected if condition in FINAL]
            assert len(finals) == (not call.is_open), "one final event for each call that has ended, else none"
        assert heard == expected

    @invariant()
    def sequences_have_no_gap(self) -> None:
        for agent in AGENTS:
            sequences = [event.sequence for event in self.store.history if event.agent == agent]
            assert sequences == list(range(1, self.last[agent] + 1))
            assert self.store.pending(agent) == len(self.mailboxes[agent]) <= MAILBOX

    @invariant()
    def whoever_reads_has_everything(self) -> None:
        for agent, outlet in self.logins.items():
            before, after = self.begun[agent]
            sent = [event.sequence for event in outlet.events[before:] if event.agent == agent]
            assert sent == sorted(set(sent)), "each once, in order"
            if outlet.writable:
                waiting = range(self.last[agent] - len(self.mailboxes[agent]) + 1, self.last[agent] + 1)
                assert {sequence for sequence in waiting if sequence > after} <= set(sent), "what waits was sent"

    @invariant()
    def open_calls_agree(self) -> None:
        for serial in SERIALS:
            kept, call = self.store.get(serial), self.calls.get(serial)
            assert (kept is None) == (call is None)
            if kept is not None and call is not None:
                assert (kept.state.value, kept.owner, kept.deadline) == (call.state, call.owner, call.deadline)
                assert (kept.ended_as, kept.changed) == (call.ended_as, call.changed)
                assert call.is_open or not (kept.data or kept.calling_number or kept.reference), "wiped at close"
        assert self.exchange.processing.calls_open == sum(self.open_calls(agent) for agent in AGENTS)

    @invariant()
    def whoever_asks_hears_of_all_that_is_open(self) -> None:
        for agent in AGENTS:
            replies: list[Any] = []
            self.exchange.processing.query(CANCELLERS["all"], CallQuery(agent), replies.append)
            assert [(reply.status, list(reply.calls)) for reply in replies] == [
                (
                    Status.OK,
                    [
                        OpenCall(one.serial, "bill", one.reference, OpenCallState[one.state.upper()], one.since * 1_000)  # type: ignore[arg-type]
                        for one in self.calls.values()
                        if one.agent == agent and one.is_open
                    ],
                )
            ]

    @invariant()
    def services_hear_what_they_should(self) -> None:
        self.notices.check()

    def teardown(self) -> None:
        if not hasattr(self, "exchange"):
            return
        self.wait(int(TIMES.signalling_timeout + TIMES.fetch_timeout + TIMES.service_timeout + TIMES.keep_closed))
        self.each_agent_hears_what_it_should()
        assert not list(self.store.calls())
        assert self.exchange.processing.calls_open == 0
        calls = self.exchange.processing._calls
        assert (len(calls.owners), len(calls.open), calls.open.agents, len(calls._notices)) == (0, 0, 0, 0)
        assert not len(self.exchange.processing._calls._timers)
        assert not self.exchange.context.quotas._of_agent
        self.wait(TTL)
        assert not any(self.store.pending(agent) for agent in AGENTS)
        self.exchange.clock.advance(1)
        assert not self.exchange.clock.getDelayedCalls(), "no timer is left"


ProcessingMachine.TestCase.settings = settings(
    deadline=None, max_examples=examples(150), stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
TestProcessingMachine = ProcessingMachine.TestCase
