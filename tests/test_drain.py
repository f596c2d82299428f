"""SIGTERM under load: no new calls, a goodbye to all links, replies let out; a second exchange takes the store over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex import lots
from ctiex.app.exchange import Exchange
from ctiex.clients import AutomaticService
from ctiex.clients.link import ClientLink
from ctiex.config.reading import parse
from ctiex.errors import Status
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.messages import Condition, Message, Role
from ctiex.processing.states import SIGNALLED
from ctiex.records import CallState, Change
from ctiex.services.media import ScriptedMedia
from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.groups import Group
from ctiex.stores.sqlite import SqliteJournal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call

from .exchange_case import SERVICE, ExchangeCase, WireClient, links, port_number
from .kill_exchange import DurableExchange, has_done, kept_in, let_end, running_load
from .processes import Program, accepts
from .waiting import eventually
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Peer, frame, message
from .wire_client import Message as WireMessage

AGENT = "1001"
WAITS = "another process has it open"
FIRST = range(100, 220)
"""Serials of requests that are under way when the exchange is asked to leave."""


class Case(SynchronousTestCase):
    """Exchanges on one store in a folder of the test's own."""

    def setUp(self) -> None:
        """Make the folder."""
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def exchange(self, name: str = "exchange") -> DurableExchange:
        """An exchange that isn't started yet; its services have time for blocking links."""
        exchange = DurableExchange(self.directory, name, times=(60, 60, 60))
        self.addCleanup(exchange.stop)
        return exchange

    def link(self, port: int, role: int, identity: str, secret: str) -> Peer:
        """A bound link."""
        peer = Peer(port)
        self.addCleanup(peer.socket.close)
        self.assertEqual(peer.bind(role, identity, secret)["status"], 0)
        return peer

    def agent(self, exchange: DurableExchange) -> Peer:
        """A link of the agents' desk, no number logged in."""
        return self.link(exchange.agent_port, AGENT_ROLE, "desk", "desk-secret")

    def service(self, exchange: DurableExchange) -> Peer:
        """A session of the automatic service."""
        return self.link(exchange.service_port, SERVICE_ROLE, "ivr", "ivr-secret")


def request(link: Peer, serial: int) -> bytes:
    """A ConnectRequest under the link's next invoke id."""
    return message(
        Kind.CONNECT_REQUEST, link.next_id(), serial=str(serial), agent=AGENT, service="quick", calling_number="555",
        reference=f"r{serial}", fields=[("serial", str(serial))],
    )  # fmt: skip


def say_goodbye(link: Peer) -> list[WireMessage]:
    """Answer the Unbind that is to come; everything that came on the link, up to its end."""
    unbind = link.wait(Kind.UNBIND)
    link.send(frame(Kind.UNBIND_REPLY, b"", unbind.invoke_id))
    return [unbind, *link.until_end()]


def of_kind(kind: Kind, messages: Sequence[WireMessage]) -> list[WireMessage]:
    return [one for one in messages if one.kind is kind]


