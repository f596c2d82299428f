"""The fourth story of ``ctiex demo``: agents at their desks, an exchange that controls their calls, and a hand-off."""

from __future__ import annotations

from typing import Any, TextIO

from attrs import evolve
from twisted.internet.defer import DeferredQueue, ensureDeferred
from twisted.internet.endpoints import clientFromString

from ctiex.app.exchange import Exchange
from ctiex.app.output import say
from ctiex.call_messages import Action, AgentStateCode, CallChange, CallEvent
from ctiex.clients import AgentClient, AutomaticService, ClientCall, ExchangeAccount
from ctiex.config.model import Configuration
from ctiex.config.reading import DEMO_SECRET
from ctiex.fields import Fields
from ctiex.interfaces import ISignalling, Offer, Signalled, SignallingContext
from ctiex.interfaces.call_platform import Leg
from ctiex.services.bill_broadcast import BillBroadcast
from ctiex.services.media import ScriptedMedia
from ctiex.services.serving import handler_of
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.testing.simulated_platform.devices import Device, Queue
from ctiex.testing.simulated_platform.hand_offs import SimulatedHandOffs
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

TITLE = "two desks"
_FIRST, _SECOND, _QUEUE, _SERVICE = "1001", "1002", "sales", "bill-broadcast"
_WITHIN = 30.0


def _with_telephones(configuration: Configuration) -> Configuration:
    """The demo's, with a queue, and a service that is reached by a call."""
    service = evolve(configuration.services[_SERVICE], signalling="telephones", from_call_data=("account",))
    calls = evolve(configuration.calls, queues=(_QUEUE,))
    return evolve(configuration, calls=calls, services={_SERVICE: service})


class DeskStory:
    """A customer rings, is answered, goes to the service and comes back, and is handed to a colleague with the data."""

    def __init__(self, reactor: Any, stdout: TextIO, configuration: Configuration, customer: str) -> None:
        """:param customer: the number that they call from."""
        self._reactor = reactor
        self._stdout = stdout
        self._customer = customer
        self._platform = SimulatedPlatform(reactor)
        self._board = self._platform.board
        self._board.devices = {agent: Device(agent) for agent in (_FIRST, _SECOND)}
        self._board.queues = {_QUEUE: Queue()}
        self._hand_offs = SimulatedHandOffs(self._platform)
        self._hand_offs.on_sent = self._reaches_service
        with_telephones = _with_telephones(configuration)
        self._access_code = with_telephones.services[_SERVICE].access_code
        self._exchange = Exchange(with_telephones, reactor, {"telephones": self._driver})
        self._rings: dict[str, DeferredQueue[ClientCall]] = {_FIRST: DeferredQueue(), _SECOND: DeferredQueue()}

    def _driver(self, context: SignallingContext) -> ISignalling:
        driver: ISignalling = TransferSignalling(self._hand_offs, context.listener, self._platform)
        return driver

    async def run(self) -> None:
        """Play it.

        :raise CtiexError: something in it failed.
        """
        self._exchange.startService()
        await self._exchange.started()
        agents = AgentClient(self._reactor, self._account(self._exchange.agent_port, "agent-demo"))
        self._service = AutomaticService(
            self._reactor,
            self._account(self._exchange.ivr_port, "service-demo"),
            {self._access_code: handler_of(BillBroadcast())},
            lambda call: ScriptedMedia(),
        )
        agents.startService()
        self._service.startService()
        try:
            await self._service.bound()
            await self._play(agents)
        finally:
            await agents.stopService()
            await self._service.stopService()
            await self._exchange.stopService()

    def _account(self, port: Any, identity: str) -> ExchangeAccount:
        endpoint = clientFromString(self._reactor, f"tcp:127.0.0.1:{port.getHost().port}")
        return ExchangeAccount(endpoint, identity, DEMO_SECRET)

    # ------------------------------------------------------------ the story

    async def _play(self, agents: AgentClient) -> None:
        first = await agents.login(_FIRST, on_call_event=self._happened)
        second = await agents.login(_SECOND, on_call_event=self._happened)
        await first.set_state(AgentStateCode.READY)
        self._board.calls_in(self._customer, _QUEUE, queue=True)
        call = await self._answered(_FIRST)
        await call.update(account="1001", topic="bill")
        self._says(_FIRST, f"writes down: {call.data.describe()}")
        await self._asks_service(call)
        await call.consult(_SECOND)
        consultation = await self._answered(_SECOND)
        await call.transfer()
        event = await consultation.until(CallChange.TRANSFERRED, timeout=_WITHIN)
        await self._has_it(next(one for one in second.calls if one.id == event.call))

    async def _answered(self, agent: str) -> ClientCall:
        call = await self._rings[agent].get()
        await call.answer()
        await call.until(CallChange.ESTABLISHED, timeout=_WITHIN)
        return call

    async def _asks_service(self, call: ClientCall) -> None:
        hand_off = await call.connect(_SERVICE, Fields({"period": "2026-10"}))
        self._says(_FIRST, f"hands the customer to {_SERVICE}, under serial {hand_off.serial}")
        final = await hand_off.result(_WITHIN)
        await call.until(CallChange.RETURNED, timeout=_WITHIN)
        self._says(_FIRST, f"has the customer back: {final.condition.text}; {final.fields.describe()}")

    async def _has_it(self, call: ClientCall) -> None:
        self._says(_SECOND, f"has the customer, with {call.data.describe()}")
        await call.clear()
        await call.until(CallChange.CLEARED, timeout=_WITHIN)

    # ------------------------------------------------------------ who hears of it

    def _happened(self, call: ClientCall, event: CallEvent) -> None:
        who = ", ".join(
            f"{party.agent or party.number} {party.connection_state.name.lower()}" for party in call.parties
        )
        self._says(call.agent, f"is shown: {CallChange(event.event).name.lower()} {who}".rstrip())
        if event.event == CallChange.ALERTING and call.allows(Action.ANSWER):
            self._rings[call.agent].put(call)

    def _says(self, agent: str, what: str) -> None:
        say(f"     {agent:8}  {what}", self._stdout)

    def _reaches_service(self, offer: Offer, service: Leg) -> None:
        """The network has carried the call to the automatic service."""
        ensureDeferred(self._serve(offer, service)).addErrback(self._platform_fails)

    async def _serve(self, offer: Offer, service: Leg) -> None:
        number = offer.connection.calling_number
        self._says("service", f"is called from {number}")
        self._hand_offs.answers(service)
        await self._service.serve_arrival(self._access_code, Signalled(number, {}), ScriptedMedia(("2",)))
        self._board.hang_up(service)

    def _platform_fails(self, failure: Any) -> None:
        self._says("service", f"fails: {failure.getErrorMessage()}")
