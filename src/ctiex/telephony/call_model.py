"""Who is connected with whom on a platform, kept from the events of Asterisk's manager interface.

Whatever is asked about one channel or one bridge takes the same time however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized

from attrs import define, field

from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.settings import AsteriskSettings

_HOLD = "ctiex-"
"""How the dialplan names the bridge in which an agent is held, before the serial."""


@define(eq=False)
class Channel:
    """One leg of a call."""

    uniqueid: str
    name: str
    number: str = field(default="", repr=False)
    """The calling number of the party at its end; empty where it is unknown."""
    bridge: str = ""
    """What it is connected by; empty: by nothing."""


@define(eq=False)
class Conversation:
    """A customer and an agent who are connected, or were until one of them was put elsewhere."""

    customer: Channel
    agent_channel: Channel
    agent: str
    """The agent number."""
    serial: str = ""
    """The serial that the agent's application was notified of; empty if it wasn't logged in."""

    @property
    def together(self) -> bool:
        """Whether they are connected now."""
        return bool(self.customer.bridge) and self.customer.bridge == self.agent_channel.bridge


class CallModel:
    """The channels that are or were in a bridge, and the bridges that they are in."""

    def __init__(self, settings: AsteriskSettings) -> None:
        self._settings = settings
        self._channels: dict[str, Channel] = {}
        self._named: dict[str, Channel] = {}
        self._members: dict[str, dict[str, Channel]] = {}
        self._holding: dict[str, str] = {}
        """Bridges in which the members can't hear each other, with their names."""
        self._holds: dict[str, str] = {}
        """The same the other way round, of those in which agents are held."""
        self._freed: set[str] = set()
        """Bridges whose members wait for no customer any more; nor does a channel that enters one later."""

    def __len__(self) -> int:
        kept: tuple[Sized, ...] = self._channels, self._named, self._members, self._holding, self._holds, self._freed
        return sum(map(len, kept))

    def channel(self, uniqueid: str) -> Channel | None:
        """The channel with this id, if it was ever in a bridge and isn't gone."""
        return self._channels.get(uniqueid)

    def named(self, name: str) -> Channel | None:
        """The channel of this name."""
        return self._named.get(name)

    def bridges(self) -> Iterable[str]:
        """Every bridge with somebody in it."""
        return list(self._members)

    def agent_of(self, channel: Channel) -> str:
        """The agent number that a channel belongs to; empty if it is no agent's."""
        return self._settings.agent_of(channel.name)

    # ------------------------------------------------------------ what happens

    def take(self, event: AmiMessage) -> None:
        """Something has happened to a channel or a bridge; other events change nothing."""
        match event.event:
            case "BridgeEnter":
                self._entered(event)
            case "BridgeLeave":
                self._left(event)
            case "BridgeDestroy":
                self._part_with(event["BridgeUniqueid"])
            case "Rename":
                self._renamed(event)
            case "Hangup":
                self._gone(event["Uniqueid"])

    def seen(self, uniqueid: str, name: str, number: str, bridge: str) -> Channel:
        """A channel is there, in this bridge; empty: in none."""
        channel = self._channels.get(uniqueid)
        if channel is None:
            channel = self._channels[uniqueid] = Channel(uniqueid, name)
        self._name(channel, name)
        if number:  # not what it had with the service, which was its number and the serial
            channel.number = "" if number == "<unknown>" else number
        self._move(channel, bridge)
        return channel

    def holds(self, bridge: str, name: str = "") -> None:
        """The members of this bridge can't hear each other."""
        self._holding[bridge] = name
        if name.startswith(_HOLD):
            self._holds[name] = bridge

    def _entered(self, event: AmiMessage) -> None:
        bridge = event["BridgeUniqueid"]
        if event["BridgeType"] not in ("", "basic"):
            self.holds(bridge, event["BridgeName"])
        self.seen(event["Uniqueid"], event["Channel"], event["CallerIDNum"], bridge)

    def _left(self, event: AmiMessage) -> None:
        channel = self._channels.get(event["Uniqueid"])
        if channel is not None and channel.bridge == event["BridgeUniqueid"]:
            self._move(channel, "")

    def _renamed(self, event: AmiMessage) -> None:
        channel = self._channels.get(event["Uniqueid"])
        if channel is not None:
            self._name(channel, event["Newname"])

    def _gone(self, uniqueid: str) -> None:
        channel = self._channels.pop(uniqueid, None)
        if channel is not None:
            self._unname(channel)
            self._move(channel, "")

    def _name(self, channel: Channel, name: str) -> None:
        self._unname(channel)
        channel.name = name
        self._named[name] = channel

    def _unname(self, channel: Channel) -> None:
        if self._named.get(channel.name) is channel:
            del self._named[channel.name]

    def _move(self, channel: Channel, bridge: str) -> None:
        if channel.bridge == bridge:
            return
        if channel.bridge:
            members = self._members[channel.bridge]
            del members[channel.uniqueid]
            if not members:
                del self._members[channel.bridge]
                self._part_with(channel.bridge)
        channel.bridge = bridge
        if bridge:
            self._members.setdefault(bridge, {})[channel.uniqueid] = channel

    def _part_with(self, bridge: str) -> None:
        self._freed.discard(bridge)
        name = self._holding.pop(bridge, "")
        if self._holds.get(name) == bridge:
            del self._holds[name]

    # ------------------------------------------------------------ who talks with whom

    def pair_in(self, bridge: str) -> Conversation | None:
        """The customer and the agent in a bridge, if only these two are in it."""
        members = self.members(bridge) if bridge not in self._holding else []
        if len(members) != 2:
            return None
        for customer, agent_channel in (members, reversed(members)):
            agent = self.agent_of(agent_channel)
            if agent and self._settings.is_customer(customer.name):
                return Conversation(customer, agent_channel, agent)
        return None

    def hears_another(self, channel: Channel, than: Channel) -> bool:
        """Whether somebody is in a bridge with other people, and not with this one."""
        members = self._members.get(channel.bridge, {}) if channel.bridge not in self._holding else {}
        return len(members) > 1 and than.uniqueid not in members

    def held_under(self, serial: str) -> list[Channel]:
        """The channel that is held until the customer who was transferred under this serial comes back."""
        return self.members(self._holds.get(_HOLD + serial, ""))

    def members(self, bridge: str) -> list[Channel]:
        """The channels in a bridge."""
        return list(self._members.get(bridge, {}).values())

    def free(self, serial: str) -> list[Channel]:
        """No customer comes back under this serial any more. Returns the channel that is held for them."""
        bridge = self._holds.get(_HOLD + serial, "")
        if bridge in self._members:
            self._freed.add(bridge)
        return self.held_under(serial)

    def is_freed(self, bridge: str) -> bool:
        """Whether the members of a bridge wait for no customer any more."""
        return bridge in self._freed

    def serial_of_hold(self, bridge: str) -> str:
        """The serial under which a channel is held in this bridge; empty without one."""
        name = self._holding.get(bridge, "")
        return name.removeprefix(_HOLD) if name.startswith(_HOLD) else ""
