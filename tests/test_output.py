"""What the commands say: harmless to a terminal whoever's words are in it, and no end for anybody when nobody reads."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app import output
from ctiex.app.logs import in_lines
from ctiex.app.output import READER_GONE, OutputLost, say
from ctiex.clients.terminal import Terminal
from ctiex.fields import Fields
from ctiex.visible import visible

from .pages import environment
from .processes import Program, finished
from .source_trees import SOURCE, trees
from .wire_exchange import RunningExchange

_CTIEX = str(Path(sys.executable).parent / "ctiex")
EVIL = "\x1b]0;owned\x07\x9b2J\x7f\u202e\u2066\u2028\r\n\ud800"


class VisibleTests(SynchronousTestCase):
    """Text of others, as it is shown."""

    @given(st.text(st.characters()))
    def test_nothing_is_left_that_a_terminal_obeys(self, text: str) -> None:
        self.assertTrue(all(character.isprintable() or character.isspace() for character in visible(text)))
        self.assertEqual(len(visible(text).splitlines()), 1 if text else 0)
        visible(text).encode()

    @given(st.text(st.characters()), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8"]))
    def test_every_terminal_can_show_it(self, text: str, encoding: str) -> None:
        visible(text, encoding).encode(encoding)

    def test_what_can_be_shown_stays_as_it_is(self) -> None:
        for text in ("", "Grüße, 张伟 और עברית", "a\\b", "100 €", "全角\u3000スペース"):
            self.assertEqual(visible(text), text)

    def test_escapes_are_those_of_json(self) -> None:
        self.assertEqual(visible("\x1b[2J\n\x9b\u202e\U000e0001"), "\\u001b[2J\\n\\u009b\\u202e\\udb40\\udc01")
        self.assertEqual(visible("Grüße", "ascii"), "Gr\\u00fc\\u00dfe")

    @given(st.dictionaries(st.text(st.characters()), st.text(st.characters())))
    def test_a_line_of_json_stays_one(self, values: dict[str, str]) -> None:
        for encoding in (None, "ascii"):
            self.assertEqual(json.loads(visible(json.dumps(values, ensure_ascii=False), encoding)), values)


class SayingTests(SynchronousTestCase):
    """A line of a command."""

    def test_a_line_stays_one_line(self) -> None:
        stream = io.StringIO()
        say(f"call 1 from {EVIL}", stream)
        self.assertEqual(stream.getvalue().count("\n"), 1)
        self.assertTrue(stream.getvalue().rstrip("\n").isprintable())

    def test_a_stream_of_another_encoding_takes_it(self) -> None:
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding="ascii")
        say("Grüße", stream)
        self.assertEqual(written.getvalue(), b"Gr\\u00fc\\u00dfe\n")

    def test_names_of_fields_are_shown_and_do_nothing(self) -> None:
        described = Fields({"\x1b[2J": 1, "secret\r": "x"}).describe({"secret\r"})
        self.assertEqual(described, "\\u001b[2J=1, secret\\r=***")

    def test_the_log_shows_what_others_brought_into_it(self) -> None:
        stream = io.StringIO()
        event = {"log_format": "{who} said {what}\nmore", "who": EVIL[:-1], "what": "Grüße", "log_level": LogLevel.warn}
        in_lines(stream)({**event, "log_namespace": "x", "log_time": 0.0})
        self.assertNotIn("\x1b", stream.getvalue())
        self.assertIn("said Grüße\n\tmore\n", stream.getvalue())

    def test_nothing_is_printed_but_in_the_one_place(self) -> None:
        found = [
            f"{path.name}:{node.lineno}"
            for path, tree in trees()
            if path.is_relative_to(SOURCE / "ctiex" / "app") and path.name not in ("output.py", "store.py")
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        self.assertEqual(found, [])

    def test_output_that_can_not_be_written_is_told_as_such(self) -> None:
        with open("/dev/full", "w", buffering=1) as full:
            error = self.assertRaises(OutputLost, say, "text", full)
            self.assertFalse(error.reader_gone)
            self.assertIn("No space left", str(error))
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


class SlowReaderTests(SynchronousTestCase):
    """A pipe that doesn't block: standard output is one once a terminal is opened on it."""

    def setUp(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(writing, False)
        self.addCleanup(os.close, self.reading)
        self.writing = writing

    def read_slowly(self, into: list[bytes]) -> None:
        while piece := os.read(self.reading, 10_000):
            into.append(piece)
            time.sleep(0.001)

    def test_nothing_is_lost_to_a_reader_who_is_slow(self) -> None:
        lines = [f"{number} é " + "x" * length for number, length in enumerate([10, 5_000, 200_000] * 4)]
        for unbuffered in (False, True):
            if unbuffered:
                self.setUp()
            pieces: list[bytes] = []
            reader = threading.Thread(target=self.read_slowly, args=(pieces,))
            reader.start()
            binary: Any = open(self.writing, "wb", 0 if unbuffered else -1)
            stream = io.TextIOWrapper(binary, encoding="utf-8", write_through=unbuffered)
            for line in lines:
                say(line, stream)
            stream.close()
            reader.join()
            self.assertEqual(b"".join(pieces).decode().split("\n")[:-1], lines)

    def test_one_who_has_stalled_is_told_as_such(self) -> None:
        self.patch(output, "MOST_PATIENCE", 0.05)
        with open(self.writing, "w") as stream:
            error = self.assertRaises(OutputLost, say, "x" * 200_000, stream)
            self.assertIn("nobody has read it", str(error))
            self.assertFalse(error.reader_gone)
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def test_one_who_is_gone_is_known_as_gone(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with open(writing, "w") as stream:
            gone = threading.Timer(0.05, os.close, (reading,))
            gone.start()
            error = self.assertRaises(OutputLost, say, "x" * 200_000, stream)
            gone.join()
            self.assertTrue(error.reader_gone)
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class TerminalTests(SynchronousTestCase):
    """The terminal of an agent, whose output nobody reads any more."""

    def test_it_tells_so(self) -> None:
        terminal = Terminal()
        told = terminal.unread_output()
        self.assertNoResult(told)
        terminal.writeConnectionLost()
        self.successResultOf(told)
        self.successResultOf(terminal.unread_output())

    def test_it_closes_at_once(self) -> None:
        terminal = Terminal()
        terminal.makeConnection(_Deaf())
        terminal.writeConnectionLost()
        self.successResultOf(terminal.close())

    def test_it_escapes_what_it_says(self) -> None:
        deaf = _Deaf()
        terminal = Terminal("ascii")
        terminal.makeConnection(deaf)
        terminal.say("\x1b[2J é")
        self.assertEqual(deaf.written, b"\\u001b[2J \\u00e9\n")


class _Deaf:
    """A transport that never says that it is closed."""

    written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def loseConnection(self) -> None:
        pass


# ---------------------------------------------------------------- processes


class Piped:
    """A command whose standard output is a pipe, read by this test as long as it likes."""

    def __init__(self, *command: str) -> None:
        self.process = Program[bytes]([_CTIEX, *command], stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment())

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def until_said(self, text: bytes) -> None:
        """Read lines until one has this in it."""
        for line in iter(self.output.readline, b""):
            if text in line:
                return
        raise AssertionError(f"it ended without {text!r}: {self.ended()}")

    def read_no_more(self) -> None:
        self.output.close()

    def ended(self) -> tuple[int, str]:
        """Its exit status, and what it complained of."""
        assert self.process.stdin is not None and self.process.stderr is not None
        code = self.process.ends()
        return code, self.process.stderr.read().decode()

    def close(self) -> None:
        self.process.end()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("exchange"))
    yield running
    running.stop()


@pytest.fixture
def piped() -> Iterator[type[Piped]]:
    started: list[Piped] = []

    class Kept(Piped):
        def __init__(self, *command: str) -> None:
            started.append(self)
            super().__init__(*command)

    yield Kept
    for one in started:
        one.close()


_FRAMES = "0000000801050000000000010000000801050000000000010000000801050000000000010000000801050000000000ff"


@pytest.mark.parametrize(
    "command",
    [
        ("decode", _FRAMES * 500),
        ("check-config",),
        ("dialplan", "1"),
        ("--help",),
        ("simulate", "--calls", "20", "--seeds", "1000"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_whose_output_nobody_reads_ends_as_others_do(piped: type[Piped], command: tuple[str, ...]) -> None:
    one = piped(*command)
    one.read_no_more()
    assert one.ended() == (READER_GONE, "")


def test_an_agent_whose_output_nobody_reads_ends_in_order(exchange: RunningExchange, piped: type[Piped]) -> None:
    agent = piped("agent", "--exchange", f"tcp:127.0.0.1:{exchange.agent_port}")
    agent.until_said(b"agent 1001 is logged in")
    agent.read_no_more()
    assert agent.ended() == (READER_GONE, "")


@pytest.mark.gate
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_whose_reader_has_stalled_hears_that_it_is_to_end(
    exchange: RunningExchange, piped: type[Piped], asked: signal.Signals
) -> None:
    agent = piped("agent", "--exchange", f"tcp:127.0.0.1:{exchange.agent_port}")
    agent.until_said(b"agent 1001 is logged in")
    assert agent.process.stdin is not None
    agent.process.stdin.write(b"help\n" * 5_000)  # more than a pipe takes
    agent.process.stdin.flush()
    time.sleep(0.2)
    agent.process.send_signal(asked)
    agent.process.ends()


@pytest.mark.parametrize("name", ["service", "voice"])
def test_a_service_whose_output_nobody_reads_ends_in_order(
    exchange: RunningExchange, piped: type[Piped], name: str
) -> None:
    more = ("--media", "scripted", "number-broadcast") if name == "service" else ("--listen", "tcp:0")
    service = piped(name, "--exchange", f"tcp:127.0.0.1:{exchange.service_port}", *more)
    service.until_said(b"is ready")
    service.read_no_more()
    code, complaints = service.ended()
    assert (code, "Traceback" in complaints) == (READER_GONE, False), complaints


@pytest.mark.gate
def test_a_customer_who_is_being_served_then_is_finished(exchange: RunningExchange, piped: type[Piped]) -> None:
    service = piped(
        "service", "--exchange", f"tcp:127.0.0.1:{exchange.service_port}", "--media", "terminal", "number-broadcast"
    )
    service.until_said(b"is ready")
    agent = piped("agent", "--exchange", f"tcp:127.0.0.1:{exchange.agent_port}")
    agent.until_said(b"agent 1001 is logged in")
    assert agent.process.stdin is not None and service.process.stdin is not None
    agent.process.stdin.write(b"connect number-broadcast 138 number=5\n")
    agent.process.stdin.flush()
    service.until_said(b"one digit")  # its customer has heard the number, and is asked something
    service.read_no_more()
    service.process.stdin.write(b"2\n")
    service.process.stdin.flush()
    agent.until_said(b"completed: times_broadcast=1")
    assert service.ended()[0] == READER_GONE


_TALKER = """
import sys
from twisted.internet import reactor
from ctiex.app.output import say
from ctiex.clients.terminal import open_terminal
open_terminal(reactor)
for number in range(3_000):
    say(f"{number} " + "x" * 100, sys.stdout)
"""


def test_a_process_with_a_terminal_loses_nothing_to_a_reader_who_is_slow() -> None:
    talker = Program[bytes]([sys.executable, "-c", _TALKER], stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment())
    try:
        assert talker.stdout is not None
        lines = [talker.stdout.readline()]
        time.sleep(0.2)  # the pipe is full by now, or soon
        lines += talker.stdout.readlines()
        assert talker.ends() == 0
        assert [int(line.split()[0]) for line in lines] == [*range(3_000)]
    finally:
        talker.end()


def test_a_demo_whose_output_nobody_reads_ends_in_order(piped: type[Piped]) -> None:
    demo = piped("demo")
    demo.until_said(b"exchange: agents at")
    demo.read_no_more()
    code, complaints = demo.ended()
    assert (code, "Traceback" in complaints) == (READER_GONE, False), complaints


@pytest.mark.gate
def test_a_stream_that_is_closed_from_the_start_is_nobody(exchange: RunningExchange) -> None:
    where = f"tcp:127.0.0.1:{exchange.agent_port}"
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = finished(["sh", "-c", f'echo quit | "$0" agent --exchange {where} {closed}', _CTIEX], env=environment())
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_a_full_disk_is_told(piped: type[Piped]) -> None:
    with open("/dev/full", "w") as full:
        done = finished([_CTIEX, "check-config"], stdout=full, env=environment())
    assert done.returncode == 1
    assert b"can't be written: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
