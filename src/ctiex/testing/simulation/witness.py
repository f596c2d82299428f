"""Stands inside an exchange, and tells what is decided there at the moment when it is decided.

On the wire the order of what different links hear can't be told any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.internet.defer import Deferred

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.interfaces import Frame, IServiceSession, ISignalling, ISignallingListener, Offer
from ctiex.links.ivr import IvrLink
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    CallEnded,
    Condition,
    Connection,
    ConnectReply,
    DataChanged,
    DataRequest,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.processing.service import ProcessingService
from ctiex.processing.states import SIGNALLED
from ctiex.records import Call, CallState, Change, StoredEvent
from ctiex.stores.call_store import CallStore
from ctiex.testing.simulation.custody import Custody
from ctiex.testing.simulation.debts import Debts
from ctiex.testing.simulation.store import StoreWitness
from ctiex.testing.simulation.waits import Waits

_CODEC = BinaryCodec()
_NOTHING = Change()


class Witness(StoreWitness):
    """Hears everything that the exchange decides about calls, whichever process of it runs."""

    def __init__(self, custody: Custody, debts: Debts, waits: Waits) -> None:
        self.custody = custody
        self.debts = debts
        self.waits = waits
        self._offered: set[str] = set()
        """The calls that this process has begun to signal, or for which it was too late."""
        self.leaving = False
        """Whether the exchange takes its offers back: those that are kept from then on aren't written."""

    # ------------------------------------------------------------ processes

    def process_died(self) -> None:
        """The exchange has crashed, or begins to leave."""
        self.debts.forgive(for_good=False)
        self.custody.exchange_died()
        self._offered.clear()

    def process_started(self, calls: dict[str, Call], gone: Callable[[str], bool]) -> None:
        """An exchange goes on with the calls of the disk.

        :param gone: whether the customer of a serial has hung up, as telephones know.
        """
        self.waits.restarted()
        self.debts.begin()
        self.leaving = False
        for serial, call in calls.items():
            self.custody.taken_up(call)
            if call.state in SIGNALLED:
                self._owe_offer(serial, "it was being signalled before a restart")
            if gone(serial) and Condition.RETURNED not in call.told:
                self.owe_end(serial, "the customer had hung up before a restart", call.state is not CallState.REPORTED)

    # ------------------------------------------------------------ the store

    def asked(self, change: Change, before: Callable[[str], Call | None]) -> None:
        """The store is asked to keep a change."""
        self.debts.begun(_serials(change))
        ends = {told(event) for event in change.events} if change.calls else set()
        for call in change.calls:
            if before(call.serial) is None:
                self.custody.begun(call.serial)
                self._offered.discard(call.serial)
            if (call.serial, Condition.UNREACHABLE) in ends:
                self.custody.told_unreachable(call.serial)
                self._offered.add(call.serial)
            self.waits.moved(before(call.serial), call, (call.serial, Condition.TIMED_OUT) in ends)
        for serial in change.forgotten:
            self.waits.forgotten(serial)

    def kept(self, change: Change) -> None:
        """It is kept."""
        if self.leaving:
            for call in change.calls:
                self.custody.taken_up(call)
        self.debts.done(_serials(change), kept=change != _NOTHING)  # which a store that takes nothing keeps too

    def lost(self, change: Change) -> None:
        """It isn't kept."""
        self.debts.done(_serials(change), kept=False)
        self.waits.undone(_serials(change))

    # ------------------------------------------------------------ what is owed

    def _owe_offer(self, serial: str, why: str) -> None:
        def offered() -> bool:
            call = self.custody.on_disk(serial)
            return serial in self._offered or call is None or call.state not in SIGNALLED

        self.debts.owe(serial, f"{why}, and it is to be offered", offered)

    def owe_end(self, serial: str, why: str, or_result: bool = False) -> None:
        """A call is to end.

        :param or_result: a result that is kept from now on will do: its time-out ends the call, if nobody looks.
        """
        enough = {CallState.CLOSED, CallState.REPORTED} if or_result else {CallState.CLOSED}

        def ended() -> bool:
            call = self.custody.on_disk(serial)
            return call is None or call.state in enough

        if not self.custody.is_over(serial):
            self.debts.owe(serial, f"{why}, which is its end", ended)

    # ------------------------------------------------------------ processing

    def watch_store(self, store: CallStore, identities: Mapping[str, Identity]) -> None:
        """Hear of the data that is given straight from the store, and of its end.

        :param identities: all, by name.
        """
        fetched = store.fetched

        def fetched_seen(serial: str, owner: str) -> bytes | None:
            body = fetched(serial, owner)
            if body is not None:
                self.custody.data(identities[owner], serial, Status.OK)
            return body

        close = store.close

        def closed_seen() -> Deferred[None]:
            self.debts.forgive()  # a process that leaves does nothing more
            return close()

        vars(store).update(fetched=fetched_seen, close=closed_seen)

    def watch_processing(self, processing: ProcessingService) -> None:
        """Hear every answer."""
        data, report, connect = processing.data, processing.report, processing.connect

        def data_seen(identity: Identity, request: DataRequest, answer: Callable[[Any], None]) -> None:
            def answered(found: bytes | Status) -> None:
                status = found if isinstance(found, Status) else Status.OK
                self.custody.data(identity, request.serial, status)
                answer(found)

            data(identity, request, answered)

        def report_seen(identity: Identity, event: ServiceEvent, reply: Callable[[ServiceEventReply], None]) -> None:
            def answered(message: ServiceEventReply) -> None:
                self.custody.report(identity, event.serial, Status.of(message.status))
                reply(message)

            report(identity, event, answered)

        def connect_seen(identity: Identity, outlet: Any, request: Any, reply: Callable[[ConnectReply], None]) -> None:
            def answered(message: ConnectReply) -> None:
                if message.status == Status.OK:
                    self._owe_offer(message.serial, "it was acknowledged")
                reply(message)

            connect(identity, outlet, request, answered)

        vars(processing).update(data=data_seen, report=report_seen, connect=connect_seen)

    # ------------------------------------------------------------ links

    def watch_link(self, link: IvrLink) -> IvrLink:
        """Hear whom calls are offered to, and who hears of their ends."""
        connect, tell = link.connect, link.tell

        def connect_seen(connection: Connection, answered: Callable[[int | None], None], *rest: Any) -> None:
            serial = connection.calling_number.partition("**")[2]
            holding = self.custody.written(serial, link.identity)

            def heard(status: int | None) -> None:
                self.custody.answered(serial, holding, status)
                answered(status)

            connect(connection, heard, *rest)

        def tell_seen(message: CallEnded | DataChanged, answered: Callable[[bool], None]) -> None:
            if isinstance(message, CallEnded):
                self.custody.ended(message.serial)
            tell(message, answered)

        vars(link).update(connect=connect_seen, tell=tell_seen)
        return link

    # ------------------------------------------------------------ signalling

    def watched(self, listener: ISignallingListener) -> ISignallingListener:
        """The same watcher, for a driver; what it is told is heard."""
        return cast(ISignallingListener, _Observed(listener, self))

    def watch_driver(self, driver: ISignalling) -> ISignalling:
        """Hear of every offer."""
        offer = driver.offer

        def offer_seen(asked: Offer) -> None:
            self._offered.add(asked.serial)
            offer(asked)

        vars(driver)["offer"] = offer_seen
        return driver

    def returned_by_driver(self, serial: str) -> None:
        """A driver tells that the customer is back: the end of a call whose result is there."""
        self.custody.returned(serial)
        call = self.custody.on_disk(serial)
        if call is not None and call.state is CallState.REPORTED:
            self.owe_end(serial, "its customer is back, and its result was there")


