"""What has happened, as the two sides saw it on the wire, held against what was promised.

Fed by :class:`ctiex.codecs.observing.ObservingCodec` and by the applications. The first
promise that is broken is kept in ``broken``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from attrs import define, field, frozen

from ctiex.clients.event_taking import Position
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import SERVICE_CONDITIONS, AgentEvent, Condition, ConnectReply, DataResult, ServiceEvent
from ctiex.testing.simulation.clock import WorldClock

KEPT = frozenset({Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT})
"""The statuses that say that a service's event is kept."""


@define
class Book:
    """What the application of one agent number keeps for good, whichever process it runs in."""

    agent: str
    last: int = 0
    """The last sequence that it has taken."""
    epoch: int = 0
    """Of which numbering."""
    events: dict[int, AgentEvent] = field(factory=dict)
    gaps: int = 0
    finals: dict[str, AgentEvent] = field(factory=dict)
    """By serial, how its calls ended."""
    back: set[str] = field(factory=set)
    """The serials whose customers came back behind their ends."""
    reports: dict[str, list[AgentEvent]] = field(factory=dict)
    """By serial, what its service had to say."""
    used_again: dict[str, list[int]] = field(factory=dict)
    """By serial, behind which events it was used for another call."""

    @property
    def position(self) -> Position:
        """Up to where it has taken the events."""
        return Position(self.epoch, self.last)

    def use_again(self, serial: str, last: int) -> str:
        """A serial is used for another call, whose events come behind the one numbered ``last``: its name here."""
        before = self.used_again.setdefault(serial, [])
        before.append(last)
        return _use_of(serial, len(before))

    def use_of(self, event: AgentEvent) -> str:
        """The call that an event is about: its serial, and which use of it that is."""
        before = self.used_again.get(event.serial, ())
        return _use_of(event.serial, sum(last < event.sequence for last in before))

    def take(self, event: AgentEvent) -> str | None:
        """Take an event, once; says what is wrong with it, if something is."""
        before = self.events.get(event.sequence)
        if before is not None:
            return None if before == event else f"event {event.sequence} was {before}, now it is {event}"
        if event.sequence != self.last + 1:
            return f"event {event.sequence} follows {self.last}, and no gap was told"
        self.last = event.sequence
        self.events[event.sequence] = event
        use = self.use_of(event)
        if use in self.finals and not self._comes_back(event, use):
            return f"call {event.serial}: event {event.sequence} ({event.condition.text}) follows its end"
        if event.condition.final:
            self.finals[use] = event
        if event.condition in SERVICE_CONDITIONS:
            self.reports.setdefault(use, []).append(event)
        return None

    def _comes_back(self, event: AgentEvent, use: str) -> bool:
        """Whether the customer of a call comes back with its result told already, for the first time."""
        if event.condition is not Condition.RETURNED or use in self.back:
            return False
        self.back.add(use)
        return self.finals[use].condition in SERVICE_CONDITIONS

    def told_gap(self, last: int) -> None:
        """Nothing up to ``last`` can be replayed; what isn't in the book is lost."""
        if last > self.last:
            self.gaps += 1
            self.last = last


def _use_of(serial: str, number: int) -> str:
    return f"{serial} ({number + 1})" if number else serial


@frozen
class Request:
    """A customer whom an agent wants served."""

    serial: str
    """Empty: the exchange is to allocate one."""
    agent: str
    service: str
    fields: Fields
    repeat_until: float
    """When the application gives up an unanswered request, in clock seconds."""
    use: str
    """What the ledger calls it: the serial, unless that was used before, or isn't known yet."""

    @property
    def is_first_use(self) -> bool:
        """Whether its serial, if it has one of the application's own, was used for no other call before."""
        return not self.serial or self.use == self.serial

    def was_kept(self, status: int) -> bool:
        """Whether a refusal says that an earlier request for this call was kept: nobody else has its serial."""
        return status == Status.DUPLICATE_SERIAL and bool(self.serial) and self.use == self.serial


