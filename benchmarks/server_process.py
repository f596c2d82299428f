"""A server in a process of its own, on a core of its own, and what the kernel says it has used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from benchmarks import machine

_START = 120.0
"""How long a start may take, in seconds."""


_ports = Random()
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on, given once, and never given to a connection that goes out.

    One that dials a dead server would meet itself there, and a server that starts late would find its port taken.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _ports.randrange(10_000, first)
        if port not in _given and _can_be_had(port):
            _given.add(port)
            return port


def _can_be_had(port: int) -> bool:
    with socket.socket() as chosen:
        try:
            chosen.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def pinned(core: int) -> Callable[[], None]:
    """What a new process does first, to stay on a core."""
    return lambda: os.sched_setaffinity(0, {core})


def environment() -> dict[str, str]:
    """The variables with which a process finds this checkout."""
    path = os.pathsep.join([str(machine.ROOT / "src"), str(machine.ROOT)])
    return {**os.environ, "PYTHONPATH": path}


class ServerProcess:
    """A command that listens on ports of loopback."""

    def __init__(
        self,
        command: Sequence[str],
        ports: Sequence[int],
        directory: Path,
        core: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, and wait until it accepts connections.

        :param directory: where it runs, and where its output goes (``log``).
        :param core: the only one that it may use; None: any.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "log"
        begun = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=directory, env={**environment(), **(variables or {})}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=None if core is None else pinned(core),
            )  # fmt: skip
        self._await_ports(ports, begun)
        self.start_seconds = time.monotonic() - begun
        """From the command to its open ports, in seconds of the wall clock."""

    def _await_ports(self, ports: Sequence[int], begun: float) -> None:
        while True:
            try:
                for port in ports:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() - begun > _START:
                    self.stop()
                    raise SystemExit(f"the server did not start:\n{self.log.read_text()}") from None
            time.sleep(0.005)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def processor_seconds(self) -> float:
        """What all its threads have had of the processors."""
        return machine.processor_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Its resident memory."""
        return machine.resident_bytes(self.pid)

    def stop(self) -> None:
        """End it, and wait until it has."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def python(*words: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, *words]
