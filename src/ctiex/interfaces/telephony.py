"""A telephone platform as the exchange sees it: its calls, what it reports of them, and the orders that it takes.

Nothing here belongs to one make of platform. Where CSTA (ECMA-269) has a word, that is the one. It is no plugin
interface: the platforms come with the package, and what they show, report and do grows with what is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ctiex.errors import CtiexError, Status
from ctiex.frozen import frozen
from ctiex.interfaces.signalling import Offer


class OrderRefused(CtiexError):
    """The platform can't carry out an order; nothing of it was begun."""


@define(eq=False)
class Party:
    """One side of a call: a device and its connection. It shows the present, until the next snapshot replaces it."""

    id: str
    """The same for as long as it is there."""
    name: str
    """What the platform calls it; that may change."""
    number: str = field(default="", repr=False)
    """The calling number of whoever is at its end; empty where it is unknown."""
    bridge: str = ""
    """The id of what connects it with others; empty: it is connected with nobody."""


@define(eq=False)
class Conversation:
    """A customer and an agent who are connected, or were until one of them was put elsewhere."""

    customer: Party
    agent_party: Party
    agent: str
    """The agent number."""
    serial: str = ""
    """The serial that the agent's application was notified of; empty if it wasn't logged in."""

    @property
    def together(self) -> bool:
        """Whether they are connected now."""
        return bool(self.customer.bridge) and self.customer.bridge == self.agent_party.bridge


class TransferEvent(Enum):
    """What happens to a customer who is transferred to a service."""

    LEFT_AGENT = auto()
    """The service is being called; the agent is held."""
    ANSWERED = auto()
    NOT_ANSWERED = auto()
    """The call to the service has failed; the customer is on the way back."""
    SERVICE_OVER = auto()
    """The service has hung up; the customer is on the way back."""
    RECALLED = auto()
    """The customer was taken out of it, and is on the way back."""
    TOGETHER = auto()
    """Customer and agent are connected. A platform reports it as Established."""
    AGENT_LOST = auto()
    """The agent is gone, and the customer with somebody else."""
    CUSTOMER_GONE = auto()
    """A platform reports it as PartyDropped."""
    REFUSED = auto()
    """The platform didn't move them: they are where they were. It says so to who has asked."""


_OUT = (TransferEvent.LEFT_AGENT,), (TransferEvent.ANSWERED,)


@frozen
class TransferState:
    """How a transfer stands in a snapshot."""

    serial: str
    conversation: Conversation
    """As it was before: its parties may be anywhere now, and the agent's may be gone (then its ``bridge`` is empty)."""
    progress: tuple[TransferEvent, ...]
    """What has happened, as far as that still shows, in order; nothing: the customer was prepared, and not moved."""
    status: Status
    """Why the service wasn't reached, if it wasn't."""

    @property
    def is_out(self) -> bool:
        """Whether the customer is with the service, or on the way there."""
        return self.progress in _OUT


@frozen
class Established:
    """A customer and an agent are connected, and nobody else with them. It may be reported more than once."""

    conversation: Conversation


@frozen
class PartyDropped:
    """A party has hung up, or was hung up."""

    party: str
    """Its id: it is gone from the call model."""


@frozen
class PartyHeld:
    """A party is held until the customer comes back who was transferred under this serial."""

    serial: str
    freed: bool
    """Whether ``release_held`` was called for those who are held there: nobody comes back to them."""


@frozen
class TransferProgress:
    """Something has happened to a customer who was transferred."""

    customer: str
    """The id of their party, which may be gone already."""
    event: TransferEvent
    status: Status = Status.SERVICE_UNREACHABLE
    """Why the service wasn't reached, if that has happened."""


TelephonyEvent = Established | PartyDropped | PartyHeld | TransferProgress
"""Something has happened. A listener ignores the kinds of events that it doesn't know."""


