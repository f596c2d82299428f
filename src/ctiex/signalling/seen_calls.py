"""The calls of one platform as the exchange sees them, and what follows from each event."""

from __future__ import annotations

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener
from ctiex.interfaces.telephony import (
    Conversation,
    Established,
    ITelephonyPlatform,
    PartyDropped,
    PartyHeld,
    TelephonyEvent,
    TransferEvent,
    TransferProgress,
)
from ctiex.signalling.conversations import Conversations
from ctiex.signalling.transfer import ActiveTransfers, Stage, Transfer
from ctiex.signalling.transfer_start import TransferStarter


class SeenCalls:
    """Who talks with whom, which offers wait, and which customers are on their way."""

    def __init__(self, platform: ITelephonyPlatform, listener: ISignallingListener) -> None:
        """None yet."""
        self.platform = platform
        self.listener = listener
        self.conversations = Conversations(listener.customer_of)
        self.transfers = ActiveTransfers(listener, platform.recall, self._over)
        self.starter = TransferStarter(platform, listener, self.conversations, self.transfers)
        self.offers = self.starter.offers
        self.resumed: dict[str, str] = {}
        """Calls of before the start that weren't found yet, with their agent numbers."""

    def __len__(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        return self.conversations.kept + len(self.transfers) + len(self.offers) + len(self.resumed)

    def withdraw(self, serial: str) -> Status:
        """Forget a call, and bring its customer back from the service."""
        self.resumed.pop(serial, None)
        self.offers.pop(serial)
        transfer = self.transfers.get(serial)
        if transfer is None:
            return Status.SERVICE_UNREACHABLE
        met = Status.SERVICE_UNREACHABLE if transfer.ended else transfer.met
        transfer.ended = True
        if transfer.stage is Stage.WAITING:
            self.transfers.finish(transfer)
        else:
            self.transfers.recall(transfer)
        return met

    # ------------------------------------------------------------ events

    def happened(self, event: TelephonyEvent) -> None:
        """What follows from an event."""
        match event:
            case Established():
                self.established(event.conversation)
            case PartyHeld():
                self._held(event)
            case PartyDropped():
                self._gone(event.party)
            case TransferProgress():
                self._progressed(event)

    def established(self, pair: Conversation) -> None:
        """A customer and an agent are together now: they talk, or one has come back to the other, or to another one."""
        transfer = self.transfers.of_customer(pair.customer.id)
        if transfer is None:
            self._see_conversation(pair)
        elif not transfer.is_on_its_way:
            same = pair.agent == transfer.conversation.agent
            self.transfers.happen(transfer, TransferEvent.TOGETHER if same else TransferEvent.AGENT_LOST)

    def _see_conversation(self, pair: Conversation) -> None:
        conversation, new = self.conversations.began(pair)
        if new:
            self.call_arrived(conversation)
        self.starter.try_offers_of(conversation.customer.id)

    def call_arrived(self, conversation: Conversation) -> None:
        """Tell the agent's application of the customer, and have the platform remember it."""
        customer = conversation.customer
        serial = self.listener.call_arrived(conversation.agent, customer.number, customer.id)
        if self.conversations.told(conversation, serial):
            self.platform.associate(conversation.customer, serial, conversation.agent)

    def look_where(self, transfer: Transfer) -> None:
        """Whether its customer is with an agent now, or somebody has taken over from the one who is held."""
        self._see_customer(transfer)
        self._follow_held(transfer)

    def _see_customer(self, transfer: Transfer) -> None:
        pair = self.platform.calls.conversation_in(transfer.conversation.customer.bridge)
        if pair is not None:
            self.established(pair)

    def _held(self, event: PartyHeld) -> None:
        transfer = self.transfers.get(event.serial)
        if transfer is not None:
            self._follow_held(transfer)
        elif event.freed or self._are_left_alone(event.serial):
            # Somebody has taken over from who was held there; or the customer hung up before the agent was held.
            self.platform.release_held(event.serial)

    def _are_left_alone(self, serial: str) -> bool:
        return any(self.conversations.is_left_alone(party, serial) for party in self.platform.calls.held_for(serial))

    def _follow_held(self, transfer: Transfer) -> None:
        """The customer comes back to who is held: the agent, or another agent who has taken over."""
        conversation = transfer.conversation
        for party in self.platform.calls.held_for(transfer.serial):
            if party.id != conversation.agent_party.id:
                self.platform.return_to(conversation.customer, party)

    def _progressed(self, event: TransferProgress) -> None:
        transfer = self.transfers.of_customer(event.customer)
        if transfer is not None:
            self.transfers.happen(transfer, event.event, event.status)
        elif event.event is TransferEvent.LEFT_AGENT:
            customer = self.platform.calls.party(event.customer)
            if customer is not None:  # transferred after all, although that was refused, or isn't awaited
                self.platform.recall(customer)

    def _gone(self, party: str) -> None:
        self.conversations.gone(party)
        transfer = self.transfers.of_customer(party)
        if transfer is not None:
            self.release_agent(transfer)
            self.transfers.happen(transfer, TransferEvent.CUSTOMER_GONE)
        self.starter.try_offers_of(party)

    def release_agent(self, transfer: Transfer) -> None:
        """The customer is gone. An agent who is held is released once the transfer is over; one who isn't yet, here."""
        agent = transfer.conversation.agent_party
        if self.platform.calls.party(agent.id) is not None:
            self.conversations.left_alone(agent, transfer.serial)
            self.platform.release(agent)

    def _over(self, transfer: Transfer) -> None:
        """The customer is where they should be, or gone: no agent is held for them any more."""
        self.platform.release_held(transfer.serial)
        self._see_customer(transfer)
        self.starter.try_offers_of(transfer.conversation.customer.id)
        again = self.offers.get(transfer.serial)
        if again is not None:
            self.starter.try_offer(again)
