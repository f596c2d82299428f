"""The FastAGI server: one command at a time, time-outs, hang-ups, and who is let in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import CallerHungUp, ConfigurationError
from ctiex.monitoring.log_limiter import LogLimiter
from ctiex.telephony.asterisk.agi import AgiAnswer, AgiError
from ctiex.telephony.asterisk.allowed_hosts import Sources
from ctiex.telephony.asterisk.fastagi import ANSWER_WITHIN, CALL_WITHIN, AgiChannel, FastAgiServer
from ctiex.testing.pairs import LinkedPair

from .asterisk_by_hand import AsteriskByHand


class Call:
    """One call at a server on a clock that stands still."""

    def __init__(
        self, handler: Callable[[AgiChannel], Awaitable[None]], asterisk: AsteriskByHand | None = None
    ) -> None:
        self.clock = Clock()
        self.server = FastAgiServer(self.clock, handler)
        self.asterisk = asterisk or AsteriskByHand()
        self.channel = self.server.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40_000))
        assert self.channel is not None
        self.pair = LinkedPair(self.channel, self.asterisk)
        self.pair.pump()


class Channel(SynchronousTestCase):
    """Common to the tests: a channel whose handler waits, and commands that the test gives."""

    def setUp(self) -> None:
        self.ending: Deferred[None] = Deferred()

        async def handler(channel: AgiChannel) -> None:
            await self.ending

        self.call = Call(handler)
        assert self.call.channel is not None
        self.channel = self.call.channel
        self.asterisk = self.call.asterisk

    def command(self, *words: str, timeout: float = ANSWER_WITHIN) -> Deferred[AgiAnswer]:
        giving = ensureDeferred(self.channel.command(*words, timeout=timeout))
        self.call.pair.pump()
        return giving

    def failure(self, giving: Deferred[Any], kind: type[Exception]) -> str:
        return str(self.failureResultOf(giving, kind).value)


class CommandTests(Channel):
    """A command and its answer."""

    def test_the_handler_knows_which_call_it_is(self) -> None:
        self.assertEqual((self.channel.call.path, self.channel.call["callerid"]), ("password", "13800138000**007"))

    def test_a_command_is_answered(self) -> None:
        self.assertEqual(self.successResultOf(self.command("CHANNEL STATUS")).number, 6)
        self.assertEqual(self.asterisk.commands, [["CHANNEL", "STATUS"]])

    def test_the_next_command_waits_for_the_answer_of_the_first(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        first, second = self.command("ANSWER"), self.command("CHANNEL STATUS")
        self.assertEqual(self.asterisk.commands, [["ANSWER"]])
        self.assertFalse(self.channel.idle)
        self.asterisk.tell("200 result=0")
        self.call.pair.pump()
        self.assertEqual(self.successResultOf(first).number, 0)
        self.assertEqual(self.successResultOf(second).number, 6)
        self.assertTrue(self.channel.idle)

    def test_a_command_that_is_given_up_keeps_its_turn_until_it_is_answered(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        first, second = self.command("ANSWER"), self.command("CHANNEL STATUS")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.asterisk.tell("200 result=0")
        self.call.pair.pump()
        self.assertEqual(self.successResultOf(second).number, 6)

    def test_an_answer_that_came_with_the_one_before_is_none_of_the_next_command_s(self) -> None:
        """A value of two lines whose second one looks like an answer."""
        self.asterisk.mute = frozenset({"GET", "CHANNEL"})
        first = self.command("GET VARIABLE", "NAME")
        following: list[Deferred[AgiAnswer]] = []
        first.addCallback(lambda _: following.append(ensureDeferred(self.channel.command("CHANNEL STATUS"))))
        self.asterisk.tell("200 result=1 (a)\n200 result=1 (b)")
        with capturedLogs() as events:
            self.call.pair.pump()
        self.failure(following[0], AgiError)
        self.assertIn("can't be answered yet", str(formatEvent(events[0])))

    def test_what_asterisk_does_not_take_is_an_error(self) -> None:
        self.assertIn("510", self.failure(self.command("DANCE"), AgiError))
        self.assertEqual(self.successResultOf(self.command("CHANNEL STATUS")).number, 6)

    def test_what_can_not_be_said_is_an_error_and_takes_no_turn(self) -> None:
        self.failure(self.command("SAY ALPHA", "a\nHANGUP", ""), AgiError)
        self.assertEqual(self.successResultOf(self.command("CHANNEL STATUS")).number, 6)

    def test_an_asterisk_that_does_not_answer_is_cut(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        first, second = self.command("ANSWER", timeout=3.0), self.command("CHANNEL STATUS")
        self.call.clock.advance(2.9)
        self.assertNoResult(first)
        self.call.clock.advance(0.2)
        self.assertIn("no answer to ANSWER within 3 s", self.failure(first, AgiError))
        self.failure(second, AgiError)  # the customer has not left
        self.call.pair.pump()
        self.assertTrue(self.asterisk.lost)
        self.assertEqual(self.call.clock.getDelayedCalls(), [])


class HangUpTests(Channel):
    """The customer leaves."""

    def test_every_call_from_then_on_says_so(self) -> None:
        self.asterisk.hang_up()
        self.call.pair.pump()
        self.assertFalse(self.channel.idle)
        for _ in range(2):
            self.failure(self.command("ANSWER"), CallerHungUp)
        self.assertEqual(self.asterisk.commands, [])

    def test_the_command_under_way_and_those_behind_it_say_so(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        waiting = [self.command("ANSWER"), self.command("CHANNEL STATUS"), self.command("HANGUP")]
        self.asterisk.hang_up()
        self.call.pair.pump()
        for one in waiting:
            self.failure(one, CallerHungUp)

    def test_an_answer_that_comes_behind_it_is_for_nobody(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        given = self.command("ANSWER")
        self.asterisk.hang_up()
        self.asterisk.tell("200 result=-1")
        self.call.pair.pump()
        self.failure(given, CallerHungUp)
        self.failure(self.command("ANSWER"), CallerHungUp)

    def test_a_dead_channel_says_so_where_no_word_came_before(self) -> None:
        self.asterisk.hung_up = True
        self.failure(self.command("ANSWER"), CallerHungUp)
        self.assertFalse(self.channel.idle)

    def test_a_lost_connection_says_nothing_of_the_customer(self) -> None:
        self.asterisk.mute = frozenset({"ANSWER"})
        given = self.command("ANSWER")
        self.call.pair.disconnect(clean=False)
        self.failure(given, AgiError)
        self.failure(self.command("ANSWER"), AgiError)
        self.assertEqual(self.call.clock.getDelayedCalls(), [])
        self.assertEqual(self.call.server.channels, {})


class ServerTests(SynchronousTestCase):
    """Connections, and their ends."""

    def setUp(self) -> None:
        self.ending: Deferred[None] = Deferred()

    async def wait(self, channel: AgiChannel) -> None:
        await self.ending

    async def end(self, channel: AgiChannel) -> None:
        await channel.command("ANSWER")

    async def fault(self, channel: AgiChannel) -> None:
        raise ValueError("4711")

    def test_the_dialplan_goes_on_when_the_handler_ends(self) -> None:
        call = Call(self.end)
        self.assertTrue(call.asterisk.lost)
        self.assertEqual(call.server.channels, {})

    def test_a_handler_that_fails_ends_the_connection_and_its_words_stay_out_of_the_log(self) -> None:
        with capturedLogs() as events:
            call = Call(self.fault)
        self.assertTrue(call.asterisk.lost)
        logged = " ".join(str(formatEvent(event)) for event in events)
        self.assertIn("ValueError", logged)
        self.assertNotIn("4711", logged)

    def test_a_connection_that_says_nothing_is_cut(self) -> None:
        clock = Clock()
        channel = FastAgiServer(clock, self.wait).buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert channel is not None
        silent = AsteriskByHand()
        silent.connectionMade = lambda: None  # type: ignore[method-assign]
        pair = LinkedPair(channel, silent)
        clock.advance(CALL_WITHIN)
        pair.pump()
        self.assertTrue(silent.lost)

    def test_one_that_speaks_no_agi_is_cut(self) -> None:
        for line in ("GET / HTTP/1.1", "200 result=0"):
            call = Call(self.wait)
            with capturedLogs() as events:
                call.asterisk.tell(line)
                call.pair.pump()
            self.assertTrue(call.asterisk.lost)
            self.assertIn("is closed: found an", formatEvent(events[0]) or "")
            self.assertEqual(call.clock.getDelayedCalls(), [])

    def test_strangers_are_not_let_in(self) -> None:
        for sources, address, let_in in (
            (Sources.of(), IPv4Address("TCP", "127.3.2.1", 1), True),
            (Sources.of(), IPv6Address("TCP", "::1", 1), True),
            (Sources.of(), IPv6Address("TCP", "::ffff:127.0.0.1", 1), True),
            (Sources.of(), IPv4Address("TCP", "192.0.2.7", 1), False),
            (Sources.of(), IPv6Address("TCP", "fe80::1%eth0", 1), False),
            (Sources.of(), UNIXAddress("/tmp/agi"), False),
            (Sources.of(), None, False),
            (Sources.of(["192.0.2.0/24"]), IPv4Address("TCP", "192.0.2.7", 1), True),
            (Sources.of(["192.0.2.0/24"]), IPv4Address("TCP", "127.0.0.1", 1), False),
        ):
            channel = FastAgiServer(Clock(), self.wait, sources).buildProtocol(address)
            self.assertEqual(channel is not None, let_in, address)
        self.assertRaises(ConfigurationError, Sources.of, ["asterisk.example.net"])

    def test_strangers_in_any_number_cost_a_line_a_minute(self) -> None:
        clock, log_limiter, stranger = Clock(), LogLimiter(), IPv4Address("TCP", "192.0.2.7", 4444)
        server = FastAgiServer(clock, self.wait, worth_a_line=log_limiter.allows)
        with capturedLogs() as logged:
            for _ in range(100):
                self.assertIsNone(server.buildProtocol(stranger))
            clock.advance(61)
            server.buildProtocol(stranger)
        self.assertEqual([event["host"] for event in logged], ["192.0.2.7"] * 2)

    def test_there_are_no_more_connections_than_may_be(self) -> None:
        server = FastAgiServer(Clock(), self.wait, most=1)
        address = IPv4Address("TCP", "127.0.0.1", 1)
        first = server.buildProtocol(address)
        assert first is not None
        pair = LinkedPair(first, AsteriskByHand())
        self.assertIsNone(server.buildProtocol(address))
        pair.disconnect()
        self.assertIsNotNone(server.buildProtocol(address))

    def test_the_connections_that_are_left_can_be_ended(self) -> None:
        call = Call(self.wait)
        call.server.cut_all()
        call.pair.pump()
        self.assertTrue(call.asterisk.lost)


class TcpTests(TestCase):
    """The same over TCP."""

    async def test_a_call_comes_in_is_served_and_ends(self) -> None:
        served: Deferred[str] = Deferred()

        async def serve(channel: AgiChannel) -> None:
            await channel.command("ANSWER")
            answer = await channel.command("GET DATA", "agent-pass", "1000", "8")
            served.callback(answer.result)

        server = FastAgiServer(reactor, serve)
        port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(server)
        self.addCleanup(port.stopListening)
        asterisk = AsteriskByHand(typed="2468#")
        gone: Deferred[None] = Deferred()
        asterisk.on_lost = lambda: gone.callback(None)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await connectProtocol(endpoint, asterisk)
        self.assertEqual(await served, "2468")
        await gone
        self.assertEqual(server.channels, {})
