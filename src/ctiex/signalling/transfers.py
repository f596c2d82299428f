"""The transfers that go on: what happens to each, who hears of it, and which customer is to be brought back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener
from ctiex.interfaces.telephony import Party, TransferEvent
from ctiex.signalling.transfer import Notification, Stage, Transfer


class ActiveTransfers:
    """By serial, and by the customer."""

    def __init__(
        self, listener: ISignallingListener, recall: Callable[[Party], None], over: Callable[[Transfer], None]
    ) -> None:
        """None yet.

        :param recall: has the platform bring a customer back.
        :param over: called with each that is over.
        """
        self._listener = listener
        self._recall = recall
        self._over = over
        self._of_serial: dict[str, Transfer] = {}
        self._of_customer: dict[str, Transfer] = {}

    def __len__(self) -> int:
        return len(self._of_serial) + len(self._of_customer)

    def __iter__(self) -> Iterator[Transfer]:
        return iter(list(self._of_serial.values()))

    def __contains__(self, serial: object) -> bool:
        return serial in self._of_serial

    def get(self, serial: str) -> Transfer | None:
        """That of a serial."""
        return self._of_serial.get(serial)

    def of_customer(self, id: str) -> Transfer | None:
        """That of the customer with this id."""
        return self._of_customer.get(id)

    def keep(self, transfer: Transfer) -> Transfer:
        """One begins."""
        self._of_serial[transfer.serial] = transfer
        self._of_customer[transfer.conversation.customer.id] = transfer
        return transfer

    def forget(self, transfer: Transfer) -> None:
        """Nothing is known of it any more."""
        self._of_serial.pop(transfer.serial, None)
        customer = transfer.conversation.customer.id
        if self._of_customer.get(customer) is transfer:  # else they are being transferred again already
            del self._of_customer[customer]

    def finish(self, transfer: Transfer) -> None:
        """One is over."""
        self.forget(transfer)
        self._over(transfer)

    # ------------------------------------------------------------ what happens

    def happen(self, transfer: Transfer, event: TransferEvent, status: Status = Status.SERVICE_UNREACHABLE) -> None:
        """Go to the next stage, and tell what is to be told.

        :param status: what to tell of a service that isn't reached.
        """
        self._tell(transfer.serial, transfer.happen(event), status)
        self.recall(transfer)
        if transfer.stage is Stage.OVER:
            self.finish(transfer)

    def _tell(self, serial: str, notification: Notification | None, status: Status) -> None:
        match notification:
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

    def recall(self, transfer: Transfer) -> None:
        """Bring a customer back whom the service is to have no longer."""
        if transfer.to_be_recalled:
            transfer.recalled = True
            self._recall(transfer.conversation.customer)
