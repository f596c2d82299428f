"""A serial that is used again, at the exchange itself: the result is never the old call's."""

from __future__ import annotations

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.clients import AgentClient, AgentNumber, ExchangeAccount, HandOff, ServedCall
from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.messages import AgentEvent, Condition, ServiceEvent
from ctiex.services.outcome import Outcome
from ctiex.testing.fakes import FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange

from .exchange_case import ACCESS_CODE, SERVICE, ExchangeCase
from .reused_serial import NEW, OLD, SERIAL
from .waiting import eventually

_KEEP_CLOSED = 600.0


@implementer(IStreamClientEndpoint)
@define
class _ToMemory:
    """Leads to the agent links of an exchange in memory."""

    exchange: MemoryExchange

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.exchange.pairs.append(LinkedPair(self.exchange.agent_links.buildProtocol(None), protocol))
        return succeed(protocol)


async def second_use(agent: AgentNumber, service: str = "bill") -> HandOff | CallError:
    """Use the serial again: a new call's HandOff, or the exchange's refusal while an event of the old one waits."""
    try:
        return await agent.connect(service, "138", serial=SERIAL)
    except CallError as refused:
        return refused


class ExchangeTests(SynchronousTestCase):
    """The exchange in memory: an own serial is used again 700 seconds after a call that nobody heard the end of."""

    def test_the_result_is_never_the_old_calls(self) -> None:
        exchange = MemoryExchange()
        service = exchange.service()
        first = exchange.agent("1001")
        first.connect("1001", "bill", SERIAL, "138")
        exchange.pump()
        exchange.pair_of(first).disconnect()
        finish(service, OLD)
        exchange.pump()
        exchange.advance(_KEEP_CLOSED + 100, step=10)

        client = AgentClient(exchange.clock, ExchangeAccount(_ToMemory(exchange), "agents", "secret"))
        client.startService()
        self.addCleanup(client.stopService)
        asked = ensureDeferred(self.log_in_and_use(client))
        exchange.pump()
        refused = self.successResultOf(asked)
        assert isinstance(refused, CallError)
        self.assertIs(refused.status, Status.DUPLICATE_SERIAL, "the old call's end waited")
        outcome = self.successResultOf(self.pumped(exchange, client._agents["1001"]))
        assert isinstance(outcome, HandOff)
        result = ensureDeferred(outcome.result())
        exchange.pump()
        self.assertNoResult(result)
        finish(service, NEW)
        exchange.pump()
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_while_its_record_is_kept_the_same_request_is_of_the_call_that_ended(self) -> None:
        exchange = MemoryExchange()
        service = exchange.service()
        client = AgentClient(exchange.clock, ExchangeAccount(_ToMemory(exchange), "agents", "secret"))
        client.startService()
        self.addCleanup(client.stopService)
        asked = ensureDeferred(self.log_in_and_use(client))
        exchange.pump()
        finish(service, OLD)
        exchange.pump()
        hand_off = self.successResultOf(asked)
        assert isinstance(hand_off, HandOff)
        self.assertEqual(self.successResultOf(ensureDeferred(hand_off.result())).fields, OLD)
        exchange.advance(_KEEP_CLOSED - 100, step=10)
        again = self.successResultOf(self.pumped(exchange, client._agents["1001"]))
        assert isinstance(again, CallError), "it is never taken for a new one"
        self.assertIs(again.status, Status.ALREADY_FINISHED)

    def test_a_call_that_has_ended_is_resumed_while_its_end_waits(self) -> None:
        for passed in (10.0, _KEEP_CLOSED + 100):
            exchange = MemoryExchange()
            service = exchange.service()
            first = exchange.agent("1001")
            first.connect("1001", "bill", SERIAL, "138")
            exchange.pump()
            exchange.pair_of(first).disconnect()
            finish(service, OLD)
            exchange.pump()
            exchange.advance(passed, step=10)

            client = AgentClient(exchange.clock, ExchangeAccount(_ToMemory(exchange), "agents", "secret"))
            client.startService()
            self.addCleanup(client.stopService)
            result = ensureDeferred(self.resumed_result(client))
            exchange.pump()
            self.assertEqual(self.successResultOf(result).fields, OLD)

    async def resumed_result(self, client: AgentClient) -> AgentEvent:
        agent = await client.login("1001")
        return await (await agent.connect("bill", "138", serial=SERIAL, resumed=True)).result()

    async def log_in_and_use(self, client: AgentClient) -> HandOff | CallError:
        return await second_use(await client.login("1001"))

    def pumped(self, exchange: MemoryExchange, agent: AgentNumber) -> Deferred[HandOff | CallError]:
        again = ensureDeferred(second_use(agent))
        exchange.pump()
        return again


def finish(service: FakeService, fields: Fields) -> None:
    """The service reports the end of the call."""
    service.send(ServiceEvent(1 if fields is OLD else 2, SERIAL, "", Condition.COMPLETED, fields), 9)


class TcpTests(ExchangeCase):
    """The same over real TCP, with both clients as they are shipped."""

    async def test_the_result_is_never_the_old_calls(self) -> None:
        service = {"access_code": ACCESS_CODE, "keep_closed": 0.2}
        running = await self.exchange({"services": {SERVICE: service}})
        results = iter([OLD, NEW])
        ends: list[Deferred[None]] = [Deferred(), Deferred()]
        waits = iter(ends)

        async def handler(call: ServedCall) -> Outcome:
            await call.data()
            await next(waits)
            return Outcome(Condition.COMPLETED, next(results))

        await self.service(running, handler)
        before = await self.client(running)
        await (await before.login("1001")).connect(SERVICE, "138", serial=SERIAL)
        await before.stopService()
        ends[0].callback(None)
        await eventually(lambda: running.parts.store.get(SERIAL) is None)

        agent = await self.agent(running)
        outcome = await second_use(agent, SERVICE)
        while isinstance(outcome, CallError):
            self.assertIs(outcome.status, Status.DUPLICATE_SERIAL)
            outcome = await second_use(agent, SERVICE)
        ends[1].callback(None)
        self.assertEqual((await outcome.result(10)).fields, NEW)
