"""The exchange against an automatic service: customers who come, their data, its reports."""

from __future__ import annotations

from random import SystemRandom
from typing import Any, ClassVar

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    CallEnded,
    CallEndedReply,
    Condition,
    Connection,
    ConnectionReply,
    DataChanged,
    DataChangedReply,
    DataRequest,
    DataResult,
    Feature,
    Message,
    Role,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.testing.conformance.play import EXCHANGE_ADDRESS, OpenRequest, Play
from ctiex.testing.conformance.played_link import PlayedLink, Said
from ctiex.testing.conformance.verdicts import Failed

ACCESS_CODE = "7000"
CUSTOMER = "13800138000"
AGENT = "1001"
DATA = Fields({"account": "6222 0011", "times": 2, "vip": True})
CHANGED = Fields({**DATA, "times": 3})
_SETTLED = frozenset(
    {
        Status.OK,
        Status.QUEUED_AGENT_AWAY,
        Status.DUPLICATE_EVENT,
        Status.ALREADY_FINISHED,
        Status.UNKNOWN_SERIAL,
    }
)
"""What a final report is answered when no other is of use: it is taken, or there is no such call any more."""


class ServicePlay(Play):
    """One customer after the other comes to the client under test."""

    role = Role.SERVICE
    granted = frozenset({str(Feature.UPDATES)})
    other_reply: ClassVar[Message] = ServiceEventReply(1, Status.OK)
    not_for_it: ClassVar[Message] = AgentEvent(1, 0, AGENT, "1", "", Condition.CONNECTING)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.serial = ""
        """That of the case's call."""
        self.data = DATA
        self.data_status: Status | None = None
        """How any DataRequest for that call is answered at once; None: the case sees to the first one."""
        self.crowd: set[str] = set()
        """Further calls of the case, which sees to all that is said of them."""
        self.reports_seen: set[tuple[str, int]] = set()
        """The reports of this client, by serial and event_id, since it began."""

    def new_serial(self) -> str:
        """The serial of a call that no client has seen."""
        return str(SystemRandom().randrange(10**18, 10**19))

    def heard(self, link: PlayedLink, said: Said) -> None:
        """What an earlier case has left is nobody's call any more."""
        if isinstance(said.message, ServiceEvent):
            self.reports_seen.add((said.message.serial, said.message.event_id))
        if getattr(said.message, "serial", "") in self.crowd:
            return
        match said.message:
            case DataRequest(serial=serial) if serial != self.serial:
                link.said.remove(said)
                link.send(DataResult(Status.UNKNOWN_SERIAL, serial), said.invoke_id)
            case DataRequest() if self.data_status is not None:
                link.said.remove(said)
                self._give(link, said.invoke_id)
            case ServiceEvent(serial=serial, event_id=event_id) if serial != self.serial:
                link.said.remove(said)
                link.send(ServiceEventReply(event_id, Status.UNKNOWN_SERIAL), said.invoke_id)

    def forget(self) -> None:
        """Each case has a call of its own anyway."""
        self.reports_seen.clear()

    def end(self) -> None:
        """The case is over, and with it its calls."""
        super().end()
        self.crowd = set()

    # ------------------------------------------------------------ the call

    async def begin(self, **agreed: Any) -> OpenRequest:
        """A client that is bound, has accepted a customer, and waits for the data."""
        self._new_call()
        return await self._fetches(await self.bound(**agreed))

    async def next_call(self, link: PlayedLink) -> OpenRequest:
        """The same with the next customer, on a link that is there."""
        self._new_call()
        return await self._fetches(link)

    def _new_call(self) -> None:
        self.serial, self.data, self.data_status = self.new_serial(), DATA, None

    async def _fetches(self, link: PlayedLink) -> OpenRequest:
        await self.accepts(link)
        asked = await self.takes(link, DataRequest)
        if asked.request.exchange_address not in ("", EXCHANGE_ADDRESS):
            raise Failed(f"asked for the data of the exchange {asked.request.exchange_address!r}")
        self.begun()
        return asked

    def offer(self, link: PlayedLink, access_code: str = ACCESS_CODE, calling_number: str | None = None) -> int:
        """A customer is on the way; gives the invoke id."""
        number = f"{CUSTOMER}**{self.serial}" if calling_number is None else calling_number
        return link.send(Connection(access_code, number, EXCHANGE_ADDRESS))

    async def accepts(self, link: PlayedLink) -> None:
        """The client takes the customer.

        :raise Failed: it refuses.
        """
        reply = await self.replies(link, self.offer(link), ConnectionReply)
        if reply.status != Status.OK:
            raise Failed(f"refused the Connection ({reply.status}: {reply.detail})")

    async def come_back(self, before: OpenRequest) -> PlayedLink:
        """The next link."""
        return await self.bound()

    async def repeated(self, before: OpenRequest) -> OpenRequest:
        """The DataRequest on the next link."""
        return await self.takes(await self.bound(), DataRequest)

    def yes(self, asked: OpenRequest) -> DataResult:
        """The data."""
        return DataResult(Status.OK, self.serial, AGENT, "desk 7", self.data)

    def answer(self, asked: OpenRequest) -> None:
        """Give the data, which may be fetched as often as the client likes from now on."""
        super().answer(asked)
        self.settle_data(Status.OK)

    def refuse(self, asked: OpenRequest) -> None:
        """There is no such call, or no longer."""
        self.settle_data(Status.UNKNOWN_SERIAL)
        self._give(asked.link, asked.invoke_id)

    def settle_data(self, status: Status) -> None:
        """From now on every DataRequest is answered so, those that wait as well.

        A client may fetch as often as it likes: where no case is about the answer, none is left without one.
        """
        self.data_status = status
        for link in self.links:
            while more := link.take(DataRequest):
                self._give(link, more.invoke_id)

    def _give(self, link: PlayedLink, invoke_id: int) -> None:
        if self.data_status is Status.OK:
            link.send(DataResult(Status.OK, self.serial, AGENT, "desk 7", self.data), invoke_id)
        else:
            link.send(DataResult(Status.UNKNOWN_SERIAL, self.serial), invoke_id)

    # ------------------------------------------------------------ its reports

    async def reports(self, link: PlayedLink, wanted: Any = bool) -> OpenRequest:
        """The next ServiceEvent, which isn't answered yet."""
        asked = await self.takes(link, ServiceEvent, wanted)
        if asked.request.agent not in ("", AGENT):
            raise Failed(f"reported to agent {asked.request.agent!r}")
        return asked

    async def final(self, link: PlayedLink) -> OpenRequest:
        """The final report, which isn't answered yet; progress is kept."""
        while True:
            asked = await self.reports(link)
            if asked.request.condition.final:
                return asked
            self.reply(asked, Status.OK)

    def reply(self, asked: OpenRequest, status: int) -> None:
        """Answer a report. Behind a final one that is taken, or never will be, the data is nobody's."""
        if asked.request.condition.final and status in _SETTLED:
            self.settle_data(Status.UNKNOWN_SERIAL)
        asked.link.send(ServiceEventReply(asked.request.event_id, status), asked.invoke_id)

    async def finish(self, link: PlayedLink) -> None:
        """The customer is served, once."""
        final = await self.final(link)
        if final.request.condition is not Condition.COMPLETED:
            raise Failed(f"reported condition {int(final.request.condition)}, not that the call is completed")
        self.reply(final, Status.OK)
        await self.says_no_more(link)

    async def says_no_more(self, link: PlayedLink) -> None:
        """Nothing of the call comes any more.

        :raise Failed: it does.
        """
        await self.nothing(lambda: self.says_more(link))

    def says_more(self, link: PlayedLink) -> str | None:
        """What the client says of the call, in words; not what it fetches, once that is answered at once."""
        if reported := self.reported(link):
            return reported
        if link.holds(DataRequest):
            return "asked for the data"
        return "closed the link" if link.lost or link.unbound else None

    @staticmethod
    def reported(link: PlayedLink) -> str | None:
        """What the client reports of the call, in words."""
        for said in link.said:
            if isinstance(said.message, ServiceEvent):
                return f"reported condition {int(said.message.condition)}"
        return None

    def gave_up(self, asked: OpenRequest) -> str | None:
        """The client reports, asks again, or leaves."""
        return self.says_more(asked.link)

    def sample(self, asked: OpenRequest) -> tuple[Message, int]:
        """Word that another call is over, under an id that isn't in use."""
        return CallEnded(self.new_serial(), Condition.TIMED_OUT), 70_001

    async def is_answered(self, link: PlayedLink, notice: CallEnded | DataChanged) -> None:
        """CallEnded and DataChanged always are."""
        kind = CallEndedReply if isinstance(notice, CallEnded) else DataChangedReply
        if notice.serial == self.serial and isinstance(notice, DataChanged):
            self.data = CHANGED
        await self.replies(link, link.send(notice), kind)