class DrainTests(Case):
    """One exchange leaves, another one on other ports goes on with its calls."""

    def fetched(self, agent: Peer, service: Peer, serial: int) -> str:
        """A call that its service has fetched."""
        self.assertEqual(agent.connect(AGENT, str(serial), "quick")["status"], 0)
        service.answer_connection()
        self.assertEqual(service.data(str(serial))["status"], 0)
        return str(serial)

    def test_a_second_exchange_goes_on_with_the_calls_of_one_that_leaves(self) -> None:
        first, second = self.exchange("first"), self.exchange("second")
        leaving = first.start()
        first.wait()
        agent, idle, service = self.agent(first), self.agent(first), self.service(first)
        agent.login(AGENT)
        under_way = [self.fetched(agent, service, serial) for serial in (1, 2)]
        self.assertEqual(service.report("2", 99, Condition.COMPLETED), Status.OK)
        following = self.waits_for_the_store(second)
        kept = self.leaves_under_load(leaving, agent, idle, service)
        second.wait()
        self.goes_on(second, under_way, kept)
        following.send_signal(signal.SIGTERM)
        self.assertEqual(following.ends(), 0)
        self.assertEqual({call.state for call in kept_in(self.directory).calls}, {CallState.CLOSED})
        self.assertEqual(first.complaints() + second.complaints(), [])

    def waits_for_the_store(self, exchange: DurableExchange) -> Program[bytes]:
        """Start it beside the one that has the store."""
        following = exchange.start()
        exchange.says(WAITS)
        self.assertFalse(accepts(exchange.agent_port), "it takes nobody before it has the store")
        return following

    def leaves_under_load(self, leaving: Program[bytes], agent: Peer, *others: Peer) -> set[str]:
        """SIGTERM while requests are under way, and more of them behind it; the serials that were acknowledged."""
        agent.send(*(request(agent, serial) for serial in FIRST))
        self.assertEqual(agent.wait(Kind.CONNECT_REPLY)["status"], Status.OK)
        leaving.send_signal(signal.SIGTERM)
        for serial in range(1000, 1030):
            agent.send(request(agent, serial))
            time.sleep(0.02)  # so that some come before it leaves, and some behind
        heard = [say_goodbye(link) for link in (agent, *others)]
        self.assertEqual(leaving.ends(), 0)
        for messages in heard:
            self.assertEqual([one["status"] for one in of_kind(Kind.UNBIND, messages)], [Status.GOING_AWAY])
        return self.kept_of(heard[0])

    def kept_of(self, messages: Sequence[WireMessage]) -> set[str]:
        """The serials that were acknowledged, besides the first one; nothing else than 0 and 15 was answered."""
        replies = of_kind(Kind.CONNECT_REPLY, messages)
        self.assertEqual({reply["status"] for reply in replies}, {Status.OK, Status.GOING_AWAY})
        self.assertEqual(len({reply.invoke_id for reply in replies}), len(replies), "each is answered once")
        ended = {one["serial"] for one in of_kind(Kind.AGENT_EVENT, messages) if Condition(one["condition"]).final}
        self.assertEqual(ended, {"2"}, "leaving ends no call")
        kept = {int(reply["serial"]) for reply in replies if reply["status"] == Status.OK}
        refused = {int(reply["serial"]) for reply in replies if reply["status"] == Status.GOING_AWAY}
        self.assertLess(max(kept), min(refused), "none is taken behind one that was refused")
        self.assertEqual({100, *kept} & set(FIRST), set(FIRST), "those that had come were answered before the goodbye")
        return {str(serial) for serial in kept | {100}}

    def goes_on(self, exchange: DurableExchange, under_way: list[str], kept: set[str]) -> None:
        """Every call is there and ends; the agent hears of each once, from its first event on."""
        agent, service = self.agent(exchange), self.service(exchange)
        self.assertEqual(agent.login(AGENT, 0)["first_sequence"], 1)
        offered: set[str] = set()
        while offered != kept:
            offered.add(service.answer_connection()["calling_number"].partition("**")[2])
            self.assertLessEqual(offered, kept)
        self.assertEqual(service.report("2", 99, Condition.COMPLETED), Status.DUPLICATE_EVENT)
        for serial in sorted(kept) + under_way[:1]:
            fields = service.data(serial)["fields"]
            self.assertEqual(fields, [("serial", serial)] if serial in kept else [])
            self.assertEqual(service.report(serial, 7, Condition.COMPLETED), Status.OK)
        agent.acknowledge(AGENT, self.hears_of_each_once(agent, kept | set(under_way)))
        for link in (agent, service):
            link.close()

    def hears_of_each_once(self, agent: Peer, serials: set[str]) -> int:
        """Each of these calls ends once, and no event is missing; the last event's sequence."""
        ends: list[str] = []
        sequences: list[int] = []
        while set(ends) != serials:
            event = agent.event()
            sequences.append(event["sequence"])
            if Condition(event["condition"]).final:
                self.assertEqual(event["condition"], Condition.COMPLETED)
                ends.append(event["serial"])
        self.assertEqual(len(ends), len(serials))
        self.assertEqual(sequences, list(range(1, len(sequences) + 1)))
        return sequences[-1]


@pytest.mark.gate
class RelayTests(Case):
    """One exchange after the other under load, each started while the one before it still has the store."""

    def test_nothing_is_lost_or_doubled(self) -> None:
        exchange = DurableExchange(self.directory)
        self.addCleanup(exchange.stop)
        leaving, moments = exchange.start(), []
        exchange.wait()
        with running_load(exchange, self.directory, 11) as load:
            for relay in (1, 2):
                has_done(self.directory, 200)
                following = exchange.start()
                exchange.says(WAITS, relay)
                moments.append(time.time())
                leaving.send_signal(signal.SIGTERM)
                self.assertEqual(leaving.ends(), 0)
                leaving = following
                exchange.wait()
            account = let_end(load, self.directory)
        leaving.send_signal(signal.SIGTERM)
        self.assertEqual(leaving.ends(), 0)
        self.assertEqual((account.lost, account.doubled, account.wrong), ([], [], []))
        self.assertEqual({call.state for call in kept_in(self.directory).calls}, {CallState.CLOSED})
        self.assertGreater(account.across(moments), 0)
        self.assertEqual(exchange.complaints(), [])


