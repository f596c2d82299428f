"""``twistd ctiex`` and ``twist ctiex``."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from typing import Any

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.python import usage
from twisted.python.failure import Failure

from ctiex.app.checking import checked
from ctiex.app.exchange import Exchange
from ctiex.app.signals import answer_signals
from ctiex.config.model import Configuration
from ctiex.errors import ConfigurationError, CtiexError
from ctiex.links.descriptors import allow_all
from ctiex.steady_time import make_steady
from ctiex.visible import visible

COLLECT_AFTER = (20_000, 50, 100)
"""When the garbage collector runs: it would walk the thousands of changes that wait for a store over and over. What is
new is looked through 20,000 objects at a time, in some milliseconds of a turn of the reactor; what stays, as before."""


class Options(usage.Options):
    """The options of the plugin."""

    longdesc = (
        "Runs a CTIEX exchange: agents hand customers to automatic services on other platforms, and the data of each "
        "call travels beside it by its serial. Without --config it runs on loopback with demo identities."
    )
    optParameters = [
        ["config", "c", None, "The configuration, a TOML file (check it with `ctiex check-config FILE`)."],
        ["agent-listen", None, None, "Endpoint for agents instead: tcp:7300:interface=127.0.0.1"],
        ["ivr-listen", None, None, "Endpoint for services instead: tcp:7301:interface=127.0.0.1"],
    ]  # fmt: skip

    def postOptions(self) -> None:
        """Read the configuration, so that what is wrong with it is said before anything starts."""
        try:
            self["configuration"] = self._checked()
        except ConfigurationError as error:
            # Twisted prints it as it is, whatever the terminal takes.
            lines = [visible(line, getattr(sys.stdout, "encoding", None)) for line in str(error).splitlines()]
            raise usage.UsageError("\n".join(["the configuration can't be used:", *lines])) from None

    def _checked(self) -> Configuration:
        """The configuration, whose files are looked for where ``twistd --rundir`` goes later."""
        runner: Mapping[str, Any] = self.parent or {}
        folder, file = runner.get("rundir") or ".", self["config"]
        if folder != "." and file is not None:
            file = os.path.abspath(file)
        with chdir(folder):
            return checked(file, self["agent-listen"], self["ivr-listen"])


def makeService(options: Options, reactor: Any = None) -> IService:
    """The exchange as one service."""
    ours = reactor is None
    if reactor is None:
        from twisted.internet import reactor as the_reactor

        reactor = the_reactor
        make_steady(reactor)
        reactor.callWhenRunning(_leave_on_sigterm, reactor)
        allow_all()
        gc.set_threshold(*COLLECT_AFTER)  # the process is ours
    exchange = _PluginExchange(options["configuration"], reactor, ours)
    reactor.callWhenRunning(_stop_if_not_started, exchange, reactor)
    return exchange


class _PluginExchange(Exchange):
    """An exchange that is all there is to the process: what keeps it from starting is said in one line."""

    def __init__(self, configuration: Configuration, reactor: Any, ours: bool) -> None:
        """Build it.

        :param ours: whether this process and its reactor are this exchange's alone.
        """
        super().__init__(configuration, reactor)
        self._ours = ours

    def privilegedStartService(self) -> None:
        """Prepare the start, or exit with code 1."""
        with _one_line():
            super().privilegedStartService()

    def startService(self) -> None:
        """Start, or exit with code 1."""
        if self._ours:
            # Before anybody can take it for ready, and not before twistd has seen to its own signals.
            answer_signals(self._reactor)
        with _one_line():
            super().startService()


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except (CannotListenError, CtiexError) as error:
        sys.exit(f"ctiex: {error}")


def _stop_if_not_started(exchange: Exchange, reactor: Any) -> None:
    """A store that opens in its own time may fail when the process runs already."""

    def failed(failure: Failure) -> None:
        atexit.register(_exit_with_failure)
        if reactor.running:
            reactor.stop()

    exchange.started().addErrback(failed)


def _exit_with_failure() -> None:
    """Say to a supervisor what twistd doesn't: it takes any stop of the reactor for success."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _leave_on_sigterm(reactor: Any) -> None:
    """End with exit code 0 when a supervisor asks for it: Twisted would end itself by the signal once all is done."""

    def leave(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # who asks twice means it
        reactor.callFromThread(reactor.stop)

    signal.signal(signal.SIGTERM, leave)
