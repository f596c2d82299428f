"""Signals that would end a process silently: what they do here.

SIGTERM and SIGINT end a process in order; that is Twisted's. The others are logged, and end nothing, but for a hang-up
of the terminal that the process was started from.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

_log = Logger()

NEEDLESS: Mapping[signal.Signals, str] = {
    signal.SIGHUP: "restart to apply a changed configuration",
    signal.SIGUSR1: "it has no function here",
    signal.SIGUSR2: "it has no function here",
}
"""The signals that end nothing, each with what is said of it."""


def answer_signals(reactor: Any) -> None:
    """Handle the signals that have no handler yet.

    A signal that is ignored from the start, as by ``nohup``, stays so silently; so does what ``twistd`` does at
    SIGUSR1, where it writes a log file: it begins another one.
    """
    for number in NEEDLESS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda got, frame: reactor.callFromThread(_answer, signal.Signals(got), reactor))


def _answer(number: signal.Signals, reactor: Any) -> None:
    if number is signal.SIGHUP and _from_a_terminal():
        _log.warn("{signal}: the terminal is gone, stopping", signal=number.name)
        reactor.stop()
    else:
        _log.warn("{signal} is ignored: {why}", signal=number.name, why=NEEDLESS[number])


def _from_a_terminal() -> bool:
    """Whether this process was started at a terminal, whose end is reported by SIGHUP."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # it was closed
        return False
