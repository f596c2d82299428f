"""An Asterisk with calls, as far as platform-1.conf goes: what it does with them when asked, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import define, field

from ctiex.telephony.asterisk.actions import WATCHED
from tests.fake_asterisk import FakeAsterisk, Headers

Event = list[tuple[str, str]]


@define(eq=False)
class Leg:
    """A channel."""

    name: str
    uniqueid: str
    number: str
    bridge: str = ""
    holding: str = ""
    """The name of the bridge, where nobody hears anybody in it."""
    variables: dict[str, str] = field(factory=dict)
    place: str = "talk"
    """talk, dialling, served, hold, or fallback."""
    partner: Leg | None = None
    """The customer's service, while there is one."""
    leaves_midway: bool = False
    """Whether a customer hangs up when they are being moved, before the agent is held."""


class Platform:
    """Channels, bridges, and the dialplan."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._numbers = count(1)
        self.legs: dict[str, Leg] = {}
        """By name."""
        self.dialled: list[tuple[str, str]] = []
        """What was dialled, each with the calling number that it was dialled with."""
        self.moved: dict[str, set[str]] = {}
        """The numbers of the customers who were moved to a service, by serial."""

    # ------------------------------------------------------------ calls

    def call(self, agent: str, number: str = "13800138000") -> Leg:
        """A customer and an agent begin to talk."""
        customer, desk = self._leg("PJSIP/trunk", number), self._leg(f"PJSIP/{agent}", agent)
        self._join(customer, desk, "talk")
        return customer

    def _leg(self, device: str, number: str) -> Leg:
        serial = next(self._numbers)
        leg = Leg(f"{device}-{serial:08x}", f"1795448690.{serial}", number)
        self.legs[leg.name] = leg
        return leg

    def _join(self, one: Leg, other: Leg, place: str) -> None:
        bridge = f"bridge-{next(self._numbers)}"
        for leg in (one, other):
            self._enter(leg, bridge)
            leg.place = place

    def _enter(self, leg: Leg, bridge: str, holding: str = "") -> None:
        self._leave(leg)
        leg.bridge, leg.holding = bridge, holding
        kind, name = ("base", holding) if holding else ("basic", "<unknown>")
        self._tell("BridgeEnter", leg, ("BridgeUniqueid", bridge), ("BridgeType", kind), ("BridgeName", name))

    def _leave(self, leg: Leg) -> None:
        if leg.bridge:
            bridge, leg.bridge = leg.bridge, ""
            self._tell("BridgeLeave", leg, ("BridgeUniqueid", bridge), ("BridgeType", "basic"))
            if not any(other.bridge == bridge for other in self.legs.values()):
                self._emit([("Event", "BridgeDestroy"), ("BridgeUniqueid", bridge)])

    def _tell(self, event: str, leg: Leg, *more: tuple[str, str]) -> None:
        own = [("Channel", leg.name), ("Uniqueid", leg.uniqueid), ("CallerIDNum", leg.number)]
        self._emit([("Event", event), *own, *more])

    def _phase(self, leg: Leg, phase: str, *more: tuple[str, str]) -> None:
        serial = leg.variables.get("CTIEX_SERIAL", "")
        self._tell("UserEvent", leg, ("UserEvent", "ctiex"), ("Phase", phase), ("Serial", serial), *more)

    def others_in(self, leg: Leg) -> list[Leg]:
        """Whoever else is in the same bridge."""
        return [other for other in self.legs.values() if other.bridge == leg.bridge and leg.bridge and other is not leg]

    # ------------------------------------------------------------ what people and services do

    def hang_up(self, leg: Leg) -> None:
        """Somebody hangs up."""
        if leg.name not in self.legs:
            return
        together = self.others_in(leg) if leg.place == "talk" else []
        self._gone(leg)
        if leg.place in ("dialling", "served"):
            self._drop_service(leg)
            agent = self.legs.get(leg.variables["CTIEX_AGENT_CHANNEL"])
            together = [] if agent is None else [agent]
        for other in together:
            self._gone(other)

    def transfer(self, customer: Leg, agent: str) -> Leg | None:
        """An agent has talked with another one, and passes the customer on: the customer now talks with that one."""
        if customer.name not in self.legs or customer.place != "talk" or not customer.bridge:
            return None
        desk, others = self._leg(f"PJSIP/{agent}", agent), self.others_in(customer)
        self._join(customer, desk, "talk")
        for other in others:  # who passes a call on is out of it once the other one has it
            self._gone(other)
        return desk

    def let_wait(self, customer: Leg) -> None:
        """A customer leaves whoever they talk with, whose channel lasts, and waits: in a queue, or parked."""
        self._leave(customer)
        customer.place = "waits"

    def take_next(self, desk: Leg, number: str) -> Leg:
        """An agent whose channel lasts is connected with the next customer."""
        customer = self._leg("PJSIP/trunk", number)
        self._join(customer, desk, "talk")
        return customer

    def hand_on(self, customer: Leg, agent: str) -> Leg:
        """A customer is connected with another agent; the channel of the first lasts."""
        desk = self._leg(f"PJSIP/{agent}", agent)
        self._join(customer, desk, "talk")
        return desk

    def replace(self, desk: Leg, device: str) -> Leg:
        """Somebody takes the place of another in the same bridge."""
        other = self._leg(device, "5")
        self._enter(other, desk.bridge)
        self._gone(desk)
        return other

    def take_away(self, customer: Leg, agent: str) -> Leg:
        """Somebody takes a customer out of the service to another agent, past everything that was prepared."""
        self._drop_service(customer)
        desk = self._leg(f"PJSIP/{agent}", agent)
        self._join(customer, desk, "talk")
        return desk

    def pass_on_hold(self, agent: Leg, other: str) -> Leg:
        """An agent who is held has somebody else take over: that one is held in the place of this one."""
        desk = self._leg(f"PJSIP/{other}", other)
        desk.place = "hold"
        self._enter(desk, agent.bridge, agent.holding)
        self._gone(agent)
        return desk

    def _gone(self, leg: Leg, cause: str = "16") -> None:
        if self.legs.pop(leg.name, None) is not None:
            self._leave(leg)
            self._tell("Hangup", leg, ("Cause", cause))

    def answer(self, customer: Leg) -> None:
        """The service answers."""
        if customer.name in self.legs and customer.place == "dialling" and customer.partner is not None:
            self._tell("DialEnd", customer, ("DestChannel", customer.partner.name), ("DialStatus", "ANSWER"))
            self._join(customer.partner, customer, "served")

    def refuse(self, customer: Leg, result: str, cause: str = "0") -> None:
        """The service isn't reached."""
        if customer.name in self.legs and customer.place == "dialling":
            customer.variables["CTIEX_CAUSE"] = cause
            self._drop_service(customer, cause)
            self._back(customer, result)

    def finish(self, customer: Leg) -> None:
        """The service hangs up."""
        if customer.name in self.legs and customer.place == "served":
            self._drop_service(customer)
            self._back(customer, "ANSWER")

    def _drop_service(self, customer: Leg, cause: str = "16") -> None:
        service, customer.partner = customer.partner, None
        if service is not None:
            self._gone(service, cause)

    # ------------------------------------------------------------ the dialplan

    def _forward(self, customer: Leg, agent: Leg) -> None:
        if customer.leaves_midway:
            self._gone(customer)
            self._hold(agent)
            return
        self._leave(customer)
        self._hold(agent)
        customer.variables.update(CTIEX_PHASE="out", CTIEX_RESULT="")
        customer.place = "dialling"
        self.dialled.append((customer.variables["CTIEX_DIAL"], customer.variables["CTIEX_CARRIED"]))
        self.moved.setdefault(customer.variables["CTIEX_SERIAL"], set()).add(customer.number)
        self._phase(customer, "out")
        customer.partner = self._leg("PJSIP/core", customer.variables["CTIEX_CARRIED"])
        customer.partner.place = "ringing"
        self._tell(
            "DialBegin", customer, ("DestChannel", customer.partner.name), ("DestUniqueid", customer.partner.uniqueid)
        )

    def _hold(self, agent: Leg) -> None:
        self._leave(agent)
        self._phase(agent, "hold")
        agent.place = "hold"
        self._enter(agent, f"bridge-{next(self._numbers)}", f"ctiex-{agent.variables['CTIEX_SERIAL']}")

    def _back(self, customer: Leg, result: str) -> None:
        self._leave(customer)
        cause = customer.variables.get("CTIEX_CAUSE", "")
        customer.variables.update(CTIEX_PHASE="back", CTIEX_RESULT=result)
        self._phase(customer, "back", ("Result", result), ("Cause", cause))
        agent = self.legs.get(customer.variables["CTIEX_AGENT_CHANNEL"])
        if agent is not None:
            self._join(agent, customer, "talk")
            return
        customer.variables["CTIEX_PHASE"] = "astray"
        customer.place = "fallback"
        self._phase(customer, "astray")

    def _recall(self, customer: Leg) -> None:
        self._drop_service(customer)
        if customer.place == "talk":  # an agent whose customer is pulled out of the talk is through with BridgeWait
            for agent in self.others_in(customer):
                self._gone(agent)
        self._back(customer, customer.variables.get("CTIEX_RESULT", ""))

    # ------------------------------------------------------------ the manager interface

    def act(self, name: str, headers: Headers) -> str:
        """Do what an action asks; empty, or why not."""
        leg = self.legs.get(headers["Channel"])
        if leg is None:
            return "No such channel"
        if name == "Setvar":
            leg.variables[headers["Variable"]] = headers["Value"]
            return ""
        if name == "Redirect" and "ExtraChannel" in headers:
            agent = self.legs.get(headers["ExtraChannel"])
            if agent is None:
                return "ExtraChannel does not exist"
            assert (headers["Context"], headers["ExtraContext"]) == ("ctiex-forward", "ctiex-hold")
            self._forward(leg, agent)
            return ""
        assert name == "Redirect", name
        if headers["Context"] == "ctiex-release":
            self._gone(leg)
        else:
            assert headers["Context"] == "ctiex-return"
            self._recall(leg)
        return ""

    def channels(self) -> list[Headers]:
        """The rows of Status."""
        return [
            {
                "Channel": leg.name,
                "Uniqueid": leg.uniqueid,
                "CallerIDNum": leg.number,
                "BridgeID": leg.bridge,
                "Variables": ",".join(f"{name}={leg.variables.get(name, '(null)')}" for name in WATCHED),
            }
            for leg in self.legs.values()
        ]

    def bridges(self) -> list[Headers]:
        """The rows of BridgeList."""
        kinds = {leg.bridge: leg.holding for leg in self.legs.values() if leg.bridge}
        return [
            {"BridgeUniqueid": one, "BridgeType": "base" if hold else "basic", "BridgeName": hold or "<unknown>"}
            for one, hold in kinds.items()
        ]

    def lost(self) -> list[str]:
        """Whoever waits for nobody, or hears nobody: in words."""
        found = []
        for leg in self.legs.values():
            served = [other for other in self.legs.values() if other.variables.get("CTIEX_AGENT_CHANNEL") == leg.name]
            if leg.place == "hold" and not any(other.place in ("dialling", "served") for other in served):
                found.append(f"{leg.name} is held for nobody")
            if leg.place == "talk" and not self.others_in(leg):
                found.append(f"{leg.name} talks to nobody")
        return found


class PlatformAsterisk(FakeAsterisk):
    """A platform behind its manager interface, over TCP."""

    def __init__(self) -> None:
        super().__init__()
        self.platform = Platform(lambda event: self.say(*event))
        self.on_dialled: Callable[[Leg], Any] = lambda customer: None
        """Hears of every customer for whom a service is called."""

    def take(self, action: Headers) -> None:
        """An action has come; lists show the platform as it is then."""
        self.set_channels(self.platform.channels(), self.platform.bridges())
        super().take(action)

    def act(self, action: Headers) -> None:
        """Do it, and answer."""
        if action["Action"] not in ("Setvar", "Redirect"):
            super().act(action)
            return
        dialled = len(self.platform.dialled)
        refused = self.platform.act(action["Action"], action)
        if refused:
            self.fail(action, refused)
        else:
            self.succeed(action)
        if len(self.platform.dialled) > dialled:
            self.on_dialled(self.platform.legs[action["Channel"]])
