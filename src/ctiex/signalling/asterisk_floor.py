"""Who is connected with whom on a platform, kept from the events of Asterisk's manager interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import define, field

from ctiex.signalling.asterisk_settings import AsteriskSettings
from ctiex.telephony.ami import AmiMessage

_MOST_PAST = 10_000
"""How many serials of talks that are over are remembered."""


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
class Talk:
    """A customer and an agent who are connected, or were until one of them was put elsewhere."""

    customer: Channel
    agent_channel: Channel
    agent: str
    """The agent number."""
    serial: str = ""
    """What the agent's application was told; empty where it wasn't there to hear it."""

    @property
    def together(self) -> bool:
        """Whether they are connected now."""
        return bool(self.customer.bridge) and self.customer.bridge == self.agent_channel.bridge


class Floor:
    """The channels that are or were in a bridge, and the bridges that they are in."""

    def __init__(self, settings: AsteriskSettings) -> None:
        self._settings = settings
        self._channels: dict[str, Channel] = {}
        self._members: dict[str, dict[str, Channel]] = {}
        self._holding: set[str] = set()

    def __len__(self) -> int:
        return len(self._channels)

    def channel(self, uniqueid: str) -> Channel | None:
        """The channel with this id, if it was ever in a bridge and isn't gone."""
        return self._channels.get(uniqueid)

    def named(self, name: str) -> Channel | None:
        """The channel of this name."""
        return next((channel for channel in self._channels.values() if channel.name == name), None)

    def bridges(self) -> Iterable[str]:
        """Every bridge with somebody in it."""
        return list(self._members)

    def agent_of(self, channel: Channel) -> str:
        """The agent number that a channel belongs to; empty if it is no agent's."""
        return self._settings.agent_of(channel.name)

    # ------------------------------------------------------------ what happens

    def seen(self, uniqueid: str, name: str, number: str, bridge: str) -> Channel:
        """A channel is there, in this bridge; empty: in none."""
        channel = self._channels.get(uniqueid)
        if channel is None:
            channel = self._channels[uniqueid] = Channel(uniqueid, name)
        channel.name = name
        if number:  # not what it had with the service, which was its number and the serial
            channel.number = "" if number == "<unknown>" else number
        self._move(channel, bridge)
        return channel

    def entered(self, event: AmiMessage) -> Channel:
        """A channel has entered a bridge."""
        bridge = event["BridgeUniqueid"]
        if event["BridgeType"] not in ("", "basic"):
            self._holding.add(bridge)
        return self.seen(event["Uniqueid"], event["Channel"], event["CallerIDNum"], bridge)

    def left(self, event: AmiMessage) -> None:
        """A channel has left a bridge."""
        channel = self._channels.get(event["Uniqueid"])
        if channel is not None and channel.bridge == event["BridgeUniqueid"]:
            self._move(channel, "")

    def renamed(self, event: AmiMessage) -> None:
        """A channel goes by another name from now on."""
        channel = self._channels.get(event["Uniqueid"])
        if channel is not None:
            channel.name = event["Newname"]

    def gone(self, uniqueid: str) -> None:
        """A channel is no more."""
        channel = self._channels.pop(uniqueid, None)
        if channel is not None:
            self._move(channel, "")

    def holds(self, bridge: str) -> None:
        """In this bridge nobody hears anybody."""
        self._holding.add(bridge)

    def _move(self, channel: Channel, bridge: str) -> None:
        if channel.bridge == bridge:
            return
        if channel.bridge:
            members = self._members[channel.bridge]
            del members[channel.uniqueid]
            if not members:
                del self._members[channel.bridge]
                self._holding.discard(channel.bridge)
        channel.bridge = bridge
        if bridge:
            self._members.setdefault(bridge, {})[channel.uniqueid] = channel

    # ------------------------------------------------------------ who talks with whom

    def is_talking(self, channel: Channel) -> bool:
        """Whether somebody else can hear this channel."""
        members = self._members.get(channel.bridge, {})
        return len(members) > 1 and channel.bridge not in self._holding

    def pair_in(self, bridge: str) -> Talk | None:
        """The customer and the agent in a bridge, if these two are in it and nobody else."""
        members = list(self._members.get(bridge, {}).values())
        if len(members) != 2 or bridge in self._holding:
            return None
        for customer, agent_channel in (members, reversed(members)):
            agent = self.agent_of(agent_channel)
            if agent and self._settings.is_customer(customer.name):
                return Talk(customer, agent_channel, agent)
        return None


class Talks:
    """The talks of a platform, by their customers."""

    def __init__(self) -> None:
        self._talks: dict[str, Talk] = {}
        self._past: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._talks)

    def __iter__(self) -> Iterator[Talk]:
        return iter(list(self._talks.values()))

    def of_customer(self, uniqueid: str) -> Talk | None:
        """The talk of this customer's channel."""
        return self._talks.get(uniqueid)

    def began(self, pair: Talk) -> tuple[Talk, bool]:
        """Two are connected: their talk, and whether it is a new one.

        It is the same one when the agent's channel is another (a forwarded extension, an optimized ``Local``).
        """
        known = self._talks.get(pair.customer.uniqueid)
        if known is not None and known.agent == pair.agent:
            known.customer, known.agent_channel = pair.customer, pair.agent_channel
            return known, False
        self._talks[pair.customer.uniqueid] = pair
        return pair, True

    def gone(self, uniqueid: str) -> None:
        """A channel is gone, and its talk with it."""
        for talk in self:
            if uniqueid in (talk.customer.uniqueid, talk.agent_channel.uniqueid):
                del self._talks[talk.customer.uniqueid]
                self._is_past(talk.serial)

    def go_on(self, floor: Floor) -> None:
        """Go on with the talks whose channels are both still there, on a floor that was looked at anew."""
        for talk in self:
            customer, agent_channel = (floor.channel(one.uniqueid) for one in (talk.customer, talk.agent_channel))
            if customer is None or agent_channel is None:
                self.gone(talk.customer.uniqueid)
            else:
                talk.customer, talk.agent_channel = customer, agent_channel

    def _is_past(self, serial: str) -> None:
        """Nobody else's talk may be taken for one that is over."""
        if serial:
            self._past[serial] = None
            if len(self._past) > _MOST_PAST:
                del self._past[next(iter(self._past))]

    def wanted(self, serial: str, agent: str, calling_number: str) -> Talk | None:
        """The talk that an agent means: that of this serial, or else the agent's one talk.

        Among several the calling number decides; None where it can't be told, since the wrong customer
        would be worse than none.
        """
        own = [talk for talk in self if talk.agent == agent and talk.together]
        for talk in own:
            if talk.serial == serial:
                return talk
        if serial in self._past or any(talk.serial == serial for talk in self):
            return None
        if len(own) > 1:
            own = [talk for talk in own if talk.customer.number == calling_number]
        return own[0] if len(own) == 1 else None
