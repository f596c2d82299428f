"""``ctiex trace``: the timeline of a hand-off out of the audit log, whatever else stands in it."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.commands import trace
from ctiex.fields import Fields
from ctiex.messages import Bind, Condition, DataChanged, DataChangedReply, DataResult, Role, UpdateRequest
from ctiex.monitoring.audit_events import IN_WORDS, About, AuditEvent
from ctiex.monitoring.audit_log import AuditLog, line_of
from ctiex.monitoring.counters import Counters
from ctiex.testing.fakes import FakeService
from ctiex.testing.pairs import MemoryExchange, agents, services

from .exchange_case import SERVICE, ExchangeCase, port_number
from .pages import DOCS
from .waiting import PATIENCE, eventually

Outcome = tuple[int, str, str]
SERIAL = "1047291155550918327443"[:20]


def play(*arguments: str, stdin: bytes = b"") -> Outcome:
    options = trace.Options()
    options.parseOptions(arguments)
    stdout, stderr = io.StringIO(), io.StringIO()
    return trace.run(options, stdout, stderr, io.BytesIO(stdin)), stdout.getvalue(), stderr.getvalue()


def records(*made: tuple[float, AuditEvent, About]) -> bytes:
    """Lines of an audit log."""
    return b"".join(line_of(event, moment, about) for moment, event, about in made)


class CommandCase(SynchronousTestCase):
    """With a folder for its files."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "audit.jsonl"


class DocumentedTests(CommandCase):
    """The example of the documentation, made by a whole exchange in memory."""

    def make(self) -> None:
        clock = Clock()
        clock.advance(1_790_000_000.0)
        log = AuditLog(str(self.path), clock, Counters(), wall=clock.seconds)
        log.open()
        known = agents("platform-1-agents"), services("platform-2-ivr"), services("platform-3-ivr", "other")
        exchange = MemoryExchange(identities=known, clock=clock, audit=log)
        service, _, _ = exchange.link_service(FakeService())
        service.send(Bind(Role.SERVICE, "platform-2-ivr", "secret", features="updates"))
        exchange.pump()
        agent = exchange.agent("1001", identity="platform-1-agents")
        exchange.advance(60.0)
        agent.connect("1001", "bill", SERIAL, "13800138000", Fields({"account": "5512"}))
        exchange.pump()
        exchange.advance(0.25)
        stranger = exchange.service("platform-3-ivr")
        stranger.fetch(SERIAL)
        exchange.pump()
        stranger.unbind()
        exchange.pump()
        exchange.advance(0.5)
        service.fetch(SERIAL)
        exchange.pump()
        exchange.advance(20.0)
        agent.send(UpdateRequest(SERIAL, Fields({"account": "5521"})))
        exchange.pump()
        ((asked, _),) = [received for received in service.received if isinstance(received[1], DataChanged)]
        service.send(DataChangedReply(), asked)
        service.fetch(SERIAL)
        exchange.pump()
        exchange.advance(22.0)
        service.report(SERIAL, Condition.COMPLETED, fields=Fields({"paid": True}))
        exchange.pump()
        exchange.advance(601.0)
        log.close()

    def test_the_documented_records_are_what_an_exchange_writes(self) -> None:
        self.make()
        self.assertEqual(self.path.read_text(), (DOCS / "audit.jsonl").read_text())

    def test_the_documented_timeline_is_what_comes_of_them(self) -> None:
        code, out, err = play(SERIAL, "--audit", str(DOCS / "audit.jsonl"))
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, (DOCS / "trace.txt").read_text())


