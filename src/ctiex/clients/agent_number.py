"""An agent number that is logged in: its hand-offs, and what else it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import DeferredLock
from twisted.internet.task import deferLater

from ctiex.call_messages import AgentStateCode, AgentStateEvent
from ctiex.clients.agent_events import AgentEvents, Application
from ctiex.clients.call import ClientCall
from ctiex.clients.call_actions import ANSWER_WITHIN
from ctiex.clients.event_taking import Position
from ctiex.clients.hand_off import AskedHandOff, HandOff, HandOffs
from ctiex.clients.link import ClientLink
from ctiex.clients.monitored_number import CallListeners, MonitoredNumber
from ctiex.clients.replies import checked, forget_answer, pause_before_repeat
from ctiex.errors import CallError, CtiexError, LinkLost, RequestTimedOut, Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import (
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


class AgentNumber(AgentEvents):
    """One agent number that is logged in, and logged in again after every loss of the link."""

    def __init__(
        self,
        client: AgentClient,
        number: str,
        application: Application,
        position: Position | None,
        listeners: CallListeners | None = None,
        follows: bool = False,
    ) -> None:
        """Nothing is logged in yet.

        :param listeners: whom calls and states are told.
        :param follows: whether they are to be.
        """
        super().__init__(client, number, application, position)
        self.monitored = MonitoredNumber(client.monitoring, number, listeners or CallListeners(), self.connect)
        """The calls and the state of this number, where the exchange controls them."""
        self._follows = follows
        if not follows:
            self.monitored.ended = CallError(Status.NOT_SUPPORTED, "calls aren't followed: log in with calls=True")
        self._hand_offs = HandOffs(client.reactor, self)
        self._updating = DeferredLock()
        """One update after the other: repeated behind a later one, it would put old data over new."""

    # ------------------------------------------------------------ its calls and its state

    @property
    def calls(self) -> Sequence[ClientCall]:
        """The calls of this number that go on, the oldest first; none where they aren't followed."""
        return self.monitored.calls

    @property
    def state(self) -> AgentStateEvent | None:
        """The state of the agent as it was told last; None where it isn't followed."""
        return self.monitored.state

    async def make_call(
        self, destination: str, fields: Fields = EMPTY, ring: int = 0, timeout: float = ANSWER_WITHIN
    ) -> ClientCall:
        """Call somebody, as ``MonitoredNumber.make_call`` says."""
        return await self.monitored.make_call(destination, fields, ring, timeout)

    async def set_state(self, state: AgentStateCode, reason: str = "", **options: Any) -> None:
        """Ask for a state, as ``MonitoredNumber.set_state`` says."""
        await self.monitored.set_state(state, reason, **options)

    async def until_state(self, *states: AgentStateCode, timeout: float | None = 30.0) -> AgentStateEvent:
        """Wait for a state, as ``MonitoredNumber.until_state`` says."""
        return await self.monitored.until_state(*states, timeout=timeout)

    async def log_in(self, link: ClientLink, timeout: float | None = None) -> None:
        """Log in; its calls are asked for first, so that they are known when the login is."""
        if self._follows:
            self._client.monitoring.follow_own(self.monitored, link)
        await super().log_in(link, timeout)

    def end(self, error: CtiexError) -> None:
        """Nothing comes any more: neither events nor calls."""
        forget_answer(self.monitored.end(error))
        super().end(error)

    # ------------------------------------------------------------ its hand-offs

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

        The request is repeated under its serial when the link is lost before its answer, and after a pause while the
        exchange is too busy (14), shutting down (15) or without its store (50). The same request again under the same
        serial gives the first one's HandOff while its call goes on. The HandOff hears nothing that the exchange had
        numbered before the request went out: that is of a call which had the serial earlier.

        :param calling_number: the customer's own number.
        :param serial: the call's own serial; None: a random one. Empty: the exchange allocates it, nothing is repeated,
            and a lost link raises LinkLost.
        :param timeout: in seconds, with all repeats over lost links, behind pauses, and where no answer came.
        :param resumed: an earlier run has asked for this same call, which may have ended: events of it that waited
            are heard as well. Ask directly behind ``login``: what was replayed before went to ``on_event`` alone.
        :param reference: the application's own name for the call; it stands in each of its events.
        :raise CallError: the exchange refuses; ``status`` says why. 13: another link has taken the agent number over
            while this waited for the events of a call that had ended.
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

    async def _kept(self, request: ConnectRequest, asked: AskedHandOff, timeout: float, resumed: bool) -> str:
        """The serial under which the exchange has committed the call.

        :param resumed: an earlier run has sent it.
        :raise CallError: the exchange refuses.
        """
        until = self.reactor.seconds() + timeout
        for attempts in count():
            left = until - self.reactor.seconds()
            reply = await self._client.ask(request, left, bool(request.serial), lambda: asked.goes_out(self._numbered))
            pause = pause_before_repeat(reply, attempts, self._client.pause_after) if request.serial else None
            if pause is None or self.reactor.seconds() + pause >= until:
                break
            await deferLater(self.reactor, pause)
        if self._may_have_ended(request, asked, reply, resumed):
            await self._client.within(until - self.reactor.seconds(), self.all_replayed())
            if reply.status == Status.ALREADY_FINISHED and asked.has_sent(request):
                with suppress(RequestTimedOut):
                    await self._client.within(until - self.reactor.seconds(), self._hears_of(asked))
            if self._has_heard(asked):
                return request.serial
        kept: ConnectReply = checked(reply)
        return kept.serial

    def _may_have_ended(self, request: ConnectRequest, asked: AskedHandOff, reply: Any, resumed: bool) -> bool:
        """Whether a refusal may mean that the call was kept at an earlier attempt, and is over meanwhile.

        It may be one that had the serial before, as well: only an event of its own can show. Behind ``keep_closed`` the
        exchange knows no more whose the serial was, but who asks does.
        """
        status = getattr(reply, "status", Status.OK)
        if status == Status.ALREADY_FINISHED:
            return resumed or asked.hand_off is not None or asked.has_sent(request)
        return resumed and status == Status.DUPLICATE_SERIAL

    async def _hears_of(self, asked: AskedHandOff) -> None:
        """Wait for the first event of a call: replies and events have no order between them."""
        while self.ended is None and not self._has_heard(asked):
            await self.arrival()

    def _has_heard(self, asked: AskedHandOff) -> bool:
        return asked.hand_off is not None or self._hand_offs.has_early(asked) or self._taking.waits(asked.is_of)

    async def update(self, serial: str, fields: Fields, timeout: float = 30.0) -> None:
        """Put these fields over those of an open call; a service that has fetched them hears of it.

        :param timeout: in seconds, lost links and this number's updates before it included.
        :raise CallError: 20 there is no such call, 24 it has finished already, 35 or 36 the fields are too large.
        :raise RequestTimedOut: no answer in time.
        """
        await self._client.within(timeout, self._update(UpdateRequest(serial, fields), timeout))

    async def _update(self, request: UpdateRequest, timeout: float) -> None:
        async with self._updating:
            checked(await self._client.ask(request, timeout))

    async def open_calls(self, timeout: float = 30.0) -> Sequence[OpenCall]:
        """The hand-offs of this agent number that are open, the oldest first; where not all fit a frame, the first.

        :raise CallError: 5, the identity may not act for this number.
        :raise RequestTimedOut: no answer in time.
        """
        reply: Any = await self._client.ask(CallQuery(self.number), timeout)
        cut = isinstance(reply, CallQueryReply) and reply.status == Status.DATA_TOO_LARGE
        listed: CallQueryReply = reply if cut else checked(reply)
        return listed.calls

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
