"""A world in which calls are controlled: telephones, a queue, numbers outside, and the driver beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from itertools import count
from typing import Any, ClassVar

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import clientFromString
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    Connect,
    DestinationKind,
    ICallPlatformListener,
    Leg,
    LegPlace,
    LegState,
    OnAnswer,
    PlatformEvent,
)
from ctiex.settings import structure
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import AmiAccount
from ctiex.telephony.asterisk.calls import EVENTS
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.testing.signalling_contract import RecordingListener

from .hand_over import DIALPLAN
from .happenings import LONGEST, Happenings
from .phones import Phone
from .world import AGENT_TONE, CUSTOMER_TONE, FIRST_AGENT, World

reactor: Any = global_reactor
AGENTS, MANUAL = 4, 1003
"""Four agents: the third one's telephone rings until it is told what to do, the fourth is the fallback's."""
AGENT, CUSTOMER, MUSIC, SILENCE = f"{AGENT_TONE} Hz", f"{CUSTOMER_TONE} Hz", "music", "silence"
ANSWERS, BUSY, RINGS, UNKNOWN, REJECTS, BROKEN = "5001", "5002", "5003", "5404", "5005", "5006"
"""Numbers outside."""
SERVICE = "7000"
"""An automatic service: it ends when a key is typed."""
_PLATFORM_1 = """
[from-agents]
exten => _10XX,1,Dial(PJSIP/${EXTEN},30)
 same => n,Hangup()
[queues]
exten => support,1,Answer()
 same => n,Queue(support,c,,,60)
 same => n,Hangup()
exten => desks,1,Answer()
 same => n,Queue(desks,,,,60)
 same => n,Hangup()
[from-customers]
exten => 801,1,Goto(queues,desks,1)
exten => 901,1,Set(__TRANSFER_CONTEXT=from-agents)
 same => n,Dial(PJSIP/1001,30,tT)
 same => n,Hangup()
"""
_PLATFORM_2 = f"""
[from-core]
exten => {ANSWERS},1,Answer()
 same => n,Playtones({CUSTOMER_TONE})
 same => n,Read(KEYS,,4,,1,60)
 same => n,UserEvent(keys,Keys: ${{KEYS}})
 same => n,Wait(600)
exten => {BUSY},1,Hangup(17)
exten => {RINGS},1,Ringing()
 same => n,Wait(60)
exten => {REJECTS},1,Hangup(21)
exten => {BROKEN},1,Hangup(34)
exten => {SERVICE},1,Answer()
 same => n,Read(KEY,,1)
 same => n,Hangup()
