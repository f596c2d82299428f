"""The client under test as a child of the kit, started anew for each case."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ctiex.links.waiters import Waiters

_END_WITHIN = 5.0
"""How long a client may take to end when it is asked to, in seconds."""


class _Child(ProcessProtocol):
    def __init__(self) -> None:
        self.ended = False
        self._ending: Waiters[None] = Waiters()

    def gone(self) -> Deferred[None]:
        return self._ending.add()

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self.ended = True
        self._ending.fire(None)


@define(eq=False)
class ClientCommand:
    """A command that starts the client; what it prints goes to standard error."""

    reactor: Any
    command: str
    """As a shell has it, but no shell runs it."""
    surroundings: Mapping[str, str] = field(factory=dict)
    """More for its environment."""
    _child: _Child = field(init=False)
    _process: IProcessTransport = field(init=False)

    def start(self, case: str) -> None:
        """Start it for a case, whose name stands in its environment."""
        words = shlex.split(self.command)
        environment = {**os.environ, **self.surroundings, "CONFORMANCE_CASE": case}
        self._child = _Child()
        self._process = self.reactor.spawnProcess(
            self._child, words[0], words, environment, childFDs={0: "w", 1: 2, 2: 2}
        )

    async def stop(self) -> None:
        """End it, and wait until it is gone."""
        for signal in ("TERM", "KILL"):
            if self._child.ended:
                return
            gone = self._child.gone().addTimeout(_END_WITHIN, self.reactor)
            try:
                self._process.signalProcess(signal)
                await gone
            except (ProcessExitedAlready, TimeoutError):
                continue
