"""The manager interface of Asterisk: its lines, and the connection that is kept up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.telephony.asterisk import ami
from ctiex.telephony.asterisk.ami import (
    MAX_LINE,
    MAX_MESSAGE,
    MAX_SENT_LINE,
    AmiDecoder,
    AmiError,
    AmiMessage,
    encode_action,
)
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import ActionRefused, AmiAccount, AmiLink
from tests.fake_asterisk import SECRET, FakeAsterisk

from .waiting import eventually

BANNER = b"Asterisk Call Manager/9.0.0\r\n"
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=40)
HEADERS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=8)


def written(headers: list[tuple[str, str]], without_key: tuple[str, ...] = ()) -> bytes:
    """A message as Asterisk writes it; a writer of the test's own."""
    lines = [*without_key, *(f"{key}: {value}" for key, value in headers)]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def read_action(data: bytes) -> list[tuple[str, str]]:
    """An action as Asterisk reads it; a reader of the test's own."""
    assert data.endswith(b"\r\n\r\n")
    return [(key, value) for key, _, value in (line.partition(": ") for line in data.decode().split("\r\n")[:-2])]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes cut up at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


class Decoding(SynchronousTestCase):
    """ctiex.telephony.asterisk.ami.AmiDecoder."""

    @settings(deadline=None)
    @given(st.lists(HEADERS, max_size=5), st.lists(st.integers(0, 10_000)))
    def test_what_is_written_is_read_in_whatever_pieces(
        self, messages: list[list[tuple[str, str]]], cuts: list[int]
    ) -> None:
        decoder = AmiDecoder()
        data = BANNER + b"".join(written(message, ("no key", ": value")) for message in messages)
        read = [message for piece in pieces(data, cuts) for message in decoder.receive(piece)]
        self.assertEqual([list(one.headers) for one in read], messages)
        self.assertEqual(decoder.banner, "Asterisk Call Manager/9.0.0")

    @settings(deadline=None)
    @given(st.booleans(), st.lists(st.binary(max_size=300), max_size=5))
    def test_any_bytes_give_messages_or_the_one_error(self, greets: bool, chunks: list[bytes]) -> None:
        self.patch(ami, "MAX_LINE", 100)
        self.patch(ami, "MAX_MESSAGE", 400)
        decoder = AmiDecoder()
        broken = False
        for chunk in [BANNER, *chunks] if greets else chunks:
            try:
                messages = decoder.receive(chunk)
            except AmiError:
                broken = True
            else:
                self.assertFalse(broken, "a broken stream is never taken up again")
                self.assertTrue(all(isinstance(message, AmiMessage) for message in messages))

    def test_values_that_are_no_utf_8_go_back_as_the_same_bytes(self) -> None:
        (message,) = [*AmiDecoder().receive(BANNER + b"Channel: PJSIP/caf\xe9-0001\r\n\r\n")]
        self.assertIn(b"PJSIP/caf\xe9-0001\r\n", encode_action("Hangup", [("Channel", message["Channel"])]))

    def test_whoever_does_not_greet_is_no_asterisk(self) -> None:
        for greeting in (b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"X" * 30, b"\r\n"):
            with self.assertRaisesRegex(AmiError, "greeting isn't that of"):
                AmiDecoder().receive(greeting)

    def test_a_line_and_a_message_have_their_limits(self) -> None:
        for end in (b"", b"\r\n"):
            with self.assertRaisesRegex(AmiError, f"line of more than {MAX_LINE}"):
                AmiDecoder().receive(BANNER + b"x" * (MAX_LINE + 1) + end)
        with self.assertRaisesRegex(AmiError, f"message of more than {MAX_MESSAGE}"):
            AmiDecoder().receive(BANNER + b"Key: 0123456789\r\n" * (MAX_MESSAGE // 15 + 1))

    def test_keys_are_found_whatever_their_case_and_repeated_ones_all(self) -> None:
        headers = (("event", "Status"), ("Variable", "A=1"), ("Variable", "B=(null)"), ("variable", "C=x=y"))
        message = AmiMessage(headers)
        self.assertEqual((message.event, message["VARIABLE"], message["nothing"]), ("Status", "A=1", ""))
        self.assertEqual(message.variables(), {"A": "1", "C": "x=y"})

    def test_what_was_said_is_in_no_repr(self) -> None:
        self.assertNotIn("13800138000", repr(AmiMessage((("CallerIDNum", "13800138000"),))))


class Encoding(SynchronousTestCase):
    """ctiex.telephony.asterisk.ami.encode_action."""

    @settings(deadline=None)
    @given(KEYS, HEADERS)
    def test_an_action_is_read_as_it_was_meant(self, name: str, headers: list[tuple[str, str]]) -> None:
        self.assertEqual(read_action(encode_action(name, headers)), [("Action", name), *headers])

    @settings(deadline=None)
    @given(VALUES, st.sampled_from("\r\n\0"), VALUES)
    def test_no_value_begins_another_line(self, before: str, end: str, after: str) -> None:
        with self.assertRaisesRegex(AmiError, "contains a line break"):
            encode_action("Setvar", [("Value", before + end + after)])
        with self.assertRaisesRegex(AmiError, "contains a line break"):
            encode_action(before + end + after)

    def test_neither_does_a_key(self) -> None:
        for key in ("Value: x\r\nAction", "", "a b", "Va:lue"):
            with self.assertRaises(AmiError):
                encode_action("Setvar", [(key, "x")])

    def test_a_line_that_asterisk_would_drop_is_refused(self) -> None:
        longest = MAX_SENT_LINE - len("Value: ")
        encode_action("Setvar", [("Value", "x" * longest)])
        with self.assertRaisesRegex(AmiError, "at most"):
            encode_action("Setvar", [("Value", "x" * (longest + 1))])
        with self.assertRaisesRegex(AmiError, "UTF-8"):
            encode_action("Setvar", [("Value", "\ud800")])


class Connected(TestCase):
    """ctiex.telephony.asterisk.ami_client.AmiClient, with a server of the test's own over TCP."""

    async def begin(self, secret: str = SECRET, **account: Any) -> None:
        """Connect a client to a fake Asterisk."""
        self.asterisk = FakeAsterisk()
        self.port: IListeningPort = await self.asterisk.listen(real_reactor)
        self.addCleanup(self.port.stopListening)
        self.events: list[AmiMessage] = []
        self.logins = 0
        self.losses = 0
        self._told: list[tuple[Callable[[], bool], Deferred[None]]] = []
        endpoint = clientFromString(real_reactor, f"tcp:127.0.0.1:{self.port.getHost().port}")
        known = AmiAccount(endpoint, "ctiex", secret, jitter=lambda: 0.0, **account)
        self.client = AmiClient(real_reactor, known, self.heard, self.logged_in, self.lost)
        self.client.startService()
        self.addCleanup(self.client.stopService)

    def heard(self, event: AmiMessage) -> None:
        self.events.append(event)
        self._look()

    def logged_in(self) -> None:
        self.logins += 1
        self._look()

    def lost(self) -> None:
        self.losses += 1
        self._look()

    def _look(self) -> None:
        for condition, waiting in list(self._told):
            if condition():
                self._told.remove((condition, waiting))
                waiting.callback(None)

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fires once something that the client tells makes it true."""
        waiting: Deferred[None] = Deferred()
        self._told.append((condition, waiting))
        self._look()
        return waiting

    async def test_it_logs_in_without_sending_the_secret_and_says_so(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        self.assertEqual(self.asterisk.logins[0]["Events"], "call,user")
        self.assertNotIn(SECRET.encode(), self.asterisk.received)

    async def test_the_secret_is_in_no_repr_and_no_log(self) -> None:
        told: list[str] = []

        def observer(event: Any) -> None:
            told.append(repr(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        wrong = "another-secret-of-mine"
        await self.begin(wrong)
        await eventually(lambda: any("Authentication failed" in one for one in told))
        self.assertEqual(self.logins, 0)
        self.assertNotIn(wrong, " ".join([*told, repr(self.client.account), repr(self.client)]))

    async def test_answers_come_to_their_own_actions_in_any_order(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        self.asterisk.answers_backwards = True
        first = self.client.act("Getvar", ("Variable", "one"))
        second = self.client.act("Getvar", ("Variable", "two"))
        answers = [(await one)["Value"] for one in (first, second)]
        self.assertEqual(answers, ["value of one", "value of two"])

    async def test_a_list_comes_whole_and_its_events_are_nobody_elses(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        self.asterisk.set_channels([{"Channel": "PJSIP/1001-00000001", "Uniqueid": "1.1"}] * 3)
        listed: list[AmiMessage] = []
        self.assertTrue((await self.client.act("Status", each=listed.append)).begins_a_list)
        self.assertEqual([event["Uniqueid"] for event in listed], ["1.1"] * 3)
        self.assertEqual(self.events, [])

    async def test_a_refusal_has_asterisks_own_words(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        with self.assertRaisesRegex(ActionRefused, "Hangup: No such channel"):
            await self.client.act("Hangup", ("Channel", "PJSIP/nobody-00000001"))

    async def test_an_action_that_gets_no_answer_times_out(self) -> None:
        await self.begin(answer_timeout=0.05)
        await self.until(lambda: self.logins == 1)
        with self.assertRaises(RequestTimedOut):
            await self.client.act("NeverAnswered")

    async def test_a_list_may_take_longer_than_an_answer_but_not_between_two_of_its_events(self) -> None:
        clock = Clock()
        endpoint = clientFromString(real_reactor, "tcp:127.0.0.1:1")
        link = AmiLink(AmiClient(clock, AmiAccount(endpoint, "ctiex", SECRET), self.heard, self.logged_in))
        link.makeConnection(StringTransport())
        link.dataReceived(BANNER)
        listed: list[AmiMessage] = []
        listing, given_up = link.act("Status", each=listed.append), link.act("BridgeList")
        ids = {answer: f"ctiex-{number}" for number, answer in ((2, listing), (3, given_up))}  # 1: the login's
        for answer in ids:
            link.dataReceived(written([("Response", "Success"), ("EventList", "start"), ("ActionID", ids[answer])]))
        for _ in range(3):
            clock.advance(4)
            link.dataReceived(written([("Event", "Status"), ("ActionID", ids[listing])]))
        link.dataReceived(written([("Event", "End"), ("EventList", "Complete"), ("ActionID", ids[listing])]))
        await listing
        self.assertEqual(len(listed), 3)
        with self.assertRaises(RequestTimedOut):
            await given_up

    async def test_a_value_with_the_end_of_a_line_is_not_sent(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        with self.assertRaises(AmiError):
            await self.client.act("Setvar", ("Value", "x\r\nAction: Originate"))
        await self.client.act("Ping")
        self.assertNotIn(b"Originate", self.asterisk.received)

    async def test_events_are_told_in_their_order_and_one_fault_spoils_no_other(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        take, seen = self.client._on_event, self.events

        def faulty(event: AmiMessage) -> None:
            take(event)
            if event["Number"] == "1":
                raise ZeroDivisionError

        self.client._on_event = faulty
        for number in range(3):
            self.asterisk.tell("UserEvent", Number=str(number))
        await self.until(lambda: len(seen) == 3)
        self.assertEqual([event["Number"] for event in seen], ["0", "1", "2"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_lost_connection_fails_what_waits_and_is_made_anew(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        waiting = self.client.act("NeverAnswered")
        self.asterisk.cut()
        with self.assertRaises(LinkLost):
            await waiting
        await self.until(lambda: self.losses == 1)
        with self.assertRaises(LinkLost):
            await self.client.act("Ping")
        await self.until(lambda: self.logins == 2)

    async def test_whoever_falls_silent_is_left(self) -> None:
        await self.begin(ping_every=0.05, answer_timeout=0.05)
        await self.until(lambda: self.logins == 1)
        self.asterisk.silent = True
        await self.until(lambda: self.losses == 1)

    async def test_what_is_no_asterisk_is_left(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        self.asterisk.write(b"x" * 20_000)
        await self.until(lambda: self.losses == 1)

    async def test_stopping_lets_out_what_was_written(self) -> None:
        await self.begin()
        await self.until(lambda: self.logins == 1)
        asked = self.client.act("Setvar", ("Value", "last"))
        asked.addErrback(lambda failure: failure.trap(LinkLost) and None)
        await self.client.stopService()
        await self.asterisk.gone()
        self.assertTrue(re.search(rb"Value: last\r\n", self.asterisk.received))
