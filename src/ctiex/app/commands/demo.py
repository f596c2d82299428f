"""``ctiex demo``: the seed's three services over real loopback TCP, in the numbered steps of FIG. 2; and two desks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TextIO

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.python.usage import Options as UsageOptions

from ctiex.app.commands.demo_desk import TITLE, DeskStory
from ctiex.app.exchange import Exchange
from ctiex.app.output import say
from ctiex.clients import AgentClient, AutomaticService, ExchangeAccount, ServedCall
from ctiex.codecs.observing import ObservingCodec
from ctiex.config.model import Configuration
from ctiex.config.reading import DEMO_SECRET, load
from ctiex.errors import CtiexError
from ctiex.fields import Fields, Value
from ctiex.messages import (
    SERVICE_CONDITIONS,
    AgentEvent,
    Condition,
    Connection,
    ConnectRequest,
    DataRequest,
    DataResult,
    Message,
    ServiceEvent,
)
from ctiex.serials import SerialAllocator
from ctiex.services import BUILT_IN
from ctiex.services.media import ScriptedMedia
from ctiex.services.serving import handler_of

_ANY_PORT = "tcp:0:interface=127.0.0.1"
_AGENT, _CALLING_NUMBER = "1001", "13800138000"
_PLATFORM = "901"
"""The head of the serials that the agent's platform gives its calls."""
_WITHIN = 30.0
_PACE = 0.01
"""How long the customer takes for each action, in seconds."""


@frozen
class Scene:
    """One hand-off of the demo: what the agent sends along, and what the customer types."""

    service: str
    fields: Mapping[str, Value]
    typed: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """The fields that are masked here, beside those that the configuration names."""


SCENES = (
    Scene("number-broadcast", {"number": "075526770000", "customer_type": "vip"}, ("1", "2")),
    Scene("bill-broadcast", {"account": "1001", "period": "2026-10"}, ("2",)),
    Scene(
        "password-authentication",
        {"account": "1001", "area": "010", "vip_level": 1, "password_level": "common", "prompt_tone": "formal"},
        ("12", "246810"),
    ),
)


class Options(UsageOptions):
    """The options of ``ctiex demo``: none."""

    longdesc = (
        "Plays the three services over real loopback TCP and prints the eight steps of each hand-off; then two desks "
        "whose calls the exchange controls, on a simulated call platform."
    )