@define
class Ledger:
    """Everything that was promised."""

    clock: WorldClock
    books: dict[str, Book] = field(factory=dict)
    requests: dict[str, Request] = field(factory=dict)
    acknowledged: dict[str, str] = field(factory=dict)
    """Serial to agent number: calls whose ConnectReply was 0."""
    asked: set[str] = field(factory=set)
    """The calls that some process of an application has asked for."""
    met: dict[str, str] = field(factory=dict)
    """By call that was to be asked for: what the last try has met with."""
    cancelled: dict[str, None] = field(factory=dict)
    """Calls whose cancel was answered 0."""
    last_use: dict[str, str] = field(factory=dict)
    """By serial, what its last call is called, where it was used more than once."""
    sent: dict[tuple[str, str], list[ServiceEvent]] = field(factory=dict)
    """By serial and process, every service event in the order in which it was sent first."""
    sent_ids: set[int] = field(factory=set)
    kept: set[int] = field(factory=set)
    """The event_ids of those that the exchange has said it keeps."""
    counts: Counter[str] = field(factory=Counter)
    broken: str | None = None

    def break_(self, what: str) -> None:
        """A promise is broken; the first one counts."""
        if self.broken is None:
            self.broken = f"at {self.clock.now:.3f}: {what}"

    def hold(self, true: bool, what: str) -> None:
        """A promise, held or broken."""
        self.counts["promises checked"] += 1
        if not true:
            self.break_(what)

    def happened(self, fault: str) -> None:
        """Something has gone wrong, as it is meant to."""
        self.counts[f"fault: {fault}"] += 1

    # ------------------------------------------------------------ the agents' side

    def connect_answered(self, agents: Collection[str], request: Request | None, reply: ConnectReply) -> None:
        """A ConnectReply has come to an application of these agent numbers."""
        if request is None:
            return  # under a serial that the exchange allocated: the application says whose it is
        self.hold(request.agent in agents, f"call {reply.serial} was answered to somebody else")
        if reply.status == Status.OK or request.was_kept(reply.status):
            self.acknowledged.setdefault(request.use, request.agent)

    def event_arrived(self, agents: Collection[str], event: AgentEvent) -> None:
        """An AgentEvent has come over a link of an application of these agent numbers."""
        self.hold(event.agent in agents, f"event {event.sequence} of agent {event.agent} came over another's link")
        owner = self.requests.get(event.serial)
        self.hold(
            owner is None or owner.agent == event.agent, f"call {event.serial}: its event came to agent {event.agent}"
        )

    def event_taken(self, event: AgentEvent) -> None:
        """The application of an agent number has taken an event."""
        self.counts["agent events taken"] += 1
        wrong = self.books[event.agent].take(event)
        self.hold(wrong is None, f"agent {event.agent}: {wrong}")

    def result_told(self, request: Request, event: AgentEvent) -> None:
        """Those who waited for the result of a call have it."""
        found = self.books[request.agent].finals.get(request.use)
        self.hold(found == event, f"call {request.use}: its result was told to be {event}, which is another call's")

    # ------------------------------------------------------------ the services' side

    def use_now(self, serial: str) -> str:
        """What the last call under a serial is called."""
        return self.last_use.get(serial, serial)

    def data_arrived(self, result: DataResult) -> None:
        """A DataResult has come to a service."""
        if result.status != Status.OK:
            self.counts["data refused"] += 1
            return
        self.counts["data fetched"] += 1
        request = self.requests.get(self.use_now(result.serial))
        if request is not None:
            same = (result.agent, result.fields) == (request.agent, request.fields)
            self.hold(same, f"call {result.serial}: its data isn't what the agent sent")

    def report_sent(self, process: str, event: ServiceEvent) -> None:
        """A process of a service sends a ServiceEvent, maybe again."""
        if event.event_id not in self.sent_ids:
            self.sent_ids.add(event.event_id)
            self.sent.setdefault((self.use_now(event.serial), process), []).append(event)

    def report_answered(self, event_id: int, status: int) -> None:
        """A ServiceEventReply has come."""
        if status in KEPT and event_id in self.sent_ids:
            self.kept.add(event_id)

    # ------------------------------------------------------------ at the end

    def not_acknowledged(self) -> Iterator[str]:
        """Why each call that an application was to ask for was never acknowledged, in a few words."""
        yield from (why for use, why in self.met.items() if use not in self.acknowledged)

    def settle(self) -> None:
        """Hold everything that was acknowledged against what the agents have in their books."""
        for use in self.cancelled:
            ends = [book.finals[use].condition.text for book in self.books.values() if use in book.finals]
            self.hold(
                ends == [Condition.CANCELLED.text],
                f"call {use}: its cancel was answered 0, and its end was told as {ends}",
            )
        for serial, agent in self.acknowledged.items():
            found = [book.agent for book in self.books.values() if serial in book.finals]
            self.hold(found == [agent], f"call {serial} of agent {agent} was acknowledged; its end was told to {found}")
        for (serial, _), events in self.sent.items():
            self._settle_reports(serial, [event for event in events if event.event_id in self.kept])

    def _settle_reports(self, serial: str, kept: list[ServiceEvent]) -> None:
        told = [event for book in self.books.values() for event in book.reports.get(serial, ())]
        heard = [(event.condition, event.fields) for event in told]
        for event in kept:
            times = heard.count((event.condition, event.fields))
            self.hold(
                times == 1,
                f"call {serial}: its service's event {event.event_id} ({event.condition.text})"
                f" was acknowledged and told {times} times",
            )
        places = [heard.index((event.condition, event.fields)) for event in kept if self.broken is None]
        self.hold(places == sorted(places), f"call {serial}: its service's events were told out of order")

    def outcomes(self) -> Iterator[str]:
        """How each call ended, in a word."""
        for book in self.books.values():
            yield from (event.condition.text for event in book.finals.values())