class SilentService(AutomaticService):
    """Answers nothing that the exchange asks."""

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """Leave it unanswered."""


@implementer(ISignalling)
class _WritesDown(BaseSignalling):
    """A driver of which only the offers are of interest."""

    sees_return = False

    def __init__(self, offers: list[str]) -> None:
        self._offers = offers

    def offer(self, offer: Offer) -> None:
        """Write it down."""
        self._offers.append(offer.serial)

    def withdraw(self, serial: str) -> int:
        """Nothing is under way."""
        return Status.SERVICE_UNREACHABLE


class OnTheWayOutTests(ExchangeCase):
    """What the store takes while the exchange leaves."""

    def silent_service(self, running: Exchange) -> SilentService:
        """One that is bound, and doesn't answer the goodbye either."""
        account = self.account(running.ivr_port, "service-demo")
        service = SilentService(reactor, account, {}, lambda call: ScriptedMedia())
        service.startService()
        self.addCleanup(service.stopService)
        return service

    async def test_calls_that_are_not_taken_up_yet_are_left_to_the_next_start(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        store = {"kind": "sqlite", "path": str(directory / "calls.sqlite")}
        serials = {str(number) for number in range(1, 101)}
        await self.keeps(store, serials)
        offers: list[str] = []
        leaving = self.unstarted(store, offers)
        self.patch(lots, "AT_ONCE", 1)
        slow = self.slow_disk(0.02)
        leaving.startService()
        await leaving.started()
        client = WireClient(Role.SERVICE, "service-demo")  # it doesn't answer the goodbye, which takes a second by that
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(leaving.ivr_port)), client)
        await eventually(lambda: client.heard and offers)
        stopping = leaving.stopService()
        offered = list(offers)
        await stopping
        self.assertLessEqual(len(offers), len(offered) + 1, "none but the one on its way to the disk")
        kept = kept_in(directory)
        self.assertEqual(({call.state for call in kept.calls} - SIGNALLED, kept.events), (set(), ()))
        slow.restore()
        offered = list(offers)
        next_one = self.unstarted(store, offers)
        next_one.startService()
        self.addCleanup(next_one.stopService)
        await eventually(lambda: len(offers) == len(offered) + len(serials))
        self.assertEqual(set(offers[len(offered) :]), serials)

    def slow_disk(self, seconds: float, writing: Callable[[], object] = lambda: None) -> MonkeyPatcher:
        """Each commit takes so long.

        :param writing: called each time that one begins.
        """
        write = SqliteFile.write

        def write_slowly(file: SqliteFile, group: Group) -> None:
            reactor.callFromThread(writing)
            time.sleep(seconds)  # in the store's own thread
            write(file, group)

        patched: MonkeyPatcher = self.patch(SqliteFile, "write", write_slowly)
        return patched

    async def keeps(self, settings: dict[str, str], serials: set[str]) -> None:
        """A store keeps calls that an exchange has taken and not offered yet."""
        store = JournaledCallStore(SqliteJournal(Path(settings["path"]), Path(f"{settings['path']}.key")))
        await store.open(reactor)
        deadline = time.time() + 30
        calls = [make_call(serial, service=SERVICE, identity="agent-demo", deadline=deadline) for serial in serials]
        await store.commit(Change(calls=tuple(calls)))
        await store.close()

    def unstarted(self, store: dict[str, str], offers: list[str]) -> Exchange:
        """An exchange with a driver that writes down what it is offered, and what is left of that."""
        services = {SERVICE: {"access_code": "7001", "signalling": "written-down"}}
        tables = {"links": links(), "store": store, "services": services}
        return Exchange(parse(tables), reactor, {"written-down": lambda context: _WritesDown(offers)})

    async def test_a_call_that_is_kept_on_the_way_out_stays_for_the_next_exchange(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        store = {"kind": "sqlite", "path": str(directory / "calls.sqlite")}
        leaving = await self.exchange({"links": links(), "store": store})
        await self.silent_service(leaving).bound()
        agent = await self.agent(leaving)
        writing: Deferred[None] = Deferred()
        self.slow_disk(0.2, lambda: writing.called or writing.callback(None))
        connecting = ensureDeferred(agent.connect(SERVICE, "138", serial="5"))
        await writing
        await leaving.stopService()
        self.assertEqual((await connecting).serial, "5")
        (call,) = kept_in(directory).calls
        self.assertIn(call.state, SIGNALLED)
