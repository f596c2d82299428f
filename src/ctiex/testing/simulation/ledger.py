"""What has happened, as the two sides saw it on the wire, held against what was promised.

Fed by :class:`ctiex.codecs.observing.ObservingCodec`, by the applications, and, of what the exchange answers, by
:class:`ctiex.testing.simulation.witness.Witness`. The first promise that is broken is kept in ``broken``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from attrs import define, evolve, field, frozen

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import AgentEvent, Condition, ConnectReply, DataResult, ServiceEvent
from ctiex.testing.simulation.book import Book, Volume
from ctiex.testing.simulation.call_data import DataOfCalls
from ctiex.testing.simulation.clock import WorldClock

KEPT = frozenset({Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT})
"""The statuses that say that a service's event is kept."""


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
    """What everybody calls it, as its reference: the serial, unless that was used before, or is to be allocated."""

    def was_kept(self, status: int) -> bool:
        """Whether a refusal says that an earlier request for this call was kept.

        That a serial has ended is said to a repeat alone; that it is taken means the same where nobody else had it.
        """
        taken = status == Status.DUPLICATE_SERIAL and self.use == self.serial
        return bool(self.serial) and (taken or status == Status.ALREADY_FINISHED)


@frozen
class Promise:
    """When the exchange has answered that something is kept."""

    at: float
    epoch: int
    """What it numbered the agents' events in then: the event that is promised is of this epoch or a later one.

    0: it may be of one before as well, since it may have been told already.
    """


@frozen
class Loss:
    """The store has lost what was kept behind a moment, at another one."""

    since: float
    at: float


