"""Signalling by Asterisk: takes over calls of ``Dial`` and ``Queue`` by the manager interface (AMI).

It sees who talks with whom and tells the agents' applications. An offer moves the customer of a talk to the service,
with the serial, while the agent waits on hold; the dialplan of ``ctiex/telephony/dialplan/platform-1.conf`` brings them
together again, whether the exchange is there or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, FirstError, ensureDeferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import ConfigurationError, LinkLost, RequestTimedOut, Status
from ctiex.interfaces import (
    IConfiguredSignallingPlugin,
    IOfferWatcher,
    IRunningSignalling,
    ISignalling,
    Offer,
    SignallingContext,
)
from ctiex.signalling import asterisk_orders as orders
from ctiex.signalling.asterisk_floor import Floor, Talk, Talks
from ctiex.signalling.asterisk_forwarding import Forwarding, Happening, Stage
from ctiex.signalling.asterisk_forwardings import Forwardings
from ctiex.signalling.asterisk_picture import Picture
from ctiex.signalling.asterisk_settings import AsteriskSettings, check_service, read_settings
from ctiex.telephony.ami import AmiError, AmiMessage
from ctiex.telephony.ami_client import ActionRefused, AmiAccount, AmiAnswer, AmiClient

_log = Logger()


@implementer(IRunningSignalling)
class AsteriskSignalling:
    """Forwards customers on one Asterisk."""

    sees_return = True

    def __init__(
        self, context: SignallingContext, settings: AsteriskSettings, make_client: Callable[..., Any] = AmiClient
    ) -> None:
        """Nothing is connected before ``start``.

        :param make_client: called as :class:`ctiex.telephony.ami_client.AmiClient` is.
        :raise ConfigurationError: the endpoint is none.
        """
        self._clock = context.reactor
        self._watcher: IOfferWatcher = context.watcher
        self._services = context.services
        self._settings = settings
        account = _account(context.reactor, settings)
        self._client = make_client(context.reactor, account, self.take, self._logged_in, self._lost)
        self._floor = Floor(settings)
        self._talks = Talks()
        self._offers: dict[str, Offer] = {}
        """Those that wait: for Asterisk, or for their customer, who is on the way back."""
        self._resumed: dict[str, str] = {}
        """Calls of before the start that weren't found yet, with their agent numbers."""
        self._forwardings = Forwardings(self._watcher, settings, self._ask, self._try_offers)
        self._in_sync = False
        self._unread: list[AmiMessage] = []
        """Events that came while the picture of the platform was being asked for."""

    # ------------------------------------------------------------ what the exchange asks

    @property
    def connected(self) -> bool:
        """Whether it sees the calls of Asterisk now."""
        return self._in_sync

    def start(self) -> None:
        """Connect to Asterisk, and again after every loss."""
        self._client.startService()

    def stop(self) -> Deferred[None]:
        """Disconnect. What goes on at Asterisk goes on."""
        stopping: Deferred[None] = self._client.stopService()
        return stopping

    def resume(self, serial: str, agent: str) -> None:
        """Look for a call of before the start once Asterisk is there."""
        self._resumed[serial] = agent

    def agent_is_here(self, agent: str) -> None:
        """Tell the agent's application of a call that began before it was there."""
        for talk in self._talks:
            if talk.agent == agent and talk.together and not talk.serial:
                self._arrived(talk)

    def offer(self, offer: Offer) -> None:
        """Forward the customer with whom the agent talks, as soon as Asterisk can be asked."""
        self._offers[offer.serial] = offer
        self._try_offers()

    def withdraw(self, serial: str) -> int:
        """Forget the call. A customer who is still with the service comes back to the agent."""
        self._resumed.pop(serial, None)
        self._offers.pop(serial, None)
        forwarding = self._forwardings.get(serial)
        if forwarding is None:
            return Status.SERVICE_UNREACHABLE
        met = Status.SERVICE_UNREACHABLE if forwarding.ended else forwarding.met
        forwarding.ended = True
        if forwarding.stage is Stage.WAITING:
            self._forwardings.forget(forwarding)
        else:
            self._forwardings.recall(forwarding)
        return met

    # ------------------------------------------------------------ offers

    def _try_offers(self) -> None:
        if self._in_sync:
            for offer in list(self._offers.values()):
                if offer.serial in self._offers and offer.serial not in self._forwardings:
                    self._try(offer)

    def _try(self, offer: Offer) -> None:
        talk = self._talks.wanted(offer.serial, offer.agent, offer.calling_number)
        if talk is not None and self._forwardings.of_customer(talk.customer.uniqueid) is None:
            del self._offers[offer.serial]
            self._begin(talk, offer)
        elif not self._forwardings.brings_back_to(offer.agent):
            del self._offers[offer.serial]
            _log.warn("call {serial}: agent {agent} has no customer to be forwarded, or several",
                      serial=offer.serial, agent=offer.agent)  # fmt: skip
            self._watcher.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)

    def _begin(self, talk: Talk, offer: Offer) -> None:
        own = self._services.get(offer.service, {})
        try:
            actions = orders.move(talk, offer, self._settings, own, self._clock.seconds())
        except AmiError as error:
            _log.error("call {serial} can't be forwarded: {reason}", serial=offer.serial, reason=str(error))
            self._watcher.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)
            return
        forwarding = self._forwardings.keep(Forwarding(offer.serial, talk, Stage.WAITING, move=actions))
        self._watcher.offered(offer.serial, None, lambda: self._begin_to_move(forwarding))

    def _begin_to_move(self, forwarding: Forwarding) -> None:
        """It is kept that the customer goes."""
        if forwarding.stage is Stage.WAITING and not forwarding.ended:
            forwarding.stage = Stage.MOVING
            self._move(forwarding)

    def _move(self, forwarding: Forwarding) -> None:
        *variables, redirect = forwarding.move
        for action in variables:
            self._ask(action)
        self._act(redirect).addCallbacks(lambda _: None, lambda failure: self._not_moved(forwarding, failure))

    def _not_moved(self, forwarding: Forwarding, failure: Failure) -> None:
        """Only a refusal is certain; what becomes of the rest is told after the next login."""
        if failure.check(ActionRefused):
            _log.warn("call {serial} wasn't forwarded: {reason}", serial=forwarding.serial,
                      reason=failure.getErrorMessage())  # fmt: skip
            self._forwardings.happen(forwarding, Happening.REFUSED)
        elif failure.check(RequestTimedOut):
            _log.warn("call {serial}: Asterisk didn't say whether it was forwarded; it is asked anew",
                      serial=forwarding.serial)  # fmt: skip
            self._client.reconnect()

    def _act(self, action: orders.Action) -> Deferred[AmiAnswer]:
        name, headers = action
        answer: Deferred[AmiAnswer] = self._client.act(name, *headers)
        return answer

    def _ask(self, action: orders.Action) -> None:
        """Ask for something that shows in events, or doesn't matter any more."""
        self._act(action).addErrback(lambda failure: failure.trap(AmiError, LinkLost, Exception) and None)

    # ------------------------------------------------------------ events

    def take(self, event: AmiMessage) -> None:
        """Take an event of Asterisk."""
        if not self._in_sync:
            self._unread.append(event)
            return
        match event.event:
            case "BridgeEnter":
                self._see_pair(self._floor.entered(event).bridge)
            case "BridgeLeave":
                self._floor.left(event)
                self._see_pair(event["BridgeUniqueid"])
            case "Rename":
                self._floor.renamed(event)
            case "Hangup":
                self._gone(event["Uniqueid"], event["Cause"])
            case "DialBegin" | "DialEnd":
                self._take_dialling(event)
            case "UserEvent" if event["UserEvent"] == "ctiex":
                self._take_phase(event)

    def _take_dialling(self, event: AmiMessage) -> None:
        """A call goes out, or has come to something; a forwarded customer's is the one to the service."""
        forwarding = self._forwardings.of_customer(event["Uniqueid"])
        if forwarding is not None and event.event == "DialBegin":
            self._forwardings.dialled(forwarding, event["DestUniqueid"])
        elif forwarding is not None and event["DialStatus"] == "ANSWER":
            self._forwardings.happen(forwarding, Happening.ANSWERED)

    def _take_phase(self, event: AmiMessage) -> None:
        """The dialplan tells where a customer is."""
        forwarding = self._forwardings.of_customer(event["Uniqueid"])
        if forwarding is not None:
            # The customer's channel itself would still show the cause of an earlier call.
            self._forwardings.in_phase(forwarding, event["Phase"], event["Result"], forwarding.cause)
        elif event["Phase"] == "out":
            customer = self._floor.channel(event["Uniqueid"])
            if customer is not None:  # moved after all, although that was refused, or nobody waits for it
                self._ask(orders.recall(customer, self._settings))

    def _see_pair(self, bridge: str) -> None:
        """Whether a customer and an agent are together in a bridge now."""
        pair = self._floor.pair_in(bridge)
        if pair is None:
            return
        forwarding = self._forwardings.of_customer(pair.customer.uniqueid)
        if forwarding is not None:
            if forwarding.stage is Stage.MOVING:
                return  # not parted yet
            same = pair.agent == forwarding.talk.agent
            self._forwardings.happen(forwarding, Happening.TOGETHER if same else Happening.ASTRAY)
        talk, new = self._talks.began(pair)
        if new:
            self._arrived(talk)
        self._try_offers()

    def _arrived(self, talk: Talk) -> None:
        talk.serial = self._watcher.arrived(talk.agent, talk.customer.number)
        if talk.serial:
            self._ask(orders.mark(talk))

    def _gone(self, uniqueid: str, cause: str) -> None:
        self._forwardings.channel_gone(uniqueid, cause)
        self._floor.gone(uniqueid)
        self._talks.gone(uniqueid)
        forwarding = self._forwardings.of_customer(uniqueid)
        if forwarding is not None:
            self._release_agent(forwarding)
            self._forwardings.happen(forwarding, Happening.CUSTOMER_GONE)

    def _release_agent(self, forwarding: Forwarding) -> None:
        """An agent who is held waits for nobody any more."""
        agent_channel = self._floor.channel(forwarding.talk.agent_channel.uniqueid)
        if agent_channel is not None and not self._floor.is_talking(agent_channel):
            self._ask(orders.release(agent_channel, self._settings))

    # ------------------------------------------------------------ after a time without events

    def _lost(self) -> None:
        self._in_sync = False

    def _logged_in(self) -> None:
        self._in_sync = False
        self._unread.clear()
        asking = ensureDeferred(self._look_around())
        asking.addErrback(lambda failure: _log.failure("the calls of Asterisk could not be taken up", failure))

    async def _look_around(self) -> None:
        """Find out what has happened while nobody told."""
        lists = [self._act(orders.list_channels()), self._act(orders.list_bridges())]
        try:
            channels, bridges = await gatherResults(lists, consumeErrors=True)
        except FirstError as first:
            self._saw_nothing(first.subFailure)
            return
        picture = Picture(channels.events, bridges.events)
        self._floor = picture.floor(self._settings)
        self._in_sync = True
        self._take_up(picture)
        unread, self._unread = self._unread, []
        for event in unread:
            self.take(event)
        self._try_offers()

    def _saw_nothing(self, failure: Failure) -> None:
        if not failure.check(LinkLost):
            _log.error("Asterisk doesn't tell its channels ({reason}): its manager user needs read = call,user"
                       " and write = call", reason=failure.getErrorMessage())  # fmt: skip
            self._client.reconnect()

    def _take_up(self, picture: Picture) -> None:
        self._talks.go_on(self._floor)
        for forwarding in self._forwardings:
            self._go_on(forwarding, picture)
        for serial, talk in picture.forwarded(self._floor):
            if serial not in self._forwardings:
                self._adopt(serial, talk, picture)
        for serial in list(self._resumed):
            if self._resumed.pop(serial, None) is not None:  # nowhere to be found
                self._watcher.strayed(serial)
        for bridge in self._floor.bridges():
            pair = self._floor.pair_in(bridge)
            if pair is not None:
                pair.serial = picture.variable(pair.customer, "CTIEX_TALK")
                talk, new = self._talks.began(pair)
                if new and not talk.serial:
                    self._arrived(talk)

    def _go_on(self, forwarding: Forwarding, picture: Picture) -> None:
        """Catch up with a call that was forwarded before the events stopped."""
        talk = forwarding.talk
        customer = self._floor.channel(talk.customer.uniqueid)
        agent_channel = self._floor.channel(talk.agent_channel.uniqueid)
        talk.agent_channel = agent_channel or talk.agent_channel
        if customer is None:
            self._release_agent(forwarding)
            self._forwardings.happen(forwarding, Happening.ASTRAY if agent_channel is None else Happening.CUSTOMER_GONE)
            return
        talk.customer = customer
        forwarding.recalled = False
        self._catch_up(forwarding, picture)

    def _adopt(self, serial: str, talk: Talk, picture: Picture) -> None:
        """Take up a call that was forwarded by an exchange of before; one that nobody waits for is brought back."""
        phase = picture.phase_of(talk.customer, serial)
        expected = serial in self._offers or serial in self._resumed
        if phase == "moving" or not (expected or phase == "out"):
            return  # not forwarded yet: an offer begins anew; or nobody wants to know any more
        talk.serial = picture.variable(talk.customer, "CTIEX_TALK")
        self._talks.began(talk)
        stage = Stage.CALLING if self._resumed.pop(serial, None) is None else Stage.SERVED
        forwarding = self._forwardings.keep(Forwarding(serial, talk, stage, ended=not expected))
        if self._offers.pop(serial, None) is not None:
            self._watcher.offered(serial, None, lambda: None)  # the customer has gone already
        self._catch_up(forwarding, picture)

    def _catch_up(self, forwarding: Forwarding, picture: Picture) -> None:
        customer = forwarding.talk.customer
        phase = picture.phase_of(customer, forwarding.serial)
        if phase == "moving":
            if forwarding.ended:
                self._forwardings.forget(forwarding)
            elif forwarding.stage is Stage.MOVING:
                self._move(forwarding)
            return
        result, cause = picture.variable(customer, "CTIEX_RESULT"), picture.variable(customer, "CTIEX_CAUSE")
        if phase == "out" and customer.bridge:
            self._forwardings.happen(forwarding, Happening.ANSWERED)
        self._forwardings.in_phase(forwarding, "out" if phase == "out" else "back", result, cause)
        if phase == "astray":
            self._forwardings.happen(forwarding, Happening.ASTRAY)
        elif forwarding.talk.together:
            self._forwardings.happen(forwarding, Happening.TOGETHER)


def _account(reactor: Any, settings: AsteriskSettings) -> AmiAccount:
    try:
        endpoint = clientFromString(reactor, settings.endpoint)
    except Exception:  # every endpoint parser raises what it likes
        raise ConfigurationError(
            f'endpoint: found {settings.endpoint!r}, expected an endpoint such as "tcp:127.0.0.1:5038"'
        ) from None
    return AmiAccount(endpoint, settings.username, settings.secret, answer_timeout=settings.answer_timeout)


@implementer(IPlugin, IConfiguredSignallingPlugin)
class AsteriskSignallingPlugin:
    """``signalling = "asterisk"``."""

    name = "asterisk"

    def check(self, settings: Mapping[str, Any]) -> None:
        """A service's own keys, all optional: ``dial``, ``ring`` and ``longest``."""
        check_service(settings)

    def check_driver(self, settings: Mapping[str, Any]) -> None:
        """The keys of ``[signalling.asterisk]``."""
        read_settings(settings)

    def build(self, context: SignallingContext) -> ISignalling:
        """The driver."""
        return AsteriskSignalling(context, read_settings(context.settings))
