"""``ctiex agent`` before it is logged in: what it says and does where the exchange doesn't let it, or isn't there.

And at a terminal: lines are edited, completed and remembered.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import socket
import sys
import termios
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL, PIPE
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.commands.agent import unless_quit
from ctiex.clients import AgentNumber
from ctiex.clients.terminal import Terminal

from .certificates import Authority
from .pages import environment
from .processes import PROGRAMS, ROOT, Program, accepts, free_port
from .waiting import PATIENCE, until


class QuitTests(SynchronousTestCase):
    """A login that takes its time, and somebody who types meanwhile."""

    def begin(self) -> None:
        self.terminal = Terminal()
        self.login: Deferred[AgentNumber] = Deferred()
        self.outcome = ensureDeferred(unless_quit(self.login, self.terminal))

    def type(self, *lines: str) -> None:
        for line in lines:
            self.terminal.lineReceived(line.encode())

    def test_quit_gives_the_login_up(self) -> None:
        self.begin()
        self.type("help", " quit ")
        self.failureResultOf(self.outcome, CancelledError)

    def test_the_end_of_the_input_gives_the_login_up(self) -> None:
        self.begin()
        self.terminal.readConnectionLost()
        self.failureResultOf(self.outcome, CancelledError)

    def test_a_login_that_fails_is_told(self) -> None:
        self.begin()
        self.login.errback(ValueError())
        self.failureResultOf(self.outcome, ValueError)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["help", "cancel 1", ""])), st.lists(st.sampled_from(["help", "quit"])))
    def test_other_lines_are_there_to_be_read_in_order_once_it_is_logged_in(
        self, before: list[str], after: list[str]
    ) -> None:
        self.begin()
        self.type(*before)
        agent = object.__new__(AgentNumber)
        self.login.callback(agent)
        self.assertIs(self.successResultOf(self.outcome), agent)
        self.type(*after)
        read = [self.successResultOf(self.terminal.read_line()) for _ in [*before, *after]]
        self.assertEqual(read, [*before, *after])
        self.assertNoResult(self.terminal.read_line())


class Agent:
    """The command in a process, at a terminal of its own; what it says goes to a file."""

    def __init__(self, folder: Path, exchange: str) -> None:
        self._output = folder / "output"
        self.keyboard, keyboard = pty.openpty()
        command = [str(PROGRAMS / "ctiex"), "agent", "--exchange", exchange]
        with self._output.open("wb") as output:
            self.process = Program[bytes](command, stdin=keyboard, stdout=output, stderr=output, env=environment())
        os.close(keyboard)

    @property
    def said(self) -> str:
        return self._output.read_text()

    def ended(self) -> int:
        return self.process.ends()

    def close(self) -> None:
        self.process.end()
        os.close(self.keyboard)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """An exchange that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        yield listening


def connects(listening: socket.socket) -> socket.socket:
    """The connection of an agent that has said something: it waits for the answer."""
    connection, _ = listening.accept()
    connection.settimeout(PATIENCE)
    assert connection.recv(1)
    return connection


def test_tls_that_is_refused_ends_it_with_a_line_and_an_exit_code(tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    Authority("another").save(roots, "root")
    certificate, key = Authority("root").sign_server().save(tmp_path, "exchange")
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key]
    with Program[bytes](command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL) as exchange:
        until(lambda: accepts(port), by=exchange)
        with closing(Agent(tmp_path, f"tls:localhost:{port}:trustRoots={roots}")) as agent:
            assert agent.ended() == 1
            last = agent.said.splitlines()[-1]
            assert last.startswith("agent 1001 can't log in: TLS refused: the peer's certificate"), agent.said
            assert agent.said.count("could not bind") == 1


def test_quit_is_heard_while_it_connects(tmp_path: Path, silent: socket.socket) -> None:
    with closing(Agent(tmp_path, f"tcp:127.0.0.1:{silent.getsockname()[1]}")) as agent, connects(silent):
        os.write(agent.keyboard, b"quit\n")
        assert agent.ended() == 0
        assert agent.said == "", "a login that times out is told"


def test_it_ends_without_a_word_when_it_is_told_to(tmp_path: Path, silent: socket.socket) -> None:
    with closing(Agent(tmp_path, f"tcp:127.0.0.1:{silent.getsockname()[1]}")) as agent, connects(silent):
        agent.process.send_signal(signal.SIGTERM)
        agent.ended()
        assert agent.said == ""


