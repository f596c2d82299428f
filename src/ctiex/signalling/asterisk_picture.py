"""The calls of an Asterisk at one moment, from the answers to ``Status`` and ``BridgeList``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctiex.signalling.asterisk_floor import Channel, Floor, Talk
from ctiex.signalling.asterisk_settings import AsteriskSettings
from ctiex.telephony.ami import AmiMessage

_PHASES = frozenset({"moving", "out", "back", "astray"})


class Picture:
    """Every channel with its bridge and its variables."""

    def __init__(self, channels: Sequence[AmiMessage], bridges: Sequence[AmiMessage]) -> None:
        """:param channels: the events of ``Status``.
        :param bridges: the events of ``BridgeList``.
        """
        self._channels = [event for event in channels if event.event == "Status"]
        self._holding = {event["BridgeUniqueid"] for event in bridges if event["BridgeType"] not in ("", "basic")}
        self._variables = {event["Uniqueid"]: event.variables() for event in self._channels}

    def floor(self, settings: AsteriskSettings) -> Floor:
        """Who is connected with whom."""
        floor = Floor(settings)
        for bridge in self._holding:
            floor.holds(bridge)
        for event in self._channels:
            floor.seen(event["Uniqueid"], event["Channel"], event["CallerIDNum"], event["BridgeID"])
        return floor

    def variable(self, channel: Channel, name: str) -> str:
        """A variable of a channel; empty where it isn't set."""
        return self._variables.get(channel.uniqueid, {}).get(name, "")

    def phase_of(self, customer: Channel, serial: str) -> str:
        """Where a customer is who was forwarded under this serial: moving, out, back or astray."""
        phase = self.variable(customer, "CTIEX_PHASE")
        return phase if self.variable(customer, "CTIEX_SERIAL") == serial and phase in _PHASES else "moving"

    def forwarded(self, floor: Floor) -> Iterator[tuple[str, Talk]]:
        """The serials of the customers who were forwarded, each with the customer's talk of before."""
        for event in self._channels:
            customer = floor.channel(event["Uniqueid"])
            if customer is None:
                continue
            serial, name = self.variable(customer, "CTIEX_SERIAL"), self.variable(customer, "CTIEX_AGENT_CHANNEL")
            if serial and name:  # an agent's channel has no agent's channel of its own
                agent_channel = floor.named(name) or Channel("", name)
                yield serial, Talk(customer, agent_channel, floor.agent_of(agent_channel))
