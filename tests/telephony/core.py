"""The core network between the platforms: a kamailio that takes out what a core network takes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .addresses import Addresses
from .folders import write_folder
from .peers import NETWORK
from .processes import RunningProcess


class Core:
    """One kamailio."""

    def __init__(self, reactor: Any, addresses: Addresses, folder: Path, passing: bool = False) -> None:
        self._reactor = reactor
        self._folder = folder
        values = {
            "HOST": addresses.core,
            "PLATFORM_2": addresses.platform_2,
            "ROOT": NETWORK.folder,
            "PASSING": "1==1" if passing else "1==0",
        }
        write_folder("core", folder, values)
        self.process: RunningProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it takes calls."""
        folder = str(self._folder)
        command = NETWORK.command("usr/sbin/kamailio", "-DD", "-E", "-f", f"{folder}/kamailio.cfg", "-Y", folder,
                                  "-m", "16", "-M", "4")  # fmt: skip
        self.process = RunningProcess(self._reactor, "core", command, self._folder)
        await self.process.says("core network ready|^.ended")
        assert self.process.alive, list(self.process.said)[-10:]

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self.process is not None:
            await self.process.stop()

    kill = stop
    """Its children end with it only when it is stopped; calls that it had are dead all the same."""
