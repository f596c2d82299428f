"""The life of each call, from its first offer to its end: steps, time-outs, and who hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from ctiex.errors import SerialError, Status
from ctiex.interfaces import IOfferWatcher, IRunningSignalling, IServiceSession, ISignalling, Offer
from ctiex.messages import CallEnded, Condition, Connection
from ctiex.processing.arrivals import Arrivals
from ctiex.processing.auditing import CallAudit
from ctiex.processing.deadlines import Deadlines
from ctiex.processing.held import Held
from ctiex.processing.identities import ANY_OWNER
from ctiex.processing.keeping import RETRY_AFTER, Keeper
from ctiex.processing.states import SIGNALLED, TIMED_OUT_AS, TIMEOUT_OF, TRANSITIONS, WITH_SERVICE, Step
from ctiex.processing.surroundings import Surroundings
from ctiex.records import Call, CallState, Change, StoredEvent

_log = Logger()

_UNFETCHED = 5.0
"""How long a service that has let the customer go without their data may take to say why, in seconds: most likely there
was none, and then nobody says anything."""
_GRACE = 5.0
"""How much longer an answer may come than a call waits for it, in seconds."""


@implementer(IOfferWatcher)
class Lifecycle:
    """Moves calls along the table of states and tells agents and services what happened."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._with = surroundings
        self._store = surroundings.store
        self._desk = surroundings.desk
        self.audit = None if surroundings.audit is None else CallAudit(surroundings.audit)
        self._keeper = Keeper(surroundings.store, surroundings.counts)
        self._deadlines = Deadlines(surroundings.clock, self._time_out, self._keeper.settled)
        self._drivers: Mapping[str, ISignalling] = {}
        self._holders: dict[str, IServiceSession] = {}
        self.held = Held(surroundings.limits, surroundings.desk)
        self._arrivals = Arrivals(surroundings)
        self._retries: dict[tuple[str, Step], IDelayedCall] = {}

    # ------------------------------------------------------------ from start to stop

    def start(self, drivers: Mapping[str, ISignalling]) -> None:
        """Go on with the calls of an opened store; signal new ones by these drivers, by name."""
        self._drivers = drivers
        signalled = [call for call in list(self._store.calls()) if self._taken_up(call)]
        again = tuple(evolve(call, deadline=self._deadline(call, call.state)) for call in signalled)
        for call in again:
            self._deadlines.set(call.serial, call.deadline)
        if again:
            # In one change: the store need not take as many at once as there may be calls.
            self._keeper.keep(Change(calls=again), lambda: self._offer_again(again))

    def _taken_up(self, call: Call) -> bool:
        """Go on with a call; True when it is to be offered again."""
        self.held.recorded(call)
        if (call.state, Step.END) in TRANSITIONS:
            self.held.opened(call)
            if call.service not in self._with.services:  # restarted with another configuration
                self.end(call, TIMED_OUT_AS[call.state], Status.UNKNOWN_SERVICE)
                return False
        if call.state in SIGNALLED:
            return True
        self._deadlines.set(call.serial, call.deadline)
        self._resume(call)
        return False

    def _resume(self, call: Call) -> None:
        """Have a driver that sees the call find out what became of it meanwhile."""
        if call.state is not CallState.CLOSED and call.service in self._with.services:
            driver = self.driver(call)
            if IRunningSignalling.providedBy(driver) and Condition.RETURNED not in call.told:
                driver.resume(call.serial, call.agent)

    def _offer_again(self, calls: Iterable[Call]) -> None:
        for call in calls:
            current = self._store.get(call.serial)
            if current is not None and current.state in SIGNALLED:  # not ended while the store took it
                self.offer(current, resumed=True)

    def stop(self) -> None:
        """Let go of the timers."""
        self._deadlines.stop()
        for retry in self._retries.values():
            retry.cancel()
        self._retries.clear()

    # ------------------------------------------------------------ what signalling meets

    def offer(self, call: Call, resumed: bool = False) -> None:
        """Begin to signal a call; its agent hears 10.

        :param resumed: it was under way before a restart.
        """
        try:
            offer = self._offer_of(call, resumed)
        except SerialError as error:  # kept before a restart with another carrier
            _log.error("call {serial} can't be offered again: {reason}", serial=call.serial, reason=str(error))
            self.unreachable(call.serial, Status.SERIAL_DOES_NOT_FIT)
            return
        self._tell(call, Condition.CONNECTING)
        try:
            self.driver(call).offer(offer)
        except Exception:  # a driver's fault must not become the agent's link's
            _log.failure("signalling of call {serial} failed", serial=call.serial)
            self.unreachable(call.serial, Status.INTERNAL)

    def _offer_of(self, call: Call, resumed: bool) -> Offer:
        carried = self._with.carrier.embed(call.calling_number, call.serial)
        access_code = self._with.services[call.service].access_code
        connection = Connection(access_code, carried.calling_number, self._with.exchange_address)
        network = self._with.network
        signalled = carried if network is None else network.embed(call.calling_number, call.serial)
        deadline = call.deadline + _GRACE
        agent = call.agent
        return Offer(call.serial, call.service, call.calling_number, connection, deadline, resumed, signalled, agent)

    def driver(self, call: Call) -> ISignalling:
        """The driver that signals calls of this service."""
        return self._drivers[self._with.services[call.service].signalling]

    def offered(self, serial: str, session: IServiceSession | None) -> None:
        """The call belongs to the session's identity from now on."""
        call = self._store.get(serial)
        if session is not None and call is not None:
            self._holders[serial] = session
        owner = ANY_OWNER if session is None else session.identity
        if self.audit is not None and call is not None and (call.state, Step.OFFER) in TRANSITIONS:
            self.audit.offered(call, owner, session)
        self._step_of(serial, Step.OFFER, None, owner)

    def accepted(self, serial: str) -> None:
        """The agent hears 11."""
        call = self._store.get(serial)
        if self.audit is not None and call is not None and (call.state, Step.ACCEPT) in TRANSITIONS:
            self.audit.accepted(call, self._holders.get(serial))
        self._step_of(serial, Step.ACCEPT, Condition.CONNECTED)

    def refused(self, serial: str, session: IServiceSession, status: int | None) -> None:
        """Nobody hears of it but the audit: the driver tries another session."""
        call = self._store.get(serial)
        if self.audit is not None and call is not None:
            self.audit.offer_refused(call, session, status)

    def unreachable(self, serial: str, status: int) -> None:
        """The agent hears 14 with this status."""
        call = self._store.get(serial)
        if call is not None:
            self.end(call, Condition.UNREACHABLE, Status.of(status), held=False)

    def returned(self, serial: str) -> None:
        """The agent hears 13. The call is closed, unless its result is still to come."""
        call = self._store.get(serial)
        if call is None or (call.state, Step.RETURN) not in TRANSITIONS or Condition.RETURNED in call.told:
            return
        if self.audit is not None:
            self.audit.returned(call)
        self.step(call, Step.RETURN, Condition.RETURNED)
        if call.state is CallState.REPORTED:
            self._withdraw(call)

    def strayed(self, serial: str) -> None:
        """Nobody hears of it: the result tells the agent more, or the time-out if none comes."""
        call = self._store.get(serial)
        if call is not None:
            self.step(call, Step.RETURN)
            if call.state is CallState.REPORTED:
                self._withdraw(call)

    def agent_is_here(self, agent: str) -> None:
        """An agent number was logged in: drivers that see calls may have one to tell of."""
        for driver in self._drivers.values():
            if IRunningSignalling.providedBy(driver):
                driver.agent_is_here(agent)

    def arrived(self, agent: str, calling_number: str) -> str:
        """The agent hears 0, under a new serial."""
        return self._arrivals.arrived(agent, calling_number)

    def hung_up(self, serial: str) -> None:
        """The agent hears 3, unless the service's result has told it more."""
        call = self._store.get(serial)
        if call is not None and call.state is CallState.REPORTED:
            self.step(call, Step.RETURN)
            self._withdraw(call)
        elif call is not None:
            self.end(call, Condition.ABANDONED)

    # ------------------------------------------------------------ one step of a call

    def _step_of(self, serial: str, step: Step, told: Condition | None, owner: str = "") -> None:
        call = self._store.get(serial)
        if call is not None:
            self.step(evolve(call, owner=owner or call.owner), step, told)

    def step(self, call: Call, step: Step, told: Condition | None = None) -> None:
        """Move a call by a step and tell its agent, when the step is one for its state.

        What has happened can't be undone by a store that is unavailable: the step is taken again later.
        """
        if (call.state, step) in TRANSITIONS:
            self._tell(self.moved(call, step), told, lambda: self._step_later(call.serial, step, told, call.owner))

    def _step_later(self, serial: str, step: Step, told: Condition | None, owner: str) -> None:
        def again() -> None:
            del self._retries[serial, step]
            self._step_of(serial, step, told, owner)

        if (serial, step) not in self._retries:  # a peer that repeats it while the store is away adds nothing
            self._retries[serial, step] = self._with.clock.callLater(RETRY_AFTER, again)

    def moved(self, call: Call, step: Step) -> Call:
        """The call after a step: with the new state's deadline, and wiped when it is closed."""
        state = TRANSITIONS[call.state, step]
        if state is CallState.CLOSED:
            call = evolve(call, calling_number="", digest=b"", data=b"")
        returns = step is Step.RETURN and state is not CallState.CLOSED
        awaits_its_result = Condition.RETURNED in call.told and state is CallState.FETCHED
        if awaits_its_result or (TIMEOUT_OF[state] == TIMEOUT_OF[call.state] and not returns):
            return evolve(call, state=state)
        return evolve(
            call, state=state, deadline=self._return_deadline(call) if returns else self._deadline(call, state)
        )

    def _return_deadline(self, call: Call) -> float:
        """Until when a result is awaited of a service that has let the customer go."""
        whole = self._deadline(call, CallState.REPORTED)
        return whole if call.state is CallState.FETCHED else min(whole, self._with.clock.seconds() + _UNFETCHED)

    def _deadline(self, call: Call, state: CallState) -> float:
        settings = self._with.services.get(call.service)
        wait: float = getattr(settings.timeouts, TIMEOUT_OF[state]) if settings is not None else 0.0
        return self._with.clock.seconds() + wait

    def _tell(self, call: Call, told: Condition | None, lost: Callable[[], None] = lambda: None) -> None:
        """Keep a call, with an event for its agent if they are there, it is new, and there is room."""
        if told is None or told in call.told:
            self.keep(call, lost=lost)
            return
        call = evolve(call, told=call.told | {told})
        if not self._desk.is_here(call.agent) or not self._desk.has_room(call.agent):
            self.keep(call, lost=lost)
            return
        event = self._desk.compose(call.agent, call.serial, told)
        self.keep(call, lambda: self._desk.kept(event), lost, event)

    def keep(
        self,
        call: Call,
        kept: Callable[[], None] = lambda: None,
        lost: Callable[[], None] = lambda: None,
        event: StoredEvent | None = None,
    ) -> None:
        """Keep a call as it is now, with an event for its agent, and go on once both are kept.

        :param lost: called instead when the store could not take them: then the call is as it was.
        """

        def keep_deadline() -> None:
            # Undone in the store: its deadline is that of the record which stands again, if that isn't over.
            undone = self._store.get(call.serial)
            if undone is not None:
                self._deadlines.set(undone.serial, max(undone.deadline, self._retry_at()))
            lost()

        self._deadlines.set(call.serial, call.deadline)
        change = Change(calls=(call,))
        if event is not None:
            change = Change(calls=(call,), events=(event,), labels=self._desk.labels(call.agent, call.identity))
        self._keeper.keep(change, kept, keep_deadline)

    def _retry_at(self) -> float:
        return self._with.clock.seconds() + RETRY_AFTER

    # ------------------------------------------------------------ ends

    def end(
        self,
        call: Call,
        condition: Condition,
        status: Status = Status.OK,
        answer: Callable[[Status], None] = lambda status: None,
        held: bool = True,
    ) -> None:
        """End a call that has no final result: its agent always hears of it.

        :param answer: hears 0 once the end is kept, or 50.
        :param held: whether a service may have the call, which then hears of the end too.
        """
        if (call.state, Step.END) not in TRANSITIONS:
            return
        event = self._desk.compose(call.agent, call.serial, condition, status)
        closed = self.moved(call, Step.END)

        def kept() -> None:
            self._count_end(condition)
            if held:
                self._tell_service(call, condition)
            self.finished(closed)
            answer(Status.OK)
            if self.audit is not None:
                self.audit.ended(call, condition, status)
            self._desk.kept(event)

        self.keep(closed, kept, lambda: answer(Status.STORE_UNAVAILABLE), event)

    def _tell_service(self, call: Call, condition: Condition) -> None:
        """Say CallEnded to the session that has the call, or to another of its identity."""
        holder = self._holders.get(call.serial)
        if holder is None and (call.state not in WITH_SERVICE or call.owner == ANY_OWNER):
            return
        if holder is None or not holder.bound:
            others = self._with.sessions.of_identity(call.owner)
            holder = others[0] if others else None
        if holder is not None:
            holder.end_call(CallEnded(call.serial, condition))

    def _count_end(self, condition: Condition) -> None:
        match condition:
            case Condition.CANCELLED:
                self._with.counts.calls_cancelled += 1
            case Condition.UNREACHABLE:
                self._with.counts.calls_unreachable += 1
            case Condition.TIMED_OUT:
                self._with.counts.calls_timed_out += 1
            case _:
                self._with.counts.calls_hung_up += 1

    def _time_out(self, serial: str) -> None:
        """The deadline of a call's state has come."""
        call = self._store.get(serial)
        if call is None:
            return
        if call.state is CallState.CLOSED:
            again = self._retry_at()
            self._keeper.keep(
                Change(forgotten=(serial,)),
                lambda: self._forgotten(call),
                lambda: self._deadlines.set(serial, again),
            )
        elif call.state is CallState.REPORTED:
            self._withdraw(call)
            self.step(call, Step.RETURN)
        else:
            met = self._met(call)
            self.end(call, TIMED_OUT_AS[call.state], met, held=met is Status.TIMED_OUT)

    def _forgotten(self, call: Call) -> None:
        self.held.forgotten(call)
        if self.audit is not None:
            self.audit.forgotten(call)

    def _met(self, call: Call) -> Status:
        """What kept a call from going on in time: 33 while an answer is awaited, from a service that has it."""
        if call.state in SIGNALLED and call.service in self._with.services:
            return Status.of(self.driver(call).withdraw(call.serial))
        return Status.TIMED_OUT

    # ------------------------------------------------------------ what is open

    def opened(self, call: Call) -> None:
        """There is a new call, which isn't kept yet."""
        self.held.recorded(call)
        self.held.opened(call)

    def never_kept(self, call: Call) -> None:
        """The store didn't take a new call."""
        self.held.closed(call)
        self.held.forgotten(call)
        self._deadlines.clear(call.serial)

    def finished(self, call: Call) -> None:
        """The call's end is kept: give back what it held."""
        self._holders.pop(call.serial, None)
        if call.state is CallState.CLOSED:
            self._withdraw(call)
        self.held.closed(call)

    def _withdraw(self, call: Call) -> None:
        if call.service in self._with.services:
            self.driver(call).withdraw(call.serial)
