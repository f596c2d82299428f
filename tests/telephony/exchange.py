"""Our own side: the exchange as ``twistd ctiex``, the services as ``ctiex service``, each a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import treq
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IListeningPort

from ctiex.clients import AgentClient, ExchangeAccount

from .addresses import Addresses
from .folders import write_folder
from .processes import RunningProcess
from .timers import Listener, of_calls

ROOT = Path(__file__).resolve().parents[2]
AGI_PORT = 4573
COMMAND = "from ctiex.app.cli import main; main()"
_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
_COMPLAINTS = ("Traceback", "Unhandled", "#error", "#critical")


class ExchangeProcess:
    """``twistd -n ctiex`` on a durable store; may be killed and started again. It tells its timers."""

    def __init__(self, reactor: Any, addresses: Addresses, folder: Path, values: dict[str, Any]) -> None:
        self._reactor = reactor
        self._folder = folder
        self._services = addresses.services
        write_folder("exchange", folder, {"FOLDER": folder, "SERVICES": addresses.services, **values})
        self.timers = Listener(reactor)
        self._told: IListeningPort | None = None
        self.process: RunningProcess | None = None

    async def start(self, ready: str = "exchange .* is ready") -> None:
        """Start it, and wait until it is ready."""
        told = str(self._folder / "timers")
        if self._told is None:
            self._told = self._reactor.listenUNIXDatagram(told, self.timers, maxPacketSize=1 << 16)
        command = [sys.executable, "-m", "tests.telephony.timers", told, "-n", "--pidfile=", "ctiex", "--config",
                   str(self._folder / "exchange.toml")]  # fmt: skip
        self.process = RunningProcess(self._reactor, "exchange", command, self._folder, _ENVIRONMENT)
        await self.process.says(f"{ready}|^.ended")
        assert self.process.alive, list(self.process.said)[-20:]

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self.process is not None:
            await self.process.stop()
        if self._told is not None:
            told, self._told = self._told, None
            await told.stopListening()

    async def kill(self) -> None:
        """Have it dead at once (SIGKILL)."""
        assert self.process is not None
        await self.process.kill()

    def complaints(self) -> list[str]:
        """Lines of its log that no failure of a peer may bring about."""
        said = () if self.process is None else self.process.said
        return [line for line in said if any(word in line for word in _COMPLAINTS)]

    async def measured(self, name: str) -> float:
        """The sum of a metric's values."""
        response = await treq.get(f"http://{self._services}:9300/metrics", persistent=False)
        lines = (await treq.text_content(response)).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    async def quiet(self) -> None:
        """Wait until no timer of a call is left, and see that no call is kept, open or closed."""
        timers = self.timers.happened
        await timers.wait(lambda left: not of_calls(left), "the end of the calls' timers", len(timers) - 1)
        kept = {name: await self.measured(f"ctiex_{name}_calls") for name in ("open", "stored")}
        assert not any(kept.values()), kept

    def client(self) -> AgentClient:
        """An agent's application, not started yet."""
        endpoint = clientFromString(self._reactor, f"tcp:{self._services}:7300")
        account = ExchangeAccount(endpoint, "platform-1-agents", "desk", longest_retry=0.2, jitter=lambda: 0.0)
        return AgentClient(self._reactor, account)

    def audit(self) -> Path:
        """Its audit log, for ``ctiex trace``."""
        return self._folder / "audit.jsonl"


class VoiceProcess:
    """``ctiex voice``: the automatic services, behind a FastAGI port."""

    def __init__(self, reactor: Any, addresses: Addresses, folder: Path) -> None:
        self._reactor = reactor
        self._host = addresses.services
        self._folder = folder
        self.process: RunningProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until the exchange has bound it."""
        self._folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", COMMAND, "voice", "--listen", f"tcp:{AGI_PORT}:interface={self._host}",
                   "--exchange", f"tcp:{self._host}:7301", "--identity", "platform-2-ivr"]  # fmt: skip
        environment = {**_ENVIRONMENT, "CTIEX_SECRET": "ivr"}
        self.process = RunningProcess(self._reactor, "voice", command, self._folder, environment)
        await self.process.says("is ready|^.ended")
        assert self.process.alive, list(self.process.said)[-20:]

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self.process is not None:
            await self.process.stop()

    async def kill(self) -> None:
        """Have it dead at once."""
        assert self.process is not None
        await self.process.kill()
