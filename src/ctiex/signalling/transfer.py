"""Customers on the way to a service and back: the stages of each in one table, and all that go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto

from attrs import define, field

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener
from ctiex.interfaces.telephony import Conversation, Party, TransferEvent


class Stage(Enum):
    """Where the customer is."""

    WAITING = auto()
    """Until the offer is committed; the customer is still with the agent."""
    MOVING = auto()
    """The platform was asked to move both; the customer may still be with the agent."""
    CALLING = auto()
    """The service is being called; the agent waits."""
    SERVED = auto()
    """The service has the customer."""
    RETURNING = auto()
    """On the way back to the agent."""
    OVER = auto()
    """With the agent, elsewhere, or gone."""


class Notification(Enum):
    """What the exchange is told of it: that it was accepted, or how it has ended."""

    ACCEPTED = auto()
    UNREACHABLE = auto()
    RETURNED = auto()
    AGENT_LOST = auto()
    HUNG_UP = auto()


_W, _M, _C, _S, _R, _O = (
    Stage.WAITING,
    Stage.MOVING,
    Stage.CALLING,
    Stage.SERVED,
    Stage.RETURNING,
    Stage.OVER,
)

TABLE: dict[tuple[Stage, TransferEvent], tuple[Stage, Notification | None]] = {
    (_W, TransferEvent.AGENT_LOST): (_O, Notification.UNREACHABLE),
    (_W, TransferEvent.CUSTOMER_GONE): (_O, Notification.HUNG_UP),
    (_M, TransferEvent.LEFT_AGENT): (_C, None),
    (_M, TransferEvent.ANSWERED): (_S, Notification.ACCEPTED),
    (_M, TransferEvent.NOT_ANSWERED): (_R, Notification.UNREACHABLE),
    (_M, TransferEvent.SERVICE_OVER): (_R, Notification.ACCEPTED),
    (_M, TransferEvent.RECALLED): (_R, Notification.UNREACHABLE),
    (_M, TransferEvent.AGENT_LOST): (_O, Notification.UNREACHABLE),
    (_M, TransferEvent.CUSTOMER_GONE): (_O, Notification.HUNG_UP),
    (_M, TransferEvent.REFUSED): (_O, Notification.UNREACHABLE),
    (_C, TransferEvent.ANSWERED): (_S, Notification.ACCEPTED),
    (_C, TransferEvent.NOT_ANSWERED): (_R, Notification.UNREACHABLE),
    (_C, TransferEvent.SERVICE_OVER): (_R, Notification.ACCEPTED),
    (_C, TransferEvent.RECALLED): (_R, Notification.UNREACHABLE),
    (_C, TransferEvent.TOGETHER): (_O, Notification.UNREACHABLE),
    (_C, TransferEvent.AGENT_LOST): (_O, Notification.UNREACHABLE),
    (_C, TransferEvent.CUSTOMER_GONE): (_O, Notification.HUNG_UP),
    (_S, TransferEvent.NOT_ANSWERED): (_R, None),
    (_S, TransferEvent.SERVICE_OVER): (_R, None),
    (_S, TransferEvent.RECALLED): (_R, None),
    (_S, TransferEvent.TOGETHER): (_O, Notification.RETURNED),
    (_S, TransferEvent.AGENT_LOST): (_O, Notification.AGENT_LOST),
    (_S, TransferEvent.CUSTOMER_GONE): (_O, Notification.HUNG_UP),
    (_R, TransferEvent.TOGETHER): (_O, Notification.RETURNED),
    (_R, TransferEvent.AGENT_LOST): (_O, Notification.AGENT_LOST),
    (_R, TransferEvent.CUSTOMER_GONE): (_O, Notification.HUNG_UP),
}
"""(stage, event) to the next stage and the notification; what isn't here changes nothing."""


@define(eq=False)
class Transfer:
    """One hand-off on the platform. Tells at most one end of it, and nothing once it was withdrawn."""

    serial: str
    conversation: Conversation
    stage: Stage = Stage.MOVING
    ended: bool = False
    """Whether its end was reported, or isn't wanted any more."""
    recalled: bool = False
    """Whether the platform was asked to take the customer out. Twice would part customer and agent again."""
    move: Callable[[], None] = field(default=lambda: None, repr=False)
    """Asks the platform to begin."""

    def happen(self, event: TransferEvent) -> Notification | None:
        """Go to the next stage. Returns what is to be told of it."""
        self.stage, notification = TABLE.get((self.stage, event), (self.stage, None))
        if self.ended or notification is None:
            return None
        self.ended = notification is not Notification.ACCEPTED
        return notification

    @property
    def comes_back(self) -> bool:
        """Whether the customer is on the way back to the agent, or is to be."""
        return self.ended or self.stage is Stage.RETURNING

    @property
    def to_be_recalled(self) -> bool:
        """Whether the customer is with a service that they should be with no longer."""
        return self.ended and not self.recalled and self.stage in (Stage.CALLING, Stage.SERVED)

    @property
    def is_on_its_way(self) -> bool:
        """Whether the platform was asked to move the customer, and hasn't said yet that it has."""
        return self.stage is Stage.MOVING or (self.recalled and self.stage in (Stage.CALLING, Stage.SERVED))

    @property
    def met(self) -> Status:
        """What kept it from being accepted so far."""
        return Status.TIMED_OUT if self.stage in (Stage.MOVING, Stage.CALLING) else Status.SERVICE_UNREACHABLE


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
