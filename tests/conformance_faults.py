"""Clients under test with one fault each, planted into our own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from attrs import evolve
from twisted.internet.defer import ensureDeferred

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ServedCall
from ctiex.clients.link import ClientLink
from ctiex.errors import LinkLost, Status
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    CallEnded,
    CallEndedReply,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    Error,
    Message,
    ServiceEvent,
    ServiceEventReply,
)

from .conformance_clients import AgentUnderTest, SeeingClient, ServiceUnderTest, asking


class IgnoresEpoch(AgentUnderTest):
    """Takes every numbering for the one that it knows."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            asking(link, self._without_epoch)
            await super().prepare(link)

        @staticmethod
        def _without_epoch(message: Message, answered: Any) -> tuple[Message, Any]:
            def hear(reply: Any) -> None:
                if isinstance(reply, AgentLoginReply) and reply.status == Status.NUMBERING_ANEW:
                    assert isinstance(message, AgentLogin)
                    reply = evolve(
                        reply,
                        status=0,
                        epoch=message.epoch,
                        first_sequence=1,
                        last_sequence=max(reply.last_sequence, message.resume_after),
                    )
                answered(reply)

            return message, hear


class FightsForItsNumber(AgentUnderTest):
    """Logs in again when another link has taken its number over."""

    class make_client(AgentClient):  # noqa: N801
        def error_received(self, error: Error) -> None:
            if error.status != Status.SESSION_TAKEN_OVER:
                return
            link, agent = self._connection.link, self._agents[error.detail]
            assert link is not None
            self.log_in_again(agent, link)


class AsksForAnotherCall(AgentUnderTest):
    """Makes a new serial for each further try."""

    class make_client(AgentClient):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.tried: set[str] = set()

        async def prepare(self, link: ClientLink) -> None:
            asking(link, self._another)
            await super().prepare(link)

        def _another(self, message: Message, answered: Any) -> tuple[Message, Any]:
            if isinstance(message, ConnectRequest) and message.serial in self.tried:
                return evolve(message, serial=self.new_serial()), answered
            if isinstance(message, ConnectRequest):
                self.tried.add(message.serial)
            return message, answered


class TakesAnyError(AgentUnderTest):
    """Matches an Error by its invoke id alone."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            session = link.session
            usual = session._answer

            def answer(invoke_id: int, message: Message) -> bool:
                waiting = session._requests._waiting.get(invoke_id)
                if waiting is not None and isinstance(message, Error):
                    message = evolve(message, about=KIND_OF[waiting.request])
                return usual(invoke_id, message)

            session._answer = answer  # type: ignore[method-assign]
            await super().prepare(link)


class TakesEventsTwice(AgentUnderTest):
    """Forgets which events have come."""

    class make_client(SeeingClient):  # noqa: N801
        def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
            agent = self._agents.get(message.agent) if isinstance(message, AgentEvent) else None
            if agent is not None and isinstance(message, AgentEvent) and message.sequence <= agent.last_sequence:
                ensureDeferred(self.again(agent, message))
            super().request_received(link, message, invoke_id)

        async def again(self, agent: AgentNumber, event: AgentEvent) -> None:
            await agent._taking._on_event(event)  # type: ignore[misc]


class IgnoresRetryAfter(AgentUnderTest):
    """Asks again after a pause of its own."""

    class make_client(AgentClient):  # noqa: N801
        async def prepare(self, link: ClientLink) -> None:
            asking(link, self._hurried)
            await super().prepare(link)

        def _hurried(self, message: Message, answered: Any) -> tuple[Message, Any]:
            def hear(reply: Any) -> None:
                answered(evolve(reply, retry_after=0) if isinstance(reply, ConnectReply) else reply)

            return message, hear


class KnowsNoFinalConditions(AgentUnderTest):
    """Takes every condition that it doesn't know for progress."""

    class make_client(SeeingClient):  # noqa: N801
        def coming(self, message: Message) -> Message:
            if isinstance(message, AgentEvent) and message.condition > 16:
                return evolve(message, condition=Condition.CONNECTED)
            return message


