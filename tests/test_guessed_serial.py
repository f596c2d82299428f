"""A serial gives nothing to who guesses it, or dials in with it behind a calling number."""

from __future__ import annotations

from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.clients import AutomaticService, ExchangeAccount, ServedCall
from ctiex.clients.served_call import FinishedSerials
from ctiex.errors import CallError, SerialError, Status
from ctiex.fields import Fields
from ctiex.interfaces import Signalled
from ctiex.messages import Condition, Connection, DataResult
from ctiex.serials import SerialAllocator, check_digits, is_serial
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.testing.fakes import FakeAgent, FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, make_service, services
from ctiex.testing.strategies import serials

from .effort import examples

# ---------------------------------------------------------------- by a calling number that somebody dials in with


@implementer(IStreamClientEndpoint)
class IntoExchange:
    """Connects a client to the IVR link of an exchange in memory."""

    def __init__(self, exchange: MemoryExchange) -> None:
        self._exchange = exchange

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        link = self._exchange.ivr_links.buildProtocol(None)
        self._exchange.pairs.append(LinkedPair(protocol, link))
        return succeed(protocol)


SERIAL = "00112345678965432197"
DATA = Fields({"pin": "4711"})
TRUE_NUMBER = "13800138000"


def dialled(number: str) -> Connection:
    """A phone call from this calling number, as the service's platform hands it on."""
    return Connection("7000", number, "exchange:7301")


class DiallingInTests(SynchronousTestCase):
    """A customer of their own making calls the service, with a serial behind the number."""

    def setUp(self) -> None:
        self.exchange = MemoryExchange(
            identities=(agents(), services("ivr"), services("rival")), services={"bill": make_service("bill")}
        )
        self.clock: Clock = self.exchange.clock
        self.seen: list[tuple[str, Fields | Status]] = []
        self.waits: Deferred[None] = Deferred()
        self.media = 0
        account = ExchangeAccount(IntoExchange(self.exchange), "ivr", "secret", jitter=lambda: 0.0)
        self.service = AutomaticService(self.clock, account, {"7000": self._serve}, self._media, random=Random(1))
        self.service.startService()
        self.exchange.pump()
        self.agent: FakeAgent = self.exchange.agent("1001")
        self.addCleanup(self._stop)

    def _stop(self) -> None:
        if not self.waits.called:
            self.waits.callback(None)
        self.service.stopService()
        self.exchange.advance(30)

    def _media(self, call: ServedCall) -> ScriptedMedia:
        self.media += 1
        return ScriptedMedia()

    async def _serve(self, call: ServedCall) -> Outcome:
        try:
            self.seen.append((call.calling_number, await call.data()))
        except CallError as error:
            self.seen.append((call.calling_number, error.status))
            raise
        await self.waits
        return Outcome(Condition.COMPLETED)

    def take(self, number: str) -> int:
        """A phone call comes in; the status that it is answered with."""
        status = self.service.take(dialled(number)).status
        self.exchange.advance(2)
        return status

    def hand_over(self) -> None:
        """The true customer is handed over, and is being served."""
        self.agent.connect("1001", "bill", SERIAL, TRUE_NUMBER, DATA)
        self.exchange.pump()
        self.exchange.advance(1)
        self.assertEqual(self.seen, [(TRUE_NUMBER, DATA)])

    def test_a_serial_that_was_never_handed_over_gives_nothing(self) -> None:
        self.assertEqual(self.take(f"100**{SERIAL}"), Status.OK)
        self.assertEqual(self.take(f"**{SERIAL[:-1]}"), Status.OK)
        self.assertEqual(self.seen, [("100", Status.UNKNOWN_SERIAL), ("", Status.UNKNOWN_SERIAL)])
        self.assertEqual(self.exchange.counters.data_refused, 2)
        self.assertEqual(self.agent.events, [])

    def test_the_serial_of_a_call_that_another_service_has_gives_nothing(self) -> None:
        rival: FakeService = self.exchange.service("rival")
        for serial in ("1", "2"):  # each service gets one in turn
            self.agent.connect("1001", "bill", serial, TRUE_NUMBER, DATA)
        self.exchange.pump()
        self.exchange.advance(1)
        (connection,) = rival.connections
        stolen = connection.calling_number.partition("**")[2]
        self.seen.clear()
        told = len(self.agent.events)
        self.assertEqual(self.take(f"100**{stolen}"), Status.OK)
        self.assertEqual(self.seen, [("100", Status.UNKNOWN_SERIAL)])
        self.assertEqual(len(self.agent.events), told)
        rival.fetch(stolen)
        self.exchange.pump()
        self.assertEqual(rival.every(DataResult)[-1].fields, DATA, "and the call goes on")

    def test_a_second_call_under_the_serial_of_one_that_is_being_served_gets_nothing(self) -> None:
        self.hand_over()
        self.assertEqual(self.take(f"100**{SERIAL}"), Status.DUPLICATE_SERIAL)
        self.assertEqual(self.take(f"**{SERIAL}"), Status.DUPLICATE_SERIAL)
        self.assertEqual((self.service.calls, self.media, len(self.seen)), (1, 1, 1))
        self.waits.callback(None)
        self.exchange.advance(1)
        self.assertEqual(self.agent.events[-1].condition, Condition.COMPLETED)

    def test_the_same_number_forged_as_well_is_served_no_second_time(self) -> None:
        self.hand_over()
        self.take(f"{TRUE_NUMBER}**{SERIAL}")
        self.assertEqual((self.service.calls, self.media, len(self.seen)), (1, 1, 1))

    def test_the_serial_of_a_call_that_was_finished_gives_nothing(self) -> None:
        self.hand_over()
        self.waits.callback(None)
        self.exchange.advance(1)
        self.assertEqual(self.service.calls, 0)
        self.assertEqual(self.take(f"{TRUE_NUMBER}**{SERIAL}"), Status.DUPLICATE_SERIAL)
        self.exchange.advance(60)
        self.assertEqual(self.take(f"100**{SERIAL}"), Status.OK)
        self.assertEqual(self.seen[1:], [("100", Status.UNKNOWN_SERIAL)])

    def test_a_doubled_separator_carries_no_serial(self) -> None:
        self.hand_over()
        for number in (f"100***{SERIAL}", f"100**{SERIAL}**{SERIAL}", f"100**1**{SERIAL}", f"100**{SERIAL}*", "100**"):
            self.assertEqual(self.take(number), Status.UNKNOWN_SERIAL, number)
        self.assertEqual((self.service.calls, self.media), (1, 1))

    def test_the_exchange_may_offer_a_serial_again_that_was_finished(self) -> None:
        self.hand_over()
        self.waits.callback(None)
        self.exchange.advance(1)
        self.exchange.advance(700, step=10)  # keep_closed
        self.agent.acknowledge("1001", self.agent.events[-1].sequence)  # else the serial isn't free
        self.exchange.pump()
        self.service._finished.add(SERIAL)
        self.agent.connect("1001", "bill", SERIAL, TRUE_NUMBER, DATA)
        self.exchange.pump()
        self.exchange.advance(1)
        self.assertEqual(self.seen[1:], [(TRUE_NUMBER, DATA)])


class FinishedSerialsTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.sampled_from("123"), st.integers(0, 40)), max_size=20))
    @settings(deadline=None)
    def test_each_is_known_for_its_time_and_no_longer(self, added: list[tuple[str, int]]) -> None:
        clock = Clock()
        finished = FinishedSerials(clock, 60.0)
        last: dict[str, float] = {}
        for serial, wait in added:
            clock.advance(wait)
            finished.add(serial)
            last[serial] = clock.seconds()
            for one in "123":
                self.assertEqual(one in finished, one in last and clock.seconds() < last[one] + 60)
        clock.advance(60)
        self.assertFalse(any(one in finished for one in "123"))
        self.assertEqual(len(finished._until), 0)


# ---------------------------------------------------------------- at the edge of the first platform

_separators = st.text("*#", min_size=1, max_size=8)
_calling_numbers = st.one_of(
    st.text("0123456789+*#", max_size=40),
    st.builds("{}**{}".format, st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True), serials()),
    st.builds("{}**{}**{}".format, st.text("0123456789*#", max_size=8), serials(), serials()),
    st.text(max_size=20),
)


class StrippingTests(SynchronousTestCase):
    """What comes from outside is stripped before it is used as a calling number."""

    @given(_separators, _calling_numbers, serials())
    @settings(deadline=None, max_examples=examples(500))
    @example("**", "100**1**2", "3")
    @example("**", "**1", "3")
    @example("**", "100***1", "3")
    @example("**", "100*", "3")
    def test_a_stripped_number_carries_no_serial_and_takes_one(self, separator: str, number: str, serial: str) -> None:
        carrier = CallingNumberSerialCarrier(separator)
        stripped = carrier.strip(Signalled(number)).calling_number
        self.assertTrue(number.startswith(stripped))
        self.assertNotIn(separator, stripped)
        self.assertEqual(carrier.extract(Signalled(stripped)), (stripped, None))
        try:
            carried = carrier.embed(stripped, serial)
        except SerialError:
            self.assertGreater(len((stripped + separator + serial).encode()), carrier.capacity)
        else:
            self.assertEqual(carrier.extract(carried), (stripped, serial))


# ---------------------------------------------------------------- guessing


class GuessingTests(SynchronousTestCase):
    """Serials are no secrets, and guessing them is of no use; it is counted."""

    def test_every_guess_is_answered_alike_and_counted(self) -> None:
        exchange = MemoryExchange(identities=(agents(), services("ivr"), services("rival")))
        agent, service = exchange.agent("1001"), exchange.service("ivr")
        for _ in range(20):
            agent.connect("1001", "bill", fields=DATA)
        exchange.pump()
        used = [connection.calling_number.partition("**")[2] for connection in service.connections]
        self.assertEqual(len(set(used)), 20)
        rival: FakeService = exchange.service("rival")
        random = Random(4)
        for serial in used + [f"{random.randrange(10**20):020d}" for _ in range(200)]:
            rival.fetch(serial)
        exchange.pump()
        results = rival.every(DataResult)
        self.assertEqual({(one.status, one.agent, one.fields) for one in results}, {(20, "", Fields({}))})
        self.assertEqual((len(results), exchange.counters.data_refused), (220, 220))

    @given(st.integers(0, 2**32), st.integers(0, 999), st.integers(0, 2**31))
    @settings(deadline=None)
    def test_an_allocated_serial_has_half_a_million_values_that_nobody_knows(
        self, seed: int, exchange_id: int, now: int
    ) -> None:
        made = SerialAllocator(str(exchange_id), lambda: now, Random(seed)).allocate(lambda _: False)
        self.assertTrue(is_serial(made))
        self.assertEqual(made[:12], f"{exchange_id:03d}{now % 10**9:09d}")
        self.assertEqual(made[18:], check_digits(made[:18]))
        drawn = Random(seed).randrange(10**6)
        self.assertEqual(made[13:18], f"{drawn % 10**5:05d}")
        self.assertEqual(int(made[12]), drawn // 10**5 // 2 * 2, "only whether it is odd is known: nobody was told it")
