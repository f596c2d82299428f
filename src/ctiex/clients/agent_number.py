"""An agent number that is logged in: its hand-offs, and its events one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ctiex.clients.event_taking import Coming, EventTaking, OnEvent, TakenEvents
from ctiex.clients.hand_off import Asked, HandOff, HandOffs
from ctiex.clients.link import ClientLink
from ctiex.clients.replies import checked, pause_before_repeat
from ctiex.errors import BrokenExchange, CallError, CtiexError, LinkLost, Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    CallQuery,
    CallQueryReply,
    CancelRequest,
    ConnectReply,
    ConnectRequest,
    OpenCall,
    UpdateRequest,
)

if TYPE_CHECKING:
    from ctiex.clients.agent import AgentClient

_log = Logger()

MOST_UNTAKEN = 10_000
"""Events that have come and weren't taken, those that ``on_event`` failed to take included: no more come then."""

OnGap = Callable[[int, int], object]
OnTakenOver = Callable[[], object]
OnRefused = Callable[[CallError], object]


@frozen
class Position:
    """Up to where the events of an agent number were taken."""

    epoch: int
    """Which numbering."""
    sequence: int
    """The last event of it that was taken, with all before."""


class AgentNumber:
    """One agent number that is logged in, and logged in again after every loss of the link."""

    def __init__(
        self,
        client: AgentClient,
        number: str,
        on_event: OnEvent,
        on_gap: OnGap,
        on_taken_over: OnTakenOver,
        on_refused: OnRefused,
        position: Position | None,
    ) -> None:
        self.number = number
        self.reactor = client.reactor
        self.taken_over = False
        """Whether another link has this agent number now."""
        self.ended: CtiexError | None = None
        """Why no more events come; None while they do."""
        self._client = client
        self._on_gap = on_gap
        self._on_taken_over = on_taken_over
        self._on_refused = on_refused
        self._epoch = 0 if position is None else position.epoch
        """Which numbering the events belong to; 0: nothing is known yet, and what an earlier run took is no gap."""
        self._events = TakenEvents(0 if position is None else position.sequence)
        self._taking = EventTaking(on_event, self._tried)
        self._hand_offs = HandOffs(client.reactor, self)
        self._left_out = False
        """Whether events were left to another login, since too many wait."""
        self._in_vain = 0
        """Logins for those in a row since the application has taken any."""
        self._next_login: IDelayedCall | None = None
        self._numbered = 0
        """The last event that the exchange is known to have numbered."""
        self._link: ClientLink | None = None
        """The last link that it was logged in on: events on another link, or from before, don't belong to it."""
        self._coming_on: ClientLink | None = None
        """The link on which its login hasn't been answered yet."""
        self._early: list[AgentEvent] = []
        """Events that came there before that answer, which names their epoch."""
        self._acknowledged = 0
        """The last event that was acknowledged on that link."""

    @property
    def last_sequence(self) -> int:
        """The last event up to which all were taken."""
        return self._events.last

    @property
    def position(self) -> Position:
        """Up to where all events were taken; store it, and give it to ``login`` after a restart to go on behind it."""
        return Position(self._epoch, self.last_sequence)

    async def connect(
        self,
        service: str,
        calling_number: str,
        fields: Fields = EMPTY,
        serial: str | None = None,
        timeout: float = 30.0,
        resumed: bool = False,
        reference: str = "",
    ) -> HandOff:
        """Ask the exchange to connect a customer to a service; the call is committed when this returns.

        The request is repeated under its serial when the link is lost before its answer, and after a pause where the
        exchange asks for one. The same request again under the same serial gives the first one's HandOff while its call
        goes on. The HandOff hears nothing that the exchange had numbered before the request went out: that is of a call
        which had the serial earlier.

        :param calling_number: the customer's own number.
        :param serial: the call's own serial; None: one that no other call has. Empty: the exchange allocates it, and a
            lost link raises LinkLost, since the request can't be repeated.
        :param timeout: in seconds, with all repeats over lost links, behind pauses, and where no answer came.
        :param resumed: an earlier run has asked for this same call, which may have ended: events of it that waited
            are heard as well. Ask directly behind ``login``: what was replayed before went to ``on_event`` alone.
        :param reference: the application's own name for the call; it stands in each of its events.
        :raise CallError: the exchange refuses; ``status`` says why.
        :raise RequestTimedOut: no answer in time.
        """
        serial = self._client.new_serial() if serial is None else serial
        request = ConnectRequest(serial, self.number, service, calling_number, reference, fields)
        with self._hand_offs.asking(request) as asked:
            if resumed:
                asked.since = 0
            hand_off = self._hand_offs.kept(asked, await self._kept(request, asked, timeout, resumed))
        if self.ended is not None:  # while the answer was on its way
            self._hand_offs.fail_all(self.ended)
        return hand_off

    async def _kept(self, request: ConnectRequest, asked: Asked, timeout: float, resumed: bool) -> str:
        """The serial under which the exchange has committed the call.

        :param resumed: an earlier run has sent it.
        :raise CallError: the exchange refuses.
        """
        until = self.reactor.seconds() + timeout
        for attempts in count():
            left = max(0.0, until - self.reactor.seconds())
            reply = await self._client.ask(request, left, bool(request.serial), lambda: asked.goes_out(self._numbered))
            pause = pause_before_repeat(reply, attempts, self._client.pause_after) if request.serial else None
            if pause is None or self.reactor.seconds() + pause >= until:
                break
            await deferLater(self.reactor, pause)
        repeated = resumed or asked.has_sent(request)
        if repeated and getattr(reply, "status", None) == Status.ALREADY_FINISHED:
            return request.serial  # it was committed at an earlier attempt, and has ended: its events tell how
        kept: ConnectReply = checked(reply)
        return kept.serial

    async def update(self, serial: str, fields: Fields, timeout: float = 30.0) -> None:
        """Put these fields over those of an open call; a service that has fetched them hears of it.

        :raise CallError: 20 there is no such call, 24 it has finished already, 35 or 36 the fields are too large.
        """
        checked(await self._client.ask(UpdateRequest(serial, fields), timeout))

    async def open_calls(self, timeout: float = 30.0) -> Sequence[OpenCall]:
        """The hand-offs of this agent number that are open, the oldest first; all those that fit one frame.

        :raise CallError: 5, the identity may not act for this number.
        """
        reply: CallQueryReply = await self._client.ask(CallQuery(self.number), timeout)
        if reply.status != Status.DATA_TOO_LARGE:
            checked(reply)
        return reply.calls

    async def cancel(self, serial: str, timeout: float = 30.0) -> None:
        """Take a connection back, also one of an earlier run.

        :raise CallError: 20 there is no such call, 24 it has finished already.
        """
        checked(await self._client.ask(CancelRequest(serial), timeout))

    async def logout(self, timeout: float = 30.0) -> None:
        """Leave: events wait in the mailbox from now on.

        :raise RequestTimedOut: no answer in time.
        """
        link = self._link
        self._client.forget(self)
        self.end(CallError(Status.AGENT_NOT_LOGGED_IN, "the agent number logged out"))
        if link is None:
            return
        try:
            reply = await link.ask(AgentLogout(self.number), timeout)
        except LinkLost:
            return  # with its link the login is gone; a repeat could end a later one
        if not isinstance(reply, AgentLogoutReply) or reply.status != Status.AGENT_NOT_LOGGED_IN:
            checked(reply)

    # ------------------------------------------------------------ what the client tells

    async def log_in(self, link: ClientLink, timeout: float | None = None) -> None:
        """Log in on a link that has just been bound, and resume behind the last event that was taken.

        :param timeout: how long the exchange may take to answer, in seconds; the account's by default.
        :raise CallError: the exchange refuses this number.
        :raise BrokenExchange: it says what makes no sense.
        """
        self._link, self._coming_on, self._early, self._left_out = None, link, [], False
        self._wait_no_more()
        reply: Any = await link.ask(AgentLogin(self.number, self._epoch, self.last_sequence), timeout)
        anew = isinstance(reply, AgentLoginReply) and reply.status == Status.NUMBERING_ANEW
        logged_in: AgentLoginReply = reply if anew else checked(reply)
        first, last = logged_in.first_sequence, logged_in.last_sequence
        if not (logged_in.epoch and 1 <= first <= last + 1):
            raise BrokenExchange(f"it says that events {first} to {last} of epoch {logged_in.epoch} wait")
        new, self._epoch = not self._epoch, logged_in.epoch
        self._link, self._acknowledged, self._numbered = link, first - 1, last
        if anew:
            self._number_anew(first)
        elif new:
            self._events = TakenEvents(first - 1)
        else:
            self._go_on(first)
        self._bring_early(link)

    def _bring_early(self, link: ClientLink) -> None:
        """Take what came before the answer; behind what an earlier login left out comes its replay."""
        early, self._coming_on, self._early = self._early, None, []
        for event in early:
            if event.sequence <= self._events.arrived + 1:
                self.received(link, event)

    def _go_on(self, first: int) -> None:
        """The numbering is the one that was known; events before the first one are lost, if they weren't taken."""
        failed, lost = self._events.give_up_failed(first), self._events.skips_to(first)
        if lost is not None:
            self._lose_events()
        if failed or lost is not None:
            self._tell("on_gap", self._on_gap, min([*failed, *(lost or ())]), max([*failed, *(lost or ())]))
        self._acknowledge()  # what was taken before, but the acknowledgement was lost on its way or in a crash

    def _number_anew(self, first: int) -> None:
        """The exchange has another numbering; every stored event is replayed, and some of the old one may be lost."""
        last = self.last_sequence
        self._events = TakenEvents(first - 1)
        self._hand_offs.numbered_anew()
        self._lose_events()
        self._tell("on_gap", self._on_gap, last + 1, last)

    def _lose_events(self) -> None:
        """End the waits for these events, which would never end otherwise."""
        self._hand_offs.fail_all(CallError(Status.NUMBERING_ANEW, f"events of agent {self.number} are lost"))

    def _tell(self, name: str, hears: Callable[..., object], *what: object) -> None:
        """Tell the application by one of its functions."""
        try:
            hears(*what)
        except Exception:  # the application's fault; the login, and the other agent numbers, go on
            _log.failure("{name} failed for agent {number}", name=name, number=self.number)

    def received(self, link: ClientLink, event: AgentEvent) -> None:
        """An event has come, or comes again."""
        if link is self._coming_on and len(self._early) < MOST_UNTAKEN:
            self._early.append(event)
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
            self._tell("on_gap", self._on_gap, *lost)
        again = self._events.has_failed(event.sequence)
        if self._events.arrives(event.sequence):
            self._taking.put(Coming(event, self._events, again))

    def _tried(self, coming: Coming) -> None:
        """The acknowledgement goes first: a waiter for the event may log out, or stop, as soon as it gets it."""
        self._acknowledge()
        if not coming.events.has_failed(coming.event.sequence):
            self._takes_some()
        if not coming.again:
            self._hand_offs.received(coming.event)
        if self._left_out and self._taking.empty and len(self._events) < MOST_UNTAKEN and self._link is not None:
            self._log_in_again(self._link)

    def _takes_some(self) -> None:
        if self._in_vain > 1:
            _log.info("agent {number} handles events again", number=self.number)
        self._in_vain = 0

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
        self._link = None
        self._wait_no_more()
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
        self._tell("on_taken_over", self._on_taken_over)

    def refused(self, error: CallError) -> None:
        """The exchange doesn't let it log in again."""
        if error.status is Status.SESSION_TAKEN_OVER:
            self.lost()
            return
        self.end(error)
        self._tell("on_refused", self._on_refused, error)
