"""Offers that wait, and which customer each of them means.

The customer is settled when the offer comes, and never again: whoever the agent talks with by the time that the
platform can be asked isn't therefore the one whose data the service is about to get.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, frozen

from ctiex.interfaces import Offer
from ctiex.interfaces.telephony import Conversation, ITelephonyPlatform
from ctiex.serials import names_a_told_call
from ctiex.signalling.conversations import Conversations
from ctiex.signalling.transfer import ActiveTransfers


@define(eq=False)
class WaitingOffer:
    """An offer that waits: for the platform, or for its customer, who is on the way back."""

    offer: Offer
    customer: str = ""
    """The id of the customer; empty where it couldn't be told yet."""


class WaitingOffers:
    """Those that wait, by serial and by customer."""

    def __init__(self) -> None:
        self._of_serial: dict[str, WaitingOffer] = {}
        self._of_customer: dict[str, dict[str, WaitingOffer]] = {}

    def __len__(self) -> int:
        return len(self._of_serial) + len(self._of_customer)

    def __iter__(self) -> Iterator[WaitingOffer]:
        return iter(list(self._of_serial.values()))

    def get(self, serial: str) -> WaitingOffer | None:
        """That of a serial."""
        return self._of_serial.get(serial)

    def of_customer(self, id: str) -> list[WaitingOffer]:
        """Those that mean the customer with this id."""
        return list(self._of_customer.get(id, {}).values())

    def keep(self, offer: Offer, customer: str) -> WaitingOffer:
        """One begins to wait; an earlier one of the same serial doesn't any more."""
        self.pop(offer.serial)
        waiting = self._of_serial[offer.serial] = WaitingOffer(offer)
        self.mean(waiting, customer)
        return waiting

    def mean(self, waiting: WaitingOffer, customer: str) -> None:
        """Settle whom one means; empty: it can't be told yet."""
        waiting.customer = customer
        if customer:
            self._of_customer.setdefault(customer, {})[waiting.offer.serial] = waiting

    def pop(self, serial: str) -> WaitingOffer | None:
        """One doesn't wait any more."""
        waiting = self._of_serial.pop(serial, None)
        if waiting is not None and waiting.customer:
            of_customer = self._of_customer[waiting.customer]
            del of_customer[serial]
            if not of_customer:
                del self._of_customer[waiting.customer]
        return waiting


@frozen
class Choice:
    """The customer of an offer: the one whom its serial names, or none.

    A serial that names nobody, since the agent's application made it up or asked without one, means the customer who
    has this calling number; where nobody on the platform has it, the agent's only customer.
    """

    _platform: ITelephonyPlatform
    _conversations: Conversations
    _transfers: ActiveTransfers

    def of(self, offer: Offer) -> str:
        """The id of the customer; empty: none, or it can't be determined."""
        if self._was_told(offer.serial):
            return self._conversations.customer_of(offer.serial)
        conversations = self._conversations.of_agent(offer.agent)
        # Of everybody on the platform: else another one would go in the place of a customer who is with a service now,
        # or with another agent.
        if self._platform.calls.has_customer(offer.calling_number):
            conversations = [one for one in conversations if one.customer.number == offer.calling_number]
        present = [conversation for conversation in conversations if conversation.together]
        candidates = present or [conversation for conversation in conversations if self._comes_back(conversation)]
        return candidates[0].customer.id if len(candidates) == 1 else ""

    def afterwards(self, offer: Offer) -> str:
        """The same for an offer that came while nobody knew whom the agent talks with.

        Somebody else may have come meanwhile: without a serial that was told, only a calling number that is the same
        tells that it is still the one.
        """
        customer = self.of(offer)
        conversation = self._conversations.of_customer(customer)
        same = (
            conversation is not None
            and bool(conversation.customer.number)
            and conversation.customer.number == offer.calling_number
        )
        return customer if same or self._was_told(offer.serial) else ""

    def _was_told(self, serial: str) -> bool:
        """Whether a serial was ever told, by this exchange or one before: it names that customer, or nobody."""
        return names_a_told_call(serial) or bool(self._conversations.customer_of(serial))

    def _comes_back(self, conversation: Conversation) -> bool:
        transfer = self._transfers.of_customer(conversation.customer.id)
        return transfer is not None and transfer.comes_back
