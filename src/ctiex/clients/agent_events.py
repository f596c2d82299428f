"""The events of one agent number: logged in on one link after the other, taken, acknowledged, asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ctiex.clients.event_taking import Coming, EarlyEvents, EventTaking, OnEvent, Position, TakenEvents
from ctiex.clients.hand_off import HandOffs
from ctiex.clients.link import ClientLink
from ctiex.clients.replies import checked
from ctiex.errors import BrokenExchange, CallError, CtiexError, Status
from ctiex.links.waiters import Waiters
from ctiex.messages import AgentEvent, AgentEventAck, AgentLogin, AgentLoginReply

if TYPE_CHECKING:
    from ctiex.clients.agent import AgentClient

_log = Logger()

MOST_UNTAKEN = 10_000
"""Events that have come and weren't taken, those that ``on_event`` failed to take included: no more come then."""

OnGap = Callable[[int, int], object]
OnTakenOver = Callable[[], object]
OnRefused = Callable[[CallError], object]


@frozen
class Application:
    """Whom an agent number tells what; ``AgentClient.login`` says more of each."""

    on_event: OnEvent
    on_gap: OnGap
    on_taken_over: OnTakenOver
    on_refused: OnRefused


class AgentEvents:
    """The half of an agent number that hears; :class:`ctiex.clients.agent_number.AgentNumber` is all of it."""

    _hand_offs: HandOffs
    """Its customers, who hear of their calls."""

    def __init__(self, client: AgentClient, number: str, application: Application, position: Position | None) -> None:
        self.number = number
        self.reactor = client.reactor
        self.taken_over = False
        """Whether another link has this agent number now."""
        self.ended: CtiexError | None = None
        """Why no more events come; None while they do."""
        self._client = client
        self._application = application
        self._epoch = 0 if position is None else position.epoch
        """Which numbering the events belong to; 0: nothing is known yet, and what an earlier run took is no gap."""
        self._events = TakenEvents(0 if position is None else position.sequence)
        self._taking = EventTaking(application.on_event, self._tried)
        self._left_out = False
        """Whether events were left to another login, since too many wait."""
        self._in_vain = 0
        """Logins for those in a row since the application has taken any."""
        self._next_login: IDelayedCall | None = None
        self._arrivals: Waiters[None] = Waiters()
        """Waits for events: told at each login, and of each event."""
        self._early: EarlyEvents | None = None
        """What comes before the answer to a login that is under way."""
        self._numbered = 0
        """The last event that the exchange is known to have numbered."""
        self._link: ClientLink | None = None
        """The last link that it was logged in on: events on another link, or from before, don't belong to it."""
        self._acknowledged = 0
        """The last event that was acknowledged on that link."""

    @property
    def last_sequence(self) -> int:
        """The last event up to which all were taken."""
        return self._events.last

    @property
    def position(self) -> Position:
        """Up to where all events were taken; store it, and give it to ``login`` after a restart to go on behind it.

        In ``on_event`` it is still that of the event before.
        """
        return Position(self._epoch, self.last_sequence)

    async def all_replayed(self) -> None:
        """Wait until everything has come that waited at the last login.

        :raise CtiexError: nothing comes any more.
        """
        while self.ended is None and (self._left_out or self._events.arrived < self._numbered):
            await self.arrival()

    def arrival(self) -> Deferred[None]:
        """Fires at the next login, or event."""
        return self._arrivals.add()

    async def log_in(self, link: ClientLink, timeout: float | None = None) -> None:
        """Log in on a link that has just been bound, and resume behind the last event that was taken.

        :param timeout: how long the exchange may take to answer, in seconds; the account's by default.
        :raise CallError: the exchange refuses this number.
        :raise BrokenExchange: it says what makes no sense.
        """
        self._link, self._left_out, self._early = None, False, EarlyEvents(link)
        self._wait_no_more()
        reply: Any = await link.ask(AgentLogin(self.number, self._epoch, self.last_sequence), timeout)
        anew = isinstance(reply, AgentLoginReply) and reply.status == Status.NUMBERING_ANEW
        logged_in: AgentLoginReply = reply if anew else checked(reply)
        self._check_numbering(logged_in)
        new, self._epoch = not self._epoch, logged_in.epoch
        first = logged_in.first_sequence
        self._link, self._acknowledged, self._numbered = link, first - 1, logged_in.last_sequence
        if anew:
            self._number_anew(first)
        elif new:
            self._events = TakenEvents(first - 1)
        else:
            self._go_on(first)
        self._take_early_soon()
        self._arrivals.fire(None)

    def _check_numbering(self, reply: AgentLoginReply) -> None:
        """:raise BrokenExchange: results could be lost in silence by what a login is answered."""
        first, last = reply.first_sequence, reply.last_sequence
        if not (reply.epoch and 1 <= first <= last + 1):
            raise BrokenExchange(f"it says that events {first} to {last} of epoch {reply.epoch} wait")
        known = reply.epoch == self._epoch and self.last_sequence <= last
        if self._epoch and reply.status == Status.OK and not known:
            raise BrokenExchange(f"it goes on at {last} of epoch {reply.epoch}, which isn't where the client was")

    def _go_on(self, first: int) -> None:
        """The numbering is the one that was known; events before the first one are lost, if they weren't taken."""
        failed, lost = self._events.give_up_failed(first), self._events.skips_to(first)
        if lost is not None:
            self._lose_events()
        if failed or lost is not None:
            gap = [*failed, *(lost or ())]
            self._tell("on_gap", self._application.on_gap, min(gap), max(gap))
        self._acknowledge()  # what was taken before, but the acknowledgement was lost on its way or in a crash

    def _number_anew(self, first: int) -> None:
        """The exchange has another numbering; every stored event is replayed, and some of the old one may be lost.

        Those of the old one that wait aren't brought any more: the application would take them for the new one's.
        """
        last = self.last_sequence
        self._taking.drop_waiting()
        self._events = TakenEvents(first - 1)
        self._hand_offs.numbered_anew()
        self._lose_events()
        self._tell("on_gap", self._application.on_gap, last + 1, last)

    def _lose_events(self) -> None:
        """End the waits for these events, which would never end otherwise."""
        self._hand_offs.fail_all(CallError(Status.NUMBERING_ANEW, f"events of agent {self.number} are lost"))

    def _tell(self, name: str, hears: Callable[..., object], *what: object) -> None:
        """Tell the application by one of its functions."""
        try:
            hears(*what)
        except Exception:  # the application's fault; the login, and the other agent numbers, go on
            _log.failure("{name} failed for agent {number}", name=name, number=self.number)

    def _take_early_soon(self) -> None:
        """Once the application knows that it is logged in."""
        if self._early is None:
            return  # it has logged out meanwhile
        self._early.begin_at(self.last_sequence + 1)
        if self._early.events:
            self.reactor.callLater(0, self._take_early, self._early)
        else:
            self._early = None

    def _take_early(self, early: EarlyEvents) -> None:
        if early is not self._early:
            return  # another login has begun, and replays them
        self._early = None
        for event in early.events:
            self.received(early.link, event)
        self._left_out = self._left_out or early.left_out
        self._bring_left_out()

    def received(self, link: ClientLink, event: AgentEvent) -> None:
        """An event has come, or comes again."""
        if self._early is not None and link is self._early.link:
            self._early.add(event)
            return
        if link is not self._link:
            return  # of an abandoned login; this one's replays it
        self._numbered = max(self._numbered, event.sequence)
        too_many = len(self._events) >= MOST_UNTAKEN and not self._events.has_failed(event.sequence)
        self._left_out = self._left_out or self._taking.full or too_many
        if self._left_out:
            return  # it isn't acknowledged, and comes again
        lost = self._events.skips_to(event.sequence)
        if lost is not None:
            self._lose_events()
            self._tell("on_gap", self._application.on_gap, *lost)
        again = self._events.has_failed(event.sequence)
        if self._events.arrives(event.sequence):
            self._taking.put(Coming(event, self._events, again))
        self._arrivals.fire(None)

    def _tried(self, coming: Coming) -> None:
        """The acknowledgement goes first: a waiter for the event may log out, or stop, as soon as it gets it."""
        self._acknowledge()
        if not coming.events.has_failed(coming.event.sequence):
            self._takes_some()
        if not coming.again and coming.events is self._events:  # else it is of a numbering that is over
            self._hand_offs.received(coming.event)
        self._bring_left_out()

    def _takes_some(self) -> None:
        if self._in_vain > 1:
            _log.info("agent {number} handles events again", number=self.number)
        self._in_vain = 0

    def _bring_left_out(self) -> None:
        if self._left_out and self._taking.empty and len(self._events) < MOST_UNTAKEN and self._link is not None:
            self._log_in_again(self._link)

    def _log_in_again(self, link: ClientLink) -> None:
        """Have the events brought that were left out: at once, or with pauses as between links while none is taken."""
        in_vain, self._in_vain = self._in_vain, self._in_vain + 1
        if not in_vain:
            self._client.log_in_again(self, link)
            return
        if in_vain == 1:
            _log.warn("agent {number} handles none of its events while others wait: it logs in less and less often",
                      number=self.number)  # fmt: skip
        self._next_login = self.reactor.callLater(
            self._client.pause_after(in_vain), self._client.log_in_again, self, link
        )

    def _wait_no_more(self) -> None:
        if self._next_login is not None and self._next_login.active():
            self._next_login.cancel()
        self._next_login = None

    def _acknowledge(self) -> None:
        if self._link is not None and self.last_sequence > self._acknowledged:
            self._acknowledged = self.last_sequence
            self._link.notify(AgentEventAck(self.number, self._acknowledged))

    def pause(self, error: CtiexError) -> None:
        """Nothing comes for now; what waits to be taken comes again at the next login."""
        self._link = self._early = None
        self._wait_no_more()
        self._arrivals.fail(error)
        self._taking.drop_waiting()
        self._hand_offs.fail_all(error)

    def end(self, error: CtiexError) -> None:
        """Nothing comes any more: it isn't logged in again by itself."""
        self.ended = error
        self.pause(error)

    def lost(self) -> None:
        """Another link has taken the number over."""
        self.taken_over = True
        self.end(CallError(Status.SESSION_TAKEN_OVER, self.number))
        self._tell("on_taken_over", self._application.on_taken_over)

    def refused(self, error: CallError) -> None:
        """The exchange doesn't let it log in again."""
        if error.status is Status.SESSION_TAKEN_OVER:
            self.lost()
            return
        self.end(error)
        self._tell("on_refused", self._application.on_refused, error)
