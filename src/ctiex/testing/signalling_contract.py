"""What every signalling driver keeps to: mix :class:`SignallingContract` into a test case of your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ctiex.errors import Status
from ctiex.interfaces import IServiceSession, ISignalling, ISignallingListener, Offer
from ctiex.messages import Connection

MET = frozenset({Status.SERVICE_UNREACHABLE, Status.SERVICE_REFUSED, Status.TIMED_OUT})
"""What a driver may report of a call that reached no service."""


@implementer(ISignallingListener)
@define(eq=False)
class RecordingListener:
    """Keeps what a driver tells of its offers, in order."""

    told: list[tuple[str, str]] = field(factory=list)
    """What was reported, and of which serial."""
    statuses: list[int] = field(factory=list)
    """The statuses that came with ``unreachable``."""
    sessions: list[IServiceSession | None] = field(factory=list)
    """The sessions that came with ``offered``."""
    refusals: list[tuple[str, IServiceSession, int | None]] = field(factory=list)
    """What came with ``refused``; a driver need not tell it."""
    arrivals: list[tuple[str, str]] = field(factory=list)
    """The agent numbers and calling numbers that came with ``call_arrived``."""
    agents_are_here: bool = True
    """Whether the agents' applications are logged in, so that arrivals can be reported."""
    keeps: bool = True
    """Whether offers are kept at once; otherwise their ``write`` waits in ``writes``."""
    writes: list[Callable[[], None]] = field(factory=list)

    def offered(self, serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        """The Connection may be written once that is kept."""
        self.told.append(("offered", serial))
        self.sessions.append(session)
        if self.keeps:
            write()
        else:
            self.writes.append(write)

    def accepted(self, serial: str) -> None:
        """The service has accepted."""
        self.told.append(("accepted", serial))

    def refused(self, serial: str, session: IServiceSession, status: int | None) -> None:
        """A session didn't accept."""
        self.refusals.append((serial, session, status))

    def unreachable(self, serial: str, status: int) -> None:
        """No session is left."""
        self.told.append(("unreachable", serial))
        self.statuses.append(status)

    def returned(self, serial: str) -> None:
        """The customer is back."""
        self.told.append(("returned", serial))

    def hung_up(self, serial: str) -> None:
        """The customer has hung up."""
        self.told.append(("hung_up", serial))

    def agent_lost(self, serial: str) -> None:
        """The customer is elsewhere."""
        self.told.append(("agent_lost", serial))

    def customer_of(self, serial: str) -> str:
        """No agent's call is known."""
        return ""

    def call_arrived(self, agent: str, calling_number: str, customer: str = "") -> str:
        """A customer and an agent talk; the serial is made of the agent number and what was reported before."""
        self.arrivals.append((agent, calling_number))
        return f"{agent}{len(self.arrivals)}" if self.agents_are_here else ""

    def of(self, serial: str) -> Sequence[str]:
        """What was reported of one call, in order."""
        return [what for what, whose in self.told if whose == serial]


def make_offer(serial: str, service: str = "bill", resumed: bool = False, grace: float = 0) -> Offer:
    """An offer of a call to a service, which only the test ends.

    :param grace: how long a session may take to bind where none is left to try, in seconds.
    """
    connection = Connection("7000", f"13800138000**{serial}", "exchange:7301")
    return Offer(
        serial,
        service,
        "13800138000",
        connection,
        deadline=inf,
        resumed=resumed,
        agent=agent_of(serial),
        grace=grace,
    )


def agent_of(serial: str) -> str:
    """The agent number of an offered call: each call has its own."""
    return f"10{serial}"


class SignallingContract:
    """Tests of :class:`ctiex.interfaces.ISignalling`, before a ``TestCase`` of trial in the bases.

    Give ``make_driver`` and what the services do. Every service that is offered a call is called ``bill``.
    """

    listener: RecordingListener
    """Given to the driver by ``make_driver``."""
    patience = 2.0
    """How long anything may take, in seconds."""
    clock: IReactorTime
    """The clock to wait by; the reactor where real connections are made."""

    def make_driver(self) -> ISignalling:
        """A driver under test that tells ``self.listener``."""
        raise NotImplementedError

    def make_ready(self, answer: int | None) -> Deferred[None] | None:
        """See that a service can be reached that answers each Connection with this status, or never."""
        raise NotImplementedError

    def connections(self) -> Sequence[Connection]:
        """Every Connection that the services have got."""
        raise NotImplementedError

    async def _begun(self, answer: int | None) -> ISignalling:
        self.listener = RecordingListener()
        ready = self.make_ready(answer)
        if ready is not None:
            await ready
        return self.make_driver()

    async def _offered(self, answer: int | None, told: str, keeps: bool = True) -> ISignalling:
        """A driver that was offered call 1, and has told that much of it."""
        driver = await self._begun(answer)
        self.listener.keeps = keeps
        driver.offer(make_offer("1"))
        await self._until("1", told)
        return driver

    async def _until(self, serial: str, what: str, times: int = 1) -> None:
        """Wait until something is reported of a call, so many times in all."""
        for _ in range(int(self.patience / 0.01)):
            if self.listener.of(serial).count(what) >= times:
                return
            await self.pause()
        raise AssertionError(f"{what} was to be told of {serial}; told was {self.listener.of(serial)}")

    async def pause(self) -> None:
        """Let happen what is under way."""
        await deferLater(self.clock, 0.01)

    async def _settled(self) -> None:
        """Let happen whatever might still."""
        for _ in range(5):
            await self.pause()

    async def test_it_provides_the_interface(self) -> None:
        assert verifyObject(ISignalling, await self._begun(Status.OK))

    async def test_an_offer_is_told_before_its_answer_and_carries_the_connection(self) -> None:
        await self._offered(Status.OK, "accepted")
        assert list(self.listener.of("1")) == ["offered", "accepted"]
        assert list(self.connections()) == [make_offer("1").connection]

    async def test_nothing_goes_out_before_the_offer_is_kept(self) -> None:
        await self._offered(Status.OK, "offered", keeps=False)
        await self._settled()
        assert (list(self.connections()), list(self.listener.of("1"))) == ([], ["offered"])
        self.listener.writes.pop()()
        await self._until("1", "accepted")
        assert list(self.connections()) == [make_offer("1").connection]

    async def test_an_offer_that_is_kept_after_its_withdrawal_sends_nothing(self) -> None:
        driver = await self._offered(Status.OK, "offered", keeps=False)
        driver.withdraw("1")
        self.listener.writes.pop()()
        await self._settled()
        assert (list(self.connections()), list(self.listener.of("1"))) == ([], ["offered"])

    async def test_a_refusal_is_told_once_as_32(self) -> None:
        await self._offered(Status.TOO_BUSY, "unreachable")
        await self.pause()
        assert list(self.listener.of("1")) == ["offered", "unreachable"]
        assert self.listener.statuses == [Status.SERVICE_REFUSED]

    async def test_withdrawing_while_an_answer_is_awaited_says_33_and_stops_everything(self) -> None:
        driver = await self._offered(None, "offered")
        assert driver.withdraw("1") == Status.TIMED_OUT
        told = len(self.listener.told)
        await self._settled()
        assert len(self.listener.told) == told, "nothing is told after a withdrawal"

    async def test_withdrawing_at_once_tells_nothing_more(self) -> None:
        driver = await self._begun(Status.OK)
        driver.offer(make_offer("1"))
        told = list(self.listener.told)
        assert driver.withdraw("1") in MET
        await self._settled()
        assert self.listener.told == told

    async def test_withdrawing_what_is_served_or_was_never_offered_does_nothing(self) -> None:
        driver = await self._begun(Status.OK)
        assert driver.withdraw("404") in MET
        driver.offer(make_offer("1"))
        await self._until("1", "accepted")
        assert driver.withdraw("1") in MET
        assert driver.withdraw("1") in MET
        await self.pause()
        assert list(self.listener.of("1")) == ["offered", "accepted"]

    async def test_calls_do_not_disturb_one_another(self) -> None:
        driver = await self._begun(Status.OK)
        serials = [str(number) for number in range(5)]
        for serial in serials:
            driver.offer(make_offer(serial))
        driver.withdraw("3")
        for serial in serials:
            if serial != "3":
                await self._until(serial, "accepted")
        assert "accepted" not in self.listener.of("3")
        assert self.listener.statuses == []

    async def test_a_serial_may_be_offered_again_after_its_end(self) -> None:
        driver = await self._begun(Status.OK)
        for turn in (1, 2):
            driver.offer(make_offer("1"))
            await self._until("1", "accepted", turn)
            driver.withdraw("1")
            assert list(self.listener.of("1")) == ["offered", "accepted"] * turn
