"""``ctiex agent``: an agent at the terminal, who hands customers over and watches the events."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred
from twisted.python.failure import Failure

from ctiex.app.commands.accounts import AccountOptions
from ctiex.app.output import READER_GONE, say
from ctiex.clients import AgentClient, AgentNumber
from ctiex.clients.terminal import Terminal, open_terminal
from ctiex.errors import BindRefused, CallerHungUp, CtiexError, FieldError, Status
from ctiex.fields import Fields, Value
from ctiex.messages import AgentEvent

_HELP = """\
connect SERVICE CALLING-NUMBER [NAME=TEXT | NAME:=INTEGER | NAME:=true | NAME:=false] ...
cancel SERIAL
help
quit
"""


_CLOSE_WITHIN = 5.0
"""How long what was written last may take to go out, in seconds."""


class Options(AccountOptions):
    """The options of ``ctiex agent``."""

    longdesc = "An agent in a terminal. Commands: " + _HELP.replace("\n", "; ")
    optParameters = [["agent", "a", "1001", "The agent number to log in."]]

    def __init__(self) -> None:
        super().__init__("tcp:127.0.0.1:7300", "agent-demo")
        self.secret: set[str] = set()

    def opt_secret(self, name: str) -> None:
        """Mask the values of fields with this name in the events; may be repeated."""
        self.secret.add(name)


def read_fields(words: list[str]) -> Fields:
    """Fields as they are typed: ``name=text``, ``name:=5``, ``name:=true``.

    :raise FieldError: a word is no field; the text doesn't repeat it, since it may be somebody's secret.
    """
    return Fields([_field(place, word) for place, word in enumerate(words, 1)])


def _field(place: int, word: str) -> tuple[str, Value]:
    name, equals, text = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise FieldError(f"field {place}: expected NAME=TEXT, NAME:=INTEGER, NAME:=true or NAME:=false")
    if not name.endswith(":"):
        return name, text
    if text in ("true", "false"):
        return name[:-1], text == "true"
    try:
        return name[:-1], int(text)
    except ValueError:
        raise FieldError(f"field {name[:-1]!r}: expected an integer, true or false after :=") from None


class InteractiveAgent:
    """Reads commands, line by line, and writes what happens."""

    def __init__(self, agent: AgentNumber, terminal: Terminal) -> None:
        self._agent = agent
        self._terminal = terminal
        self._commands: Mapping[str, Callable[[list[str]], Awaitable[None]]] = {
            "connect": self._connect,
            "cancel": self._cancel,
            "help": self._help,
        }
        self._errors = 0
        """How many commands failed."""

    async def run(self) -> int:
        """Until ``quit`` or the end of the input; gives how many commands failed."""
        self._terminal.write(_HELP)
        while True:
            try:
                line = await self._terminal.read_line()
            except CallerHungUp:
                return self._errors
            if line.strip() == "quit":
                return self._errors
            if line.strip():
                await self._obey(line)

    async def _obey(self, line: str) -> None:
        try:
            command, *words = shlex.split(line)
            if command not in self._commands:
                raise ValueError(f"unknown command {command!r}: expected connect, cancel, help or quit")
            await self._commands[command](words)
        except (CtiexError, ValueError) as error:
            self._errors += 1
            self._terminal.say(f"error: {error}")

    async def _connect(self, words: list[str]) -> None:
        if len(words) < 2:
            raise ValueError("expected connect SERVICE CALLING-NUMBER [NAME=TEXT ...]")
        service, calling_number, *fields = words
        hand_off = await self._agent.connect(service, calling_number, read_fields(fields))
        self._terminal.say(f"call {hand_off.serial} is stored")

    async def _cancel(self, words: list[str]) -> None:
        if len(words) != 1:
            raise ValueError("expected cancel SERIAL")
        await self._agent.cancel(words[0])

    async def _help(self, words: list[str]) -> None:
        self._terminal.write(_HELP)


def describe(event: AgentEvent, secret: Collection[str] = ()) -> str:
    """An event in one line, for the agent it is meant for, but for the fields named in ``secret``."""
    status = "" if event.status == Status.OK else f" ({Status.of(event.status).text})"
    fields = f": {event.fields.describe(secret)}" if event.fields else ""
    return f"event {event.sequence}, call {event.serial}: {event.condition.text}{status}{fields}"


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Run until ``quit``, or until the process is stopped.

    It also ends when the reader of its output is gone. Gives 1 when the exchange can't be trusted, when it refuses
    the identity or the agent number, or when a command that wasn't typed failed.

    :raise UsageError: an option's value is invalid.
    """
    client = AgentClient(reactor, options.account(reactor))
    terminal = open_terminal(reactor)
    typed = sys.stdin.isatty()
    client.startService()
    working = ensureDeferred(_work(options, client, terminal, typed))
    ended: Deferred[None] = Deferred()

    def interrupted() -> Deferred[None]:
        working.cancel()
        return ended

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    unread = terminal.unread_output().addCallback(lambda _: working.cancel())
    try:
        errors = await working
    except CancelledError:
        return READER_GONE if unread.called else 0
    except BindRefused as refused:
        say(options.refused(refused), stderr)
        return 1
    except CtiexError as error:
        say(f"agent {options['agent']} can't log in: {error}", stderr)
        return 1
    finally:
        await client.stopService()
        await _closed(terminal, reactor)
        ended.callback(None)
    return 1 if errors and not typed else 0


async def _closed(terminal: Terminal, reactor: Any) -> None:
    """Flush the output, unless its reader has stopped reading."""
    with suppress(TimeoutError):
        await terminal.close().addTimeout(_CLOSE_WITHIN, reactor)


async def _work(options: Options, client: AgentClient, terminal: Terminal, typed: bool) -> int:
    """Log in and obey; gives how many commands failed."""
    number = options["agent"]

    def gap(first: int, last: int) -> None:
        terminal.say(
            f"events {first} to {last} are lost" if last >= first else "the exchange has restarted its numbering"
        )

    login = ensureDeferred(
        client.login(
            number,
            lambda event: terminal.say(describe(event, options.secret)),
            gap,
            timeout=10,
            on_taken_over=lambda: terminal.say(f"agent {number} has logged in elsewhere: no more events come here"),
            on_refused=lambda error: terminal.say(f"agent {number} can't log in again: {error}"),
        )
    )
    agent = await (unless_quit(login, terminal) if typed else login)
    terminal.say(f"agent {agent.number} is logged in")
    return await InteractiveAgent(agent, terminal).run()


async def unless_quit(login: Deferred[AgentNumber], terminal: Terminal) -> AgentNumber:
    """The outcome of a login; it is cancelled when somebody types ``quit``. Other lines are there to be read behind it.

    Not for lines that aren't typed: there ``quit`` has its turn when all before it is done.

    :raise CancelledError: somebody did.
    """
    leaving = ensureDeferred(_quit(terminal)).addCallbacks(lambda _: login.cancel(), _given_up)
    try:
        return await login
    finally:
        leaving.cancel()


async def _quit(terminal: Terminal) -> None:
    kept: list[str] = []
    try:
        while (line := await terminal.read_line()).strip() != "quit":
            kept.append(line)
    except CallerHungUp:
        return
    finally:
        terminal.unread(kept)


def _given_up(failure: Failure) -> None:
    failure.trap(CancelledError)