"""


@implementer(ICallPlatformListener)
class Watcher:
    """Remembers everything that the platform tells."""

    def __init__(self) -> None:
        self.told: Happenings[Any] = Happenings(reactor, "driver")

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        self.told.tell("taken up")
        yield

    def away(self) -> None:
        """The connection is lost."""
        self.told.tell("away")

    def changed(self, leg: Leg) -> None:
        """A leg."""
        self.told.tell(copy(leg))

    def happened(self, event: PlatformEvent) -> None:
        """An event."""
        self.told.tell(event)


class CallsWorld(World):
    """Everything, and the driver."""

    def __init__(self, version: int, customers: int = 1, agents: int = AGENTS, **settings: Any) -> None:
        super().__init__(
            reactor,
            version,
            customers,
            agents,
            INCLUDE_1="\n".join(f'#include "{DIALPLAN / name}.conf"' for name in ("platform-1", "calls")),
            PROOF_1=_PLATFORM_1,
            PROOF_2=_PLATFORM_2,
        )
        (self.platform_1.folder / "etc/features.conf").write_text("[featuremap]\natxfer => *2\n")
        self.watcher = Watcher()
        self.platform = self.make_platform(**settings)

    def _phone(self, number: str, host: str, tone: int, answers: bool) -> Phone:
        return super()._phone(number, host, tone, answers and number != str(MANUAL))

    def make_platform(self, **settings: Any) -> AsteriskPlatform:
        """The driver, not started."""
        table = {
            "username": "calls",
            "secret": "controls",
            "dial": "PJSIP/{access_code}@core",
            "customers": "PJSIP/customers-",
            "fallback": "fallback,s,1",
            "number_dial": "PJSIP/{number}@core",
            "queue_place": "queues,{queue},1",
            "calling_number": "4000",
            **settings,
        }
        endpoint = clientFromString(reactor, f"tcp:{self.addresses.platform_1}:5038")
        account = AmiAccount(endpoint, table["username"], table["secret"], events=EVENTS)
        made = structure(table, AsteriskSettings)
        platform = AsteriskPlatform(
            reactor, made, {"bill": AsteriskServiceSettings()}, partial(AmiClient, reactor, account)
        )
        platform.watch(self.watcher)
        return platform


class CallsCase(TestCase):
    """One Asterisk with telephones, and its driver."""

    timeout = LONGEST
    version: ClassVar[int] = 22
    customers: ClassVar[int] = 1
    agents: ClassVar[int] = AGENTS
    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> Deferred[None]:
        """Start everything."""
        self.world = CallsWorld(self.version, self.customers, self.agents, **self.settings)
        self.ids = count(1)
        self.addCleanup(lambda: ensureDeferred(self.world.stop()))
        return ensureDeferred(self._start())

    async def _start(self) -> None:
        await self.world.start()
        self.listener = RecordingListener()
        self.driver = TransferSignalling(self.platform, self.listener)
        self.driver.start()
        self.addCleanup(self.driver.stop)
        await self.until(lambda: self.platform.connected)

    @property
    def platform(self) -> AsteriskPlatform:
        """The driver."""
        return self.world.platform

    @property
    def told(self) -> Happenings[Any]:
        """What it has told."""
        return self.world.watcher.told

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the driver knows something: it changes with what it tells."""
        if not condition():
            await self.told.wait(lambda _: condition(), f"something else of {self.shown()}", len(self.told))

    async def pause(self, seconds: float = 0.05) -> None:
        """Let time go by."""
        later: Deferred[None] = Deferred()
        reactor.callLater(seconds, later.callback, None)
        await later

    async def event(self, kind: type[Any], since: int = 0, **fields: Any) -> Any:
        """Wait for an event with these attributes."""

        def wanted(one: Any) -> bool:
            return isinstance(one, kind) and all(getattr(one, name) == value for name, value in fields.items())

        return await self.told.wait(wanted, f"{kind.__name__} {fields}", since)

    def shown(self) -> str:
        """The legs in short."""
        return "; ".join(
            f"{leg.id} {leg.agent or leg.number} {leg.state.value} {leg.place.value} {leg.bridge[:4]} for {leg.desk}"
            for leg in self.platform.legs.all()
        )

    # ------------------------------------------------------------ legs

    def legs_of(self, *numbers: str) -> list[Leg]:
        """The legs that somebody with one of these numbers is at the end of."""
        return [leg for leg in self.platform.legs.all() if leg.agent in numbers or leg.number in numbers]

    def leg(self, number: str) -> Leg:
        """The one leg of a number."""
        [leg] = self.legs_of(number)
        return leg

    def alive(self, id: str) -> Leg:
        """A leg by its id, as it is now."""
        leg = self.platform.legs.leg(id)
        assert leg is not None, id
        return leg

    def are_together(self, *legs: Leg, place: LegPlace = LegPlace.BRIDGE) -> bool:
        """Whether legs are in one bridge, and nobody else."""
        now = [self.platform.legs.leg(leg.id) for leg in legs]
        bridges = {leg.bridge if leg is not None and leg.place is place else "" for leg in now}
        return (
            len(bridges) == 1
            and "" not in bridges
            and len(list(self.platform.legs.in_bridge(next(iter(bridges))))) == len(legs)
        )

    async def together(self, *legs: Leg, place: LegPlace = LegPlace.BRIDGE) -> None:
        """Wait until legs are in one bridge."""
        await self.until(lambda: self.are_together(*legs, place=place))

    def is_at(self, leg: Leg, place: LegPlace) -> bool:
        """Whether a leg is somewhere now."""
        now = self.platform.legs.leg(leg.id)
        return now is not None and now.place is place

    async def at(self, leg: Leg, place: LegPlace) -> None:
        """Wait until a leg is somewhere."""
        await self.until(lambda: self.is_at(leg, place))

    async def gone(self, *legs: Leg) -> None:
        """Wait until legs are gone."""
        await self.until(lambda: not any(self.platform.legs.leg(leg.id) for leg in legs))

    # ------------------------------------------------------------ steps

    async def talk(self, number: str = "1001", customer: int = 0) -> tuple[Leg, Leg]:
        """A customer calls an agent: their two legs."""
        phone = self.world.customers[customer]
        self.world.tap.new_call(phone.host)
        await phone.dial(number)
        agent = number if number.startswith("10") else ""
        await self.until(
            lambda: (
                any(leg.place is LegPlace.BRIDGE for leg in self.legs_of(phone.number))
                and (not agent or any(leg.place is LegPlace.BRIDGE for leg in self.legs_of(agent)))
            )
        )
        one = self.leg(phone.number)
        [other] = [leg for leg in self.platform.legs.in_bridge(one.bridge) if leg is not one]
        return one, other

    async def part(self, leg: Leg, desk: Leg) -> None:
        """The one held, the other at the desk."""
        await self.platform.part(leg, desk)
        await self.until(lambda: self.is_at(leg, LegPlace.HOLD) and self.is_at(desk, LegPlace.DESK))

    async def connect(self, leg: Leg, other: Leg) -> None:
        """Both together."""
        await self.platform.connect(leg, other)
        await self.together(leg, other)

    async def call(
        self, kind: DestinationKind, name: str, on_answer: OnAnswer, desk: str = "", seconds: float = 30
    ) -> str:
        """Have a device called; the id of its leg."""
        id = f"leg-{next(self.ids)}"
        destination = CallDestination(kind, name)
        await self.platform.call(CallOut(id, f"call-{id}", destination, on_answer, seconds, "4321", desk))
        return id

    async def consult(self, desk: Leg, name: str, kind: DestinationKind = DestinationKind.AGENT) -> Leg:
        """Have the agent talk with somebody else."""
        id = await self.call(kind, name, Connect(desk.id), desk.id)
        await self.until(lambda: self.platform.legs.leg(id) is not None)
        await self.together(desk, self.alive(id))
        return self.alive(id)

    async def hears(self, phone: Phone, what: str) -> None:
        """Wait until somebody hears something now."""
        await self.world.hears_now(phone, what)

    async def hang_up_all(self) -> None:
        """End every leg, and see that nothing is left."""
        for leg in self.platform.legs.all():
            await self.platform.hang_up(leg)
        await self.world.empty()
        await self.until(lambda: not list(self.platform.legs.all()))

    def is_up(self, id: str) -> bool:
        """Whether a leg was answered."""
        leg = self.platform.legs.leg(id)
        return leg is not None and leg.state is LegState.CONNECTED


__all__ = ["FIRST_AGENT"]
