"""An exchange in a process of its own, and what the kernel says it has used."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

_START = 120.0
"""How long a start may take, in seconds."""
_SOURCE = Path(__file__).resolve().parent.parent / "src"


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


class ExchangeProcess:
    """``twistd -n ctiex`` in a directory of its own, with this configuration."""

    def __init__(self, directory: Path, configuration: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.agent_port, self.service_port = free_port(), free_port()
        self._log = directory / "log"
        (directory / "exchange.toml").write_text(configuration)
        twistd = str(Path(sys.executable).parent / "twistd")
        command = [sys.executable, twistd, "-n", "--pidfile=", "ctiex", "--config", "exchange.toml"]
        for side, port in (("agent", self.agent_port), ("ivr", self.service_port)):
            command += [f"--{side}-listen", f"tcp:{port}:interface=127.0.0.1"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_SOURCE), str(_SOURCE.parent)])}
        begun = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
        self._await_ports(begun)
        self.start_seconds = time.monotonic() - begun
        """From the command to both open ports, in seconds of the wall clock."""

    def _await_ports(self, begun: float) -> None:
        while True:
            try:
                for port in (self.agent_port, self.service_port):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() - begun > _START:
                    self.stop()
                    raise SystemExit(f"the exchange did not start:\n{self._log.read_text()}") from None
            time.sleep(0.005)

    def processor_seconds(self) -> float:
        """What all its threads, that of the store included, have had of the processors."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def resident_bytes(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def stop(self) -> None:
        """End it, and wait until it has closed its store."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
