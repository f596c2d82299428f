"""Clients under test: the project's own two as the conformance kit wants them, and some that are unusual.

Those do what the wire allows and most clients don't; no case may fail for that.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, HandOff, ServedCall
from ctiex.clients.event_taking import Position
from ctiex.clients.link import ClientLink
from ctiex.errors import BindRefused, CallError, CtiexError, LinkLost, Status
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.links.outgoing import SessionState
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    Condition,
    ConnectReply,
    DataRequest,
    DataResult,
    Error,
    Message,
    ServiceEvent,
    Unbind,
)
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

ANSWER_WITHIN = 2.0
"""Seconds; a case waits for it to be over."""


def account(reactor: Any, port: int, codec: ICodec, identity: str) -> ExchangeAccount:
    """Of a client that comes back soon."""
    jitter = Random(7).random
    return ExchangeAccount(
        TCP4ClientEndpoint(reactor, "127.0.0.1", port),
        identity,
        codec=codec,
        answer_timeout=ANSWER_WITHIN,
        longest_retry=0.2,
        jitter=lambda: jitter() / 10,
    )


class AgentUnderTest:
    """Hands one customer over, hears the end, leaves, and begins again."""

    make_client = AgentClient

    def __init__(self, reactor: Any, port: int, codec: ICodec) -> None:
        self._reactor = reactor
        self._account = account(reactor, port, codec, "conformance")
        self._position: Position | None = None
        self._agent: AgentNumber | None = None
        self._finals: set[str] = set()
        self._final: Deferred[None] = Deferred()
        self._running: Deferred[None] | None = None

    def start(self, case: str = "") -> None:
        """Begin."""
        self._running = ensureDeferred(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def stop(self) -> None:
        """End in the middle of whatever goes on."""
        assert self._running is not None
        self._running.cancel()
        await self._running

    async def _run(self) -> None:
        while True:
            client = self.make_client(self._reactor, self._account)
            client.startService()
            try:
                await self.hand_over(client)
            except CtiexError:
                pass  # refused, or taken over: there is no result
            finally:
                await client.stopService()

    async def hand_over(self, client: AgentClient) -> None:
        """One run, through refusals of the Bind: the client goes on trying by itself."""
        while True:
            with suppress(BindRefused):
                agent = await client.login("1001", self.taken, position=self._position)
                break
        self._agent, self._final = agent, Deferred()
        try:
            await self.one_customer(agent)
        finally:
            self._position = agent.position

    async def one_customer(self, agent: AgentNumber) -> None:
        """Hand one over, until the end has been heard."""
        hand_off = await self.connect(agent)
        try:
            await hand_off.result()
        except CallError as error:
            if error.status is not Status.NUMBERING_ANEW:
                raise
            while hand_off.serial not in self._finals:  # maybe it isn't lost
                await self._final
            await deferLater(self._reactor, 0)  # until it is acknowledged

    async def connect(self, agent: AgentNumber, serial: str | None = None) -> HandOff:
        """Ask for the service."""
        data = Fields({"account": "6222 0011"})
        return await agent.connect("conformance", "13800138000", data, serial, reference="desk 7")

    async def final(self) -> None:
        """Wait for the next final event, of whatever call."""
        await self._final

    async def taken(self, event: AgentEvent) -> None:
        """Answer progress by requests, as the kit wants it."""
        if event.condition.final:
            self._finals.add(event.serial)
            final, self._final = self._final, Deferred()
            final.callback(None)
        if event.condition is Condition.PROGRESS and self._agent is not None:
            with suppress(CtiexError):
                await self.obey(self._agent, event)

    async def obey(self, agent: AgentNumber, event: AgentEvent) -> None:
        """Do what a progress says."""
        if "say" in event.fields:
            await agent.update(event.serial, Fields({"say": event.fields["say"]}))
        if "cancel" in event.fields:
            await agent.cancel(event.serial)


class ServiceUnderTest:
    """Takes customers under access code 7000, asks for their data, and completes each call."""

    make_service = AutomaticService

    def __init__(self, reactor: Any, port: int, codec: ICodec) -> None:
        self._service = self.make_service(
            reactor, account(reactor, port, codec, "conformance"), {"7000": self.serve}, lambda call: ScriptedMedia()
        )

    def start(self, case: str = "") -> None:
        """Begin."""
        self._service.startService()

    async def stop(self) -> None:
        """End."""
        await self._service.stopService()

    async def serve(self, call: ServedCall) -> Outcome:
        """Serve a customer."""
        await call.data()
        await call.progress(Fields({"step": 1}))
        return Outcome(Condition.COMPLETED, Fields({"result": "done"}))


class SeeingClient(AgentClient):
    """Sees what comes and goes before the client does."""

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        super().request_received(link, self.coming(message), invoke_id)

    def coming(self, message: Message) -> Message:
        return message


def asking(link: ClientLink, change: Any) -> None:
    """Change what goes out on a link, and the answers to it."""
    usual = link.session.request

    def request(message: Message, answered: Any, deadline: float) -> None:
        sent, hear = change(message, answered)
        usual(sent, hear, deadline)

    link.session.request = request  # type: ignore[method-assign]


class UsesEmptySerials(AgentUnderTest):
    """The exchange allocates the serial."""

    async def one_customer(self, agent: AgentNumber) -> None:
        """Hand them over; where the answer is lost, the events tell."""
        try:
            hand_off = await self.connect(agent, "")
        except LinkLost:
            await self.final()
            await deferLater(self._reactor, 0)  # until it is acknowledged
        else:
            await hand_off.result()


class LogsInAgain(AgentUnderTest):
    """A second AgentLogin on the same link, once its hand-off is kept."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            def twice(message: Message, answered: Any) -> tuple[Message, Any]:
                def hear(reply: Any) -> None:
                    answered(reply)
                    if isinstance(reply, ConnectReply):
                        self.log_in_again(self._agents["1001"], link)

                return message, hear

            asking(link, twice)
            await super().prepare(link)