class ICallModel(Interface):
    """Who is connected with whom on a platform, as far as was heard."""

    def party(id: str) -> Party | None:
        """The party with this id; None: it isn't known, or gone."""

    def has_customer(number: str) -> bool:
        """Whether a customer with this calling number is there, with an agent, with a service, or waiting."""

    def conversation_in(bridge: str) -> Conversation | None:
        """The customer and the agent who are connected by this bridge, if only these two are."""

    def conversations() -> Iterator[Conversation | None]:
        """Everybody's, in small steps: None, where there is none."""

    def parted(conversation: Conversation) -> bool:
        """Whether the customer or the agent talks with somebody else.

        While they are being moved they may be connected with nobody: they aren't parted then.
        """

    def held_for(serial: str) -> Sequence[Party]:
        """Who is held until the customer comes back who was transferred under this serial."""

    def held() -> Iterator[str]:
        """The serials under which parties are held, in small steps: empty, where there is none."""


class ISnapshot(Interface):
    """What a platform remembers of its customers, at one moment; beside the call model of that moment."""

    def associated(customer: Party) -> tuple[str, str]:
        """The serial and the agent number that were associated with a customer; each is empty if it wasn't."""

    def transfer_of(customer: Party) -> TransferState | None:
        """How this customer's last transfer stands; None: there was none."""

    def transfers() -> Iterator[TransferState | None]:
        """Those of all customers, in small steps: None, where there is none."""


class ITelephonyListener(Interface):
    """What a platform reports to. Both generators are run in lots, since there may be many calls."""

    def take_up(snapshot: ISnapshot) -> Iterator[None]:
        """Bring what is known up to the snapshot; the platform's call model is that of the snapshot already.

        It ends early when the platform is lost meanwhile. Events that come meanwhile are told behind it.
        """

    def caught_up() -> Iterator[None]:
        """The events of meanwhile were told, and the platform is connected: go on with what waits for it."""

    def happened(event: TelephonyEvent) -> None:
        """Something has happened."""


class ITelephonyPlatform(Interface):
    """One telephone platform: it shows its calls, reports what happens to them, and takes orders.

    Orders are carried out in turn, and return at once: what becomes of one is told by events. They reach the platform
    from ``take_up`` on; one that is lost with the connection isn't told of, and the next snapshot shows what has become
    of it.
    """

    connected: bool = Attribute("Whether its events are told as they come, so that transfers may begin.")
    calls: ICallModel = Attribute("Who is connected with whom; another one after each loss of the connection.")
    kept: int = Attribute("How many records it keeps of calls: none when there are no calls.")

    def start(listener: ITelephonyListener) -> None:
        """Connect, and again after every loss. Nothing is reported before."""

    def stop() -> Deferred[None] | None:
        """Disconnect. What goes on at the platform goes on."""

    def prepare_transfer(conversation: Conversation, offer: Offer, refused: Callable[[], None]) -> Callable[[], None]:
        """See that a customer can be transferred to the service of an offer. Nothing is asked of the platform yet.

        Returns what begins it, once the offer is committed: the customer goes to the service with the serial, and the
        agent is held. They come back together when the service hangs up, without another order, and also while the
        exchange is away. It is called again after a loss of the connection if nobody was moved.

        :param refused: called when the platform doesn't move them: they are where they were.
        :raise OrderRefused: something in the offer can't be said to this platform.
        """

    def recall(customer: Party) -> None:
        """Take a customer out of the service, and bring them back to the agent."""

    def return_to(customer: Party, agent: Party) -> None:
        """Let a customer come back to another party, who has taken over from the agent who was held."""

    def associate(customer: Party, serial: str, agent: str) -> None:
        """Keep with a customer which serial was told to which agent number; an empty serial: none was."""

    def release(agent: Party) -> None:
        """End the call of an agent whose customer is gone, unless they are connected with somebody or held."""

    def release_held(serial: str) -> None:
        """No customer comes back under this serial: end the calls of those who are held for them."""
