"""What the model of the processing service knows: agents, services, times, and a call as it should be."""

from __future__ import annotations

from attrs import define, field

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import Frame
from ctiex.limits import Timeouts
from ctiex.messages import KIND_OF, AgentEvent
from ctiex.records import Change
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeServiceSession
from ctiex.testing.pairs import agents, services

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
    state: str = "connecting"
    owner: str = ""
    asked: FakeServiceSession | None = None
    """The session that still has to answer its Connection."""
    tried: list[FakeServiceSession] = field(factory=list)
    told: set[int] = field(factory=set)
    reported: set[int] = field(factory=set)
    expected: list[tuple[int, int]] = field(factory=list)
    """The conditions and statuses that its agent is to hear."""
    after_result: bool = False
