"""Takes up the calls of an Asterisk after a time in which nobody told what happens there."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.signalling.asterisk_calls import Calls
from ctiex.signalling.asterisk_forwarding import Stage, Transfer, TransferEvent
from ctiex.telephony.asterisk.snapshot import Snapshot
from ctiex.telephony.call_model import Conversation


class TakingUp:
    """Brings what is known up to a picture of the platform, in steps: there may be many calls."""

    def __init__(self, calls: Calls, picture: Snapshot) -> None:
        self._calls = calls
        self._picture = picture
        self._new: list[Conversation] = []
        self._awaited: set[str] = set()
        """The serials of customers who are there and may come back."""

    def steps(self) -> Iterator[None]:
        """Each does a little."""
        self._calls.floor = self._picture.floor
        yield from self._calls.talks.go_on(self._picture.floor)
        yield from self._see_pairs()
        yield from self._go_on_with_forwardings()
        yield from self._adopt_forwardings()
        yield from self._give_up_resumed()
        yield from self._release_held()
        yield from self._tell_arrivals()

    def _see_pairs(self) -> Iterator[None]:
        """Who talks with whom, before anything is made of it."""
        for bridge in self._calls.floor.bridges():
            pair = self._calls.floor.pair_in(bridge)
            if pair is not None:
                talk, new = self._calls.talks.began(pair)
                if new:
                    self._remember(talk)
                    self._new.append(talk)
            yield

    def _remember(self, talk: Conversation) -> None:
        """What the customer's channel tells of who was told of it, and under which serial."""
        serial = self._picture.variable(talk.customer, "CTIEX_TALK")
        if serial:
            self._calls.talks.named(talk.customer.uniqueid, serial)
        if self._picture.variable(talk.customer, "CTIEX_TALK_AGENT") == talk.agent:
            talk.serial = serial

    def _tell_arrivals(self) -> Iterator[None]:
        for talk in self._new:
            if not talk.serial and self._calls.talks.of_customer(talk.customer.uniqueid) is talk:
                self._calls.arrived(talk)
            yield

    # ------------------------------------------------------------ forwarded customers

    def _go_on_with_forwardings(self) -> Iterator[None]:
        for forwarding in self._calls.forwardings:
            if self._calls.forwardings.get(forwarding.serial) is forwarding:
                self._go_on(forwarding)
            yield

    def _go_on(self, forwarding: Transfer) -> None:
        """Catch up with a call that was forwarded before the events stopped."""
        talk, floor = forwarding.talk, self._calls.floor
        customer = floor.channel(talk.customer.uniqueid)
        agent_channel = floor.channel(talk.agent_channel.uniqueid)
        if agent_channel is None:
            talk.agent_channel.bridge = ""  # gone, and nobody told
        talk.agent_channel = agent_channel or talk.agent_channel
        if customer is None:
            self._calls.release_agent(forwarding)
            gone = TransferEvent.AGENT_LOST if agent_channel is None else TransferEvent.CUSTOMER_GONE
            self._calls.forwardings.happen(forwarding, gone)
            return
        talk.customer = customer
        forwarding.recalled = False
        self._catch_up(forwarding)

    def _adopt_forwardings(self) -> Iterator[None]:
        out, others = list[tuple[str, Conversation]](), list[tuple[str, Conversation]]()
        for one in self._picture.forwarded():
            if one is not None:
                (out if self._picture.phase_of(one[1].customer, one[0]) == "out" else others).append(one)
            yield
        # Who is out comes first: an own serial that was used again may still stand on an earlier customer's channel.
        for serial, talk in (*out, *others):
            if self._picture.phase_of(talk.customer, serial) != "astray":
                self._awaited.add(serial)
            if serial not in self._calls.forwardings:
                self._adopt(serial, talk)
            yield

    def _adopt(self, serial: str, talk: Conversation) -> None:
        """Take up a call that was forwarded by an exchange of before; one that nobody waits for is brought back."""
        calls, phase = self._calls, self._picture.phase_of(talk.customer, serial)
        waiting = calls.offers.get(serial)
        expected = waiting is not None or serial in calls.resumed
        if phase == "moving" and waiting is not None and not waiting.customer:
            calls.offers.mean(waiting, talk.customer.uniqueid)
        if phase == "moving" or not (expected or phase == "out"):
            return  # not forwarded yet: an offer begins anew; or nobody wants to know any more
        known = calls.talks.of_customer(talk.customer.uniqueid)
        if known is None:
            self._remember(talk)
            calls.talks.began(talk)
        stage = Stage.CALLING if calls.resumed.pop(serial, None) is None else Stage.SERVED
        forwarding = calls.forwardings.keep(Transfer(serial, talk, stage, ended=not expected))
        if calls.offers.pop(serial) is not None:
            calls.listener.offered(serial, None, lambda: None)  # the customer has gone already
        self._catch_up(forwarding)

    def _give_up_resumed(self) -> Iterator[None]:
        for serial in list(self._calls.resumed):
            if self._calls.resumed.pop(serial, None) is not None:  # nowhere to be found
                self._calls.listener.agent_lost(serial)
            yield

    def _release_held(self) -> Iterator[None]:
        """Whoever is held although the customer whom they wait for is gone, or isn't brought back any more."""
        floor = self._calls.floor
        for bridge in floor.bridges():
            serial = floor.serial_of_hold(bridge)
            if serial and serial not in self._awaited:
                for channel in floor.held_under(serial):
                    self._calls.release(channel)
            yield

    def _catch_up(self, forwarding: Transfer) -> None:
        forwardings, customer, picture = self._calls.forwardings, forwarding.talk.customer, self._picture
        phase = picture.phase_of(customer, forwarding.serial)
        if phase == "moving":
            if forwarding.ended:
                forwardings.forget(forwarding)
            return  # whoever is still to be moved is, once the events are heard that came meanwhile
        result, cause = picture.variable(customer, "CTIEX_RESULT"), picture.variable(customer, "CTIEX_CAUSE")
        if phase == "out" and customer.bridge:
            forwardings.happen(forwarding, TransferEvent.ANSWERED)
        forwardings.in_phase(forwarding, "out" if phase == "out" else "back", result, cause)
        if phase == "astray":
            forwardings.happen(forwarding, TransferEvent.AGENT_LOST)
        self._calls.see_pair(customer.bridge)
        self._calls.follow_held(forwarding)