class AcknowledgesEarly(AgentUnderTest):
    """Acknowledges each event as it comes, whether it is known where its numbering begins or not."""

    class make_client(SeeingClient):  # noqa: N801
        def coming(self, message: Message) -> Message:
            link = self._connection._open
            if isinstance(message, AgentEvent) and link is not None:
                link.notify(AgentEventAck(message.agent, message.sequence))
            return message


class RepeatsEmptySerials(AgentUnderTest):
    """Asks again where nobody can know that it is the same call."""

    async def one_customer(self, agent: AgentNumber) -> None:
        """Hand them over, and once more when the link is lost."""
        while True:
            with suppress(LinkLost):
                await (await self.connect(agent, "")).result()
                return


class NeverComes(AgentUnderTest):
    """Isn't started at all."""

    def start(self, case: str = "") -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Nothing runs."""


class ServesTwice(ServiceUnderTest):
    """Takes each Connection for another customer, also one that comes twice."""

    class make_service(AutomaticService):  # noqa: N801
        def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
            if isinstance(message, Connection):
                self._calls.pop(message.calling_number.rpartition("**")[2], None)
            super().request_received(link, message, invoke_id)


class SilentAtCallEnded(ServiceUnderTest):
    """Gives the call up, and answers nothing."""

    class make_service(AutomaticService):  # noqa: N801
        def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
            if isinstance(message, CallEnded):
                self._end(message)
            else:
                super().request_received(link, message, invoke_id)


class ServesOn(ServiceUnderTest):
    """Answers CallEnded, and goes on as if nothing had been said."""

    class make_service(AutomaticService):  # noqa: N801
        def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
            if isinstance(message, CallEnded):
                link.reply(CallEndedReply(), invoke_id)
            else:
                super().request_received(link, message, invoke_id)

    async def serve(self, call: ServedCall) -> Any:
        """Serve without data, where there are none."""
        try:
            return await super().serve(call)
        except Exception:
            raise RuntimeError("it is served all the same") from None


class _Reporting(AutomaticService):
    """Changes its reports, and what is answered to them."""

    async def prepare(self, link: ClientLink) -> None:
        asking(link, self.changed)
        await super().prepare(link)

    def changed(self, message: Message, answered: Any) -> tuple[Message, Any]:
        return message, answered


class RepeatsEventIdUsed(ServiceUnderTest):
    """Takes 25 for something that passes."""

    class make_service(_Reporting):  # noqa: N801
        def changed(self, message: Message, answered: Any) -> tuple[Message, Any]:
            def hear(reply: Any) -> None:
                used = isinstance(reply, ServiceEventReply) and reply.status == Status.EVENT_ID_USED
                answered(evolve(reply, status=Status.STORE_UNAVAILABLE) if used else reply)

            return message, hear


class ReportsUnderAnotherId(ServiceUnderTest):
    """Makes a new event_id for each try."""

    class make_service(_Reporting):  # noqa: N801
        def changed(self, message: Message, answered: Any) -> tuple[Message, Any]:
            if not isinstance(message, ServiceEvent):
                return message, answered

            def hear(reply: Any) -> None:
                answered(evolve(reply, event_id=message.event_id) if isinstance(reply, ServiceEventReply) else reply)

            return evolve(message, event_id=self._random.getrandbits(64)), hear


class RefusesDoubledConnections(ServiceUnderTest):
    """Takes the second Connection of a call for another customer."""

    class make_service(AutomaticService):  # noqa: N801
        def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
            if isinstance(message, Connection) and message.calling_number.rpartition("**")[2] in self._calls:
                link.reply(ConnectionReply(Status.DUPLICATE_SERIAL), invoke_id)
            else:
                super().request_received(link, message, invoke_id)
