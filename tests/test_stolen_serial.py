"""A stolen serial gives nothing: from another service, from an agent link, before, during and after the call, and by a
calling number that somebody else dials in with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
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
from .waiting import until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Message, Peer, body, message
from .wire_exchange import Clients, RunningExchange, new_number

# ---------------------------------------------------------------- over TCP

IDENTITIES = """
[exchange]
address = "ctiex.test:7301"
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["50000000-59999999"]
[identities.thieves-desk]
role = "agent"
secret = "desk-secret"
agents = ["9001"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["bill"]
[identities.rival]
role = "service"
secret = "ivr-secret"
services = ["bill"]
[identities.stranger]
role = "service"
secret = "ivr-secret"
services = ["number"]
[services.bill]
access_code = "8001"
keep_closed = 0.5
[services.number]
access_code = "8002"
"""
FIELDS = [("account", "62220011"), ("pin", "4711")]
NEVER = "99999999999999999999"
"""A serial that no call has."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(Path(tmp_path_factory.mktemp("stolen")), IDENTITIES)
    try:
        yield running
        running.finish()
    finally:
        running.stop()


class Theft:
    """A call, and everybody who tries to get at it with its serial."""

    def __init__(self, clients: Clients) -> None:
        self.serial, self.number = new_number(), new_number()
        self.agent, self.service = clients.agent(self.number), clients.service("ivr")
        self.clients = clients
        self.thieves: list[Peer] = []
        self.other_agent = clients.bound_agent("thieves-desk")
        assert self.other_agent.login("9001")["status"] == 0

    def connect(self) -> None:
        """The call is asked for, and offered to the one service that is there: the others come only then."""
        assert self.agent.connect(self.number, self.serial, "bill", fields=FIELDS)["status"] == 0
        self.connection = self.service.wait(Kind.CONNECTION)
        self.thieves = [self.clients.service("rival"), self.clients.service("stranger")]

    def try_everything(self, reused: int) -> None:
        """Nothing is given, and no answer tells that there is such a call, but that the serial is in use.

        :param reused: the status of a ConnectRequest with the serial by another agent.
        """
        for thief in self.thieves or [self.clients.service("stranger")]:
            for serial in (self.serial, NEVER):
                assert _told(thief.data(serial), serial) == {"status": 20, "agent": "", "fields": []}
                assert thief.report(serial, 1, agent=self.number) == thief.report(serial, 2) == 20
            refused = thief.ask(Kind.CANCEL_REQUEST, serial=self.serial)
            assert refused.outcome == (Kind.ERROR, 5)
        for request in (Kind.DATA_REQUEST, Kind.SERVICE_EVENT):
            content = {"exchange_address": ""} if request is Kind.DATA_REQUEST else _REPORT
            refused = self.other_agent.ask(request, serial=self.serial, **content)
            assert refused.outcome == (Kind.ERROR, 5)
        cancels = [self.other_agent.own_reply(Kind.CANCEL_REQUEST, serial=serial) for serial in (self.serial, NEVER)]
        assert [cancel["status"] for cancel in cancels] == [20, 20]
        assert cancels[0]["detail"] == cancels[1]["detail"]
        assert self.other_agent.connect("9001", self.serial, "bill")["status"] == reused
        assert self.other_agent.connect(self.number, self.serial, "bill", fields=FIELDS)["status"] == 42
        assert self.other_agent.login(self.number)["status"] == 5

    def unbound(self) -> None:
        """Whoever isn't bound hears that, and nothing else."""
        for to_services in (True, False):
            link = self.clients.link(to_services)
            answer = link.ask_raw(Kind.DATA_REQUEST, body(Kind.DATA_REQUEST, serial=self.serial, exchange_address=""))
            assert answer.outcome == (Kind.ERROR, 10)


_REPORT = {"event_id": 1, "agent": "", "condition": 1, "fields": ()}


def _told(result: Message, serial: str) -> dict[str, object]:
    told = dict(result.values)
    assert told.pop("serial") == serial
    return told


def test_before_the_call_there_is_nothing_to_get(clients: Clients) -> None:
    theft = Theft(clients)
    theft.unbound()
    for identity in ("rival", "stranger", "ivr"):
        assert clients.service(identity).data(theft.serial)["status"] == 20
    assert theft.other_agent.own_reply(Kind.CANCEL_REQUEST, serial=theft.serial)["status"] == 20
    assert theft.agent.unread() == []


def test_while_it_runs_only_the_service_that_has_it_gets_anything(clients: Clients) -> None:
    theft = Theft(clients)
    theft.connect()
    theft.try_everything(reused=22)
    theft.service.send(_accepting(theft))
    assert theft.agent.conditions(2) == [10, 11]
    theft.try_everything(reused=22)
    theft.unbound()
    result = theft.service.data(theft.serial)
    assert (result["status"], result["agent"], result["fields"]) == (0, theft.number, FIELDS)
    assert theft.agent.event()["condition"] == 12
    theft.try_everything(reused=22)
    assert theft.service.report(theft.serial, 1, fields=[("paid", True)]) == 0
    event = theft.agent.event()
    assert (event["condition"], event["fields"]) == (1, [("paid", True)])
    theft.try_everything(reused=22)
    for thief in theft.thieves:
        assert thief.unread() == [], "nobody else ever heard of it"


def test_after_it_was_forgotten_there_is_nothing_left(clients: Clients) -> None:
    theft = Theft(clients)
    theft.connect()
    theft.service.send(_accepting(theft))
    assert theft.service.report(theft.serial, 1) == 0
    assert theft.service.data(theft.serial)["status"] == 20, "closed: not even its own service"
    theft.agent.conditions(3)
    assert theft.agent.cancel(theft.serial) == 24
    until(lambda: theft.agent.cancel(theft.serial) == 20)
    for thief in (*theft.thieves, theft.service):
        assert thief.data(theft.serial)["status"] == 20
        assert thief.report(theft.serial, 1) == 20
    assert theft.other_agent.own_reply(Kind.CANCEL_REQUEST, serial=theft.serial)["status"] == 20


def _accepting(theft: Theft) -> bytes:
    return message(Kind.CONNECTION_REPLY, theft.connection.invoke_id, status=0, detail="")


@pytest.mark.parametrize("number", ["100**1**2", "**1", "100***1", "100**", "100*", "*", "100**1#"])
def test_no_agent_can_send_a_calling_number_on_that_carries_a_serial(clients: Clients, number: str) -> None:
    agent_number = new_number()
    agent, service = clients.agent(agent_number), clients.service("ivr")
    assert agent.connect(agent_number, new_number(), "bill", number)["status"] == 34
    assert service.unread() == []


def test_bound_in_the_other_role_is_refused_like_a_wrong_secret(clients: Clients) -> None:
    answers = []
    for identity, secret in (("desk", "desk-secret"), ("desk", "wrong"), ("no such identity", "ivr-secret")):
        for role in (AGENT_ROLE, SERVICE_ROLE):
            answer = clients.link(to_services=True).bind(role, identity, secret)
            answers.append(tuple(sorted(answer.values.items())))
    assert len(set(answers)) == 1, answers
    assert dict(answers[0])["status"] == 11


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
        self.assertEqual(self.exchange.counts.data_refused, 2)
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
        self.assertEqual((len(results), exchange.counts.data_refused), (220, 220))

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
