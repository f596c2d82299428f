"""One call of an agent number as its application has it: how it stands now, and what can be done with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.task import deferLater

from ctiex.call_messages import (
    Action,
    CallChange,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    CallEvent,
    CallParty,
    ConnectionState,
    FieldName,
    PartyRole,
    Recording,
    Snapshot,
)
from ctiex.clients.call_actions import ANSWER_WITHIN, CallActions
from ctiex.clients.replies import checked
from ctiex.errors import CallError, RequestTimedOut, Status
from ctiex.fields import EMPTY, Fields

if TYPE_CHECKING:
    from ctiex.clients.hand_off import HandOff
    from ctiex.clients.monitored_number import MonitoredNumber

_TOLD_OF_THE_OTHER = frozenset({CallChange.TRANSFERRED, CallChange.CONFERENCED})
"""What is told of the call that a consultation is for, and ends the consultation."""
_SOON = 0.05
"""How long data waits that is being changed by somebody else, in seconds."""


class ClientCall(CallActions):
    """A call of an agent number. It is always as it was told last; the same object for as long as the call goes on."""

    def __init__(self, number: MonitoredNumber, id: str, serial: str = "", related: str = "") -> None:
        self.id = id
        """The same for the whole life of the call."""
        self.serial = serial
        """The call serial number that the next hand-off of this call names; another one behind each."""
        self.related = related
        """Of a consultation: the id of the call that it is for."""
        self.queue = ""
        """The queue that it came through; maybe empty."""
        self.recording = Recording.OFF
        self.parties: tuple[CallParty, ...] = ()
        """Everybody in it, as far as the application may see them."""
        self.version = 0
        """That of the data."""
        self.data: Fields = EMPTY
        """What agents, and results of services, have attached to the call."""
        self.over = False
        """Whether the call has ended, or the agent has left it."""
        self._number = number
        self._since = number.known.told
        """How many events had been told when this application asked for something last."""

    def __repr__(self) -> str:
        return f"<ClientCall {self.id} of {self.agent}, {len(self.parties)} parties{', over' if self.over else ''}>"

    # ------------------------------------------------------------ how it stands

    @property
    def agent(self) -> str:
        """The agent number whose call it is."""
        return self._number.number

    @property
    def party(self) -> CallParty | None:
        """The agent's own party; None where it isn't known yet, or has left."""
        mine = (one for one in self.parties if one.agent == self.agent and one.party_role is PartyRole.AGENT)
        return next(mine, None)

    @property
    def customer(self) -> CallParty | None:
        """The customer; None where there is none."""
        return next((one for one in self.parties if one.party_role is PartyRole.CUSTOMER), None)

    @property
    def state(self) -> ConnectionState | None:
        """The state of the agent's own party; None where there is none."""
        return None if self.party is None else self.party.connection_state

    @property
    def actions(self) -> tuple[Action, ...]:
        """What may be asked for now, as the exchange says."""
        return tuple(action for action in Action if self.allows(action))

    def allows(self, action: Action) -> bool:
        """Whether this may be asked for now, as the exchange says: a button for it is there to be pressed."""
        return self.party is not None and not self.over and self.party.allows(action)

    def takes(self, told: CallEvent | Snapshot) -> bool:
        """It stands like this now; whether that is news."""
        before = self._shown()
        self.serial, self.related, self.queue = told.serial, told.related, told.queue
        self.recording, self.parties = told.recording, told.parties
        self.version, self.data = told.version, told.fields
        return self._shown() != before

    def _shown(self) -> tuple[Any, ...]:
        return (self.serial, self.related, self.queue, self.recording, self.parties, self.version, self.data)

    def as_event(self, event: int, time: int) -> CallEvent:
        """An event that tells how it stands.

        :param event: a CallChange, or 0: nothing in particular has happened.
        """
        return CallEvent(self.agent, time, event, 0, Status.OK, "", self.id, *self._shown())

    # ------------------------------------------------------------ what is asked for

    async def _control(self, action: Action, timeout: float, **words: Any) -> CallControlReply:
        for call in (self, *self._pair()):
            call._since = self._number.known.told
        reply: CallControlReply = checked(
            await self._number.ask(CallControl(action, self.agent, self.id, **words), timeout)
        )
        return reply

    def _new_call(self, reply: CallControlReply) -> ClientCall:
        return self._number.consulted(reply, self)

    def _pair(self) -> Iterator[ClientCall]:
        """The call that this consultation is for, or the consultations for this call."""
        return (one for one in self._number.known if self._is_related(one.id, one.related))

    def _is_related(self, id: str, related: str) -> bool:
        return bool((self.related and id == self.related) or related == self.id)

    async def connect(
        self,
        service: str,
        fields: Fields = EMPTY,
        calling_number: str | None = None,
        timeout: float = 30.0,
        reference: str = "",
    ) -> HandOff:
        """Hand the customer of this call over to a service; when they are back the call goes on, with another serial.

        :param calling_number: the customer's; None: as the call says.
        :param timeout: as for :meth:`ctiex.clients.agent_number.AgentNumber.connect`.
        :raise CallError: the exchange refuses; 5: the agent number isn't logged in here.
        """
        if self._number.hand_over is None:
            raise CallError(Status.NOT_ALLOWED_HERE, f"agent {self.agent} isn't logged in by this client")
        if calling_number is None:
            calling_number = "" if self.customer is None else self.customer.number
        return await self._number.hand_over(
            service, calling_number, fields, serial=self.serial, timeout=timeout, reference=reference
        )

    # ------------------------------------------------------------ its data

    async def update(
        self,
        fields: Fields = EMPTY,
        drop: Collection[str] = (),
        /,
        timeout: float = ANSWER_WITHIN,
        **named: Any,
    ) -> None:
        """Put fields over the data, whatever version it is of, and take some out: ``await call.update(order="4711")``.

        Changes of others that come in between are kept, but for fields of the same names.

        :param drop: names of fields that are to go.
        :raise FieldError: a field breaks a limit.
        :raise CallError: 60, the call is over, or another's; 35 or 36, the data would be too large.
        :raise RequestTimedOut: somebody else went on changing the data, or no answer came.
        :raise LinkLost: the link was lost before the answer; the snapshot behind it shows whether it was kept.
        """
        changed = Fields([*fields.items(), *named.items()])
        await self._number.within(timeout, self._update(changed, drop, timeout))

    async def _update(self, fields: Fields, drop: Collection[str], timeout: float) -> None:
        version = self.version
        while True:
            reply = await self._change(version, fields, drop, timeout)
            if reply.status == Status.DUPLICATE_SERIAL:
                version = reply.version
            elif reply.status == Status.CALL_BUSY:
                await deferLater(self._number.reactor, _SOON)
                version = max(version, self.version)
            else:
                checked(reply)
                return

    async def put(
        self, fields: Fields, drop: Collection[str] = (), version: int | None = None, timeout: float = ANSWER_WITHIN
    ) -> None:
        """Put fields over the data if it is of this version still, and take some out (compare-and-set).

        :param version: the one that the application has shown; None: the present one.
        :raise CallError: 22, the data is of another version: ``version`` and ``data`` are the new ones then.
        """
        checked(await self._change(self.version if version is None else version, fields, drop, timeout))

    async def _change(self, version: int, fields: Fields, drop: Collection[str], timeout: float) -> CallDataReply:
        names = tuple(map(FieldName, drop))
        reply: Any = await self._number.ask(CallData(self.agent, self.id, version, fields, names), timeout)
        if not isinstance(reply, CallDataReply):
            checked(reply)
        if reply.status in (Status.OK, Status.DUPLICATE_SERIAL) and reply.version > self.version:
            self.version, self.data = reply.version, reply.fields
        answer: CallDataReply = reply
        return answer

    # ------------------------------------------------------------ what becomes of it

    async def until(self, *changes: CallChange, timeout: float | None = 30.0) -> CallEvent:
        """Wait for one of these changes, behind what this application asked for last: ``await call.until(HELD)``.

        An event that has come before this is awaited counts too, so nothing is missed. A transfer and a conference
        are told of the call that a consultation is for; a wait on either of the two hears it.

        :param timeout: in seconds; None waits as long as it takes.
        :raise CallError: what was asked for has failed, with the status of the ``failed`` event; 60: the call is over.
        :raise LinkLost: the link was lost; the snapshot behind it shows how the call stands.
        :raise RequestTimedOut: it hasn't come in time.
        """
        since, failed = self._since, list[CallError]()
        try:
            event: CallEvent = await self._number.within(timeout, self._until(changes, since, failed))
        except RequestTimedOut:
            if failed:
                raise failed[-1] from None
            raise
        return event

    async def _until(self, changes: Collection[CallChange], seen: int, failed: list[CallError]) -> CallEvent:
        with_pair = not _TOLD_OF_THE_OTHER.isdisjoint(changes)
        while True:
            for event in self._number.known.events_since(seen):
                if event.call != self.id and not (with_pair and self._is_related(event.call, event.related)):
                    continue
                if event.event in changes:
                    return event
                if event.event == CallChange.FAILED and event.status:
                    failed.append(CallError(event.status, "what was asked for has failed"))
                    if CallChange.CLEARED not in changes:  # who gives up a call that rings hears of both
                        raise failed[-1]
            seen = self._number.known.told
            if self.over and not (with_pair and any(True for _ in self._pair())):
                raise CallError(Status.NO_SUCH_CALL, "the call is over")
            await self._number.arrival()
