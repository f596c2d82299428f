"""The calls and the state of one agent number, as the exchange tells them: a snapshot first, then every change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    CallControl,
    CallControlReply,
    CallEvent,
    Monitor,
    MonitorSwitch,
    Page,
    Snapshot,
)
from ctiex.clients.call import ClientCall
from ctiex.clients.call_actions import ANSWER_WITHIN
from ctiex.clients.call_list import SHOWN, CallList
from ctiex.clients.connection import ignore
from ctiex.clients.faults import without_text
from ctiex.clients.link import ClientLink
from ctiex.clients.replies import checked
from ctiex.errors import CtiexError, LinkLost, NotBound
from ctiex.fields import EMPTY, Fields
from ctiex.links.waiters import Waiters
from ctiex.messages import Feature, Message

if TYPE_CHECKING:
    from ctiex.clients.call_monitoring import CallMonitoring
    from ctiex.clients.hand_off import HandOff

_log = Logger()

OnCallEvent = Callable[[ClientCall, CallEvent], object]
OnState = Callable[[AgentStateEvent], object]


@frozen
class CallListeners:
    """Whom calls and states are told."""

    on_call_event: OnCallEvent = ignore
    on_state: OnState = ignore


class MonitoredNumber:
    """One agent number whose calls and state are followed, through every loss of the link."""

    def __init__(
        self,
        monitoring: CallMonitoring,
        number: str,
        listeners: CallListeners,
        hand_over: Callable[..., Awaitable[HandOff]] | None = None,
    ) -> None:
        """Nothing is known before it is followed on a link.

        :param hand_over: connects a customer to a service; None for one that isn't logged in here.
        """
        self.number = number
        self.reactor = monitoring.reactor
        self.within = monitoring.within
        self.hand_over = hand_over
        self.state: AgentStateEvent | None = None
        """The state as it was told last; None before that."""
        self.ended: CtiexError | None = None
        """Why nothing is told any more; None while it is."""
        self._monitoring = monitoring
        self._listeners = listeners
        self.known = CallList(lambda id: ClientCall(self, id), self._tell_call)
        """The calls, and what was told of them."""
        self._arrivals: Waiters[None] = Waiters()
        """Waits for the next event or snapshot on this link."""
        self._states: Waiters[None] = Waiters()
        """Waits for the next state on any link."""
        self._link: ClientLink | None = None
        """Where it is followed; None without one."""
        self._pages: list[Snapshot] = []
        """Those of a snapshot that isn't complete."""
        self._shown = False
        """Whether a snapshot has come on this link."""
        self._telling = False
        """Whether the application knows that it is followed."""

    @property
    def calls(self) -> Sequence[ClientCall]:
        """The calls that go on, the oldest first."""
        return list(self.known)

    def call(self, id: str) -> ClientCall | None:
        """The call with this id, if it goes on."""
        return self.known.get(id)

    @property
    def up_to_date(self) -> bool:
        """Whether calls and state are told now; else they are as they were when the link was lost."""
        return self._link is not None and self._shown

    # ------------------------------------------------------------ what is asked for

    async def ask(self, message: Message, timeout: float) -> Message:
        """Ask once: what was asked on a link that is lost may have been done.

        :raise CallError: 62, the exchange hasn't granted call control.
        :raise LinkLost: there is no link, or it was lost before the answer.
        """
        if self.ended is not None:
            raise self.ended
        return await self._monitoring.ask(message, timeout)

    async def make_call(
        self, destination: str, fields: Fields = EMPTY, ring: int = 0, timeout: float = ANSWER_WITHIN
    ) -> ClientCall:
        """Call somebody: the agent's own phone rings first, unless it is off the hook.

        :param destination: a number, an agent number, or the name of a queue.
        :param fields: the data of the new call.
        :param ring: how long the destination may ring, in seconds; 0: as the exchange is configured.
        :raise CallError: the exchange refuses: 65, there is no such destination, or the identity may not call it.
        :raise LinkLost: the link was lost before the answer: the snapshot shows whether there is a call.
        """
        message = CallControl(Action.MAKE, self.number, destination=destination, fields=fields, seconds=ring)
        return self.known.begin(checked(await self.ask(message, timeout)))

    def consulted(self, reply: CallControlReply, call: ClientCall) -> ClientCall:
        """The consultation that the exchange has begun for a call."""
        return self.known.begin(reply, related=call.related or call.id)

    async def set_state(
        self,
        state: AgentStateCode,
        reason: str = "",
        device: str = "",
        queues: Sequence[str] = (),
        seconds: int = 0,
        timeout: float = ANSWER_WITHIN,
    ) -> None:
        """Ask for a state; during a call it is remembered, and comes into force when the calls are over.

        :param reason: of not ready, or the wrap-up code of after-call work: one of those that are configured.
        :param device: at a login, "off-hook" where the phone stays off the hook; empty: it rings for each call.
        :param queues: at a login, the queues; empty: those that are configured.
        :param seconds: how long the after-call work may take; 0: as configured.
        :raise CallError: 61, not from this state; 65, no such reason, queue or device; 66, the platform is away.
        """
        message = AgentState(self.number, state, reason, device, " ".join(queues), seconds)
        checked(await self.ask(message, timeout))

    async def until_state(self, *states: AgentStateCode, timeout: float | None = 30.0) -> AgentStateEvent:
        """Wait until the agent is in one of these states; at once, where that is so. Lost links are waited out.

        :raise RequestTimedOut: it isn't so in time.
        """
        state: AgentStateEvent = await self.within(timeout, self._until_state(states))
        return state

    async def _until_state(self, states: Sequence[AgentStateCode]) -> AgentStateEvent:
        while self.state is None or self.state.agent_state not in states:
            if self.ended is not None:
                raise self.ended
            await self._states.add()
        return self.state

    # ------------------------------------------------------------ following, on one link after the other

    async def follow(self, link: ClientLink, timeout: float | None = None) -> None:
        """Be told on this link; the snapshot comes behind the answer. Nothing, where the link has no call control.

        :raise CallError: the exchange refuses.
        """
        self._monitoring.add(self)
        if self._link is link or Feature.CALLS not in link.features:
            return
        self._link, self._pages, self._shown = link, [], False
        self.known.another_link()
        link.gone().addCallback(lambda _: self._link_lost(link))
        try:
            checked(await link.ask(Monitor(self.number), timeout))
        except CtiexError:
            self._link = None if self._link is link else self._link
            raise

    async def shown(self) -> None:
        """Wait for the snapshot.

        :raise LinkLost: it hasn't come on this link.
        """
        while not self._shown:
            await self.arrival()

    def begin_telling(self) -> None:
        """The application knows that it is followed: tell how everything stands, and from now on what changes."""
        if self._telling or self.ended is not None:
            return
        self._telling = True
        if self.state is not None:
            self._tell(self._listeners.on_state, self.state)
        for call in self.known:
            self._tell_call(call, call.as_event(SHOWN, 0 if self.state is None else self.state.time))

    async def stop(self, timeout: float = ANSWER_WITHIN) -> None:
        """Be told no longer.

        :raise RequestTimedOut: no answer in time.
        """
        asked = self.end(NotBound(f"the calls of {self.number} aren't followed any more"), timeout)
        if asked is not None:
            with suppress(LinkLost):  # with its link it has stopped
                checked(await asked)

    def _link_lost(self, link: ClientLink) -> None:
        if self._link is link:
            self._link = None
            self._arrivals.fail(LinkLost("the link was lost"))

    def pause(self, error: CtiexError) -> None:
        """Nothing comes for now: the client has stopped."""
        self._link = None
        self._arrivals.fail(error)
        self._states.fail(error)

    def end(self, error: CtiexError, timeout: float | None = None) -> Deferred[Message] | None:
        """Nothing comes any more; gives what the exchange answers to that, where it is to stop telling."""
        link = self._link
        self.ended = self.ended or error
        self._monitoring.remove(self)
        self.known.clear()
        self.pause(error)
        if link is None or self._monitoring.follows(self.number):
            return None
        return link.ask(Monitor(self.number, MonitorSwitch.STOP), timeout)

    def arrival(self) -> Deferred[None]:
        """Fires at the next event or snapshot, and fails when the link is lost.

        :raise CtiexError: there is none.
        """
        if self.ended is not None or self._link is None:
            raise self.ended or LinkLost("there is no link to the exchange now")
        return self._arrivals.add()

    # ------------------------------------------------------------ what is told

    def received(self, link: ClientLink, message: CallEvent | AgentStateEvent | Snapshot) -> None:
        """Something is told of this agent number."""
        if link is not self._link:
            return
        match message:
            case AgentStateEvent():
                self._state_told(message)
            case CallEvent():
                self.known.happened(message)
            case Snapshot():
                self._page(message)
        self._arrivals.fire(None)

    def _state_told(self, state: AgentStateEvent) -> None:
        before, self.state = self.state, state
        if before is None or evolve(before, time=state.time) != state:
            self._tell(self._listeners.on_state, state)
        self._states.fire(None)

    def _page(self, page: Snapshot) -> None:
        if page.call:
            self._pages.append(page)
        if page.page is Page.LAST:
            pages, self._pages = self._pages, []
            self._shown = True
            self.known.replace(pages, page.time)

    def _tell_call(self, call: ClientCall, event: CallEvent) -> None:
        self._tell(self._listeners.on_call_event, call, event)

    def _tell(self, hears: Callable[..., object], *what: Any) -> None:
        if not self._telling:
            return
        try:
            hears(*what)
        except Exception as error:  # the application's fault; the link, and the other numbers, go on
            _log.error("agent {number}: what hears of calls failed: {fault}",
                       number=self.number, fault=without_text(error))  # fmt: skip
