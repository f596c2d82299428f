"""The exchange as a process of its own, and links to it for one test."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Peer

ROOT = Path(__file__).resolve().parent.parent
SHORT_TIMES = """
[exchange]
id = "7"
address = "ctiex.test:7301"
[limits]
mailbox = 8
login_failures = 1000
login_delay = 0.01
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.hashed-desk]
role = "agent"
secret_hash = "scrypt$16384$8$1$Au6hH6ik5hgj2u9B50QV7Q$UcssQKlNEDqrF0qqTQlvJ50SXSWZyHt_MVQIcp-DuL4"
agents = ["*"]
[identities.small-desk]
role = "agent"
secret = "desk-secret"
agents = ["1001", "1100-1199"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["alpha", "x", "slow-answer", "slow-fetch", "slow-result", "brief", "shared"]
[identities.other-ivr]
role = "service"
secret = "ivr-secret"
services = ["gamma", "shared", "nobody"]
[services.alpha]
access_code = "8001"
[services.x]
access_code = "8002"
[services.slow-answer]
access_code = "8003"
signalling_timeout = 0.5
[services.slow-fetch]
access_code = "8004"
fetch_timeout = 0.5
[services.slow-result]
access_code = "8005"
service_timeout = 0.5
[services.brief]
access_code = "8006"
keep_closed = 0.5
[services.shared]
access_code = "8007"
[services.gamma]
access_code = "8008"
[services.nobody]
access_code = "8009"
"""
_numbers: itertools.count[int] = itertools.count(1)


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class RunningExchange:
    """``twistd -n ctiex`` on two free ports."""

    def __init__(self, directory: Path, config: str | None = None) -> None:
        self.agent_port, self.service_port = free_port(), free_port()
        self.output = directory / "output"
        command = [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=", "ctiex"]
        for side, port in (("agent", self.agent_port), ("ivr", self.service_port)):
            command += [f"--{side}-listen", f"tcp:{port}:interface=127.0.0.1"]
        if config is not None:
            (directory / "exchange.toml").write_text(config)
            command += ["--config", str(directory / "exchange.toml")]
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=output, stderr=output
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while not (accepts(self.agent_port) and accepts(self.service_port)):
            alive = self.process.poll() is None
            if not alive or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the exchange did not start:\n{self.output.read_text()}")
            time.sleep(0.05)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def complaints(self) -> list[str]:
        """Lines of the log that no peer, however wrong, may bring about."""
        words = ("Traceback", "Unhandled", "#error", "#critical")
        return [line for line in self.output.read_text().splitlines() if any(word in line for word in words)]

    def finish(self) -> None:
        """Stop after the tests of a module, and hold the exchange to a quiet log."""
        self.stop()
        assert self.complaints() == []


class Desk:
    """Opens links for one test and closes them after it."""

    def __init__(self, exchange: RunningExchange) -> None:
        self.exchange = exchange
        self.links: list[Peer] = []

    def link(self, to_services: bool = False, byte_by_byte: bool = False) -> Peer:
        port = self.exchange.service_port if to_services else self.exchange.agent_port
        self.links.append(Peer(port, byte_by_byte))
        return self.links[-1]

    def bound_agent(self, identity: str = "desk") -> Peer:
        link = self.link()
        assert link.bind(AGENT_ROLE, identity, "desk-secret")["status"] == 0
        return link

    def agent(self, number: str) -> Peer:
        """An agent link with this number logged in."""
        link = self.bound_agent()
        assert link.login(number)["status"] == 0
        return link

    def service(self, identity: str = "ivr") -> Peer:
        link = self.link(to_services=True)
        assert link.bind(SERVICE_ROLE, identity, "ivr-secret")["status"] == 0
        return link

    def close(self) -> None:
        for link in self.links:
            link.close()


def new_number() -> str:
    """An agent number or a serial that no other test uses."""
    return f"50{next(_numbers):06d}"
