"""A telephone platform with customers on it, which outlives the exchange, and a signalling driver that sees them.

It stands for drivers such as Asterisk's: the customer goes to the service by telephone with the serial, comes back to
the agent, or hangs up at any moment, and the driver tells of it. What happens while no exchange runs is found out by
the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from random import Random

from attrs import define, field
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import CallError, Status
from ctiex.interfaces import BaseSignalling, ISignalling, ISignallingListener, Offer
from ctiex.testing.simulation.clock import ProcessClock, WorldClock
from ctiex.testing.simulation.services import ServiceProcess

_RINGS_FOR = 1.0
"""How soon a service's telephone is answered at most, in seconds."""
_GIVES_UP = 60.0
"""How long one rings that nobody answers, in seconds."""
_LOOK_EVERY = 2.0
"""How soon the platform finds that a service's process isn't there any more, in seconds."""


class Place(Enum):
    """Where a customer is."""

    CALLING = "calling"
    SERVED = "served"
    WITH_AGENT = "with the agent"
    GONE = "gone"


_TELLS = {Place.SERVED: "accepted", Place.WITH_AGENT: "returned", Place.GONE: "hung_up"}
"""What the driver tells of a customer whom it finds there."""


@define(eq=False)
class Customer:
    """Somebody who is to be served, under a serial."""

    serial: str
    number: str
    service: str
    place: Place = Place.CALLING


@define(eq=False)
class Platform:
    """Takes customers to services and back."""

    _clock: WorldClock
    _random: Random
    services: list[ServiceProcess] = field(factory=list)
    """Whose telephones can be called."""
    driver: SeenSignalling | None = None
    """That of the exchange process that runs, or ran last."""
    _customers: dict[str, Customer] = field(factory=dict)

    # ------------------------------------------------------------ what the driver asks

    def place_of(self, serial: str) -> Place | None:
        """Where a customer is; None: nobody ever went under this serial."""
        customer = self._customers.get(serial)
        return None if customer is None else customer.place

    def forward(self, offer: Offer) -> None:
        """Take a customer to the service."""
        customer = Customer(offer.serial, offer.connection.calling_number, offer.service)
        self._customers[offer.serial] = customer
        self._later(_RINGS_FOR, lambda: self._ring(customer))

    def recall(self, serial: str) -> None:
        """Take a customer out of what they are in, and back to the agent."""
        customer = self._customers.get(serial)
        if customer is not None and customer.place in (Place.CALLING, Place.SERVED):
            customer.place = Place.WITH_AGENT

    def use_again(self, serial: str) -> None:
        """Another customer goes under this serial from now on."""
        self._customers.pop(serial, None)

    # ------------------------------------------------------------ what happens

    def _later(self, most: float, what: Callable[[], object]) -> None:
        self._clock.network.callLater(self._random.uniform(0.01, most), what)

    def _ring(self, customer: Customer) -> None:
        """The call has come to the service, at one of its processes."""
        there = [one for one in self.services if one.process is not None and customer.service in one.served]
        if customer.place is not Place.CALLING:
            return
        if not there:
            self._not_reached(customer, Status.SERVICE_UNREACHABLE)
            return
        service = self._random.choice(there)
        if service.takes_no_call():
            self._clock.network.callLater(_GIVES_UP, self._rang_in_vain, customer)
            return
        arriving = service.arrived(customer.number)
        if arriving.called and isinstance(arriving.result, Failure):
            arriving.addErrback(lambda failure: failure.trap(CallError) and None)
            self._not_reached(customer, Status.SERVICE_REFUSED)
            return
        customer.place = Place.SERVED
        self._tell("accepted", customer)
        # Python throws away what a process that has died was about to do: that wakes up others of it.
        arriving.addCallbacks(lambda _: self._let_go(customer), lambda failure: failure.trap(RuntimeError) and None)
        self._watch(customer, service.process)

    def _watch(self, customer: Customer, process: ProcessClock | None) -> None:
        """A customer whose service's process has died is let go."""
        if customer.place is Place.SERVED:
            if process is None or not process.alive:
                self._let_go(customer)
            else:
                self._clock.network.callLater(_LOOK_EVERY, self._watch, customer, process)

    def _rang_in_vain(self, customer: Customer) -> None:
        if customer.place is Place.CALLING:
            self._not_reached(customer, Status.SERVICE_UNREACHABLE)

    def _not_reached(self, customer: Customer, status: Status) -> None:
        customer.place = Place.WITH_AGENT
        self._tell("unreachable", customer, status)

    def _let_go(self, customer: Customer) -> None:
        """The service has hung up; the customer is on the way back to the agent."""

        def back() -> None:
            if customer.place is Place.SERVED:
                customer.place = Place.WITH_AGENT
                self._tell("returned", customer)

        self._later(1.0, back)

    def hang_up(self, serial: str) -> Place | None:
        """A customer hangs up; where they were, None if there is nobody to do so."""
        customer = self._customers.get(serial)
        if customer is None or customer.place is Place.GONE:
            return None
        was, customer.place = customer.place, Place.GONE
        if was is not Place.WITH_AGENT:
            self._tell("hung_up", customer)
        return was

    def _tell(self, what: str, customer: Customer, *status: Status) -> None:
        driver = self.driver
        if self._customers.get(customer.serial) is not customer:
            return  # a store that has forgotten them let another one go under their serial
        if driver is not None:  # which may have died
            driver.process.callLater(self._random.uniform(0.001, 0.1), driver.heard, what, customer.serial, *status)

    def on_the_way(self) -> list[str]:
        """The serials of customers who are with a service, or on the way there."""
        return [one.serial for one in self._customers.values() if one.place in (Place.CALLING, Place.SERVED)]


@implementer(ISignalling)
class SeenSignalling(BaseSignalling):
    """Signals calls of one platform, and tells at most one end of each."""

    sees_return = True

    def __init__(self, listener: ISignallingListener, platform: Platform, process: ProcessClock) -> None:
        self.process = process
        self._listener = listener
        self._platform = platform
        self._going_on: set[str] = set()
        platform.driver = self

    @property
    def going_on(self) -> list[str]:
        """The calls whose end it hasn't told."""
        return sorted(self._going_on)

    def resume(self, serial: str, agent: str) -> None:
        """See what has become of a customer."""
        self._going_on.add(serial)
        self.process.callLater(0, self._find, serial)

    def offer(self, offer: Offer) -> None:
        """Have the customer forwarded, unless they are already."""
        serial = offer.serial
        self._going_on.add(serial)
        self._listener.offered(serial, None, lambda: self._forward(offer))

    def _forward(self, offer: Offer) -> None:
        """It is kept that the customer goes to the service."""
        serial = offer.serial
        if serial not in self._going_on:
            return
        place = self._platform.place_of(serial) if offer.resumed else None
        if place is None or place is Place.WITH_AGENT:
            self._platform.forward(offer)
        else:
            self._find(serial)

    def withdraw(self, serial: str) -> int:
        """Nobody waits for the customer any more."""
        met = Status.TIMED_OUT if serial in self._going_on else Status.SERVICE_UNREACHABLE
        self._going_on.discard(serial)
        self._platform.recall(serial)
        return met

    def _find(self, serial: str) -> None:
        place = self._platform.place_of(serial)
        if place in _TELLS:
            self.heard(_TELLS[place], serial)

    def heard(self, what: str, serial: str, *status: Status) -> None:
        """The platform tells what has become of a customer, in the listener's words."""
        if serial in self._going_on:
            if what != "accepted":
                self._going_on.discard(serial)
            getattr(self._listener, what)(serial, *status)
