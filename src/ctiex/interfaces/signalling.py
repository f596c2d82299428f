"""How a customer gets to a service: signalling drivers, and the listener that they report to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import Factory, field
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from ctiex.frozen import frozen
from ctiex.interfaces.call_platform import ICallPlatform
from ctiex.interfaces.carrier import Signalled
from ctiex.interfaces.codec import ICodec
from ctiex.messages import CallEnded, Connection, DataChanged
from ctiex.settings import NoSettings


@frozen
class Offer:
    """A call that is to be signalled to a service."""

    serial: str
    service: str
    calling_number: str = field(repr=False)
    """The customer's own number."""
    connection: Connection
    """Ready to send: its calling number already carries the serial."""
    deadline: float
    """Until when the answer is awaited, in seconds of the clock: then the processing service has ended the call."""
    resumed: bool = False
    """Offered again after a restart: a service that isn't there yet may still bind in time."""
    signalled: Signalled = field(
        default=Factory(lambda offer: Signalled(offer.connection.calling_number), takes_self=True)
    )
    """What a telephone call to the service is to be sent with; the serial is in its number, its headers, or both."""
    agent: str = ""
    """The agent number that the customer talks with."""
    grace: float = 0
    """How long a session may take to bind where none is left to try, in seconds."""


class IServiceSession(Interface):
    """One bound link of an automatic service, as signalling sees it."""

    identity: str = Attribute("The identity that it is bound under.")
    name: str = Attribute("Its own name, for logs and for the audit.")

    def connect(connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        """Write a Connection; call ``answered`` with the ConnectionReply's status, or None if the link dies.

        It isn't called when no answer comes by ``deadline``, in seconds of the clock.
        """

    bound: bool = Attribute("Whether it is still bound.")
    features: Collection[str] = Attribute("Those that it was granted.")

    def tell(message: CallEnded | DataChanged, answered: Callable[[bool], None]) -> None:
        """Tell it something of a call; call ``answered`` with whether it has answered; else its link ended."""


class IServiceSessions(Interface):
    """The bound sessions of all services."""

    def for_service(service: str) -> Sequence[IServiceSession]:
        """The sessions whose identity serves it, the one whose turn it is first."""

    def of_identity(identity: str) -> Sequence[IServiceSession]:
        """The sessions bound under this identity."""

    def watch(joined: Callable[[IServiceSession], None]) -> None:
        """Call ``joined`` with every session that is bound from now on."""


class ISignallingListener(Interface):
    """The signalling listener: drivers report here what happens to an offer. A serial that has ended is ignored."""

    def offered(serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        """The call is to go to this session; None: any identity that serves it may come back for it.

        :param write: called once that is committed, at once if the store is that fast: only then may the
            Connection, or the customer, be sent. It is called later while the store is unavailable, and not at all
            once the call is over; a driver that has gone on meanwhile does nothing in it.
        """

    def accepted(serial: str) -> None:
        """The service has accepted the Connection."""

    def refused(serial: str, session: IServiceSession, status: int | None) -> None:
        """This session answered with another status than 0, or None: it was lost. Another may be tried."""

    def unreachable(serial: str, status: int) -> None:
        """No session is left to try: status 31, 32 or 33."""

    def returned(serial: str) -> None:
        """The customer is back with the agent (drivers that see the call)."""

    def hung_up(serial: str) -> None:
        """The customer has hung up (drivers that see the call)."""

    def agent_lost(serial: str) -> None:
        """The customer has left the service and isn't with the agent, who is gone (drivers that see the call)."""

    def call_arrived(agent: str, calling_number: str, customer: str = "") -> str:
        """A customer and an agent have begun to talk (drivers that see the call).

        Returns the serial that the agent's application was notified of; empty when it isn't logged in.

        :param customer: the id of the customer's party, where the platform's calls are controlled too.
        """

    def customer_of(serial: str) -> str:
        """The id of the customer's party in the agent's call that has this serial now; empty where none has."""


class ISignalling(Interface):
    """Transfers a customer to a service [0039, 0045]; one driver serves many calls.

    :class:`BaseSignalling` is the base of drivers that see no calls themselves.
    """

    sees_return: bool = Attribute("Whether the driver sees the customer return to the agent.")

    def offer(offer: Offer) -> None:
        """Begin; what happens is reported to the signalling listener. The processing service runs the time-out."""

    def withdraw(serial: str) -> int:
        """The call has ended for signalling: stop trying, and release the customer.

        It is the only notice of a cancel or a time-out. A driver that sees customers return gets it once the call is
        closed, also when the customer didn't return in time. Returns the status so far: 31, 32, or 33 while an answer
        is still awaited.
        """

    connected: bool = Attribute("Whether it sees the calls of its platform now.")
    call_platform: ICallPlatform | None = Attribute("Its platform, where the calls there can be controlled.")

    def start() -> None:
        """Connect. It is called once the exchange has loaded its calls."""

    def stop() -> Deferred[None] | None:
        """Flush pending work, and disconnect."""

    def resume(serial: str, agent: str) -> None:
        """A call was with its service, or on the way back, when the exchange stopped: resume it.

        It is called before ``start``. The calls that weren't accepted yet come as offers.
        """

    def agent_logged_in(agent: str) -> None:
        """An agent number was logged in: report calls of it that weren't reported yet by ``call_arrived``."""


@implementer(ISignalling)
class BaseSignalling:
    """The base of drivers that aren't connected to a platform and see no calls."""

    sees_return = False
    call_platform: ICallPlatform | None = None

    @property
    def connected(self) -> bool:
        """There is no platform that could be disconnected."""
        return True

    def offer(self, offer: Offer) -> None:
        """Each driver's own."""
        raise NotImplementedError

    def withdraw(self, serial: str) -> int:
        """Each driver's own."""
        raise NotImplementedError

    def start(self) -> None:
        """There is nothing to connect to."""

    def stop(self) -> Deferred[None] | None:
        """There is nothing to disconnect from."""

    def resume(self, serial: str, agent: str) -> None:
        """It can't see what happened to the call."""

    def agent_logged_in(self, agent: str) -> None:
        """It sees no calls to report."""


@frozen
class SignallingContext:
    """What a signalling driver gets to work with."""

    reactor: Any
    """For time and endpoints."""
    listener: ISignallingListener
    sessions: IServiceSessions
    codec: ICodec
    """The codec of the IVR link."""
    services: Mapping[str, Any]
    """Of each service that the driver signals, by name: an instance of the plugin's ``service_settings``.

    For a driver of the embedding application it is the service's other keys, as they stand in the file.
    """
    settings: Any = field(factory=NoSettings, repr=False)
    """An instance of the plugin's ``settings``, from ``[signalling.NAME]``."""


class ISignallingPlugin(Interface):
    """Finds a signalling driver by name."""

    name: str = Attribute("What the configuration calls it: ``signalling = NAME``.")

    settings: type[Any] = Attribute("The frozen class that declares the keys of ``[signalling.NAME]``.")
    service_settings: type[Any] = Attribute("The same of its keys in ``[services.NAME]``.")

    def build(context: SignallingContext) -> ISignalling:
        """The driver for all services that name it."""


@implementer(ISignallingPlugin)
class BaseSignallingPlugin:
    """A driver without settings; a plugin says which of its own it takes."""

    name = ""
    settings: type[Any] = NoSettings
    service_settings: type[Any] = NoSettings

    def build(self, context: SignallingContext) -> ISignalling:
        """Each plugin's own."""
        raise NotImplementedError
