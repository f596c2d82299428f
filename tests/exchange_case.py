"""Exchanges over real TCP, with the clients that are shipped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from ctiex.app.assembly import MakeDriver
from ctiex.app.exchange import Exchange
from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, Handler, ServedCall
from ctiex.codecs.binary import BinaryCodec
from ctiex.config.reading import parse
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.messages import AgentEvent, Bind, Condition, Message, Role
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

from .waiting import PATIENCE

SERVICE, ACCESS_CODE = "number-broadcast", "7001"


def port_number(port: IListeningPort | None) -> int:
    assert port is not None
    return int(port.getHost().port)  # type: ignore[attr-defined]


def links(agent_port: int = 0, ivr_port: int = 0, codec: str = "binary") -> dict[str, Any]:
    """``[links]`` on loopback, with a short patience for whoever doesn't leave."""
    both = {"codec": codec, "login_deadline": 1}
    return {
        "agent": {"listen": f"tcp:{agent_port}:interface=127.0.0.1", **both},
        "ivr": {"listen": f"tcp:{ivr_port}:interface=127.0.0.1", **both},
    }


async def broadcast(call: ServedCall) -> Outcome:
    """A service that says the customer's number back."""
    fields = await call.data()
    await call.media.say_digits(call.calling_number)
    return Outcome(Condition.COMPLETED, Fields({"said": call.calling_number, "heard": fields.text("words")}))


async def told(events: AsyncIterator[AgentEvent]) -> list[AgentEvent]:
    return [event async for event in events]


class ExchangeCase(TestCase):
    """Starts exchanges and clients, and stops them after the test, clients first."""

    drivers: Mapping[str, MakeDriver] = {}
    """Signalling drivers beside those that plugins bring."""

    async def exchange(self, tables: Mapping[str, Any] | None = None) -> Exchange:
        running = Exchange(parse({"links": links(), **(tables or {})}), reactor, self.drivers)
        running.startService()
        await running.started()
        self.addCleanup(running.stopService)
        return running

    def account(self, port: IListeningPort | None, identity: str, codec: ICodec | None = None) -> ExchangeAccount:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(port))
        return ExchangeAccount(endpoint, identity, "demo", codec or BinaryCodec(), longest_retry=0.2)

    async def client(self, running: Exchange, codec: ICodec | None = None) -> AgentClient:
        client = AgentClient(reactor, self.account(running.agent_port, "agent-demo", codec))
        client.startService()
        self.addCleanup(client.stopService)
        return client

    async def agent(self, running: Exchange, codec: ICodec | None = None, **options: Any) -> AgentNumber:
        return await (await self.client(running, codec)).login("1001", **options)

    async def service(
        self, running: Exchange, handler: Handler = broadcast, codec: ICodec | None = None
    ) -> AutomaticService:
        account = self.account(running.ivr_port, "service-demo", codec)
        service = AutomaticService(reactor, account, {ACCESS_CODE: handler}, lambda call: ScriptedMedia())
        service.startService()
        self.addCleanup(service.stopService)
        await service.bound()
        return service

    async def final(self, running: Exchange, handler: Handler, data: Fields | None = None) -> AgentEvent:
        """What an agent hears last of a call that this handler serves."""
        await self.service(running, handler)
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "13800138000", data or Fields())
        return await hand_off.result(PATIENCE)

    async def complete_a_flow(self, running: Exchange, codec: ICodec | None = None) -> list[AgentEvent]:
        await self.service(running, codec=codec)
        agent = await self.agent(running, codec)
        hand_off = await agent.connect(SERVICE, "13800138000", Fields({"words": "well met"}))
        events = await told(hand_off.events())
        self.assertEqual(events[-1].fields, Fields({"said": "13800138000", "heard": "well met"}))
        return events


class WireClient(Protocol):
    """A client that only binds, and notes every message that comes."""

    def __init__(self, role: Role, identity: str) -> None:
        self._bind = Bind(role, identity, "demo")
        self._codec = BinaryCodec()
        self._decoder = self._codec.decoder(65_536)
        self.heard: list[Message] = []
        self.lost = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._codec.frame(0x01, 1, self._codec.encode_body(self._bind)))

    def dataReceived(self, data: bytes) -> None:
        self._decoder.receive(data)
        self.heard += [self._codec.decode_body(frame) for frame in self._decoder.frames()]

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True