def test_it_ends_without_a_word_while_nobody_is_there(tmp_path: Path) -> None:
    with closing(Agent(tmp_path, f"tcp:127.0.0.1:{free_port()}")) as agent:
        until(lambda: "can't reach the exchange, still trying" in agent.said, lambda: agent.said, agent.process)
        agent.process.send_signal(signal.SIGTERM)
        agent.ended()
        assert not re.search("Traceback|ignored|rror", agent.said), agent.said
        assert len(agent.said.splitlines()) == 1


# ---------------------------------------------------------------- at a terminal, by readline


class Desk:
    """The command in a process whose input and output are a terminal."""

    def __init__(self, exchange: str) -> None:
        self.keyboard, terminal = pty.openpty()
        self.modes = termios.tcgetattr(terminal)
        command = [str(PROGRAMS / "ctiex"), "agent", "--exchange", exchange, "--identity", "desk"]
        surroundings = {**environment(), "CTIEX_SECRET": "desk-secret", "TERM": "dumb"}
        self.process = Program[bytes](command, stdin=terminal, stdout=terminal, stderr=terminal, env=surroundings)
        self._terminal = terminal
        self.said = ""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # trial takes a module's name "suppress" for its own
            while data := os.read(self.keyboard, 4_096):
                self.said += data.decode()

    def types(self, keys: str) -> None:
        os.write(self.keyboard, keys.encode())

    def until_said(self, text: str, times: int = 1) -> None:
        until(lambda: self.said.count(text) >= times, lambda: self.said, self.process)

    def modes_now(self) -> list[object]:
        return termios.tcgetattr(self._terminal)

    def close(self) -> None:
        self.process.end()
        os.close(self._terminal)
        os.close(self.keyboard)


@pytest.fixture
def practice() -> Iterator[str]:
    """An exchange with a simulated platform, at which customers call."""
    port = free_port()
    settings = {"AGENT_LISTEN": f"tcp:{port}:interface=127.0.0.1"}
    command = [sys.executable, str(ROOT / "docs" / "examples" / "practice_exchange.py")]
    with Program[bytes](command, stdout=DEVNULL, stderr=DEVNULL, env={**environment(), **settings}) as exchange:
        until(lambda: accepts(port), by=exchange)
        yield f"tcp:127.0.0.1:{port}"


def test_lines_are_completed_and_remembered_and_events_stand_above_them(practice: str) -> None:
    with closing(Desk(practice)) as desk:
        desk.until_said("agent 1001 is logged in")
        desk.until_said("> ")
        desk.types("notr\t")
        desk.until_said("> notready ")
        desk.types("lunch\n")
        desk.until_said("agent 1001 is not ready (lunch)")
        desk.types("ready\n")
        desk.until_said("alerting: ")
        desk.types("answer\n")
        desk.until_said("established: ")
        desk.types("\x10\x10\x10\n")  # Ctrl-P three times: back to "notready lunch"
        desk.until_said("then not ready (lunch)")
        desk.types("quit\n")
        assert desk.process.ends() == 0, desk.said
        assert desk.modes_now() == desk.modes, "the terminal is as it was"


def test_a_line_that_is_typed_stands_below_what_is_told(practice: str) -> None:
    with closing(Desk(practice)) as desk:
        desk.until_said("agent 1001 is logged in")
        desk.types("ready\n")
        desk.until_said("agent 1001 is ready")
        desk.types("answ")
        desk.until_said("alerting: ")
        until(lambda: "\n> answ" in desk.said.rpartition("alerting: ")[2], lambda: desk.said, desk.process)
        desk.types("er\n")
        desk.until_said("established: ")
        desk.process.send_signal(signal.SIGINT)
        desk.process.ends()
        assert "Traceback" not in desk.said, desk.said
        assert desk.modes_now() == desk.modes, "the terminal is as it was"


def test_the_end_of_the_input_ends_it(practice: str) -> None:
    with closing(Desk(practice)) as desk:
        desk.until_said("> ")
        desk.until_said("agent 1001 is logged in")
        desk.types("\x04")
        assert desk.process.ends() == 0, desk.said