@define
class Ledger:
    """Everything that was promised."""

    clock: WorldClock
    data: DataOfCalls
    books: dict[str, Book] = field(factory=dict)
    requests: dict[str, Request] = field(factory=dict)
    """By use, as everything about calls is here."""
    epochs: list[int] = field(factory=list)
    """Those in which the exchange has numbered, the oldest first."""
    losses: list[Loss] = field(factory=list)
    connects: dict[str, Promise] = field(factory=dict)
    """Calls of which the exchange has answered that it has them, whoever has heard that."""
    acknowledged: dict[str, str] = field(factory=dict)
    """Calls whose applications have heard so, and their agent numbers."""
    asked: set[str] = field(factory=set)
    """The calls that some process of an application has asked for."""
    met: dict[str, str] = field(factory=dict)
    """By call that was to be asked for: what the last try has met with."""
    cancelled: dict[str, Promise] = field(factory=dict)
    """Calls whose cancel was answered 0."""
    uses: Counter[str] = field(factory=Counter)
    """How many calls an application has asked for under a serial of its own."""
    last_use: dict[str, str] = field(factory=dict)
    """By serial, what the last call is called that the exchange had under it."""
    sent: dict[tuple[str, str], dict[int, ServiceEvent]] = field(factory=dict)
    """By call and process of a service, its service events by event_id, in the order in which they were sent first."""
    kept: dict[tuple[str, int], list[tuple[ServiceEvent, Promise]]] = field(factory=dict)
    """By call and event_id, those that the exchange has said it keeps."""
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

    def asks_for(self, request: Request) -> None:
        """An application asks for a call, maybe again."""
        self.requests[request.use] = request
        self.data.asked_for(request.use, request.fields)

    def tried(self, request: Request) -> Request:
        """A request as it goes out: each one without a serial asks for a call of its own."""
        if request.serial:
            return request
        self.uses[request.use] += 1
        anew = evolve(request, use=f"{request.use}, try {self.uses[request.use]}")
        self.asks_for(anew)
        return anew

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
        request = self.requests.get(event.reference)
        self.hold(
            request is not None and request.agent == event.agent and request.serial in ("", event.serial),
            f"call {event.serial}: its event came to agent {event.agent}, with the reference {event.reference!r}",
        )

    def event_taken(self, event: AgentEvent, epoch: int) -> None:
        """The application of an agent number has taken an event of a numbering."""
        self.counts["agent events taken"] += 1
        wrong = self.books[event.agent].take(event, epoch)
        self.hold(wrong is None, f"agent {event.agent}: {wrong}")

    def result_told(self, request: Request, event: AgentEvent) -> None:
        """Those who waited for the result of a call have it."""
        found = self.books[request.agent].ends_of(request.use)
        self.hold(
            event in found.values(), f"call {request.use}: its result was told to be {event}, which is another call's"
        )

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
        request = self.requests.get(result.reference)
        self.hold(
            request is not None
            and (request.agent, request.serial or result.serial) == (result.agent, result.serial)
            and self.data.ever_was(request.use, result.fields),
            f"call {result.serial}: its data isn't what the agent sent",
        )

    def report_sent(self, process: str, event: ServiceEvent) -> None:
        """A process of a service sends a ServiceEvent, maybe again."""
        self.sent.setdefault((self.use_now(event.serial), process), {}).setdefault(event.event_id, event)

    # ------------------------------------------------------------ what the exchange answers

    @property
    def epoch(self) -> int:
        """What the exchange numbers agents' events in."""
        return self.epochs[-1] if self.epochs else 0

    def numbers_in(self, epoch: int) -> None:
        """An exchange begins to number agents' events."""
        if epoch not in self.epochs:
            self.epochs.append(epoch)

    def promise(self, at_once: bool) -> Promise:
        """What is answered now.

        :param at_once: whether it has just been kept; else it may have been long ago.
        """
        return Promise(self.clock.now, self.epoch if at_once else 0)

    def connect_promised(self, use: str, status: int) -> None:
        """A ConnectReply goes out."""
        request = self.requests.get(use)
        if request is not None and (status == Status.OK or request.was_kept(status)):
            self.connects[use] = self.promise(status == Status.OK)

    def report_promised(self, event: ServiceEvent, status: int) -> None:
        """A ServiceEventReply goes out."""
        if status in KEPT:
            promise = self.promise(status != Status.DUPLICATE_EVENT)
            self.kept.setdefault((self.use_now(event.serial), event.event_id), []).append((event, promise))

    def is_lost(self, promise: Promise) -> bool:
        """Whether the store has lost what was promised."""
        return any(loss.since < promise.at <= loss.at for loss in self.losses)

    # ------------------------------------------------------------ at the end

    def not_acknowledged(self) -> Iterator[str]:
        """Why each call that an application was to ask for was never acknowledged, in a few words."""
        yield from (why for use, why in self.met.items() if use not in self.acknowledged)

    def settle(self) -> None:
        """Hold everything that was acknowledged against what the agents have in their books.

        What the store has lost since need not be there: that its numbering is another one was told.
        """
        for use, promise in self.cancelled.items():
            ends = [event.condition.text for _, event in self._ends_since(promise, use)]
            self.hold(
                set(ends) == {Condition.CANCELLED.text} or self.is_lost(promise),
                f"call {use}: its cancel was answered 0, and its end was told as {ends}",
            )
        for use, agent in self.acknowledged.items():
            found = list(dict.fromkeys(agent for agent, _ in self._ends_since(self.connects[use], use)))
            self.hold(
                found == [agent] or self.is_lost(self.connects[use]),
                f"call {use} of agent {agent} was acknowledged; its end was told to {found}",
            )
        for (use, _), events in self.sent.items():
            self._settle_reports(use, list(events.values()))

    def _volumes_since(self, promise: Promise) -> Iterator[tuple[str, Volume]]:
        """Where what was promised is to be found, and whose book that is."""
        begins = self.epochs.index(promise.epoch) if promise.epoch else 0
        for book in self.books.values():
            yield from ((book.agent, book.volumes[epoch]) for epoch in self.epochs[begins:] if epoch in book.volumes)

    def _ends_since(self, promise: Promise, use: str) -> Iterator[tuple[str, AgentEvent]]:
        for agent, volume in self._volumes_since(promise):
            if use in volume.finals:
                yield agent, volume.finals[use]

    def _settle_reports(self, use: str, events: list[ServiceEvent]) -> None:
        """:param events: those of one process of a service, in their order."""
        kept = [event for event in events if self._is_promised(use, event)]
        for _, volume in self._volumes_since(Promise(0.0, 0)):
            heard = [(event.condition, event.fields) for event in volume.reports.get(use, ())]
            told = [(event.condition, event.fields) for event in kept if (event.condition, event.fields) in heard]
            once = all(heard.count(one) == 1 for one in told)
            self.hold(once, f"call {use}: its service's events were told more than once: {heard}")
            in_order = not once or [heard.index(one) for one in told] == sorted(heard.index(one) for one in told)
            self.hold(in_order, f"call {use}: its service's events were told out of order")

    def _is_promised(self, use: str, event: ServiceEvent) -> bool:
        """Whether a service's event is kept, which is held against what was told."""
        said = (event.condition, event.fields)
        promises = [
            one for kept, one in self.kept.get((use, event.event_id), ()) if (kept.condition, kept.fields) == said
        ]
        for promise in promises:
            told = any(
                said == (one.condition, one.fields)
                for _, volume in self._volumes_since(promise)
                for one in volume.reports.get(use, ())
            )
            self.hold(
                told or self.is_lost(promise),
                f"call {use}: its service's event {event.event_id} ({event.condition.text})"
                " was acknowledged and told 0 times",
            )
        return bool(promises)

    def outcomes(self) -> Iterator[str]:
        """How each call ended last, in a word."""
        for book in self.books.values():
            ends = {use: event for volume in book.volumes.values() for use, event in volume.finals.items()}
            yield from (event.condition.text for event in ends.values())
