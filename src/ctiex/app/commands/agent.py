"""``ctiex agent``: an agent at the terminal, who hands customers over and watches the events."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred
from twisted.python.failure import Failure

from ctiex.app.commands.accounts import AccountOptions
from ctiex.app.commands.agent_calls import USAGE, TerminalCalls
from ctiex.app.commands.agent_words import describe, read_fields
from ctiex.app.output import READER_GONE, say
from ctiex.clients import AgentClient, AgentNumber
from ctiex.clients.line_editor import open_line_editor
from ctiex.clients.terminal import Terminal, open_terminal
from ctiex.errors import BindRefused, CallerHungUp, CtiexError

_OWN = {
    "connect": "SERVICE [CALL | CALLING-NUMBER] [NAME=TEXT | NAME:=INTEGER | NAME:=true | NAME:=false] ...",
    "cancel": "SERIAL",
    "help": "",
    "quit": "",
}
_HELP = "".join(f"{name} {usage}".rstrip() + "\n" for name, usage in _OWN.items())
_CALLS_HELP = "".join(f"{name} {usage}".rstrip() + "\n" for name, usage in USAGE.items())
_MORE_HELP = "where the exchange controls calls, help shows the commands for them\n"
_ABOUT_CALLS = """\
CALL is the number that a call is shown with; it may be left out where only one call can be meant.
DESTINATION is a number, an agent number or a queue. CHANGE is what is shown behind a call, as party-dropped.
"""

_CLOSE_WITHIN = 5.0
"""How long what was written last may take to go out, in seconds."""


class Options(AccountOptions):
    """The options of ``ctiex agent``."""

    longdesc = "An agent in a terminal. Commands: " + (_HELP + _CALLS_HELP).replace("\n", "; ")
    optParameters = [["agent", "a", "1001", "The agent number to log in."]]

    def __init__(self) -> None:
        super().__init__("tcp:127.0.0.1:7300", "agent-demo")
        self.secret: set[str] = set()

    def opt_secret(self, name: str) -> None:
        """Mask the values of fields with this name in the events; may be repeated."""
        self.secret.add(name)


class InteractiveAgent:
    """Reads commands, line by line, and writes what happens."""

    def __init__(self, agent: AgentNumber, terminal: Terminal, calls: TerminalCalls) -> None:
        self._agent = agent
        self._terminal = terminal
        self._calls = calls
        self._commands: Mapping[str, Callable[[list[str]], Awaitable[None]]] = {
            "connect": self._connect,
            "cancel": self._cancel,
            "help": self._help,
            **{name: partial(calls.obey, agent, name) for name in USAGE},
        }
        self._errors = 0
        """How many commands failed."""

    async def run(self) -> int:
        """Until ``quit`` or the end of the input; gives how many commands failed."""
        self._terminal.write(_HELP + _MORE_HELP)
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
                near = get_close_matches(command, [*self._commands, "quit"], 1)
                raise ValueError(f"unknown command {command!r}: expected {near[0] if near else 'one that help shows'}")
            await self._commands[command](words)
        except (CtiexError, ValueError) as error:
            self._errors += 1
            self._terminal.say(f"error: {error}")

    async def _connect(self, words: list[str]) -> None:
        plain = [word for word in words if "=" not in word]
        fields = read_fields(words[len(plain) :])
        if not 1 <= len(plain) <= 2:
            raise ValueError(f"expected connect {_OWN['connect']}")
        numbers = self._calls.numbers
        if len(plain) == 2 and numbers.get(plain[1]) is None:
            hand_off = await self._agent.connect(plain[0], plain[1], fields)
        else:
            call, _ = numbers.taken(plain[1:], 0, 0, None)
            hand_off = await call.connect(plain[0], fields)
        self._terminal.say(f"call {hand_off.serial} is stored")

    async def _cancel(self, words: list[str]) -> None:
        if len(words) != 1:
            raise ValueError("expected cancel SERIAL")
        await self._agent.cancel(words[0])

    async def _help(self, words: list[str]) -> None:
        usage = {**_OWN, **USAGE}
        if words and words[0] not in usage:
            raise ValueError(f"no command {words[0]!r}, expected one of: {', '.join(usage)}")
        if words:
            self._terminal.write(f"{words[0]} {usage[words[0]]}".rstrip() + "\n")
        else:
            self._terminal.write(_HELP + _CALLS_HELP + _ABOUT_CALLS)


def complete(line: str) -> list[str]:
    """What the last word of a line may be: a command, or nothing that is known."""
    words = line.split(" ")
    return [name for name in (*_OWN, *USAGE) if name.startswith(words[0])] if len(words) == 1 else []


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Run until ``quit``, or until the process is stopped.

    It also ends when the reader of its output is gone. Gives 1 when the exchange can't be trusted, when it refuses
    the identity or the agent number, or when a command that wasn't typed failed.

    :raise UsageError: an option's value is invalid.
    """
    client = AgentClient(reactor, options.account(reactor))
    typed = sys.stdin.isatty()
    terminal = open_line_editor(reactor, complete) if typed and sys.stdout.isatty() else open_terminal(reactor)
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
    calls = TerminalCalls(client, number, terminal.say, options.secret)

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
            on_call_event=calls.call_event,
            on_state=calls.state,
        )
    )
    agent = await (unless_quit(login, terminal) if typed else login)
    terminal.say(f"agent {agent.number} is logged in")
    return await InteractiveAgent(agent, terminal, calls).run()


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
