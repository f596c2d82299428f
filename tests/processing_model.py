"""What the model of the processing service knows: agents, services, times, and a call as it should be."""

from __future__ import annotations

from collections import Counter, defaultdict

from attrs import define, field

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import Frame
from ctiex.limits import Timeouts
from ctiex.messages import KIND_OF, AgentEvent, CallEnded, Condition, DataChanged
from ctiex.records import Change
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession
from ctiex.testing.pairs import MemoryExchange, agents, services

MAILBOX, TTL = 6, 2_000
TIMES = Timeouts(signalling_timeout=30, fetch_timeout=60, service_timeout=200, keep_closed=100)
AGENTS = ("1", "2")
SERIALS = tuple("123456")
FINAL = {1, 2, 3, 14, 15, 16}
CANCELLERS = {"all": agents("all"), "one": agents("one", "1")}
SERVERS = {"a": services("a"), "b": services("b"), "other": services("other", "password")}


class RecordingStore(CallStore):
    """Remembers every event that was ever kept."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[AgentEvent] = []

    def apply(self, change: Change) -> None:
        super().apply(change)
        for event in change.events:
            message = BinaryCodec().decode_body(Frame(KIND_OF[AgentEvent], 0, event.body))
            assert isinstance(message, AgentEvent)
            assert (message.agent, message.sequence) == (event.agent, event.sequence)
            self.history.append(message)


@define(eq=False)
class ModelCall:
    serial: str
    agent: str
    request: tuple[str, int]
    deadline: float
    since: float
    reference: str
    fields: dict[str, int]
    state: str = "requested"
    owner: str = ""
    asked: FakeServiceSession | None = None
    """The session that still has to answer its Connection."""
    tried: list[FakeServiceSession] = field(factory=list)
    met: int = 31
    """What it has met so far."""
    given_up: float | None = None
    """When none that binds is waited for any longer; None: it waits for none."""
    told: set[int] = field(factory=set)
    reported: dict[int, int] = field(factory=dict)
    """By event_id: the condition."""
    expected: list[tuple[int, int, float, str]] = field(factory=list)
    """The conditions and statuses that its agent is to hear, when they came about, and under which reference."""
    ended_as: int = 0
    """What its service is still to hear of the end."""
    changed: bool = False
    """Whether its service is still to hear of other data."""
    accepted: bool = False
    fetched: bool = False
    """Whether the identity that has it was given its data."""
    refused: bool = False
    """Whether the last word of its service was a refusal."""

    @property
    def is_open(self) -> bool:
        return self.state != "closed"

    def moves(self, state: str, now: float) -> None:
        """It comes into a state, unless it is there."""
        if self.state != state:
            self.state, self.since = state, now


class ModelNotices:
    """What services are to hear of their calls; each session answers at once."""

    def __init__(self) -> None:
        self.sessions: list[FakeServiceSession] = []
        """Those that are bound."""
        self._all: list[FakeServiceSession] = []
        self._expected: Counter[tuple[str, CallEnded | DataChanged]] = Counter()

    def bound(self, session: FakeServiceSession, calls: list[ModelCall]) -> None:
        """A session is bound: it hears what is still to be told of the calls of its identity."""
        self.sessions.append(session)
        self._all.append(session)
        for call in calls:
            if call.owner == session.identity:
                self.tell(call)

    def tell(self, call: ModelCall) -> None:
        """A session hears what there is to tell, if one is bound: the one that the call was offered to last, first."""
        heard: CallEnded | DataChanged | None = DataChanged(call.serial) if call.changed else None
        if call.ended_as:
            heard = CallEnded(call.serial, Condition(call.ended_as))
        if heard is None or not any(session.identity == call.owner for session in self.sessions):
            return
        last = call.tried[-1]
        assert last not in self.sessions or [*last.ended, *last.changed].count(heard) > 0, "it is the first to hear it"
        self._expected[call.owner, heard] += 1
        call.ended_as, call.changed = 0, False

    def check(self) -> None:
        """Each was told of once, and nothing else."""
        told: Counter[tuple[str, CallEnded | DataChanged]] = Counter()
        for session in self._all:
            told.update((session.identity, message) for message in (*session.ended, *session.changed))
        assert told == self._expected


class CallModel:
    """What the design says about calls, written down a second time and simply."""

    exchange: MemoryExchange

    def begin_model(self) -> None:
        """There are no calls and no services yet."""
        self.notices = ModelNotices()
        self.sessions = self.notices.sessions
        self.logins: dict[str, FakeAgentConnection] = {}
        self.calls: dict[str, ModelCall] = {}
        self.gone: list[ModelCall] = []
        self.mailboxes: dict[str, list[tuple[float, str]]] = defaultdict(list)
        """What waits for each agent: until when, and of which call."""
        self.last: dict[str, int] = defaultdict(int)
        self.begun: dict[str, tuple[int, int]] = {}
        """Of each login: how many events the outlet had before, and where it resumes."""

    @property
    def now(self) -> float:
        return self.exchange.clock.seconds()

    def open_calls(self, agent: str) -> int:
        return sum(call.agent == agent and call.is_open for call in self.calls.values())

    def has_room(self, agent: str) -> bool:
        return len(self.mailboxes[agent]) + self.open_calls(agent) < MAILBOX

    def awaited(self, serial: str) -> bool:
        """Whether an event of a call that is forgotten still waits: its serial isn't free yet."""
        return any(event[1] == serial for waiting in self.mailboxes.values() for event in waiting)

    def post(self, call: ModelCall, condition: int, status: int = 0) -> None:
        call.expected.append((condition, status, self.now * 1_000, call.reference))
        self.mailboxes[call.agent].append((self.now + TTL, call.serial))
        self.last[call.agent] += 1

    def tell(self, call: ModelCall, condition: int) -> None:
        if condition not in call.told:
            call.told.add(condition)
            if call.agent in self.logins and self.has_room(call.agent):
                self.post(call, condition)

    def try_next(self, call: ModelCall, met: int) -> None:
        """Somebody who wasn't asked before has got the Connection; where none is left, one that binds is awaited."""
        call.met, call.asked = met, None
        left = [session for session in self.sessions if session not in call.tried and session.identity != "other"]
        if not left:
            call.given_up = self.now + TIMES.rebind_grace
            return
        asked = [session for session in left if self.carries(session, call)]
        assert len(asked) == 1, f"one of {len(left)} sessions was to get the Connection, {len(asked)} did"
        call.moves("connecting", self.now)
        stays = call.owner == asked[0].identity
        call.changed, call.fetched, call.refused = call.changed and stays, call.fetched and stays, False
        call.owner, call.asked, call.met, call.given_up = asked[0].identity, asked[0], 33, None
        call.tried.append(asked[0])

    def carries(self, session: FakeServiceSession, call: ModelCall) -> bool:
        """Whether a Connection of this call was written, not only of earlier ones under its serial."""
        written = sum(one.calling_number.endswith("**" + call.serial) for one in session.connections)
        return written > sum(before.tried.count(session) for before in self.gone if before.serial == call.serial)

    def end(self, call: ModelCall, condition: int, status: int = 0) -> None:
        self.post(call, condition, status)
        self.close(call)
        if call.owner and not call.refused:
            call.ended_as = condition
            self.notices.tell(call)

    def close(self, call: ModelCall) -> None:
        call.moves("closed", self.now)
        call.deadline, call.asked, call.given_up = self.now + TIMES.keep_closed, None, None
        call.changed, call.reference = False, ""

    def time_out(self, call: ModelCall) -> None:
        match call.state:
            case "requested" | "connecting":
                self.end(call, 14, call.met)
            case "fetched" if not call.accepted:
                self.end(call, 14, call.met)
            case "closed":
                self.gone.append(self.calls.pop(call.serial))
            case _:
                self.end(call, 15, 33)
