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
from ctiex.signalling.asterisk_forwarding import Stage, Transfer, TransferEvent
from ctiex.signalling.asterisk_forwardings import ActiveTransfers
from ctiex.signalling.asterisk_offers import Choice, Offers, Waiting
from ctiex.signalling.asterisk_talks import Conversations
from ctiex.telephony.asterisk import actions as orders
from ctiex.telephony.asterisk.ami import AmiError, AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.telephony.call_model import CallModel, Channel, Conversation

_log = Logger()


class Calls:
    """Who talks with whom, which offers wait, and which customers are on their way."""

    def __init__(
        self,
        clock: IReactorTime,
        listener: ISignallingListener,
        settings: AsteriskSettings,
        services: Mapping[str, Mapping[str, Any]],
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
        self.floor = CallModel(settings)
        self.talks = Conversations()
        self.offers = Offers()
        self.resumed: dict[str, str] = {}
        """Calls of before the start that weren't found yet, with their agent numbers."""
        self.forwardings = ActiveTransfers(listener, settings, self.ask, self._over)
        self.choice = Choice(self.talks, self.forwardings)
        self.seen = False
        """Whether the events are heard now, so that offers may begin."""

    def __len__(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        known = len(self.floor) + self.talks.kept
        return known + len(self.forwardings) + len(self.offers) + len(self.resumed)

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
        forwarding = self.forwardings.get(serial)
        if forwarding is None:
            return Status.SERVICE_UNREACHABLE
        met = Status.SERVICE_UNREACHABLE if forwarding.ended else forwarding.met
        forwarding.ended = True
        if forwarding.stage is Stage.WAITING:
            self.forwardings.forget(forwarding)
            self._over(forwarding)
        else:
            self.forwardings.recall(forwarding)
        return met

    def try_offer(self, waiting: Waiting) -> None:
        """Begin, or give up; or wait on, for Asterisk or for a customer who is on the way back."""
        offer = waiting.offer
        if not self.seen or offer.serial in self.forwardings:
            return
        talk = self.talks.of_customer(waiting.customer)
        forwarding = self.forwardings.of_customer(waiting.customer)
        if talk is None or talk.agent != offer.agent:
            self._give_up(offer)
        elif forwarding is None and talk.together:
            self.offers.pop(offer.serial)
            self._begin(talk, offer)
        elif forwarding is None or not forwarding.comes_back:
            self._give_up(offer)

    def _try_offers_of(self, customer: str) -> None:
        for waiting in self.offers.of_customer(customer):
            if self.offers.get(waiting.offer.serial) is waiting:
                self.try_offer(waiting)

    def _give_up(self, offer: Offer) -> None:
        self.offers.pop(offer.serial)
        _log.warn("call {serial}: agent {agent} doesn't talk with the customer who is meant, or with several",
                  serial=offer.serial, agent=offer.agent)  # fmt: skip
        self.listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)

    def _begin(self, talk: Conversation, offer: Offer) -> None:
        own = self._services.get(offer.service, {})
        try:
            actions = orders.move(talk, offer, self.settings, own, self._clock.seconds())
        except AmiError as error:
            _log.error("call {serial} can't be forwarded: {reason}", serial=offer.serial, reason=str(error))
            self.listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)
            return
        forwarding = self.forwardings.keep(Transfer(offer.serial, talk, Stage.WAITING, move=actions))
        self.listener.offered(offer.serial, None, lambda: self._begin_to_move(forwarding))

    def _begin_to_move(self, forwarding: Transfer) -> None:
        """It is kept that the customer goes, who may have hung up meanwhile, or have left the agent."""
        if forwarding.stage is not Stage.WAITING or forwarding.ended:
            return
        if self.seen and not forwarding.talk.together:
            self._part(forwarding)
            return
        forwarding.stage = Stage.MOVING
        if self.seen:  # otherwise it begins once it is known who talks with whom
            self._move(forwarding)

    def _part(self, forwarding: Transfer) -> None:
        """Nobody is moved who talks with others than those who are meant."""
        _log.warn("call {serial}: agent {agent} doesn't talk with the customer who is meant any more",
                  serial=forwarding.serial, agent=forwarding.talk.agent)  # fmt: skip
        self.forwardings.happen(forwarding, TransferEvent.AGENT_LOST)

    def go_on_moving(self) -> Iterator[None]:
        """The events are heard again: go on with the customers who were to go, or to be moved, and were not yet."""
        begun = [one for one in self.forwardings if one.stage in (Stage.WAITING, Stage.MOVING)]
        moving = {one.serial for one in begun if one.stage is Stage.MOVING}
        for forwarding in begun:
            if self.forwardings.get(forwarding.serial) is forwarding:
                self._go_on_moving(forwarding, forwarding.serial in moving)
            yield

    def _go_on_moving(self, forwarding: Transfer, was_moving: bool) -> None:
        """Who began to move since the events are heard has been asked for already."""
        moving = forwarding.stage is Stage.MOVING
        if forwarding.stage not in (Stage.WAITING, Stage.MOVING) or (moving and not was_moving):
            return
        if forwarding.ended:
            self.forwardings.forget(forwarding)
            self._over(forwarding)
        elif self._are_parted(forwarding.talk):
            self._part(forwarding)
        elif moving:
            self._move(forwarding)

    def _are_parted(self, talk: Conversation) -> bool:
        """Whether the customer or the agent talks with somebody else. Neither may be anywhere: they may be moving."""
        customer, agent_channel = talk.customer, talk.agent_channel
        return self.floor.hears_another(customer, agent_channel) or self.floor.hears_another(agent_channel, customer)

    def _move(self, forwarding: Transfer) -> None:
        """Ask Asterisk to move the customer to the service."""
        *variables, redirect = forwarding.move
        for action in variables:
            self.ask(action)
        self._act(redirect).addCallbacks(lambda _: None, lambda failure: self._not_moved(forwarding, failure))

    def _not_moved(self, forwarding: Transfer, failure: Failure) -> None:
        """Only a refusal is certain; what becomes of the rest is told after the next login."""
        if failure.check(ActionRefused):
            _log.warn("call {serial} wasn't forwarded: {reason}", serial=forwarding.serial,
                      reason=failure.getErrorMessage())  # fmt: skip
            self.forwardings.happen(forwarding, TransferEvent.REFUSED)
        elif failure.check(RequestTimedOut):
            self._ask_anew(f"it didn't say whether call {forwarding.serial} was forwarded")

    # ------------------------------------------------------------ events

    def take(self, event: AmiMessage) -> None:
        """Something has happened."""
        self.floor.take(event)
        self.follow(event)

    def follow(self, event: AmiMessage) -> None:
        """What follows from an event that the floor has taken already."""
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
        forwarding = self.forwardings.of_customer(event["Uniqueid"])
        if forwarding is not None and event.event == "DialBegin":
            self.forwardings.dialled(forwarding, event["DestUniqueid"])
        elif forwarding is not None and event["DialStatus"] == "ANSWER":
            self.forwardings.happen(forwarding, TransferEvent.ANSWERED)

    def _take_phase(self, event: AmiMessage) -> None:
        """The dialplan tells where a customer is."""
        forwarding = self.forwardings.of_customer(event["Uniqueid"])
        if forwarding is not None:
            # The customer's channel itself would still show the cause of an earlier call.
            self.forwardings.in_phase(forwarding, event["Phase"], event["Result"], forwarding.cause)
        elif event["Phase"] == "out":
            customer = self.floor.channel(event["Uniqueid"])
            if customer is not None:  # moved after all, although that was refused, or nobody waits for it
                self.ask(orders.recall(customer, self.settings))

    def see_pair(self, bridge: str) -> None:
        """Whether a customer and an agent are together in a bridge now."""
        pair = self.floor.pair_in(bridge)
        if pair is None:
            return
        forwarding = self.forwardings.of_customer(pair.customer.uniqueid)
        if forwarding is None:
            self._see_talk(pair)
        elif not forwarding.is_on_its_way:
            same = pair.agent == forwarding.talk.agent
            self.forwardings.happen(forwarding, TransferEvent.TOGETHER if same else TransferEvent.AGENT_LOST)

    def _see_talk(self, pair: Conversation) -> None:
        talk, new = self.talks.began(pair)
        if new:
            self.arrived(talk)
        self._try_offers_of(talk.customer.uniqueid)

    def arrived(self, talk: Conversation) -> None:
        """Tell the agent's application of the customer, and have the channel remember it."""
        serial = self.listener.arrived(talk.agent, talk.customer.number)
        if self.talks.told(talk, serial):
            for action in orders.mark(talk):
                self.ask(action)

    def _see_held(self, bridge: str) -> None:
        forwarding = self.forwardings.get(self.floor.serial_of_hold(bridge))
        if forwarding is not None:
            self.follow_held(forwarding)
        elif self.floor.is_freed(bridge):  # as somebody has taken over from who was there
            for channel in self.floor.members(bridge):
                self.release(channel)

    def follow_held(self, forwarding: Transfer) -> None:
        """The customer comes back to whoever is held: the agent, or somebody who has taken over from them."""
        agent_channel = forwarding.talk.agent_channel
        for channel in self.floor.held_under(forwarding.serial):
            if channel.uniqueid != agent_channel.uniqueid:
                self.ask(orders.comes_back_to(forwarding.talk.customer, channel))

    def _gone(self, uniqueid: str, cause: str) -> None:
        self.forwardings.channel_gone(uniqueid, cause)
        self.talks.gone(uniqueid)
        forwarding = self.forwardings.of_customer(uniqueid)
        if forwarding is not None:
            self.release_agent(forwarding)
            self.forwardings.happen(forwarding, TransferEvent.CUSTOMER_GONE)
        self._try_offers_of(uniqueid)

    def release_agent(self, forwarding: Transfer) -> None:
        """An agent who isn't even held yet waits for nobody any more."""
        agent_channel = self.floor.channel(forwarding.talk.agent_channel.uniqueid)
        if agent_channel is not None and not agent_channel.bridge:
            self.release(agent_channel)

    def release(self, channel: Channel) -> None:
        """End the call of somebody who waits for nobody any more."""
        self.ask(orders.release(channel, self.settings))

    def _over(self, forwarding: Transfer) -> None:
        """The customer is where they are to be, or gone: nobody is held for them any more."""
        for channel in self.floor.free(forwarding.serial):
            self.release(channel)
        customer = forwarding.talk.customer
        self.see_pair(customer.bridge)
        self._try_offers_of(customer.uniqueid)
        again = self.offers.get(forwarding.serial)
        if again is not None:
            self.try_offer(again)
