"""Signals to every program of ours that runs for long: none of them ends it without a word."""

from __future__ import annotations

import os
import pty
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import IO

import pytest

from . import processes
from .processes import free_port, surroundings
from .waiting import PATIENCE, until
from .wire_exchange import RunningExchange

NEEDLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
LISTENS = "--agent-listen=tcp:0:interface=127.0.0.1", "--ivr-listen=tcp:0:interface=127.0.0.1"
PROGRAMS = {
    "twistd": (("twistd", "-n", "--pidfile=", "ctiex", *LISTENS), "is ready: agents at"),
    "twistd to a file": (
        ("twistd", "-n", "--pidfile=", "-l", "exchange.log", "ctiex", *LISTENS),
        "is ready: agents at",
    ),
    "twist": (("twist", "--log-format=text", "ctiex", *LISTENS), "is ready: agents at"),
    "voice": (("ctiex", "voice", "--listen", "AGI", "--exchange", "SERVICES"), "number-broadcast at agi://HOST/number"),
    "service": (
        ("ctiex", "service", "number-broadcast", "--media", "scripted", "--exchange", "SERVICES"),
        "is ready under access code",
    ),
    "agent": (("ctiex", "agent", "--exchange", "AGENTS"), "agent 1001 is logged in"),
}
"""Each program, and what it says once it runs."""
STARTS_DEAF = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Like a script that starts something in its background: SIGINT is ignored there."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    """For those who need one."""
    running = RunningExchange(tmp_path_factory.mktemp("exchange"))
    yield running
    running.finish()


class Program:
    """One of ours, running."""

    def __init__(self, command: list[str], folder: Path, stdin: int | IO[bytes] = PIPE) -> None:
        self._log = folder / "exchange.log"
        self._said = ""
        self.process = processes.Program[str](
            command,
            cwd=folder,
            env=surroundings(PYTHONUNBUFFERED="1"),
            stdin=stdin,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said += line

    @property
    def said(self) -> str:
        return self._said + (self._log.read_text() if self._log.exists() else "")

    def until_said(self, words: str) -> None:
        until(lambda: words in self.said, lambda: self.said, self.process)

    def ends_at(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.ends()
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        self.process.end()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """What runs is ended with the test."""
    running: list[Program] = []
    yield running
    for program in running:
        program.close()


def command_of(name: str, exchange: RunningExchange) -> list[str]:
    """A command line of the table, at this exchange."""
    places = {
        "AGENTS": f"tcp:127.0.0.1:{exchange.agent_port}",
        "SERVICES": f"tcp:127.0.0.1:{exchange.service_port}",
        "AGI": f"tcp:{free_port()}:interface=127.0.0.1",
    }
    program, *words = (places.get(word, word) for word in PROGRAMS[name][0])
    return [str(Path(sys.executable).parent / program), *words]


@pytest.mark.gate
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_signal_that_nobody_needs_is_told_and_ends_nothing(
    name: str, exchange: RunningExchange, programs: list[Program], tmp_path: Path
) -> None:
    program = Program(command_of(name, exchange), tmp_path)
    programs.append(program)
    program.until_said(PROGRAMS[name][1])
    rotates = name == "twistd to a file"  # Twisted begins another log file at this one
    for number in NEEDLESS:
        program.process.send_signal(number)
        if number is signal.SIGUSR1 and rotates:
            continue
        program.until_said(f"{number.name} is ignored")
    assert program.ends_at(signal.SIGTERM) in (0, -signal.SIGTERM), program.said
    assert "Traceback" not in program.said
    assert list(tmp_path.glob("exchange.log.*")) == ([tmp_path / "exchange.log.1"] if rotates else [])


@pytest.mark.gate
@pytest.mark.parametrize("name", PROGRAMS)
def test_one_that_was_started_with_sigint_ignored_ends_by_sigterm(
    name: str, exchange: RunningExchange, programs: list[Program], tmp_path: Path
) -> None:
    program = Program([sys.executable, "-c", STARTS_DEAF, *command_of(name, exchange)], tmp_path)
    programs.append(program)
    program.until_said(PROGRAMS[name][1])
    program.process.send_signal(signal.SIGINT)
    assert program.ends_at(signal.SIGTERM) in (0, -signal.SIGTERM), program.said
    assert "Traceback" not in program.said


def test_the_end_of_its_terminal_ends_an_exchange_in_order(
    exchange: RunningExchange, programs: list[Program], tmp_path: Path
) -> None:
    ours, its = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0), os.fdopen(its, "rb", buffering=0) as terminal:
        program = Program(command_of("twistd", exchange), tmp_path, terminal)
        programs.append(program)
        program.until_said(PROGRAMS["twistd"][1])
        assert program.ends_at(signal.SIGHUP) == 0
    assert "SIGHUP: the terminal is gone, stopping" in program.said
    assert "Server Shut Down" in program.said


def test_what_nohup_ignores_stays_ignored(exchange: RunningExchange, programs: list[Program], tmp_path: Path) -> None:
    deaf = STARTS_DEAF.replace("SIGINT", "SIGHUP")
    program = Program([sys.executable, "-c", deaf, *command_of("twistd", exchange)], tmp_path)
    programs.append(program)
    program.until_said(PROGRAMS["twistd"][1])
    program.process.send_signal(signal.SIGHUP)
    program.process.send_signal(signal.SIGUSR2)
    program.until_said("SIGUSR2 is ignored")
    assert "SIGHUP" not in program.said
    assert program.ends_at(signal.SIGTERM) == 0


BETWEEN = """
import os, signal, sys
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from ctiex.app.tap import Options, makeService
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
options = Options()
options.parseOptions(sys.argv[1:])
service = makeService(options)
service.startService()
for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    os.kill(os.getpid(), number)
reactor.run()
"""
"""What a runner does, with signals between the exchange's start and the reactor's."""


def test_a_signal_between_the_start_and_the_reactor_s_ends_nothing(programs: list[Program], tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", BETWEEN, *LISTENS], tmp_path)
    programs.append(program)
    for number in NEEDLESS:
        program.until_said(f"{number.name} is ignored")
    assert program.ends_at(signal.SIGTERM) == 0, program.said