class ReadingTests(CommandCase):
    """What it reads, and what it makes of it."""

    HAND_OFF: tuple[tuple[float, AuditEvent, About], ...] = (
        (9.0, AuditEvent.BOUND, {"session": "b", "identity": "early"}),
        (10.0, AuditEvent.CONNECT_KEPT, {"serial": "7", "session": "a", "agent": "1001", "service": "bill"}),
        (11.0, AuditEvent.BOUND, {"session": "c", "identity": "thief"}),
        (11.5, AuditEvent.BOUND, {"session": "d", "identity": "bystander"}),
        (12.0, AuditEvent.DATA_REFUSED, {"serial": "7", "session": "c", "identity": "thief", "status": 20}),
        (12.5, AuditEvent.DATA_REFUSED, {"serial": "77", "session": "c", "identity": "thief", "status": 20}),
        (12.6, AuditEvent.AGENT_TAKEN_OVER, {"session": "a", "agent": "1001"}),
        (12.7, AuditEvent.AGENT_LOGGED_OUT, {"session": "a", "agent": "1002"}),
        (13.0, AuditEvent.UNBOUND, {"session": "c", "identity": "thief", "reason": "gone"}),
        (20.0, AuditEvent.CALL_ENDED, {"serial": "7", "condition": 15, "status": 33}),
        (21.0, AuditEvent.UNBOUND, {"session": "a"}),
    )
    TOLD = ("connect_kept", "bound", "data_refused", "agent_taken_over", "unbound", "call_ended")

    def events(self, out: str) -> list[str]:
        return [json.loads(line)["event"] for line in out.splitlines()]

    def test_it_tells_of_the_call_and_of_its_sessions_while_it_lived(self) -> None:
        self.path.write_bytes(records(*self.HAND_OFF))
        code, out, err = play("7", "--audit", str(self.path), "--json")
        self.assertEqual((code, err, tuple(self.events(out))), (0, "", self.TOLD))
        for line in out.splitlines():
            self.assertIn(line, self.path.read_text().splitlines())

    def test_refusals_are_marked_and_counted(self) -> None:
        self.path.write_bytes(records(*self.HAND_OFF))
        _, out, _ = play("7", "--audit", str(self.path))
        marked = [line for line in out.splitlines() if line.startswith("!")]
        self.assertEqual(marked, ["!     +2.000 s  thief (session c) asked for the data: refused, 20 unknown serial"])
        self.assertEqual(out.splitlines()[-1], "records: 6, refusals: 1")

    def test_rotated_files_are_read_in_the_order_of_time(self) -> None:
        packed, plain = self.folder / "audit.jsonl.1.gz", self.folder / "audit.jsonl.2"
        plain.write_bytes(records(*self.HAND_OFF[:4]))
        packed.write_bytes(gzip.compress(records(*self.HAND_OFF[4:8])))
        code, out, _ = play(
            "7", "--json", "--audit", "-", "--audit", str(packed), "--audit", str(plain), "--audit", str(packed),
            stdin=records(*self.HAND_OFF[8:]),
        )  # fmt: skip
        self.assertEqual((code, tuple(self.events(out))), (0, self.TOLD))

    def test_the_configuration_names_the_file(self) -> None:
        configuration = self.folder / "exchange.toml"
        configuration.write_text(f'[audit]\nfile = "{self.path}"\n')
        self.path.write_bytes(records(*self.HAND_OFF))
        self.assertEqual(play("7", "--config", str(configuration))[0], 0)
        configuration.write_text("")
        code, out, err = play("7", "--config", str(configuration))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("audit.file is empty", err)

    def test_a_serial_that_nobody_knows_is_said_to_be_so(self) -> None:
        self.path.write_bytes(records(*self.HAND_OFF))
        self.assertEqual(play("8", "--audit", str(self.path)), (1, "", "nothing is known about serial 8\n"))

    def test_a_file_that_cannot_be_read_is_said_to_be_so(self) -> None:
        code, out, err = play("7", "--audit", str(self.path))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("nothing to trace", err)
        bad = self.folder / "bad.gz"
        whole = gzip.compress(records(*self.HAND_OFF))
        for content in (whole[:-12], whole[:10] + b"\xff" * 10 + whole[20:]):
            bad.write_bytes(content)
            code, out, err = play("7", "--audit", str(bad))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("nothing to trace", err)

    def test_a_command_line_that_makes_no_sense_is_an_error(self) -> None:
        for arguments in ((), ("7",), ("--audit", "x"), ("7", "8", "--audit", "x"), ("seven", "--audit", "x")):
            with self.subTest(arguments=arguments):
                self.assertRaises(UsageError, play, *arguments)

    @settings(deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([b"7", b"[]", b"null", b'{"time": 1, "event": "bound"}', b'{"event": "bound"}']),
                st.sampled_from([b'{"time": "2026-01-01T00:00:00Z", "event": []}', b'{"time": "2026-01-0']),
                st.just(b"[" * 9000),
                st.just(b'{"time": "2026-01-01T00:00:00Z", "event": "bound", "peer": "\xed\xa0\x80"}'),
            ).filter(lambda line: b"\n" not in line and bool(line.strip())),
            max_size=6,
        ),
        st.randoms(),
    )
    def test_lines_that_are_no_records_are_counted_and_skipped(self, garbage: list[bytes], random: Any) -> None:
        lines = records(*self.HAND_OFF).splitlines()
        for line in garbage:
            lines.insert(random.randrange(len(lines) + 1), line)
        code, out, err = play("7", "--audit", "-", "--json", stdin=b"\n".join(lines))
        self.assertEqual((code, tuple(self.events(out))), (0, self.TOLD))
        self.assertEqual(err, f"lines skipped, not valid records: {len(garbage)}\n" if garbage else "")

    def test_nothing_in_a_file_reaches_the_terminal_as_an_escape(self) -> None:
        hostile = "\x1b]0;owned\x07\u202e"
        about: About = {key: hostile for key in About.__annotations__}  # type: ignore[misc,assignment]
        line = json.dumps({"time": "2026-01-01T00:00:00Z", "event": hostile, **about, "serial": "7"})
        made = [line, *(line.replace(json.dumps(hostile), json.dumps(event.value), 1) for event in AuditEvent)]
        code, out, _ = play("7", "--audit", "-", stdin="\n".join(made).encode())
        self.assertEqual(code, 0)
        self.assertEqual([letter for letter in out if not letter.isprintable() and letter != "\n"], [])

    def test_every_event_about_a_call_has_its_words(self) -> None:
        about: About = {
            "serial": "7", "agent": "1001", "service": "bill", "owner": "o", "status": 0, "condition": 1,
            "call_id": "c-1", "action": "hold",
        }  # fmt: skip
        for event in AuditEvent:
            with self.subTest(event=event):
                _, out, _ = play("7", "--audit", "-", stdin=records((1.0, event, about)))
                self.assertEqual(event.value in IN_WORDS, f"{event.value} " not in out)

    def test_a_big_file_is_read_in_little_memory(self) -> None:
        line = line_of(AuditEvent.DATA_GIVEN, 11.0, {"serial": "8", "session": "x" * 200, "peer": "p" * 200})
        with self.path.open("wb") as file:
            for _ in range(10):
                file.write(line * 1_000)
            file.write(records(*self.HAND_OFF))
        self.assertGreater(self.path.stat().st_size, 4_000_000)
        tracemalloc.start()
        try:
            play("7", "--audit", str(self.path))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(most, 500_000)