class Ladder:
    """Prints the steps of FIG. 2 as the messages pass, secrets masked."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self._secret: Collection[str] = ()
        self._media = ScriptedMedia()

    def begin(self, scene: Scene, secret: Collection[str], media: ScriptedMedia) -> None:
        """A new hand-off, with the customer at the other end of ``media``."""
        self._secret = {*scene.secret, *secret}
        self._media = media
        self._say("")
        self._say(scene.service)
        self._step(1, "customer", f"talks with agent {_AGENT}, calling from {_CALLING_NUMBER}")

    def passed(self, message: Message) -> None:
        """A message was sent or received by one of the clients."""
        match message:
            case ConnectRequest():
                about = _named(message, "serial", "service", "calling_number")
                self._step(2, "agent", f"{about}; {self._fields(message.fields)}")
            case Connection():
                self._step(3, "exchange", _named(message, "calling_number", "access_code"))
            case DataRequest():
                self._step(4, "service", _named(message, "serial", "exchange_address"))
            case DataResult():
                self._step(5, "exchange", f"{_named(message, 'serial', 'agent')}; {self._fields(message.fields)}")
            case ServiceEvent():
                self._served()
                self._step(7, "service", f"{_named(message, 'serial')}, {self._condition(message)}")
            case AgentEvent() if message.condition in SERVICE_CONDITIONS:
                self._step(8, "exchange", f"{_named(message, 'serial', 'sequence')}, {self._condition(message)}")

    def _served(self) -> None:
        """What the customer heard and did since the last report."""
        for action in self._media.transcript:
            self._step(6, "service", f"serves the customer: {action}")
        self._media.transcript.clear()

    def _condition(self, message: ServiceEvent | AgentEvent) -> str:
        return f"{message.condition.text}; {self._fields(message.fields)}"

    def _fields(self, fields: Fields) -> str:
        return fields.describe(self._secret) or "no fields"

    def _step(self, number: int, who: str, what: str) -> None:
        self._say(f"  {number}  {who:8}  {what}")

    def _say(self, line: str) -> None:
        say(line, self._stdout)


def _named(message: Message, *names: str) -> str:
    """What a message is, and some of its attributes."""
    return f"{type(message).__name__}: {', '.join(f'{name}={getattr(message, name)}' for name in names)}"


class Demo:
    """An exchange, an agent and an automatic service, each with its own links over TCP."""

    def __init__(self, reactor: Any, stdout: TextIO) -> None:
        self._reactor = reactor
        self._stdout = stdout
        self._ladder = Ladder(stdout)
        self._media = ScriptedMedia()
        self._configuration: Configuration = load(None, _ANY_PORT, _ANY_PORT)
        self._exchange = Exchange(self._configuration, reactor)
        self._serials = SerialAllocator(_PLATFORM, reactor.seconds)

    async def run(self) -> int:
        """Play every scene; 0 when all were completed, else 1."""
        self._exchange.startService()
        await self._exchange.started()
        assert self._exchange.agent_port is not None and self._exchange.ivr_port is not None
        agent_port, ivr_port = self._exchange.agent_port, self._exchange.ivr_port
        say(f"exchange: agents at {_address(agent_port)}, services at {_address(ivr_port)}", self._stdout)
        agent = AgentClient(self._reactor, self._account(agent_port, "agent-demo"))
        service = AutomaticService(
            self._reactor, self._account(ivr_port, "service-demo"), self._handlers(), self._customer
        )
        agent.startService()
        service.startService()
        try:
            await service.bound()
            completed = await self._play(agent)
        finally:
            await agent.stopService()
            await service.stopService()
            await self._exchange.stopService()
        desks = await self._play_desks()
        say("", self._stdout)
        say(f"demo: {completed} of {len(SCENES)} hand-offs completed", self._stdout)
        return 0 if completed == len(SCENES) and desks else 1

    async def _play_desks(self) -> bool:
        """Call control; whether it went well."""
        say("", self._stdout)
        say(TITLE, self._stdout)
        try:
            await DeskStory(self._reactor, self._stdout, self._configuration, _CALLING_NUMBER).run()
        except CtiexError as error:
            say(f"  failed: {error}", self._stdout)
            return False
        return True

    def _account(self, port: IListeningPort, identity: str) -> ExchangeAccount:
        return ExchangeAccount(
            clientFromString(self._reactor, f"tcp:{_address(port)}"),
            identity,
            DEMO_SECRET,
            ObservingCodec(self._ladder.passed, self._ladder.passed),
        )

    def _handlers(self) -> dict[str, Any]:
        services = self._configuration.services
        return {services[name].access_code: handler_of(make()) for name, make in BUILT_IN.items()}

    def _customer(self, call: ServedCall) -> ScriptedMedia:
        return self._media

    async def _play(self, client: AgentClient) -> int:
        completed = 0
        agent = await client.login(_AGENT)
        for scene in SCENES:
            self._media = ScriptedMedia(scene.typed, pace=lambda: deferLater(self._reactor, _PACE))
            known = self._exchange.parts.context.services[scene.service]
            self._ladder.begin(scene, {*known.request.secret, *known.result.secret}, self._media)
            try:
                serial = self._serials.allocate(lambda serial: False)
                hand_off = await agent.connect(scene.service, _CALLING_NUMBER, Fields(scene.fields), serial)
                final = await hand_off.result(_WITHIN)
            except CtiexError as error:
                say(f"  failed: {error}", self._stdout)
            else:
                completed += final.condition is Condition.COMPLETED
        return completed


def _address(port: IListeningPort) -> str:
    host: Any = port.getHost()
    return f"{host.host}:{host.port}"


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Play the demo; 0 when every hand-off was completed. The end of the process ends it in order."""
    playing = ensureDeferred(Demo(reactor, stdout).run())
    ended: Deferred[None] = Deferred()

    def interrupted() -> Deferred[None]:
        playing.cancel()
        return ended

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    try:
        return await playing
    except CancelledError:
        return 1
    finally:
        ended.callback(None)
