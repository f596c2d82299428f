"""An Asterisk whose events are told by hand, and the call platform that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.interfaces.call_platform import (
    ICallPlatformListener,
    Leg,
    PlatformEvent,
)
from ctiex.settings import structure
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskSettings

from .asterisk_world import WaitingClient

TABLE = {
    "username": "ctiex",
    "secret": "x",
    "dial": "PJSIP/{access_code}@core",
    "customers": "PJSIP/trunk-",
    "fallback": "queues,400,1",
    "number_dial": "PJSIP/{number}@core",
    "queue_place": "queues,{queue},1",
    "calling_number": "4000",
}
CUSTOMER, AGENT, OTHER = "1.0", "1.1", "1.2"
NAMES = {CUSTOMER: "PJSIP/trunk-00000000", AGENT: "PJSIP/1001-00000001", OTHER: "PJSIP/1002-00000002"}


@implementer(ICallPlatformListener)
class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        self.all.append("taken up")
        yield

    def away(self) -> None:
        """Events are missed."""
        self.all.append("away")

    def changed(self, leg: Leg) -> None:
        """A leg."""
        self.all.append(copy(leg))

    def happened(self, event: PlatformEvent) -> None:
        """Something else."""
        self.all.append(event)


class Silent:
    """The hand-off's side: hears everything and says nothing."""

    def take_up(self, snapshot: object) -> Iterator[None]:
        """A snapshot."""
        yield

    def caught_up(self) -> Iterator[None]:
        """All told."""
        yield

    def happened(self, event: object) -> None:
        """Something."""


def success() -> AmiMessage:
    return AmiMessage((("Response", "Success"),))


class AsteriskCase(SynchronousTestCase):
    """A platform on a wire that the test writes."""

    more: dict[str, Any] = {}

    def setUp(self) -> None:
        self.clock = Clock()
        settings = structure({**TABLE, **self.more}, AsteriskSettings)
        self.platform = AsteriskPlatform(self.clock, settings, {}, WaitingClient)
        self.client: WaitingClient = self.platform._client
        self.told = Told()
        self.platform.watch(self.told)
        self.platform.start(Silent())  # type: ignore[arg-type]
        self.log_in()

    # ------------------------------------------------------------ the wire

    def log_in(self, **lists: list[dict[str, str]]) -> None:
        """Let it in, and answer its lists."""
        self.client.log_in()
        for action, event in (("BridgeList", "BridgeListItem"), ("Status", "Status"), ("QueueStatus", "")):
            name, _, answer = self.client.asked.popleft()
            self.assertEqual(name, action)
            rows = [self.message(event or row["Event"], **row) for row in lists.get(action, [])]
            self.client.answered(answer, success(), rows)
        self.clock.pump([0.0] * 20)
        self.assertTrue(self.platform.connected)

    @staticmethod
    def message(event: str, **headers: str) -> AmiMessage:
        variables = headers.pop("Variables", "")
        pairs = [("Event", event), *((key, value) for key, value in headers.items() if key != "Event")]
        return AmiMessage((*pairs, *(("Variable", one) for one in variables.split("|") if one)))

    def tell(self, event: str, id: str = "", **headers: str) -> None:
        """An event, of a channel where one is named."""
        named = {"Uniqueid": id, "Channel": NAMES.get(id, "")} if id else {}
        self.client.on_event(self.message(event, **{**named, **headers}))

    def asked(self) -> list[tuple[str, dict[str, str]]]:
        """What was asked, and is answered by success."""
        asked = []
        while self.client.asked:
            name, headers, answer = self.client.asked.popleft()
            asked.append((name, headers))
            self.client.answered(answer, success(), [])
        return asked

    def leg(self, id: str) -> Leg:
        leg = self.platform.legs.leg(id)
        assert leg is not None
        return leg

    # ------------------------------------------------------------ a call

    def bridged(self, id: str, bridge: str = "b1", **more: str) -> None:
        told = {"BridgeType": "basic", "BridgeName": "<unknown>", "BridgeCreator": "<unknown>", **more}
        self.tell("BridgeEnter", id, BridgeUniqueid=bridge, **told)

    def at_desk(self, id: str) -> None:
        self.bridged(id, "d1", BridgeType="base", BridgeName=f"ctiex-desk-{id}", BridgeCreator="BridgeWait")

    def call(self) -> tuple[Leg, Leg]:
        """A customer calls an agent."""
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="13800138000")
        self.tell("Newchannel", AGENT, ChannelState="0", CallerIDNum="<unknown>")
        self.tell("DialBegin", CUSTOMER, DestUniqueid=AGENT, DestCallerIDNum="1001")
        self.tell("Newstate", AGENT, ChannelState="5")
        self.tell("Newstate", AGENT, ChannelState="6")
        self.tell("Newstate", CUSTOMER, ChannelState="6")
        self.bridged(CUSTOMER)
        self.bridged(AGENT)
        return self.leg(CUSTOMER), self.leg(AGENT)
