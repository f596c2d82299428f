"""Stands inside an exchange, and tells what is decided there at the moment when it is decided.

On the wire the order of what different links hear can't be told any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.interfaces import Frame, IServiceSession, ISignalling, ISignallingListener, Offer
from ctiex.links.ivr import IvrLink
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    CallEnded,
    Condition,
    Connection,
    DataChanged,
    DataResult,
)
from ctiex.processing.states import SIGNALLED, WITH_SERVICE
from ctiex.records import Call, CallState, Change, StoredEvent
from ctiex.testing.simulation.custody import Custody
from ctiex.testing.simulation.debts import Debts
from ctiex.testing.simulation.ledger import Ledger
from ctiex.testing.simulation.notices import Notices
from ctiex.testing.simulation.store import StoreWitness
from ctiex.testing.simulation.waits import Waits

_CODEC = BinaryCodec()
_NOTHING = Change()


class Witness(StoreWitness):
    """Hears everything that the exchange decides about calls, whichever process of it runs."""

    def __init__(self, ledger: Ledger, custody: Custody, debts: Debts, waits: Waits, notices: Notices) -> None:
        self.ledger = ledger
        self.notices = notices
        self._ending: dict[str, str] = {}
        """By serial: the identity that is to hear how a call ends, once that is kept."""
        self._has_lost = False
        """Whether what the next process finds is less than what was kept."""
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
        self._take_up_ends(calls)
        for serial, call in calls.items():
            self.custody.taken_up(call)
            if call.state in SIGNALLED:
                self.owe_offer(serial, "it was being signalled before a restart")
            if gone(serial) and Condition.RETURNED not in call.told:
                self.owe_end(serial, "the customer had hung up before a restart", call.state is not CallState.REPORTED)

    def store_lost(self, since: float) -> None:
        """What the store has kept since then is lost."""
        self._has_lost = True
        self._ending.clear()
        self.custody.lost()
        self.notices.lost(since)

    def data_found(self, calls: Iterable[Call]) -> None:
        """An exchange has read its disk."""
        for call in calls:
            if call.data:
                self._data_found(call)
        self._has_lost = False

    def _data_found(self, call: Call) -> None:
        fields, known = data_of(call.data).fields, self.ledger.data
        kept = self._has_lost or known.may_be(call.reference, fields)
        self.ledger.hold(kept, f"call {call.serial}: its data isn't what it was updated to: {fields}")
        if known.found(call.reference, fields) and not self._has_lost:
            self.owe_change(call.serial)

    def _take_up_ends(self, calls: dict[str, Call]) -> None:
        """Ends that were kept, and nobody has heard that."""
        for serial, identity in self._ending.items():
            if serial in calls and calls[serial].state is CallState.CLOSED:
                self.notices.owe(CallEnded, serial, identity)
        self._ending.clear()

    def owe_change(self, serial: str) -> None:
        """The data of a call has changed."""
        identity = self.custody.has_old_data_of(serial)
        if identity:
            self.notices.owe(DataChanged, serial, identity)

    # ------------------------------------------------------------ the store

    def asked(self, change: Change, before: Callable[[str], Call | None]) -> None:
        """The store is asked to keep a change."""
        self.debts.begun(_serials(change))
        ends = {told(event) for event in change.events} if change.calls else set()
        for call in change.calls:
            was = before(call.serial)
            if was is None:
                self._begun(call)
            elif was.state in WITH_SERVICE and call.state is CallState.CLOSED and was.reports == call.reports:
                self._ending[call.serial] = self.custody.hears_of(call)
            if (call.serial, Condition.UNREACHABLE) in ends:
                self.custody.told_unreachable(call.serial)
                self._offered.add(call.serial)
            self.waits.moved(was, call, (call.serial, Condition.TIMED_OUT) in ends)
        for serial in change.forgotten:
            self.waits.forgotten(serial)

    def _begun(self, call: Call) -> None:
        self.custody.begun(call.serial)
        self._offered.discard(call.serial)
        self.ledger.last_use[call.serial] = call.reference
        self.ledger.data.begun(call.reference)

    def kept(self, change: Change) -> None:
        """It is kept."""
        for call in change.calls:
            identity = self._ending.pop(call.serial, "") if call.state is CallState.CLOSED else ""
            if identity:
                self.notices.owe(CallEnded, call.serial, identity)
        if self.leaving:
            for call in change.calls:
                self.custody.taken_up(call)
        self.debts.done(_serials(change), kept=change != _NOTHING)  # which a store that takes nothing keeps too

    def lost(self, change: Change) -> None:
        """It isn't kept."""
        for serial in _serials(change):
            self._ending.pop(serial, None)
        self.debts.done(_serials(change), kept=False)
        self.waits.undone(_serials(change))

    # ------------------------------------------------------------ what is owed

    def owe_offer(self, serial: str, why: str) -> None:
        """A call is to be offered."""

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
        if status == Status.SERVICE_REFUSED:
            self._witness.custody.refused(serial)
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


def data_of(body: bytes) -> DataResult:
    """The message of which a call keeps the body."""
    message = _CODEC.decode_body(Frame(KIND_OF[DataResult], 0, body))
    assert isinstance(message, DataResult)
    return message
