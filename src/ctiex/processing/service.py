"""The processing service [0049-0053]: calls keyed on their call serial number.

Pure logic. Requests come in as messages with the identity that sent them; answers go out
through a callback, since a store may have to wait. Time is the clock's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ctiex.errors import CodecError, FieldError, SerialError, Status
from ctiex.fields import Fields
from ctiex.interfaces import (
    ICallStore,
    ICarrier,
    ICodec,
    IOfferWatcher,
    IServiceSession,
    IServiceSessions,
    ISignalling,
    Offer,
)
from ctiex.messages import (
    CallEnded,
    CancelReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.processing.counts import Counts
from ctiex.processing.deadlines import Deadlines
from ctiex.processing.desk import AgentOutlet, Desk
from ctiex.processing.identities import Identity
from ctiex.processing.keeping import Keeper
from ctiex.processing.settings import Limits, ServiceSettings
from ctiex.processing.states import SIGNALLED, TIMED_OUT_AS, TIMEOUT_OF, TRANSITIONS, WITH_SERVICE, Step
from ctiex.records import Call, CallState, Change, StoredEvent
from ctiex.serials import SerialAllocator

_log = Logger()

ANY_OWNER = "*"
"""The owner of a call that any identity serving it may come back for; the first that does gets it."""


class Refused(Exception):
    """A request is refused; carries the status and the words for its reply."""

    def __init__(self, status: Status, detail: str = "") -> None:
        self.status = status
        self.detail = detail or status.text
        super().__init__(self.detail)


@define
class Surroundings:
    """What the processing service works with."""

    clock: IReactorTime
    store: ICallStore
    desk: Desk
    carrier: ICarrier
    allocator: SerialAllocator
    sessions: IServiceSessions
    services: Mapping[str, ServiceSettings]
    codec: ICodec
    """The codec of the IVR link: data is encoded for it when a call is stored."""
    max_frame: int
    """The limit on a frame of the IVR link, in bytes."""
    exchange_address: str
    """The advertised address of the IVR link."""
    limits: Limits = field(factory=Limits)
    counts: Counts = field(factory=Counts)


@implementer(IOfferWatcher)
class ProcessingService:
    """Stores calls, answers for their data, and brings the results to their agents."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._with = surroundings
        self._store = surroundings.store
        self._desk = surroundings.desk
        self._counts = surroundings.counts
        self._keeper = Keeper(self._store, self._counts)
        self._deadlines = Deadlines(surroundings.clock, self._time_out)
        self._drivers: Mapping[str, ISignalling] = {}
        self._holders: dict[str, IServiceSession] = {}
        self._open_calls: Counter[str] = Counter()
        self.exchange_address = surroundings.exchange_address
        self.leaving = False
        """Whether new calls are refused because the exchange goes away."""

    # ------------------------------------------------------------ from start to stop

    def start(self, drivers: Mapping[str, ISignalling]) -> None:
        """Go on with the calls of an opened store; signal new ones by these drivers, by name."""
        self._drivers = drivers
        self._desk.start()
        for call in list(self._store.calls()):
            self._take_up(call)

    def _take_up(self, call: Call) -> None:
        if (call.state, Step.END) in TRANSITIONS:
            self._opened(call)
        if call.state not in SIGNALLED:
            self._deadlines.set(call.serial, call.deadline)
            return
        call = evolve(call, deadline=self._deadline(call, call.state))
        self._keep_call(call, lambda: self._offer(call, resumed=True))

    def drain(self) -> None:
        """Take no new calls from now on; those under way go on."""
        self.leaving = True

    def stop(self) -> None:
        """Let go of the timers."""
        self._deadlines.stop()
        self._desk.stop()

    @property
    def calls_open(self) -> int:
        """How many calls aren't closed."""
        return self._open_calls.total()

    # ------------------------------------------------------------ the agent's side

    def connect(
        self, identity: Identity, outlet: AgentOutlet, request: ConnectRequest, reply: Callable[[ConnectReply], None]
    ) -> None:
        """Store a call, then acknowledge it, then signal it [0040, 0049]."""
        try:
            self._check_login(request, outlet)
            known = self._store.get(request.serial) if request.serial else None
            if known is not None:
                self._check_repeat(known, request)
                self._keeper.keep(
                    Change(),
                    lambda: reply(ConnectReply(Status.OK, request.serial)),
                    lambda: reply(_connect_refused(request, Status.STORE_UNAVAILABLE)),
                )
                return
            call = self._new_call(identity, request)
        except Refused as refused:
            self._counts.calls_refused += 1
            reply(ConnectReply(refused.status, request.serial, refused.detail))
            return
        self._opened(call)
        self._keep_call(call, lambda: self._connect_kept(call, reply), lambda: self._connect_lost(call, request, reply))

    def _check_login(self, request: ConnectRequest, outlet: AgentOutlet) -> None:
        if not self._desk.is_on(request.agent, outlet):
            raise Refused(Status.AGENT_NOT_LOGGED_IN, "AgentLogin of this agent number is needed on this link")
        if request.service not in self._with.services:
            raise Refused(Status.UNKNOWN_SERVICE, f"no service {request.service!r} is configured")

    def _check_repeat(self, known: Call, request: ConnectRequest) -> None:
        if known.state is CallState.CLOSED or known.digest != _digest(request):
            raise Refused(Status.DUPLICATE_SERIAL, "this serial belongs to another call")

    def _new_call(self, identity: Identity, request: ConnectRequest) -> Call:
        serial = request.serial or self._allocate()
        try:
            self._with.carrier.embed(request.calling_number, serial)
        except SerialError as error:
            raise Refused(Status.SERIAL_DOES_NOT_FIT, str(error)) from None
        data = self._organized(request, serial)
        if self.leaving:
            raise Refused(Status.GOING_AWAY)
        if self._open_calls[identity.name] >= self._with.limits.calls_per_identity:
            self._counts.requests_over_limit += 1
            raise Refused(Status.TOO_BUSY, "this identity has as many calls as it may have")
        if not self._desk.has_room(request.agent):
            raise Refused(Status.QUEUE_FULL, "the agent's mailbox has no room for the end of this call")
        timeouts = self._with.services[request.service].timeouts
        return Call(
            serial=serial,
            agent=request.agent,
            service=request.service,
            identity=identity.name,
            calling_number=request.calling_number,
            digest=_digest(request),
            data=data,
            state=CallState.REQUESTED,
            deadline=self._with.clock.seconds() + timeouts.signalling,
        )

    def _allocate(self) -> str:
        try:
            return self._with.allocator.allocate(lambda serial: self._store.get(serial) is not None)
        except SerialError as error:
            raise Refused(Status.TOO_BUSY, str(error)) from None

    def _organized(self, request: ConnectRequest, serial: str) -> bytes:
        """The encoded body of the call's DataResult, made once for all its DataRequests."""
        try:
            fields = self._with.services[request.service].request.organize(request.fields)
            data = self._with.codec.encode_body(DataResult(Status.OK, serial, request.agent, fields))
        except (FieldError, CodecError) as error:
            raise Refused(Status.DATA_TOO_LARGE, str(error)) from None
        if self._with.codec.frame_length(data) > self._with.max_frame:
            raise Refused(Status.DATA_TOO_LARGE, f"organized for the service it passes {self._with.max_frame} bytes")
        return data

    def _connect_kept(self, call: Call, reply: Callable[[ConnectReply], None]) -> None:
        self._counts.calls_kept += 1
        reply(ConnectReply(Status.OK, call.serial))
        current = self._store.get(call.serial)
        if current is not None and current.state is CallState.REQUESTED:
            self._offer(current)

    def _connect_lost(self, call: Call, request: ConnectRequest, reply: Callable[[ConnectReply], None]) -> None:
        self._closed(call)
        self._deadlines.clear(call.serial)
        reply(_connect_refused(request, Status.STORE_UNAVAILABLE))

    def cancel(self, identity: Identity, request: CancelRequest, reply: Callable[[CancelReply], None]) -> None:
        """End a call for its agent, who hears 16."""

        def answer(status: Status) -> None:
            reply(CancelReply(status, request.serial, "" if status is Status.OK else status.text))

        call = self._store.get(request.serial)
        if call is None or not identity.may_act_for(call.agent):
            answer(Status.UNKNOWN_SERIAL)
        elif (call.state, Step.END) not in TRANSITIONS:
            answer(Status.ALREADY_FINISHED)
        else:
            self._end(call, Condition.CANCELLED, answer=answer)

    # ------------------------------------------------------------ the service's side

    def data(self, identity: Identity, request: DataRequest) -> bytes | Status:
        """The encoded body of the call's DataResult, or the status that refuses it [0050, 0051]."""
        if request.exchange_address and request.exchange_address != self.exchange_address:
            return self._data_refused(Status.OTHER_EXCHANGE)
        call = self._store.get(request.serial)
        if call is None or call.state is CallState.CLOSED or not self._owns(identity, call):
            return self._data_refused(Status.UNKNOWN_SERIAL)
        if call.state is not CallState.FETCHED:
            self._fetched(call, identity)
        return call.data

    def _data_refused(self, status: Status) -> Status:
        self._counts.data_refused += 1
        return status

    def _fetched(self, call: Call, identity: Identity) -> None:
        self._counts.calls_fetched += 1
        self._step(evolve(call, owner=identity.name), Step.FETCH, Condition.DATA_FETCHED)

    def _owns(self, identity: Identity, call: Call) -> bool:
        """Whether the call was offered to this identity."""
        return call.owner == identity.name or (call.owner == ANY_OWNER and identity.may_serve(call.service))

    def report(self, identity: Identity, event: ServiceEvent, reply: Callable[[ServiceEventReply], None]) -> None:
        """Keep a service's report for the agent, reorganized [0053], and only then answer it."""

        def answer(status: Status) -> None:
            reply(ServiceEventReply(event.event_id, status))

        call = self._store.get(event.serial)
        try:
            if call is None or not self._owns(identity, call) or event.agent not in ("", call.agent):
                raise Refused(Status.UNKNOWN_SERIAL)
            if event.event_id in call.event_ids:
                self._counts.service_events_repeated += 1
                self._keeper.keep(
                    Change(), lambda: answer(Status.DUPLICATE_EVENT), lambda: answer(Status.STORE_UNAVAILABLE)
                )
                return
            told = self._reorganized(call, event)
        except Refused as refused:
            self._counts.service_events_refused += 1
            answer(refused.status)
            return
        self._keep_report(evolve(call, owner=identity.name), event, told, answer)

    def _reorganized(self, call: Call, event: ServiceEvent) -> StoredEvent:
        """The agent's event made of a service's, which passes all checks."""
        if (call.state, Step.PROGRESS) not in TRANSITIONS:
            raise Refused(Status.ALREADY_FINISHED)
        try:
            fields = self._with.services[call.service].result.organize(event.fields)
            told = self._desk.compose(call.agent, call.serial, event.condition, Status.OK, fields)
        except (FieldError, CodecError) as error:
            raise Refused(Status.DATA_TOO_LARGE, str(error)) from None
        if not event.condition.final and not self._desk.has_room(call.agent):
            raise Refused(Status.QUEUE_FULL)
        return told

    def _keep_report(
        self, call: Call, event: ServiceEvent, told: StoredEvent, answer: Callable[[Status], None]
    ) -> None:
        updated = evolve(call, event_ids=call.event_ids | {event.event_id})
        if event.condition.final:
            updated = self._moved(updated, Step.REPORT)
            if not self._driver(call).sees_return:
                updated = self._moved(updated, Step.RETURN)

        def kept() -> None:
            self._counts.service_events_kept += 1
            if event.condition.final:
                self._counts.calls_reported += 1
                self._finished(updated)
            answer(Status.OK if self._desk.is_here(call.agent) else Status.QUEUED_AGENT_AWAY)
            self._desk.kept(told)

        self._keep_call(updated, kept, lambda: answer(Status.STORE_UNAVAILABLE), told)

    # ------------------------------------------------------------ what signalling meets

    def _offer(self, call: Call, resumed: bool = False) -> None:
        settings = self._with.services.get(call.service)
        if settings is None:  # restarted with another configuration
            self.unreachable(call.serial, Status.UNKNOWN_SERVICE)
            return
        carried = self._with.carrier.embed(call.calling_number, call.serial)
        connection = Connection(settings.access_code, carried, self.exchange_address)
        self._tell(call, Condition.CONNECTING)
        self._driver(call).offer(Offer(call.serial, call.service, connection, resumed))

    def _driver(self, call: Call) -> ISignalling:
        return self._drivers[self._with.services[call.service].signalling]

    def offered(self, serial: str, session: IServiceSession | None) -> None:
        """The call belongs to the session's identity from now on."""
        if session is not None:
            self._holders[serial] = session
        owner = ANY_OWNER if session is None else session.identity
        self._step_of(serial, Step.OFFER, None, owner)

    def accepted(self, serial: str) -> None:
        """The agent hears 11."""
        self._step_of(serial, Step.ACCEPT, Condition.CONNECTED)

    def unreachable(self, serial: str, status: int) -> None:
        """The agent hears 14 with this status."""
        call = self._store.get(serial)
        if call is not None and (call.state, Step.END) in TRANSITIONS:
            self._holders.pop(serial, None)  # whoever refused it needn't hear of its end
            self._end(call, Condition.UNREACHABLE, Status.of(status))

    def returned(self, serial: str) -> None:
        """The agent hears 13, and the call is closed."""
        self._step_of(serial, Step.RETURN, Condition.RETURNED)

    def hung_up(self, serial: str) -> None:
        """The agent hears 3."""
        call = self._store.get(serial)
        if call is not None:
            self._end(call, Condition.ABANDONED)

    # ------------------------------------------------------------ one step of a call

    def _step_of(self, serial: str, step: Step, told: Condition | None, owner: str = "") -> None:
        call = self._store.get(serial)
        if call is not None:
            self._step(evolve(call, owner=owner or call.owner), step, told)

    def _step(self, call: Call, step: Step, told: Condition | None = None) -> None:
        """Move a call by a step and tell its agent, when the step is one for its state."""
        if (call.state, step) in TRANSITIONS:
            self._tell(self._moved(call, step), told)

    def _moved(self, call: Call, step: Step) -> Call:
        """The call after a step: with the new state's deadline, and wiped when it is closed."""
        state = TRANSITIONS[call.state, step]
        if state is CallState.CLOSED:
            call = evolve(call, calling_number="", digest=b"", data=b"")
        if TIMEOUT_OF[state] == TIMEOUT_OF[call.state]:
            return evolve(call, state=state)
        return evolve(call, state=state, deadline=self._deadline(call, state))

    def _deadline(self, call: Call, state: CallState) -> float:
        settings = self._with.services.get(call.service)
        wait: float = getattr(settings.timeouts, TIMEOUT_OF[state]) if settings is not None else 0.0
        return self._with.clock.seconds() + wait

    def _tell(self, call: Call, told: Condition | None) -> None:
        """Keep a call, with an event for its agent if they are there, it is new, and there is room."""
        if told is None or told in call.told:
            self._keep_call(call)
            return
        call = evolve(call, told=call.told | {told})
        if not self._desk.is_here(call.agent) or not self._desk.has_room(call.agent):
            self._keep_call(call)
            return
        event = self._desk.compose(call.agent, call.serial, told)
        self._keep_call(call, lambda: self._desk.kept(event), event=event)

    def _keep_call(
        self,
        call: Call,
        kept: Callable[[], None] = lambda: None,
        lost: Callable[[], None] = lambda: None,
        event: StoredEvent | None = None,
    ) -> None:
        def keep_deadline() -> None:
            # Undone in the store: its deadline is that of the record which stands again.
            undone = self._store.get(call.serial)
            if undone is not None:
                self._deadlines.set(undone.serial, undone.deadline)
            lost()

        self._deadlines.set(call.serial, call.deadline)
        self._keeper.keep(Change(calls=(call,), events=() if event is None else (event,)), kept, keep_deadline)

    # ------------------------------------------------------------ ends

    def _end(
        self,
        call: Call,
        condition: Condition,
        status: Status = Status.OK,
        answer: Callable[[Status], None] = lambda status: None,
    ) -> None:
        """End a call that has no final result: its agent always hears of it."""
        if (call.state, Step.END) not in TRANSITIONS:
            return
        event = self._desk.compose(call.agent, call.serial, condition, status)
        closed = self._moved(call, Step.END)

        def kept() -> None:
            self._count_end(condition)
            self._tell_service(call, condition)
            self._finished(closed)
            answer(Status.OK)
            self._desk.kept(event)

        self._keep_call(closed, kept, lambda: answer(Status.STORE_UNAVAILABLE), event)

    def _tell_service(self, call: Call, condition: Condition) -> None:
        """Say CallEnded to the session that has the call, or to another of its identity."""
        holder = self._holders.get(call.serial)
        if call.state not in WITH_SERVICE or (holder is None and call.owner == ANY_OWNER):
            return
        if holder is None or not holder.bound:
            others = self._with.sessions.of_identity(call.owner)
            holder = others[0] if others else None
        if holder is not None:
            holder.end_call(CallEnded(call.serial, condition))

    def _count_end(self, condition: Condition) -> None:
        match condition:
            case Condition.CANCELLED:
                self._counts.calls_cancelled += 1
            case Condition.UNREACHABLE:
                self._counts.calls_unreachable += 1
            case Condition.TIMED_OUT:
                self._counts.calls_timed_out += 1
            case _:
                self._counts.calls_hung_up += 1

    def _time_out(self, serial: str) -> None:
        """The deadline of a call's state has come."""
        call = self._store.get(serial)
        if call is None:
            return
        if call.state is CallState.CLOSED:
            self._keeper.keep(Change(forgotten=(serial,)))
        elif call.state is CallState.REPORTED:
            self._step(call, Step.RETURN)
        else:
            self._end(call, TIMED_OUT_AS[call.state], self._met(call))

    def _met(self, call: Call) -> Status:
        """The status that says what kept a call from going on in time."""
        if call.state in SIGNALLED and call.service in self._with.services:
            status = Status.of(self._driver(call).withdraw(call.serial))
            if status is not Status.TIMED_OUT:
                self._holders.pop(call.serial, None)
            return status
        return Status.TIMED_OUT

    # ------------------------------------------------------------ what is open

    def _opened(self, call: Call) -> None:
        self._open_calls[call.identity] += 1
        self._desk.reserve(call.agent)

    def _closed(self, call: Call) -> None:
        self._open_calls[call.identity] -= 1
        self._desk.release(call.agent)

    def _finished(self, call: Call) -> None:
        """The call's end is kept: give back what it held."""
        self._holders.pop(call.serial, None)
        if call.state is CallState.CLOSED and call.service in self._with.services:
            self._driver(call).withdraw(call.serial)
        self._closed(call)


def _connect_refused(request: ConnectRequest, status: Status) -> ConnectReply:
    return ConnectReply(status, request.serial, status.text)


def _digest(request: ConnectRequest) -> bytes:
    """What a repeat of the request has in common with it, and any other use of its serial has not."""
    digest = blake2b(digest_size=16)
    for part in (request.agent, request.service, request.calling_number, *_field_parts(request.fields)):
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()


def _field_parts(fields: Fields) -> Iterable[str | bytes]:
    for name in sorted(fields):
        value = fields[name]
        yield name
        yield type(value).__name__
        yield value if isinstance(value, bytes) else str(value)
