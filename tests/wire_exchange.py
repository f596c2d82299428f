"""The exchange as a process of its own, and links to it for one test."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

from .processes import ROOT, TWISTD, Program, accepts, free_port, surroundings
from .waiting import until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Peer

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
rebind_grace = 0
[services.x]
access_code = "8002"
rebind_grace = 0
[services.slow-answer]
access_code = "8003"
rebind_grace = 0
signalling_timeout = 0.5
[services.slow-fetch]
access_code = "8004"
rebind_grace = 0
fetch_timeout = 0.5
[services.slow-result]
access_code = "8005"
rebind_grace = 0
service_timeout = 0.5
[services.brief]
access_code = "8006"
rebind_grace = 0
keep_closed = 3
[services.shared]
access_code = "8007"
rebind_grace = 0
[services.gamma]
access_code = "8008"
rebind_grace = 0
[services.nobody]
access_code = "8009"
rebind_grace = 0
"""
_numbers: itertools.count[int] = itertools.count(1)


class RunningExchange:
    """``twistd -n ctiex`` on two free ports."""

    def __init__(self, directory: Path, config: str | None = None) -> None:
        self.agent_port, self.service_port = free_port(), free_port()
        self.output = directory / "output"
        command = [*TWISTD, "ctiex"]
        for side, port in (("agent", self.agent_port), ("ivr", self.service_port)):
            command += [f"--{side}-listen", f"tcp:{port}:interface=127.0.0.1"]
        if config is not None:
            (directory / "exchange.toml").write_text(config)
            command += ["--config", str(directory / "exchange.toml")]
        with self.output.open("wb") as output:
            self.process = Program[bytes](command, cwd=ROOT, env=surroundings(), stdout=output, stderr=output)
        ports = self.agent_port, self.service_port
        until(lambda: all(map(accepts, ports)), self.output.read_text, self.process)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.process.end()

    def complaints(self) -> list[str]:
        """Lines of the log that no peer, however wrong, may bring about."""
        words = ("Traceback", "Unhandled", "#error", "#critical")
        return [line for line in self.output.read_text().splitlines() if any(word in line for word in words)]

    def finish(self) -> None:
        """Stop after the tests of a module, and hold the exchange to a quiet log."""
        self.stop()
        assert self.complaints() == []


class Clients:
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

    def service(self, identity: str = "ivr", features: str = "") -> Peer:
        link = self.link(to_services=True)
        assert link.bind(SERVICE_ROLE, identity, "ivr-secret", features=features)["status"] == 0
        return link

    def close(self) -> None:
        for link in self.links:
            link.close()


def new_number() -> str:
    """An agent number or a serial that no other test uses."""
    return f"50{next(_numbers):06d}"
