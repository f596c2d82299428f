"""The calls of an Asterisk at one moment, from the answers to ``Status`` and ``BridgeList``, taken event by event."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.telephony.call_model import CallModel, Channel, Conversation

_PHASES = frozenset({"moving", "out", "back", "astray"})


class Snapshot:
    """Every channel with its bridge and its variables."""

    def __init__(self, settings: AsteriskSettings) -> None:
        self.call_model = CallModel(settings)
        """Who is connected with whom."""
        self._variables: dict[str, dict[str, str]] = {}
        """By channel, those that are set."""

    def take(self, event: AmiMessage) -> None:
        """One event of either list."""
        match event.event:
            case "Status":
                channel = self.call_model.seen(
                    event["Uniqueid"], event["Channel"], event["CallerIDNum"], event["BridgeID"]
                )
                variables = {name: value for name, value in event.variables().items() if value}
                if variables:
                    self._variables[channel.uniqueid] = variables
            case "BridgeListItem" if event["BridgeType"] not in ("", "basic"):
                self.call_model.holds(event["BridgeUniqueid"], event["BridgeName"])

    def variable(self, channel: Channel, name: str) -> str:
        """A variable of a channel; empty where it isn't set."""
        return self._variables.get(channel.uniqueid, {}).get(name, "")

    def phase_of(self, customer: Channel, serial: str) -> str:
        """Where a customer is who was forwarded under this serial: moving, out, back or astray."""
        phase = self.variable(customer, "CTIEX_PHASE")
        return phase if self.variable(customer, "CTIEX_SERIAL") == serial and phase in _PHASES else "moving"

    def forwarded(self) -> Iterator[tuple[str, Conversation] | None]:
        """The serials of the customers who were forwarded, each with the customer's talk of before; None for others."""
        for uniqueid in list(self._variables):
            customer = self.call_model.channel(uniqueid)
            yield None if customer is None else self._forwarded(customer)

    def _forwarded(self, customer: Channel) -> tuple[str, Conversation] | None:
        serial, name = self.variable(customer, "CTIEX_SERIAL"), self.variable(customer, "CTIEX_AGENT_CHANNEL")
        if not serial or not name:  # an agent's channel has no agent's channel of its own
            return None
        agent_channel = self.call_model.named(name) or Channel("", name)
        return serial, Conversation(customer, agent_channel, self.call_model.agent_of(agent_channel))
