"""An exchange in a process of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping
from os import kill
from pathlib import Path
from typing import Any

from benchmarks.server_process import ServerProcess, free_port, python

_REPORT_WITHIN = 120.0


class ExchangeProcess(ServerProcess):
    """``twistd -n ctiex`` in a directory of its own, with this configuration."""

    def __init__(
        self,
        directory: Path,
        configuration: str,
        core: int | None = None,
        variables: Mapping[str, str] | None = None,
        open_files: int | None = None,
    ) -> None:
        """
        :param open_files: how many open files it may have; as many as this process unless given.
        """
        self._open_files = open_files
        directory.mkdir(parents=True, exist_ok=True)
        self.agent_port, self.service_port = free_port(), free_port()
        (directory / "exchange.toml").write_text(configuration)
        arguments = ["-n", "--pidfile=", "ctiex", "--config", "exchange.toml"]
        for side, port in (("agent", self.agent_port), ("ivr", self.service_port)):
            arguments += [f"--{side}-listen", f"tcp:{port}:interface=127.0.0.1"]
        super().__init__(
            self._command(directory, arguments), (self.agent_port, self.service_port), directory, core, variables
        )

    def _command(self, directory: Path, arguments: list[str]) -> list[str]:
        command = python(str(Path(sys.executable).parent / "twistd"), *arguments)
        if self._open_files is None:
            return command
        return ["/bin/sh", "-c", f'ulimit -n {self._open_files} && exec "$@"', "sh", *command]


class WatchedExchange(ExchangeProcess):
    """The same, with a signal that makes it tell what only it can know of its memory."""

    def __init__(
        self, directory: Path, configuration: str, core: int | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self._report = (directory / "report.json").absolute()
        super().__init__(directory, configuration, core, variables)

    def _command(self, directory: Path, arguments: list[str]) -> list[str]:
        return python("-m", "benchmarks.watched", str(self._report), *arguments)

    def report(self) -> dict[str, Any]:
        """Let it collect its garbage: what that took, and what it holds then (``benchmarks/watched.py``)."""
        self._report.unlink(missing_ok=True)
        kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + _REPORT_WITHIN
        while not self._report.exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"the exchange told nothing of its memory:\n{self.log.read_text()}")
            time.sleep(0.01)
        told: dict[str, Any] = json.loads(self._report.read_text())
        return told