class _Observed:
    """Passes everything on."""

    def __init__(self, listener: ISignallingListener, witness: Witness) -> None:
        self._listener = listener
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def offered(self, serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        """The customer goes by telephone, when no session is named."""
        if session is None:
            custody, written = self._witness.custody, write

            def write() -> None:
                custody.forwarded(serial)
                written()

        self._listener.offered(serial, session, write)

    def accepted(self, serial: str) -> None:
        """The service has accepted."""
        self._witness.custody.accepted(serial)
        self._listener.accepted(serial)

    def unreachable(self, serial: str, status: int) -> None:
        """Nobody is left to try."""
        self._witness.owe_end(serial, "nobody is left to try")
        self._listener.unreachable(serial, status)

    def hung_up(self, serial: str) -> None:
        """The customer has hung up."""
        self._witness.owe_end(serial, "the customer has hung up")
        self._listener.hung_up(serial)

    def returned(self, serial: str) -> None:
        """The customer is back."""
        self._witness.returned_by_driver(serial)
        self._listener.returned(serial)


def _serials(change: Change) -> tuple[str, ...]:
    return (*(call.serial for call in change.calls), *change.forgotten)


def told(event: StoredEvent) -> tuple[str, Condition]:
    """The serial and the condition of an event."""
    message = _CODEC.decode_body(Frame(KIND_OF[AgentEvent], 0, event.body))
    assert isinstance(message, AgentEvent)
    return message.serial, message.condition
