"""The table of calls: each moves along the states, over the store, until it is forgotten; who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import IServiceSession
from ctiex.messages import Condition
from ctiex.processing.commits import RETRY_AFTER, nothing
from ctiex.processing.context import ProcessingContext
from ctiex.processing.deadlines import CallDeadlines
from ctiex.processing.drivers import SignallingDrivers
from ctiex.processing.open_calls import OpenCalls
from ctiex.processing.owners import Owners
from ctiex.processing.service_notices import ServiceNotices
from ctiex.processing.states import ENDED, SIGNALLED, TIMED_OUT_AS, TRANSITIONS, Step
from ctiex.processing.timer_wheel import TimerWheel
from ctiex.processing.uncommitted import Act, SignallingEvent, Uncommitted
from ctiex.records import Call, CallState, Change, StoredEvent


class CallTable:
    """Moves calls along the table of states and tells agents and services what happened."""

    def __init__(self, context: ProcessingContext) -> None:
        self._context = context
        self._store = context.store
        self._mailboxes = context.mailboxes
        self._presence = context.presence
        self._observer = context.observer
        self._commits = context.commits
        self._timers = TimerWheel(context.clock, self._time_out, self._commits.settled)
        self.drivers = SignallingDrivers(context.services)
        self.owners = Owners()
        self.deadlines = CallDeadlines(context, self.owners)
        self.open = OpenCalls(context)
        self.undecided: set[str] = set()
        """Calls that may be over, or somebody else's: that is on its way to the store, and may come to nothing."""
        self._notices = ServiceNotices(context, self.happened)
        self._uncommitted = Uncommitted(self._commits)
        self._met_by: dict[str, Status] = {}
        """By serial: the status of calls whose time is over, until their end is committed."""
        self._moment: int | None = None
        """When that happened which is taken now, where it could not be at once."""
        self._fetched_by_owner: set[str] = set()
        """Calls whose data the identity that has them was given, in whatever state they are now.

        Behind a start so are all that are with a service: that it has fetched may never have come to the store.
        """
        self.left_to_the_next = False
        """Whether calls that are being signalled are left to the next start."""
        self.quotas = context.quotas

    def start(self) -> None:
        """Take up the calls of an opened store."""
        self.open.start()
        self._notices.start()
        self._fetched_by_owner = {
            call.serial for call in self._store.calls() if call.owner and (call.state, Step.FETCH) in TRANSITIONS
        }

    def stop(self) -> None:
        """Let go of the timers."""
        self._timers.stop()
        self._notices.stop()

    def wait(self, call: Call) -> None:
        """Have a call time out when its stored deadline has come, or no later than it was ever set."""
        self.deadlines.take_up(call)
        self._timers.set(call.serial, self.deadlines.of(call))

    # ------------------------------------------------------------ what has happened

    def happened(self, serial: str, what: SignallingEvent, act: Act, moment: int | None = None) -> None:
        """Take what has happened to a call, which can't be undone by a store that is unavailable.

        It is taken on the call as it is now: when that is known, if it is undecided; behind what has happened
        before and isn't kept; and once more when the store is well again.

        :param moment: when it happened; now unless given.
        """
        call = self._store.get(serial)
        if call is None or (what.wanted and self.left_to_the_next):
            return
        if moment is None or what.wanted:  # what was about to happen happens now
            moment = self._context.clock.now()
        again = partial(self.happened, serial, what, act, moment)
        if serial in self.undecided or serial in self._uncommitted:
            self._uncommitted.put(serial, what, again)
            return
        before, self._moment = self._moment, moment
        try:
            act(call, partial(self._uncommitted.put_until_well, serial, what, again))
        finally:
            self._moment = before

    def offered(self, call: Call, session: IServiceSession | None) -> None:
        """The Connection goes to this session; None: to an address. Nobody who had the call hears of it any more."""
        if session is None or session.identity != call.owner:
            self._notices.forget(call.serial)
            self._fetched_by_owner.discard(call.serial)
        self.owners.offered(call, session)

    def fetched(self, call: Call, identity: Identity) -> None:
        """The service has its data: the agent hears 12. A call that any identity may come for is this one's now."""
        self.owners.claim(call, identity)
        self._fetched_by_owner.add(call.serial)
        self.happened(call.serial, SignallingEvent.FETCHED, partial(self._fetched, identity))

    def is_leaving(self, serial: str) -> bool:
        """Whether the customer is known to have left the service, or the call to be over, before that is committed."""
        return self._uncommitted.has(serial, SignallingEvent.RETURNED) or self._uncommitted.has(
            serial, SignallingEvent.ENDED
        )

    def _fetched(self, identity: Identity, call: Call, failed: Callable[[], None]) -> None:
        if not self.owners.owns(identity, call) or (
            call.state is CallState.CONNECTED and Condition.RETURNED in call.told
        ):
            return  # it had gone on before this was kept, or gone to another identity
        spoke = call.but(refused=False) if call.refused else call
        if (call.state, Step.FETCH) in TRANSITIONS:
            self.step(spoke, Step.FETCH, Condition.DATA_FETCHED, failed=failed)
        elif call.refused:  # it had fetched it before
            self.commit(spoke, failed=failed)

    def refused(self, serial: str, session: IServiceSession) -> None:
        """The service of a call has refused it: it needs no word of the end, unless another is offered the call."""
        self.happened(serial, SignallingEvent.REFUSED, partial(self._refused, session))

    def _refused(self, session: IServiceSession, call: Call, failed: Callable[[], None]) -> None:
        """Where the store takes it late, another session may have the call already, which has refused nothing."""
        is_with_it = self.owners.session_of(call) is session
        if (call.state, Step.END) in TRANSITIONS and is_with_it and not call.refused:
            self.commit(call.but(refused=True), failed=failed)

    def update(self, call: Call, updated: Call, answer: Callable[[Status], None]) -> None:
        """Keep a call with other data. A service that has fetched it hears of that."""
        fetched = call.serial in self._fetched_by_owner
        updated = updated.but(owner=self.owners.owner_of(call), changed=call.changed or fetched)

        def committed() -> None:
            if updated.changed:
                self._notices.tell(updated, self.owners.session_of(updated))
            answer(Status.OK)

        kept, failed = self.undecided_until(call, committed, lambda: answer(Status.STORE_UNAVAILABLE))
        self.commit(updated, kept, failed)

    # ------------------------------------------------------------ one step of a call

    def step(
        self,
        call: Call,
        step: Step,
        told: Condition | None = None,
        committed: Callable[[], None] = nothing,
        failed: Callable[[], None] = nothing,
    ) -> None:
        """Move a call by a step and tell its agent, when the step is one for its state."""
        if (call.state, step) in TRANSITIONS:
            self.tell(self.moved(call, step, told), told, committed, failed, before=call)

    def let_go(
        self,
        call: Call,
        failed: Callable[[], None],
        told: Condition | None = None,
        committed: Callable[[], None] = nothing,
    ) -> None:
        """The customer has left the service; the agent hears ``told`` of it, where they are together again."""
        self.step(call, Step.RETURN, told, committed, failed)
        if call.state is CallState.REPORTED:
            self.drivers.withdraw(call)

    def moved(self, call: Call, step: Step, told: Condition | None = None) -> Call:
        """The call after a step: with the new state's deadline, and wiped when it is closed.

        :param told: what its agent hears of that.
        """
        state = TRANSITIONS[call.state, step]
        since = call.since
        if state is not call.state:
            since = self._context.clock.now() if self._moment is None else self._moment
        is_over, closes = state in ENDED, state is CallState.CLOSED
        return call.but(
            state=state,
            deadline=self.deadlines.after(call, step, state),
            since=since,
            owner=self.owners.owner_of(call),
            told=call.told if told is None or told in call.told else call.told | {told},
            changed=call.changed and not is_over,
            refused=call.refused and not closes,
            wiped=closes,
        )

    def tell(
        self,
        call: Call,
        told: Condition | None,
        committed: Callable[[], None] = nothing,
        failed: Callable[[], None] = nothing,
        before: Call | None = None,
    ) -> None:
        """Keep a call, with an event for its agent if they are there, it is new, and there is room.

        :param before: the call as it was, where it was moved with ``told``: its reference is wiped when it closes.
        """
        event, known = None, call if before is None else before
        if told is not None and told not in known.told:
            if before is None:
                call = call.but(told=call.told | {told})
            if self._presence.is_here(call.agent) and self.quotas.has_room(call.agent):
                event = self._mailboxes.compose(known, told, time=self._moment)
                committed = partial(self._tell_and_go_on, event, committed)
        self.commit(call, committed, failed, event)

    def _tell_and_go_on(self, event: StoredEvent, committed: Callable[[], None]) -> None:
        self._mailboxes.committed(event)
        committed()

    def commit(
        self,
        call: Call,
        committed: Callable[[], None] = nothing,
        failed: Callable[[], None] = nothing,
        event: StoredEvent | None = None,
    ) -> None:
        """Commit a call as it is now, with an event for its agent, and go on once both are committed.

        :param failed: called instead when the store could not take them: then the call is as it was.
        """
        self._timers.set(call.serial, self.deadlines.of(call))
        if event is None:
            change = Change((call,))
        else:
            metadata = self._mailboxes.metadata(call.agent, call.identity)
            change = Change((call,), events=(event,), metadata=metadata)
        if call.state is CallState.CLOSED:
            committed = partial(self._closed, call, committed)
        if call.state in ENDED:
            committed, failed = self.undecided_until(call, committed, failed)
        self._commits.commit(change, committed, partial(self._undone, call.serial, failed))

    def _undone(self, serial: str, failed: Callable[[], None]) -> None:
        """Its deadline is that of the record which stands again, if that isn't over."""
        call = self._store.get(serial)
        if call is not None:
            self._timers.set(serial, max(self.deadlines.of(call), self._retry_at()))
        failed()

    def _closed(self, call: Call, committed: Callable[[], None]) -> None:
        self.open.remove(call)
        committed()

    def undecided_until(
        self, call: Call, committed: Callable[[], None], failed: Callable[[], None]
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Leave requests about a call, and what happens to it, until one of the two returned is called."""
        self.undecided.add(call.serial)
        return partial(self._decided, call.serial, committed), partial(self._decided, call.serial, failed)

    def _decided(self, serial: str, go_on: Callable[[], None]) -> None:
        """What has happened meanwhile is taken on what stands now."""
        self.undecided.discard(serial)
        meanwhile = self._uncommitted.pop(serial)
        go_on()
        for tell in meanwhile:
            tell()

    def _retry_at(self) -> float:
        return self._context.clock.seconds() + RETRY_AFTER

    # ------------------------------------------------------------ ends

    def end(
        self,
        call: Call,
        condition: Condition,
        status: Status = Status.OK,
        answer: Callable[[Status], None] = lambda status: None,
        failed: Callable[[], None] = nothing,
    ) -> None:
        """End a call that has no final result: its agent always hears of it.

        :param answer: hears 0 once the end is kept, or 50.
        :param failed: called when the store didn't keep the end; a caller that can't repeat it has it told again.
        """
        if (call.state, Step.END) not in TRANSITIONS:
            return
        event = self._mailboxes.compose(call, condition, status, time=self._moment)
        closed = self.moved(call, Step.END)
        if self.owners.hears_of_end(call):
            closed = closed.but(ended_as=condition)

        def committed() -> None:
            session = self.owners.session_of(call)
            self.finished(closed)
            if closed.ended_as:
                self._notices.tell(closed, session)
            answer(Status.OK)
            self._observer.call_ended(call, condition, status)
            self._mailboxes.committed(event)

        def not_committed() -> None:
            answer(Status.STORE_UNAVAILABLE)
            failed()

        self.commit(closed, committed, not_committed, event)

    def _time_out(self, serial: str) -> None:
        """The deadline of a call's state has come."""
        call = self._store.get(serial)
        if call is None:
            return
        self._uncommitted.drop_wanted(serial)  # it is too late for that
        if serial in self.undecided or serial in self._uncommitted:  # it has gone on: that is applied first
            self._timers.set(serial, self._retry_at())
        elif call.state in SIGNALLED and self.left_to_the_next:
            return  # its offer is taken back, and made again: its time-out starts again then
        elif call.state is CallState.CLOSED:
            again = self._retry_at()
            self._commits.commit(
                Change(forgotten=(serial,)),
                lambda: self._forgotten(call),
                lambda: self._timers.set(serial, again),
            )
        elif call.state is CallState.REPORTED:
            self.let_go(call, nothing)  # a deadline comes again by itself
        else:
            self.end(call, TIMED_OUT_AS[self.deadlines.bound_by(call, call.state)], self._met(call))

    def _forgotten(self, call: Call) -> None:
        self.deadlines.forget(call.serial)
        self.quotas.forgotten(call)
        self._notices.forget(call.serial)
        self._observer.call_forgotten(call)

    def _met(self, call: Call) -> Status:
        """What kept a call from going on in time: 33 while an answer is awaited, from a service that has it.

        Its driver is asked once, and releases it: the end may have to be told again until it is kept.
        """
        if self.deadlines.bound_by(call, call.state) not in SIGNALLED or call.service not in self._context.services:
            return Status.TIMED_OUT
        met = self._met_by.get(call.serial)
        if met is None:
            met = self._met_by[call.serial] = self.drivers.withdraw(call)
        return met

    # ------------------------------------------------------------ what is open

    def opened(self, call: Call) -> None:
        """There is a new call, which isn't committed yet."""
        self.quotas.recorded(call)
        self.quotas.opened(call)
        self.open.add(call)

    def not_committed(self, call: Call) -> None:
        """The store didn't take a new call."""
        self.quotas.closed(call)
        self.quotas.forgotten(call)
        self.open.remove(call)
        self._uncommitted.pop(call.serial)
        self._met_by.pop(call.serial, None)
        if self._store.get(call.serial) is None:  # else what stood there before stands again
            self._timers.clear(call.serial)

    def finished(self, call: Call) -> None:
        """The call's end is committed: release what it held."""
        self.owners.forget(call)
        self._met_by.pop(call.serial, None)
        self._fetched_by_owner.discard(call.serial)
        if call.state is CallState.CLOSED:
            self.drivers.withdraw(call)
        self.quotas.closed(call)
