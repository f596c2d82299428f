"""The command line ``ctiex``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from ctiex import __version__
from ctiex.app.commands import (
    agent,
    check_config,
    decode,
    demo,
    dialplan,
    passwd,
    service,
    simulate,
    store,
    trace,
    voice,
)
from ctiex.steady_time import make_steady

COMMANDS: dict[str, ModuleType] = {
    "demo": demo,
    "agent": agent,
    "service": service,
    "decode": decode,
    "check-config": check_config,
    "passwd": passwd,
    "dialplan": dialplan,
    "simulate": simulate,
    "store": store,
    "trace": trace,
    "voice": voice,
}
_WITH_REACTOR = frozenset({"demo", "agent", "service", "voice"})


class Options(UsageOptions):
    """``ctiex COMMAND``."""

    synopsis = "Usage: ctiex"
    longdesc = "The exchange itself runs as `twistd -n ctiex`."
    subCommands = [
        ["demo", None, demo.Options, "Play the three services over loopback TCP, step by step."],
        ["agent", None, agent.Options, "An agent in this terminal: connect customers, watch the events."],
        ["service", None, service.Options, "Run one of the built-in automatic services."],
        ["voice", None, voice.Options, "Run the built-in automatic services for an Asterisk's customers."],
        ["decode", None, decode.Options, "Print frames off the wire as messages."],
        ["check-config", None, check_config.Options, "Check a configuration file."],
        ["passwd", None, passwd.Options, "Make the secret_hash of a secret."],
        ["dialplan", None, dialplan.Options, "Print the dialplan for an Asterisk of platform 1 or 2."],
        [
            "simulate",
            None,
            simulate.Options,
            "Simulate the whole system with faults, and hold it against its promises.",
        ],
        ["store", None, store.Options, "Show, check or export the file of a durable store."],
        ["trace", None, trace.Options, "Print the timeline of a hand-off out of the audit log."],
    ]

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"ctiex {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """See that a command was given.

        :raise UsageError: there is none.
        """
        if self.subCommand is None:
            raise UsageError(f"give a command: {', '.join(COMMANDS)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code; 2 for a command line that can't be understood."""
    options = Options()
    try:
        options.parseOptions(list(sys.argv[1:] if arguments is None else arguments))
        command = str(options.subCommand)
        if command in _WITH_REACTOR:
            _run_with_reactor(COMMANDS[command], options.subOptions)
        else:
            if command == "simulate":  # what its thousands of processes log is for nobody
                globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
            sys.exit(COMMANDS[command].run(options.subOptions, sys.stdout, sys.stderr))
    except UsageError as error:
        print(f"ctiex: {error}\ntry: ctiex --help, or ctiex COMMAND --help", file=sys.stderr)
        sys.exit(2)


def _run_with_reactor(command: ModuleType, options: Any) -> None:
    _log_warnings()

    def begin(reactor: Any) -> Deferred[None]:
        make_steady(reactor)
        return ensureDeferred(_run(command, options, reactor))

    react(begin)


async def _run(command: ModuleType, options: Any, reactor: Any) -> None:
    try:
        code = await command.run(options, reactor, sys.stdout, sys.stderr)
    except UsageError as error:
        print(f"ctiex: {error}", file=sys.stderr)
        code = 2
    raise SystemExit(code)


def _log_warnings() -> None:
    """Warnings go to standard error; a command's own output says the rest."""
    errors = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])
    globalLogBeginner.beginLoggingTo([errors], redirectStandardIO=False)
