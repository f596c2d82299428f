"""What signalling meets: each happening becomes a step of its call, or its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.logger import Logger
from zope.interface import implementer

from ctiex.errors import CodecError, FieldError, SerialError
from ctiex.identities import ANY_OWNER
from ctiex.interfaces import IServiceSession, ISignallingListener, Signalled
from ctiex.messages import Condition
from ctiex.processing.calls import CallTable
from ctiex.processing.context import ProcessingContext
from ctiex.processing.offers import CallOffers
from ctiex.processing.states import TRANSITIONS, Step
from ctiex.processing.uncommitted import SignallingEvent
from ctiex.records import Call, CallState, Change

_log = Logger()


@implementer(ISignallingListener)
class SignallingListener:
    """Hears the drivers. What they tell has happened: it is taken however the store fares."""

    def __init__(self, context: ProcessingContext, calls: CallTable, offers: CallOffers) -> None:
        self._context = context
        self._calls = calls
        self._offers = offers
        self._observer = context.observer

    def offered(self, serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        """The call belongs to the session's identity once that is committed: only then is the Connection written."""
        self._calls.happened(serial, SignallingEvent.OFFERED, partial(self._offered, session, write))

    def _offered(
        self, session: IServiceSession | None, write: Callable[[], None], call: Call, failed: Callable[[], None]
    ) -> None:
        if (call.state, Step.OFFER) not in TRANSITIONS:
            return
        owner = ANY_OWNER if session is None else session.identity
        # Whoever has it now fetches it as it is.
        offered = call.but(owner=owner, changed=call.changed and owner == call.owner, refused=False)

        def committed() -> None:
            self._calls.offered(call, session)
            self._observer.call_offered(call, owner, session)
            write()

        decided = self._calls.undecided_until(call, committed, failed)
        self._calls.step(offered, Step.OFFER, Condition.CONNECTING, *decided)

    def accepted(self, serial: str) -> None:
        """The agent hears 11."""
        self._calls.happened(serial, SignallingEvent.ACCEPTED, self._accepted)

    def _accepted(self, call: Call, failed: Callable[[], None]) -> None:
        self._calls.step(
            call,
            Step.ACCEPT,
            Condition.CONNECTED,
            lambda: self._observer.call_accepted(call, self._calls.owners.session_of(call)),
            failed,
        )

    def refused(self, serial: str, session: IServiceSession, status: int | None) -> None:
        """The driver tries another session; the one that refused needs no word of the end."""
        call = self._context.store.get(serial)
        if call is not None:
            if status is not None:
                self._calls.refused(serial, session)
            self._observer.offer_refused(call, session, status)

    def unreachable(self, serial: str, status: int) -> None:
        """The agent hears 14 with this status."""
        self._offers.unreachable(serial, status)

    def returned(self, serial: str) -> None:
        """The agent hears 13. The call is closed, unless its result is still to come."""
        self._calls.happened(serial, SignallingEvent.RETURNED, self._returned)

    def _returned(self, call: Call, failed: Callable[[], None]) -> None:
        if (call.state, Step.RETURN) in TRANSITIONS and Condition.RETURNED not in call.told:
            self._calls.let_go(call, failed, Condition.RETURNED, partial(self._observer.customer_returned, call))

    def agent_lost(self, serial: str) -> None:
        """It isn't reported: the result tells the agent more, or the time-out if none comes."""
        self._calls.happened(serial, SignallingEvent.RETURNED, self._calls.let_go)

    def hung_up(self, serial: str) -> None:
        """The agent hears 3, unless the service's result has told it more."""
        self._calls.happened(serial, SignallingEvent.ENDED, self._hung_up)

    def _hung_up(self, call: Call, failed: Callable[[], None]) -> None:
        if call.state is CallState.REPORTED:
            self._calls.let_go(call, failed)
        else:
            self._calls.end(call, Condition.ABANDONED, failed=failed)

    # ------------------------------------------------------------ calls that nobody has asked for yet

    def call_arrived(self, agent: str, calling_number: str, customer: str = "") -> str:
        """The agent hears 0, under a serial of its own, or that of the call; empty if it isn't reported.

        An application that is told of calls by call events hears nothing more.

        As for events 10 to 13, the agent has to be logged in, with room in the mailbox. The calling number
        comes from the network: whatever could be read as a serial in it is stripped.
        """
        context = self._context
        if not context.presence.is_here(agent) or not context.quotas.has_room(agent):
            return ""
        known = context.agents_calls.serial_of(customer) if customer else ""
        if known and context.agents_calls.tells(agent):
            return known
        try:
            serial = known or context.new_serial(told=True)
            self._tell_of(serial, agent, context.carrier.strip(Signalled(calling_number)).calling_number)
        except (SerialError, FieldError, CodecError) as error:
            _log.warn("agent {agent} isn't notified of a call: {reason}", agent=agent, reason=str(error))
            return ""
        except Exception as error:  # anybody's carrier; what it says may hold the number
            fault = type(error).__name__
            _log.warn(
                "agent {agent} isn't notified of a call: the carrier failed with {fault}", agent=agent, fault=fault
            )
            return ""
        return serial

    def customer_of(self, serial: str) -> str:
        """As the calls of agents are known."""
        return self._context.agents_calls.customer_of(serial)

    def _tell_of(self, serial: str, agent: str, number: str) -> None:
        """Keep the event; later, if the store doesn't take it now."""
        commits, mailboxes = self._context.commits, self._context.mailboxes
        event = mailboxes.compose_arrival(agent, serial, number)
        commits.commit(
            Change(events=(event,), metadata=mailboxes.metadata(agent, "")),
            lambda: mailboxes.committed(event),
            lambda: commits.again(serial, lambda: self._tell_of(serial, agent, number)),
        )