class HandOffTests(ExchangeCase):
    """A hand-off over TCP, and a stranger who has its serial."""

    async def test_the_trace_of_a_hand_off_shows_the_stranger_who_was_refused(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "audit.jsonl"
        known = {
            "agent-demo": {"role": "agent", "secret": "demo", "agents": ["*"]},
            "service-demo": {"role": "service", "secret": "demo", "services": [SERVICE]},
            "stranger": {"role": "service", "secret": "demo", "services": ["bill-broadcast"]},
        }
        running = await self.exchange({"identities": known, "audit": {"file": str(path)}})
        await self.service(running)
        agent = await self.agent(running)
        hand_off = await agent.connect(SERVICE, "13800138000", Fields({"words": "well-met-marker"}))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port_number(running.ivr_port))
        stranger = await connectProtocol(endpoint, FakeService())
        stranger.bind("stranger", "demo", Role.SERVICE)
        stranger.fetch(hand_off.serial)
        await eventually(lambda: stranger.every(DataResult))
        await hand_off.result(PATIENCE)
        stranger.unbind()
        await eventually(lambda: stranger.lost)
        await eventually(lambda: b"call_ended" in path.read_bytes())
        code, out, err = play(hand_off.serial, "--audit", str(path))
        self.assertEqual((code, err), (0, ""))
        told = "\n".join(line[16:] for line in out.splitlines()[1:])
        for words in (
            "agent-demo (session",
            f"asked to connect agent 1001's customer with {SERVICE}: stored",
            "offered to service-demo (session",
            "asked for the data: given",
            "reported completed: stored, 0 ok",
            "ended for agent 1001: completed",
        ):
            self.assertIn(words, told)
        (refused,) = [line for line in out.splitlines() if line.startswith("!")]
        self.assertRegex(
            refused, r"stranger \(session \w+, 127\.0\.0\.1:\d+\) asked for the data: refused, 20 unknown serial \("
        )
        self.assertNotIn("well-met-marker", path.read_text())
        self.assertNotIn("13800138000", path.read_text())
