"""An Asterisk of its own folder: started, ready, watched, stopped or killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import DatagramProtocol

from .folders import asterisk_folder
from .manager import Witness
from .peers import ASTERISK
from .processes import RunningProcess

_DULL = ("egistered", " loader.c", " pbx.c")
"""Words of the lines of a log that a reader of a failure doesn't want."""


class _Readiness(DatagramProtocol):
    """Where a service tells that it is ready (sd_notify)."""

    def __init__(self, ready: Deferred[None]) -> None:
        self._ready = ready

    def datagramReceived(self, datagram: bytes, address: Any) -> None:  # noqa: N802
        if b"READY=1" in datagram and not self._ready.called:
            self._ready.callback(None)


class Asterisk:
    """One platform."""

    def __init__(self, reactor: Any, version: int, kind: str, host: str, folder: Path, values: dict[str, Any]) -> None:
        self.kind = kind
        self.host = host
        self.folder = folder
        self.witness = Witness(reactor, host)
        self._reactor = reactor
        self._root = ASTERISK[version]
        asterisk_folder(folder, self._root, kind, {**values, "HOST": host})
        self.process: RunningProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it takes calls."""
        command = self._root.command("usr/sbin/asterisk", "-f", "-C", str(self.folder / "etc/asterisk.conf"))
        ready: Deferred[None] = Deferred()
        told = str(self.folder / "run/ready")
        port = self._reactor.listenUNIXDatagram(told, _Readiness(ready))
        try:
            self.process = RunningProcess(self._reactor, self.kind, command, self.folder, {"NOTIFY_SOCKET": told})
            ensureDeferred(self._end_of(self.process, ready))
            await ready
            broken = [line for line in self.log().splitlines() if "rror loading module" in line or "declined" in line]
            assert not broken, broken
        finally:
            await port.stopListening()
            Path(told).unlink(missing_ok=True)
        await self.witness.log_in()

    async def _end_of(self, process: RunningProcess, ready: Deferred[None]) -> None:
        await process.ended()
        if not ready.called:
            ready.errback(AssertionError(f"{self.kind} didn't start: {list(process.said)[-5:]}\n{self.last_words()}"))

    async def stop(self) -> None:
        """Stop it, if it runs."""
        await self.witness.log_out()
        if self.process is not None:
            await self.process.stop()

    async def kill(self) -> None:
        """Have it dead at once."""
        assert self.process is not None
        await self.process.kill()

    def freeze(self) -> None:
        """Have it hang: nobody refuses anything, and nobody answers."""
        assert self.process is not None
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.thaw()

    def log(self) -> str:
        """Everything that it logged."""
        path = self.folder / "log/full"
        return path.read_text(errors="replace") if path.exists() else ""

    def last_words(self) -> str:
        """What it complained of, and what it did last."""
        lines = [line for line in self.log().splitlines() if not any(dull in line for dull in _DULL)]
        complaints = [line for line in self.log().splitlines() if "] ERROR[" in line or "] WARNING[" in line]
        return "\n".join([*complaints[:20], "...", *lines[-60:]])
