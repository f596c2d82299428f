"""Resumes the calls of an Asterisk after a time without its events."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.signalling.asterisk_calls import Calls
from ctiex.signalling.transfer import Stage, Transfer, TransferEvent
from ctiex.telephony.asterisk.snapshot import Snapshot
from ctiex.telephony.call_model import Conversation


class TakingUp:
    """Brings what is known up to a picture of the platform, in steps: there may be many calls."""

    def __init__(self, calls: Calls, snapshot: Snapshot) -> None:
        self._calls = calls
        self._snapshot = snapshot
        self._new: list[Conversation] = []
        self._awaited: set[str] = set()
        """The serials of customers who are there and may come back."""

    def steps(self) -> Iterator[None]:
        """Each does a little."""
        self._calls.call_model = self._snapshot.call_model
        yield from self._calls.conversations.go_on(self._snapshot.call_model)
        yield from self._see_pairs()
        yield from self._go_on_with_forwardings()
        yield from self._adopt_forwardings()
        yield from self._give_up_resumed()
        yield from self._release_held()
        yield from self._tell_arrivals()

    def _see_pairs(self) -> Iterator[None]:
        """Who talks with whom, before anything is made of it."""
        for bridge in self._calls.call_model.bridges():
            pair = self._calls.call_model.pair_in(bridge)
            if pair is not None:
                conversation, new = self._calls.conversations.began(pair)
                if new:
                    self._remember(conversation)
                    self._new.append(conversation)
            yield

    def _remember(self, conversation: Conversation) -> None:
        """What the customer's channel tells of who was told of it, and under which serial."""
        serial = self._snapshot.variable(conversation.customer, "CTIEX_TALK")
        if serial:
            self._calls.conversations.named(conversation.customer.uniqueid, serial)
        if self._snapshot.variable(conversation.customer, "CTIEX_TALK_AGENT") == conversation.agent:
            conversation.serial = serial

    def _tell_arrivals(self) -> Iterator[None]:
        for conversation in self._new:
            if (
                not conversation.serial
                and self._calls.conversations.of_customer(conversation.customer.uniqueid) is conversation
            ):
                self._calls.call_arrived(conversation)
            yield

    # ------------------------------------------------------------ forwarded customers

    def _go_on_with_forwardings(self) -> Iterator[None]:
        for transfer in self._calls.transfers:
            if self._calls.transfers.get(transfer.serial) is transfer:
                self._go_on(transfer)
            yield

    def _go_on(self, transfer: Transfer) -> None:
        """Catch up with a call that was forwarded before the events stopped."""
        conversation, call_model = transfer.conversation, self._calls.call_model
        customer = call_model.channel(conversation.customer.uniqueid)
        agent_channel = call_model.channel(conversation.agent_channel.uniqueid)
        if agent_channel is None:
            conversation.agent_channel.bridge = ""  # gone, without an event
        conversation.agent_channel = agent_channel or conversation.agent_channel
        if customer is None:
            self._calls.release_agent(transfer)
            gone = TransferEvent.AGENT_LOST if agent_channel is None else TransferEvent.CUSTOMER_GONE
            self._calls.transfers.happen(transfer, gone)
            return
        conversation.customer = customer
        transfer.recalled = False
        self._catch_up(transfer)

    def _adopt_forwardings(self) -> Iterator[None]:
        out, others = list[tuple[str, Conversation]](), list[tuple[str, Conversation]]()
        for one in self._snapshot.forwarded():
            if one is not None:
                (out if self._snapshot.phase_of(one[1].customer, one[0]) == "out" else others).append(one)
            yield
        # Who is out comes first: an own serial that was used again may still stand on an earlier customer's channel.
        for serial, conversation in (*out, *others):
            if self._snapshot.phase_of(conversation.customer, serial) != "astray":
                self._awaited.add(serial)
            if serial not in self._calls.transfers:
                self._adopt(serial, conversation)
            yield

    def _adopt(self, serial: str, conversation: Conversation) -> None:
        """Resume a call that an earlier exchange transferred; one that isn't awaited is brought back."""
        calls, phase = self._calls, self._snapshot.phase_of(conversation.customer, serial)
        waiting = calls.offers.get(serial)
        expected = waiting is not None or serial in calls.resumed
        if phase == "moving" and waiting is not None and not waiting.customer:
            calls.offers.mean(waiting, conversation.customer.uniqueid)
        if phase == "moving" or not (expected or phase == "out"):
            return  # not transferred yet: an offer starts again; or it isn't wanted any more
        known = calls.conversations.of_customer(conversation.customer.uniqueid)
        if known is None:
            self._remember(conversation)
            calls.conversations.began(conversation)
        stage = Stage.CALLING if calls.resumed.pop(serial, None) is None else Stage.SERVED
        transfer = calls.transfers.keep(Transfer(serial, conversation, stage, ended=not expected))
        if calls.offers.pop(serial) is not None:
            calls.listener.offered(serial, None, lambda: None)  # the customer has gone already
        self._catch_up(transfer)

    def _give_up_resumed(self) -> Iterator[None]:
        for serial in list(self._calls.resumed):
            if self._calls.resumed.pop(serial, None) is not None:  # nowhere to be found
                self._calls.listener.agent_lost(serial)
            yield

    def _release_held(self) -> Iterator[None]:
        """The channels that are held although the customer they wait for is gone, or isn't coming back."""
        call_model = self._calls.call_model
        for bridge in call_model.bridges():
            serial = call_model.serial_of_hold(bridge)
            if serial and serial not in self._awaited:
                for channel in call_model.held_under(serial):
                    self._calls.release(channel)
            yield

    def _catch_up(self, transfer: Transfer) -> None:
        transfers, customer, snapshot = self._calls.transfers, transfer.conversation.customer, self._snapshot
        phase = snapshot.phase_of(customer, transfer.serial)
        if phase == "moving":
            if transfer.ended:
                transfers.forget(transfer)
            return  # whoever is still to be moved is, once the events are heard that came meanwhile
        result, cause = snapshot.variable(customer, "CTIEX_RESULT"), snapshot.variable(customer, "CTIEX_CAUSE")
        if phase == "out" and customer.bridge:
            transfers.happen(transfer, TransferEvent.ANSWERED)
        transfers.in_phase(transfer, "out" if phase == "out" else "back", result, cause)
        if phase == "astray":
            transfers.happen(transfer, TransferEvent.AGENT_LOST)
        self._calls.see_pair(customer.bridge)
        self._calls.follow_held(transfer)
