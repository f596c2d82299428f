"""The calls of one Asterisk as the exchange sees them, and what follows from each event and each offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import RequestTimedOut, Status
from ctiex.interfaces import ISignallingListener, Offer
from ctiex.signalling.asterisk_offers import Choice, Offers, Waiting
from ctiex.signalling.asterisk_talks import Conversations
from ctiex.signalling.transfer import Stage, Transfer, TransferEvent
from ctiex.signalling.transfers import ActiveTransfers
from ctiex.telephony.asterisk import actions as orders
from ctiex.telephony.asterisk.ami import AmiError, AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.telephony.call_model import CallModel, Channel, Conversation

_log = Logger()


class Calls:
    """Who talks with whom, which offers wait, and which customers are on their way."""

    def __init__(
        self,
        clock: IReactorTime,
        listener: ISignallingListener,
        settings: AsteriskSettings,
        services: Mapping[str, AsteriskServiceSettings],
        act: Callable[[orders.Action], Deferred[Any]],
        ask_anew: Callable[[str], None],
    ) -> None:
        """None yet.

        :param services: the own keys of each service, by its name.
        :param act: asks Asterisk for something; the Deferred hears the answer.
        :param ask_anew: called with the reason, when what Asterisk has done can't be known from its events.
        """
        self._clock = clock
        self.listener = listener
        self.settings = settings
        self._services = services
        self._act = act
        self._ask_anew = ask_anew
        self.call_model = CallModel(settings)
        self.conversations = Conversations()
        self.offers = Offers()
        self.resumed: dict[str, str] = {}
        """Calls of before the start that weren't found yet, with their agent numbers."""
        self.transfers = ActiveTransfers(listener, settings, self.ask, self._over)
        self.choice = Choice(self.conversations, self.transfers)
        self.seen = False
        """Whether the events are heard now, so that offers may begin."""

    def __len__(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        known = len(self.call_model) + self.conversations.kept
        return known + len(self.transfers) + len(self.offers) + len(self.resumed)

    def ask(self, action: orders.Action) -> None:
        """Ask for something that shows in events, or doesn't matter any more."""
        self._act(action).addErrback(lambda failure: failure.trap(Exception) and None)

    # ------------------------------------------------------------ offers

    def offer(self, offer: Offer) -> None:
        """Settle which customer is meant, and begin with them once it can be begun."""
        customer = self.choice.of(offer) if self.seen else self.choice.by_name(offer)
        self.try_offer(self.offers.keep(offer, customer))

    def try_unsettled(self, waiting: Waiting) -> None:
        """The events are heard again: settle which customer is meant by an offer that came meanwhile."""
        if self.offers.get(waiting.offer.serial) is waiting:
            if not waiting.customer:
                self.offers.mean(waiting, self.choice.afterwards(waiting.offer))
            self.try_offer(waiting)

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
            self.transfers.forget(transfer)
            self._over(transfer)
        else:
            self.transfers.recall(transfer)
        return met

    def try_offer(self, waiting: Waiting) -> None:
        """Begin, or give up; or wait on, for Asterisk or for a customer who is on the way back."""
        offer = waiting.offer
        if not self.seen or offer.serial in self.transfers:
            return
        conversation = self.conversations.of_customer(waiting.customer)
        transfer = self.transfers.of_customer(waiting.customer)
        if conversation is None or conversation.agent != offer.agent:
            self._give_up(offer)
        elif transfer is None and conversation.together:
            self.offers.pop(offer.serial)
            self._begin(conversation, offer)
        elif transfer is None or not transfer.comes_back:
            self._give_up(offer)

    def _try_offers_of(self, customer: str) -> None:
        for waiting in self.offers.of_customer(customer):
            if self.offers.get(waiting.offer.serial) is waiting:
                self.try_offer(waiting)

    def _give_up(self, offer: Offer) -> None:
        self.offers.pop(offer.serial)
        _log.warn("call {serial}: agent {agent} isn't talking with the customer asked for, or with several",
                  serial=offer.serial, agent=offer.agent)  # fmt: skip
        self.listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)

    def _begin(self, conversation: Conversation, offer: Offer) -> None:
        own = self._services.get(offer.service, AsteriskServiceSettings())
        try:
            actions = orders.move(conversation, offer, self.settings, own, self._clock.seconds())
        except AmiError as error:
            _log.error("call {serial} can't be transferred: {reason}", serial=offer.serial, reason=str(error))
            self.listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)
            return
        transfer = self.transfers.keep(Transfer(offer.serial, conversation, Stage.WAITING, move=actions))
        self.listener.offered(offer.serial, None, lambda: self._begin_to_move(transfer))

    def _begin_to_move(self, transfer: Transfer) -> None:
        """The offer is committed; the customer may have hung up meanwhile, or have left the agent."""
        if transfer.stage is not Stage.WAITING or transfer.ended:
            return
        if self.seen and not transfer.conversation.together:
            self._part(transfer)
            return
        transfer.stage = Stage.MOVING
        if self.seen:  # otherwise it begins once it is known who talks with whom
            self._move(transfer)

    def _part(self, transfer: Transfer) -> None:
        """Transfer only a customer who talks with exactly the agent that was asked for."""
        _log.warn("call {serial}: agent {agent} is no longer talking with the customer asked for",
                  serial=transfer.serial, agent=transfer.conversation.agent)  # fmt: skip
        self.transfers.happen(transfer, TransferEvent.AGENT_LOST)

    def go_on_moving(self) -> Iterator[None]:
        """The events are heard again: go on with the customers who were to go, or to be moved, and were not yet."""
        begun = [one for one in self.transfers if one.stage in (Stage.WAITING, Stage.MOVING)]
        moving = {one.serial for one in begun if one.stage is Stage.MOVING}
        for transfer in begun:
            if self.transfers.get(transfer.serial) is transfer:
                self._go_on_moving(transfer, transfer.serial in moving)
            yield

    def _go_on_moving(self, transfer: Transfer, was_moving: bool) -> None:
        """Who began to move since the events are heard has been asked for already."""
        moving = transfer.stage is Stage.MOVING
        if transfer.stage not in (Stage.WAITING, Stage.MOVING) or (moving and not was_moving):
            return
        if transfer.ended:
            self.transfers.forget(transfer)
            self._over(transfer)
        elif self._are_parted(transfer.conversation):
            self._part(transfer)
        elif moving:
            self._move(transfer)

    def _are_parted(self, conversation: Conversation) -> bool:
        """Whether the customer or the agent talks with somebody else. Neither may be anywhere: they may be moving."""
        customer, agent_channel = conversation.customer, conversation.agent_channel
        return self.call_model.hears_another(customer, agent_channel) or self.call_model.hears_another(
            agent_channel, customer
        )

    def _move(self, transfer: Transfer) -> None:
        """Ask Asterisk to move the customer to the service."""
        *variables, redirect = transfer.move
        for action in variables:
            self.ask(action)
        self._act(redirect).addCallbacks(lambda _: None, lambda failure: self._not_moved(transfer, failure))

    def _not_moved(self, transfer: Transfer, failure: Failure) -> None:
        """Only a refusal is certain; what happens to the rest is reported after the next login."""
        if failure.check(ActionRefused):
            _log.warn("call {serial} wasn't transferred: {reason}", serial=transfer.serial,
                      reason=failure.getErrorMessage())  # fmt: skip
            self.transfers.happen(transfer, TransferEvent.REFUSED)
        elif failure.check(RequestTimedOut):
            self._ask_anew(f"it didn't say whether call {transfer.serial} was transferred")

    # ------------------------------------------------------------ events

    def take(self, event: AmiMessage) -> None:
        """Something has happened."""
        self.call_model.take(event)
        self.follow(event)

    def follow(self, event: AmiMessage) -> None:
        """What follows from an event that the call model has taken already."""
        match event.event:
            case "BridgeEnter":
                self.see_pair(event["BridgeUniqueid"])
                self._see_held(event["BridgeUniqueid"])
            case "BridgeLeave":
                self.see_pair(event["BridgeUniqueid"])
            case "Hangup":
                self._gone(event["Uniqueid"], event["Cause"])
            case "DialBegin" | "DialEnd":
                self._take_dialling(event)
            case "UserEvent" if event["UserEvent"] == "ctiex":
                self._take_phase(event)

    def _take_dialling(self, event: AmiMessage) -> None:
        """A call goes out, or has come to something; a forwarded customer's is the one to the service."""
        transfer = self.transfers.of_customer(event["Uniqueid"])
        if transfer is not None and event.event == "DialBegin":
            self.transfers.dialled(transfer, event["DestUniqueid"])
        elif transfer is not None and event["DialStatus"] == "ANSWER":
            self.transfers.happen(transfer, TransferEvent.ANSWERED)

    def _take_phase(self, event: AmiMessage) -> None:
        """The dialplan tells where a customer is."""
        transfer = self.transfers.of_customer(event["Uniqueid"])
        if transfer is not None:
            # The customer's channel itself would still show the cause of an earlier call.
            self.transfers.in_phase(transfer, event["Phase"], event["Result"], transfer.cause)
        elif event["Phase"] == "out":
            customer = self.call_model.channel(event["Uniqueid"])
            if customer is not None:  # transferred after all, although that was refused, or isn't awaited
                self.ask(orders.recall(customer, self.settings))

    def see_pair(self, bridge: str) -> None:
        """Whether a customer and an agent are together in a bridge now."""
        pair = self.call_model.pair_in(bridge)
        if pair is None:
            return
        transfer = self.transfers.of_customer(pair.customer.uniqueid)
        if transfer is None:
            self._see_talk(pair)
        elif not transfer.is_on_its_way:
            same = pair.agent == transfer.conversation.agent
            self.transfers.happen(transfer, TransferEvent.TOGETHER if same else TransferEvent.AGENT_LOST)

    def _see_talk(self, pair: Conversation) -> None:
        conversation, new = self.conversations.began(pair)
        if new:
            self.call_arrived(conversation)
        self._try_offers_of(conversation.customer.uniqueid)

    def call_arrived(self, conversation: Conversation) -> None:
        """Tell the agent's application of the customer, and have the channel remember it."""
        serial = self.listener.call_arrived(conversation.agent, conversation.customer.number)
        if self.conversations.told(conversation, serial):
            for action in orders.mark(conversation):
                self.ask(action)

    def _see_held(self, bridge: str) -> None:
        transfer = self.transfers.get(self.call_model.serial_of_hold(bridge))
        if transfer is not None:
            self.follow_held(transfer)
        elif self.call_model.is_freed(bridge):  # as somebody has taken over from who was there
            for channel in self.call_model.members(bridge):
                self.release(channel)

    def follow_held(self, transfer: Transfer) -> None:
        """The customer comes back to the channel that is held: the agent, or another agent who has taken over."""
        agent_channel = transfer.conversation.agent_channel
        for channel in self.call_model.held_under(transfer.serial):
            if channel.uniqueid != agent_channel.uniqueid:
                self.ask(orders.comes_back_to(transfer.conversation.customer, channel))

    def _gone(self, uniqueid: str, cause: str) -> None:
        self.transfers.channel_gone(uniqueid, cause)
        self.conversations.gone(uniqueid)
        transfer = self.transfers.of_customer(uniqueid)
        if transfer is not None:
            self.release_agent(transfer)
            self.transfers.happen(transfer, TransferEvent.CUSTOMER_GONE)
        self._try_offers_of(uniqueid)

    def release_agent(self, transfer: Transfer) -> None:
        """An agent who isn't even held yet has no customer to wait for any more."""
        agent_channel = self.call_model.channel(transfer.conversation.agent_channel.uniqueid)
        if agent_channel is not None and not agent_channel.bridge:
            self.release(agent_channel)

    def release(self, channel: Channel) -> None:
        """End the call of an agent who has no customer to wait for any more."""
        self.ask(orders.release(channel, self.settings))

    def _over(self, transfer: Transfer) -> None:
        """The customer is where they should be, or gone: no agent is held for them any more."""
        for channel in self.call_model.free(transfer.serial):
            self.release(channel)
        customer = transfer.conversation.customer
        self.see_pair(customer.bridge)
        self._try_offers_of(customer.uniqueid)
        again = self.offers.get(transfer.serial)
        if again is not None:
            self.try_offer(again)
