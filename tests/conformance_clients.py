"""The project's own two clients as the conformance kit wants them: clients under test."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, HandOff, ServedCall
from ctiex.clients.event_taking import Position
from ctiex.errors import CallError, CtiexError, Status
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.messages import AgentEvent, Condition
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
                await self._hand_over(client)
            except CtiexError:
                pass  # refused, or taken over: there is no result
            finally:
                await client.stopService()

    async def _hand_over(self, client: AgentClient) -> None:
        agent = await client.login("1001", self.taken, position=self._position)
        self._agent, self._final = agent, Deferred()
        try:
            data = Fields({"account": "6222 0011"})
            hand_off = await agent.connect("conformance", "13800138000", data, reference="desk 7")
            await self._end_of(hand_off)
        finally:
            self._position = agent.position

    async def _end_of(self, hand_off: HandOff) -> None:
        try:
            await hand_off.result()
        except CallError as error:
            if error.status is not Status.NUMBERING_ANEW:
                raise
            while hand_off.serial not in self._finals:  # maybe it isn't lost
                await self._final
            await deferLater(self._reactor, 0)  # until it is acknowledged

    async def taken(self, event: AgentEvent) -> None:
        """Tell of progress by an UpdateRequest, as the kit wants it."""
        if event.condition.final:
            self._finals.add(event.serial)
            final, self._final = self._final, Deferred()
            final.callback(None)
        if event.condition is Condition.PROGRESS and "say" in event.fields and self._agent is not None:
            with suppress(CtiexError):
                await self._agent.update(event.serial, Fields({"say": event.fields["say"]}))


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
