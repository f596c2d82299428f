"""The transfers that go on: what happens to each, who hears of it, and which customer is to be brought back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener
from ctiex.signalling.transfer import Notification, Stage, Transfer, TransferEvent, status_of
from ctiex.telephony.asterisk import actions as orders
from ctiex.telephony.asterisk.settings import AsteriskSettings

_RESULTS = {"ANSWER": TransferEvent.SERVICE_OVER, "": TransferEvent.RECALLED}
"""What a customer on the way back comes from, by the dialplan's result; any other: a call that failed."""


class ActiveTransfers:
    """By serial, and by the ids of the channels of customer and service."""

    def __init__(
        self,
        listener: ISignallingListener,
        settings: AsteriskSettings,
        ask: Callable[[orders.Action], None],
        over: Callable[[Transfer], None],
    ) -> None:
        """None yet.

        :param ask: asks Asterisk for something.
        :param over: called with each that is over.
        """
        self._listener = listener
        self._settings = settings
        self._ask = ask
        self._over = over
        self._of_serial: dict[str, Transfer] = {}
        self._of_customer: dict[str, Transfer] = {}
        self._of_service: dict[str, Transfer] = {}

    def __len__(self) -> int:
        return len(self._of_serial) + len(self._of_customer) + len(self._of_service)

    def __iter__(self) -> Iterator[Transfer]:
        return iter(list(self._of_serial.values()))

    def __contains__(self, serial: object) -> bool:
        return serial in self._of_serial

    def get(self, serial: str) -> Transfer | None:
        """That of a serial."""
        return self._of_serial.get(serial)

    def of_customer(self, uniqueid: str) -> Transfer | None:
        """That of the customer whose channel this is."""
        return self._of_customer.get(uniqueid)

    def keep(self, transfer: Transfer) -> Transfer:
        """One begins."""
        self._of_serial[transfer.serial] = transfer
        self._of_customer[transfer.conversation.customer.uniqueid] = transfer
        return transfer

    def forget(self, transfer: Transfer) -> None:
        """One is over."""
        self._of_serial.pop(transfer.serial, None)
        self._of_customer.pop(transfer.conversation.customer.uniqueid, None)
        self._of_service.pop(transfer.service, None)

    # ------------------------------------------------------------ what happens

    def happen(self, transfer: Transfer, happening: TransferEvent, status: Status = Status.SERVICE_UNREACHABLE) -> None:
        """Go to the next stage, and tell what is to be told.

        :param status: what to tell of a service that isn't reached.
        """
        for telling in transfer.happen(happening):
            self._tell(transfer.serial, telling, status)
        self.recall(transfer)
        if transfer.stage is Stage.OVER:
            self.forget(transfer)
            self._over(transfer)

    def _tell(self, serial: str, telling: Notification, status: Status) -> None:
        match telling:
            case Notification.ACCEPTED:
                self._listener.accepted(serial)
            case Notification.UNREACHABLE:
                self._listener.unreachable(serial, status)
            case Notification.RETURNED:
                self._listener.returned(serial)
            case Notification.AGENT_LOST:
                self._listener.agent_lost(serial)
            case Notification.HUNG_UP:
                self._listener.hung_up(serial)

    def in_phase(self, transfer: Transfer, phase: str, result: str, cause: str) -> None:
        """The dialplan has told where the customer is, with its result and the cause of a failure."""
        match phase:
            case "out":
                self.happen(transfer, TransferEvent.LEFT_AGENT)
            case "back":
                happening = _RESULTS.get(result, TransferEvent.NOT_ANSWERED)
                self.happen(transfer, happening, status_of(result, cause))
            case "astray":
                self.happen(transfer, TransferEvent.AGENT_LOST)

    def recall(self, transfer: Transfer) -> None:
        """Bring a customer back whom the service is to have no longer."""
        if transfer.to_be_recalled:
            transfer.recalled = True
            self._ask(orders.recall(transfer.conversation.customer, self._settings))

    def dialled(self, transfer: Transfer, service: str) -> None:
        """The service is called; this is its channel."""
        self._of_service.pop(transfer.service, None)
        transfer.service, transfer.cause = service, ""
        self._of_service[service] = transfer

    def channel_gone(self, uniqueid: str, cause: str) -> None:
        """A channel was hung up; a service's tells why the call to it failed."""
        if uniqueid in self._of_service:
            self._of_service.pop(uniqueid).cause = cause
