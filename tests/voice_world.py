"""Voice services with an exchange in memory, an Asterisk by hand, one clock."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.clients import ExchangeAccount
from ctiex.clients.voice import VoiceServices, VoiceSettings
from ctiex.errors import Status
from ctiex.fields import Fields, Value
from ctiex.interfaces import BaseSignalling, ISignalling, ISignallingListener, Offer
from ctiex.messages import AgentEvent, Condition
from ctiex.services import BUILT_IN
from ctiex.telephony.asterisk.sounds import CALL_UNKNOWN, DEFAULT_SOUNDS, UNAVAILABLE, Sounds
from ctiex.testing.fakes import FakeAgent
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, make_service, services

from .asterisk_by_hand import AsteriskByHand

NUMBER, SERIAL = "13800138000", "00112345678965432197"
CARRIED = f"{NUMBER}**{SERIAL}"
PASSWORD: dict[str, Value] = {"account": "1001", "password_level": "common"}
ASKED = ["agent-pass", "auth-thankyou", "one-moment-please"]
UNKNOWN_CALL, NOT_NOW = list(DEFAULT_SOUNDS[CALL_UNKNOWN]), list(DEFAULT_SOUNDS[UNAVAILABLE])


@implementer(ISignalling)
class Telephone(BaseSignalling):
    """A driver that leaves it to the test to have the customer's call arrive."""

    sees_return = False
    listener: ISignallingListener

    def offer(self, offer: Offer) -> None:
        """The call is on its way; whoever serves it may come back for it."""
        self.listener.offered(offer.serial, None, lambda: self.listener.accepted(offer.serial))

    def withdraw(self, serial: str) -> int:
        """Nothing to let go of."""
        return Status.TIMED_OUT


@implementer(IStreamClientEndpoint)
class IntoExchange:
    """Where the services connect to."""

    def __init__(self, exchange: MemoryExchange) -> None:
        self._exchange = exchange
        self.away = False
        self.links: list[LinkedPair] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """A link, unless the exchange is away."""
        if self.away:
            return fail(ConnectError())
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.links.append(LinkedPair(protocol, self._exchange.ivr_links.buildProtocol(None)))
        self._exchange.pairs.append(self.links[-1])
        return succeed(protocol)

    def go_away(self) -> None:
        """The link is lost, and there is no other."""
        self.away = True
        self.links[-1].disconnect(clean=False)

    def come_back(self) -> None:
        """It can be reached again."""
        self.away = False


@implementer(IStreamServerEndpoint)
class AgiPort:
    """Where Asterisk connects to."""

    open = False

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Keep the factory for the test's calls."""
        self.factory, self.open = protocolFactory, True
        port: Any = self
        return succeed(port)

    def stopListening(self) -> None:
        """No more calls."""
        self.open = False


class VoiceTestCase(SynchronousTestCase):
    """Common to the tests."""

    sounds = Sounds()
    max_calls = 10

    def setUp(self) -> None:
        telephone = Telephone()
        names = tuple(BUILT_IN)
        self.exchange = MemoryExchange(
            identities=(agents(), services("ivr", *names)),
            services={name: make_service(name, signalling="telephone") for name in names},
            drivers={"telephone": telephone},
        )
        telephone.listener = self.exchange.processing.listener
        self.way = IntoExchange(self.exchange)
        self.port = AgiPort()
        account = ExchangeAccount(self.way, "ivr", "secret", jitter=lambda: 0.0, longest_retry=1.0)
        paths = {"password": "password-authentication", "bill": "bill-broadcast", "number": "number-broadcast"}
        self.voice = VoiceServices(
            self.exchange.clock,
            account,
            {path: BUILT_IN[name]() for path, name in paths.items()},
            VoiceSettings(sounds=self.sounds, max_calls=self.max_calls),
            random=Random(1),
        )
        self.successResultOf(ensureDeferred(self.voice.listen(self.port)))
        self.voice.startService()
        self.exchange.pump()
        self.agent: FakeAgent = self.exchange.agent("1001")
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopping = ensureDeferred(self.voice.stopService())
        self.exchange.advance(15)
        self.successResultOf(stopping)
        self.assertEqual((self.voice.calls, self.voice.automatic.calls), (0, 0))

    def hand_over(self, service: str = "password-authentication", fields: dict[str, Value] = PASSWORD) -> None:
        self.agent.connect("1001", service, SERIAL, NUMBER, Fields(fields))
        self.exchange.pump()

    def arrive(self, asterisk: AsteriskByHand, seconds: float = 0.0) -> AsteriskByHand:
        channel = self.port.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert channel is not None
        self.exchange.pairs.append(LinkedPair(channel, asterisk))
        self.exchange.pump()
        self.exchange.advance(seconds)
        return asterisk

    def call(self, seconds: float = 0.0, **how: Any) -> AsteriskByHand:
        return self.arrive(AsteriskByHand(**{"caller": CARRIED, **how}), seconds)

    @property
    def last(self) -> AgentEvent:
        return self.agent.events[-1]

    @property
    def ends(self) -> list[Condition]:
        """The final conditions that the agent has heard of."""
        return [event.condition for event in self.agent.events if event.condition.final]
