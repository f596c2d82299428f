"""How transfers begin: an offer means one customer, and waits until that one can be transferred."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from twisted.logger import Logger

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener, Offer
from ctiex.interfaces.telephony import Conversation, ITelephonyPlatform, OrderRefused, TransferEvent
from ctiex.signalling.conversations import Conversations
from ctiex.signalling.transfer import ActiveTransfers, Stage, Transfer
from ctiex.signalling.waiting_offers import Choice, WaitingOffer, WaitingOffers

_log = Logger()


class TransferStarter:
    """Begins the transfers of one platform."""

    def __init__(
        self,
        platform: ITelephonyPlatform,
        listener: ISignallingListener,
        conversations: Conversations,
        transfers: ActiveTransfers,
    ) -> None:
        """No offer waits."""
        self._platform = platform
        self._listener = listener
        self._conversations = conversations
        self._transfers = transfers
        self._choice = Choice(platform, conversations, transfers)
        self.offers = WaitingOffers()

    # ------------------------------------------------------------ offers

    def offer(self, offer: Offer) -> None:
        """Settle which customer is meant, and begin with them once it can be begun."""
        # Away from the platform nobody knows whom the agent talks with: only a serial that was told tells anything.
        customer = self._choice.of(offer) if self._platform.connected else self._conversations.customer_of(offer.serial)
        self.try_offer(self.offers.keep(offer, customer))

    def try_unsettled(self, waiting: WaitingOffer) -> None:
        """The platform is connected again: settle which customer is meant by an offer that came meanwhile."""
        if self.offers.get(waiting.offer.serial) is waiting:
            if not waiting.customer:
                self.offers.mean(waiting, self._choice.afterwards(waiting.offer))
            self.try_offer(waiting)

    def try_offers_of(self, customer: str) -> None:
        """Something has changed for the customer whose party has this id."""
        for waiting in self.offers.of_customer(customer):
            if self.offers.get(waiting.offer.serial) is waiting:
                self.try_offer(waiting)

    def try_offer(self, waiting: WaitingOffer) -> None:
        """Begin, or give up; or wait on, for the platform or for a customer who is on the way back."""
        offer = waiting.offer
        if not self._platform.connected or offer.serial in self._transfers:
            return
        conversation = self._conversations.of_customer(waiting.customer)
        transfer = self._transfers.of_customer(waiting.customer)
        if conversation is None or conversation.agent != offer.agent:
            self._give_up(offer)
        elif transfer is None and conversation.together:
            self.offers.pop(offer.serial)
            self._begin(conversation, offer)
        elif transfer is None or not transfer.comes_back:
            self._give_up(offer)

    def _give_up(self, offer: Offer) -> None:
        self.offers.pop(offer.serial)
        _log.warn("call {serial}: agent {agent} isn't talking with the customer asked for, or with several",
                  serial=offer.serial, agent=offer.agent)  # fmt: skip
        self._listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)

    # ------------------------------------------------------------ the move

    def _begin(self, conversation: Conversation, offer: Offer) -> None:
        transfer = Transfer(offer.serial, conversation, Stage.WAITING)
        refused = partial(self._transfers.happen, transfer, TransferEvent.REFUSED)
        try:
            transfer.move = self._platform.prepare_transfer(conversation, offer, refused)
        except OrderRefused as error:
            _log.error("call {serial} can't be transferred: {reason}", serial=offer.serial, reason=str(error))
            self._listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)
            return
        self._transfers.keep(transfer)
        self._listener.offered(offer.serial, None, lambda: self._begin_to_move(transfer))

    def _begin_to_move(self, transfer: Transfer) -> None:
        """The offer is committed; the customer may have hung up meanwhile, or have left the agent."""
        if transfer.stage is not Stage.WAITING or transfer.ended:
            return
        if self._platform.connected and not transfer.conversation.together:
            self._part(transfer)
            return
        transfer.stage = Stage.MOVING
        if self._platform.connected:  # otherwise it begins once it is known who talks with whom
            transfer.move()

    def _part(self, transfer: Transfer) -> None:
        """Transfer only a customer who talks with exactly the agent that was asked for."""
        _log.warn("call {serial}: agent {agent} is no longer talking with the customer asked for",
                  serial=transfer.serial, agent=transfer.conversation.agent)  # fmt: skip
        self._transfers.happen(transfer, TransferEvent.AGENT_LOST)

    def go_on_moving(self) -> Iterator[None]:
        """The platform is connected again: go on with the customers who were to go, or to be moved, and weren't yet."""
        begun = [(one, one.stage) for one in self._transfers if one.stage in (Stage.WAITING, Stage.MOVING)]
        for transfer, stage in begun:
            # Who began to move since the platform is connected has been asked for already.
            if self._transfers.get(transfer.serial) is transfer and transfer.stage is stage:
                self._go_on_moving(transfer)
            yield

    def _go_on_moving(self, transfer: Transfer) -> None:
        if transfer.ended:
            self._transfers.finish(transfer)
        elif self._platform.calls.parted(transfer.conversation):
            self._part(transfer)
        elif transfer.stage is Stage.MOVING:
            transfer.move()
