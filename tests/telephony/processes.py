"""A peer as a process: its words line by line, its end awaited, nothing of it left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from .happenings import PATIENCE, Happenings

_LET_STOP = 5.0
"""How long a process may take to stop by itself, in seconds."""


class _Words(ProcessProtocol):
    def __init__(self, owner: RunningProcess) -> None:
        self._owner = owner
        self._unfinished = b""

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._owner.said.tell(line.decode(errors="replace").rstrip())

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self._owner.has_ended(reason)


class RunningProcess:
    """One process, from its start to its end."""

    def __init__(
        self,
        reactor: Any,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.said: Happenings[str] = Happenings(reactor, name)
        self._reactor = reactor
        self._ended: list[Deferred[None]] = []
        self.alive = True
        env = {**os.environ, **(environment or {})}
        # It ends with this process, also where that one is killed.
        bound = ["setpriv", "--pdeathsig", "TERM", "--", *command]
        self._process = reactor.spawnProcess(_Words(self), bound[0], bound, env=env, path=str(folder))

    async def says(self, pattern: str, since: int = 0, patience: float = PATIENCE) -> str:
        """The first line that matches."""
        found = re.compile(pattern)
        return await self.said.wait(lambda line: found.search(line) is not None, pattern, since, patience)

    async def kill(self) -> None:
        """Have it gone at once."""
        self._signal(SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """Let it stop, and see that it does."""
        self._signal(SIGCONT)
        self._signal(SIGTERM)
        impatience = self._reactor.callLater(_LET_STOP, self._signal, SIGKILL)
        await self.ended()
        if impatience.active():
            impatience.cancel()

    async def ended(self) -> None:
        """Wait for its end."""
        if self.alive:
            waiting: Deferred[None] = Deferred()
            self._ended.append(waiting)
            await waiting

    def has_ended(self, reason: Failure) -> None:
        """It is gone."""
        self.alive = False
        self.said.tell(f"(ended: {reason.getErrorMessage()})")
        waiting, self._ended = self._ended, []
        for one in waiting:
            one.callback(None)

    def freeze(self) -> None:
        """Have it do nothing, as on a machine that hangs."""
        self._signal(SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(SIGCONT)

    def _signal(self, number: int) -> None:
        try:
            self._process.signalProcess(number)
        except ProcessExitedAlready:
            pass
