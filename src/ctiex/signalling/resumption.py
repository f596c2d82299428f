"""Resumes the calls of a platform after a time without its events."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.interfaces.telephony import Conversation, ISnapshot, TransferEvent, TransferState
from ctiex.signalling.seen_calls import SeenCalls
from ctiex.signalling.transfer import Stage, Transfer


class Resumption:
    """Brings what is known up to a snapshot of the platform, in steps: there may be many calls."""

    def __init__(self, calls: SeenCalls, snapshot: ISnapshot) -> None:
        self._calls = calls
        self._platform = calls.platform
        self._snapshot = snapshot
        self._new: list[Conversation] = []
        self._awaited: set[str] = set()
        """The serials of customers who are there and may come back."""

    def steps(self) -> Iterator[None]:
        """Each does a little."""
        yield from self._calls.conversations.go_on(self._platform.calls)
        yield from self._see_conversations()
        yield from self._go_on_with_transfers()
        yield from self._adopt_transfers()
        yield from self._give_up_resumed()
        yield from self._release_held()
        # Last: by then it is known which of the new conversations are still their customers'.
        yield from self._tell_arrivals()

    def _see_conversations(self) -> Iterator[None]:
        """Who talks with whom, before anything is made of it."""
        for pair in self._platform.calls.conversations():
            if pair is not None:
                conversation, new = self._calls.conversations.began(pair)
                if new:
                    self._remember(conversation)
                    self._new.append(conversation)
            yield

    def _remember(self, conversation: Conversation) -> None:
        """What the platform remembers of who was told of the customer, and under which serial."""
        serial, agent = self._snapshot.associated(conversation.customer)
        if serial:
            self._calls.conversations.named(conversation.customer.id, serial)
        if agent == conversation.agent:
            conversation.serial = serial

    def _tell_arrivals(self) -> Iterator[None]:
        of_customer = self._calls.conversations.of_customer
        for conversation in self._new:
            if not conversation.serial and of_customer(conversation.customer.id) is conversation:
                self._calls.call_arrived(conversation)
            yield

    # ------------------------------------------------------------ transferred customers

    def _go_on_with_transfers(self) -> Iterator[None]:
        for transfer in self._calls.transfers:
            if self._calls.transfers.get(transfer.serial) is transfer:
                self._go_on(transfer)
            yield

    def _go_on(self, transfer: Transfer) -> None:
        """Catch up with a call that was transferred before the events stopped."""
        conversation, calls = transfer.conversation, self._platform.calls
        customer = calls.party(conversation.customer.id)
        agent_party = calls.party(conversation.agent_party.id)
        if agent_party is None:
            conversation.agent_party.bridge = ""  # gone, without an event
        conversation.agent_party = agent_party or conversation.agent_party
        if customer is None:
            self._calls.release_agent(transfer)
            gone = TransferEvent.AGENT_LOST if agent_party is None else TransferEvent.CUSTOMER_GONE
            self._calls.transfers.happen(transfer, gone)
            return
        conversation.customer = customer
        transfer.recalled = False
        self._catch_up(transfer, self._snapshot.transfer_of(customer))

    def _adopt_transfers(self) -> Iterator[None]:
        out, others = list[TransferState](), list[TransferState]()
        for state in self._snapshot.transfers():
            if state is not None:
                (out if state.is_out else others).append(state)
            yield
        # Who is out comes first: an own serial that was used again may still stand with an earlier customer.
        for state in (*out, *others):
            if TransferEvent.AGENT_LOST not in state.progress:
                self._awaited.add(state.serial)
            if state.serial not in self._calls.transfers:
                self._adopt(state)
            yield

    def _adopt(self, state: TransferState) -> None:
        """Resume a call that an earlier exchange transferred; one that isn't awaited is brought back."""
        calls, serial, conversation = self._calls, state.serial, state.conversation
        waiting = calls.offers.get(serial)
        expected = waiting is not None or serial in calls.resumed
        if not state.progress and waiting is not None and not waiting.customer:
            calls.offers.mean(waiting, conversation.customer.id)
        if not state.progress or not (expected or state.is_out):
            return  # not transferred yet: an offer starts again; or it isn't wanted any more
        if calls.conversations.of_customer(conversation.customer.id) is None:
            self._remember(conversation)
            calls.conversations.began(conversation)
        stage = Stage.CALLING if calls.resumed.pop(serial, None) is None else Stage.SERVED
        transfer = calls.transfers.keep(Transfer(serial, conversation, stage, ended=not expected))
        if calls.offers.pop(serial) is not None:
            calls.listener.offered(serial, None, lambda: None)  # the customer has gone already
        self._catch_up(transfer, state)

    def _give_up_resumed(self) -> Iterator[None]:
        for serial in list(self._calls.resumed):
            if self._calls.resumed.pop(serial, None) is not None:  # nowhere to be found
                self._calls.listener.agent_lost(serial)
            yield

    def _release_held(self) -> Iterator[None]:
        """The parties that are held although the customer they wait for is gone, or isn't coming back."""
        for serial in self._platform.calls.held():
            if serial and serial not in self._awaited:
                self._platform.release_held(serial)
            yield

    def _catch_up(self, transfer: Transfer, state: TransferState | None) -> None:
        if state is None or state.serial != transfer.serial or not state.progress:
            if transfer.ended:
                self._calls.transfers.forget(transfer)
            return  # whoever is still to be moved is, once the events are heard that came meanwhile
        for event in state.progress:
            self._calls.transfers.happen(transfer, event, state.status)
        self._calls.look_where(transfer)
