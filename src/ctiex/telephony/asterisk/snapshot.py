"""The calls of an Asterisk at one moment, from the answers to ``Status`` and ``BridgeList``, taken event by event."""

from __future__ import annotations

from collections.abc import Iterator

from zope.interface import implementer

from ctiex.interfaces.telephony import Conversation, ISnapshot, Party, TransferEvent, TransferState
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.events import seen, update_bridge
from ctiex.telephony.asterisk.service_calls import returns_from, status_of
from ctiex.telephony.call_model import CallModel, Roles


@implementer(ISnapshot)
class AsteriskSnapshot:
    """Every channel with its bridge and its variables."""

    def __init__(self, roles: Roles) -> None:
        self.calls = CallModel(roles)
        """Who is connected with whom."""
        self.out: list[str] = []
        """The ids of the customers who are with a service, or on the way there."""
        self._variables: dict[str, dict[str, str]] = {}
        """By the id of a party, those that are set."""

    def take(self, event: AmiMessage) -> None:
        """One event of either list."""
        match event.event:
            case "Status":
                seen(self.calls, event, event["BridgeID"])
                self._remember(event["Uniqueid"], {name: value for name, value in event.variables().items() if value})
            case "BridgeListItem":
                update_bridge(self.calls, event)

    def _remember(self, id: str, variables: dict[str, str]) -> None:
        if variables:
            self._variables[id] = variables
        if variables.get("CTIEX_PHASE") == "out":
            self.out.append(id)

    def _variable(self, party: Party, name: str) -> str:
        return self._variables.get(party.id, {}).get(name, "")

    def associated(self, customer: Party) -> tuple[str, str]:
        """The serial and the agent number that were associated with a customer; each is empty if it wasn't."""
        return self._variable(customer, "CTIEX_TALK"), self._variable(customer, "CTIEX_TALK_AGENT")

    def transfers(self) -> Iterator[TransferState | None]:
        """The last transfer of each channel that remembers anything; None for one without."""
        for id in list(self._variables):
            customer = self.calls.party(id)
            yield None if customer is None else self.transfer_of(customer)

    def transfer_of(self, customer: Party) -> TransferState | None:
        """How this customer's last transfer stands; None: there was none."""
        serial, name = self._variable(customer, "CTIEX_SERIAL"), self._variable(customer, "CTIEX_AGENT_CHANNEL")
        if not serial or not name:  # an agent's channel has no agent's channel of its own
            return None
        agent_party = self.calls.named(name) or Party("", name)
        conversation = Conversation(customer, agent_party, self.calls.agent_of(agent_party))
        result, cause = self._variable(customer, "CTIEX_RESULT"), self._variable(customer, "CTIEX_CAUSE")
        return TransferState(
            serial, conversation, self._progress(customer, returns_from(result)), status_of(result, cause)
        )

    def _progress(self, customer: Party, back: TransferEvent) -> tuple[TransferEvent, ...]:
        match self._variable(customer, "CTIEX_PHASE"):
            case "out":
                return (TransferEvent.ANSWERED if customer.bridge else TransferEvent.LEFT_AGENT,)
            case "back":
                return (back,)
            case "astray":
                return back, TransferEvent.AGENT_LOST
        return ()
