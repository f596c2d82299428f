"""The command line ``ctiex``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType

from attrs import frozen
from twisted.python import usage

import ctiex
from ctiex.app.output import OutputLost, end_unread, open_standard_streams, say, say_lines
from ctiex.errors import ConfigurationError


@frozen
class Command:
    """One command of ``ctiex``; its module is imported when it is asked for, since it may need what an extra brings."""

    name: str
    about: str
    with_reactor: bool = False
    """Whether its ``run`` is a coroutine function over the reactor."""

    @property
    def module(self) -> ModuleType:
        """The module with its ``Options`` and ``run``."""
        return import_module(f"ctiex.app.commands.{self.name.replace('-', '_')}")

    def options(self) -> usage.Options:
        """Its options, for a command line to be read into."""
        options: usage.Options = self.module.Options()
        return options


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        Command("demo", "Play the three services over loopback TCP, step by step.", True),
        Command("agent", "An agent in this terminal: connect customers, watch the events.", True),
        Command("service", "Run one of the built-in automatic services.", True),
        Command("voice", "Run the built-in automatic services for an Asterisk's customers.", True),
        Command("conformance", "Play the exchange against a client of your own, and do what is rare.", True),
        Command("decode", "Print frames off the wire as messages."),
        Command("check-config", "Check a configuration file."),
        Command("passwd", "Make the secret_hash of a secret."),
        Command("dialplan", "Print the dialplan for an Asterisk of platform 1 or 2."),
        Command("simulate", "Simulate the whole system with faults, and check that it keeps its promises."),
        Command("store", "Show, check, export, copy or restore the file of a durable store."),
        Command("trace", "Print the timeline of a hand-off out of the audit log."),
    )
}
"""Every command, by name."""


class Options(usage.Options):
    """``ctiex COMMAND``."""

    synopsis = "Usage: ctiex"
    longdesc = "The exchange itself runs as `twistd -n ctiex`."
    subCommands = [[command.name, None, command.options, command.about] for command in COMMANDS.values()]

    def opt_version(self) -> None:
        """Print the version and exit."""
        say(f"ctiex {ctiex.__version__}", sys.stdout)
        sys.exit(0)

    def postOptions(self) -> None:
        """See that a command was given.

        :raise UsageError: no command is given.
        """
        if self.subCommand is None:
            raise usage.UsageError(f"give a command: {', '.join(COMMANDS)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code; 2 for a command line that can't be understood."""
    open_standard_streams()
    try:
        _main(arguments)
        sys.stdout.flush()
    except (OutputLost, BrokenPipeError) as error:
        sys.exit(end_unread(error if isinstance(error, OutputLost) else OutputLost(error)))


def _main(arguments: Sequence[str] | None) -> None:
    options = Options()
    try:
        options.parseOptions(list(sys.argv[1:] if arguments is None else arguments))
        command = COMMANDS[str(options.subCommand)]
        if command.with_reactor:
            from ctiex.app.running import run_with_reactor  # and with it what only a reactor needs

            run_with_reactor(command.module, options.subOptions)
        else:
            if command.name == "simulate":  # the logs of its thousands of processes are of no interest
                _discard_logs()
            sys.exit(command.module.run(options.subOptions, sys.stdout, sys.stderr))
    except ConfigurationError as error:  # an extra that isn't installed
        sys.exit(f"ctiex: {error}")
    except usage.UsageError as error:
        say_lines(f"ctiex: {error}\ntry: ctiex --help, or ctiex COMMAND --help", sys.stderr)
        sys.exit(2)


def _discard_logs() -> None:
    from twisted.logger import globalLogBeginner

    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