class LogsInAsItIsTakenOver(AgentUnderTest):
    """Its second AgentLogin and the Error 13 cross on their way."""

    class make_client(AgentClient):  # noqa: N801
        def error_received(self, error: Error) -> None:
            link = self._connection.link
            taken_over = error.status == Status.SESSION_TAKEN_OVER and error.detail in self._agents
            if taken_over and link is not None:
                link.ask(AgentLogin("1001", 0, 0)).addErrback(lambda failure: failure.trap(CtiexError) and None)
            super().error_received(error)


class AcknowledgesAtTheEnd(AgentUnderTest):
    """One acknowledgement for all events, at a final one."""

    class make_client(SeeingClient):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.finals: set[int] = set()

        def coming(self, message: Message) -> Message:
            if isinstance(message, AgentEvent) and message.condition.final:
                self.finals.add(message.sequence)
            return message

        async def prepare(self, link: ClientLink) -> None:
            usual = link.session.notify

            def notify(message: Message) -> None:
                if not isinstance(message, AgentEventAck) or message.sequence in self.finals:
                    usual(message)

            link.session.notify = notify  # type: ignore[method-assign]
            await super().prepare(link)


class UnbindsUnder0(AgentUnderTest):
    """Its Unbind has the invoke id 0."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            session = link.session

            def unbind(status: int, detail: str, deadline: float) -> None:
                session.state, session.quick = SessionState.LEAVING, None
                session._requests.last(0, lambda _: session.end("unbound"), deadline)
                session._send(Unbind(status, detail), 0)

            session.unbind = unbind  # type: ignore[method-assign]
            await super().prepare(link)


class FetchesAgain(ServiceUnderTest):
    """Fetches the data when it has changed, and more than once anyway."""

    async def serve(self, call: ServedCall) -> Outcome:
        """Serve a customer."""
        call.on_change = call.data
        beside = ensureDeferred(call.data())
        beside.addErrback(lambda failure: failure.trap(CtiexError) and None)
        await call.data()
        await call.progress(Fields({"step": 1}))
        await call.data()
        return Outcome(Condition.COMPLETED, Fields({"result": "done"}))


class FetchesBehindItsResult(ServiceUnderTest):
    """Asks for the data when all is over; keeps what that is answered."""

    statuses: ClassVar[list[int]] = []

    class make_service(AutomaticService):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            def then_fetch(message: Message, answered: Any) -> tuple[Message, Any]:
                def hear(reply: Any) -> None:
                    answered(reply)
                    if isinstance(message, ServiceEvent) and message.condition.final:
                        ensureDeferred(self.fetch(link, message.serial))

                return message, hear

            asking(link, then_fetch)
            await super().prepare(link)

        @staticmethod
        async def fetch(link: ClientLink, serial: str) -> None:
            with suppress(CtiexError):
                result = await link.ask(DataRequest(serial, ""))
                assert isinstance(result, DataResult)
                FetchesBehindItsResult.statuses.append(result.status)
