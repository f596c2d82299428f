"""Who is where: each run has a loopback network of its own, so that runs beside each other don't meet."""

from __future__ import annotations

import os

from attrs import frozen

_FIRST_NETWORK = 40
_FIRST_MEDIA_PORT, _MEDIA_PORTS = 20_000, 20


@frozen
class Addresses:
    """The hosts of one run, in 127.0.N.0/24."""

    network: int

    @classmethod
    def of_this_run(cls) -> Addresses:
        """Those of this test process: pytest-xdist's workers have one network each."""
        return cls(_FIRST_NETWORK + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))

    def host(self, number: int) -> str:
        """A host of the network."""
        return f"127.0.{self.network}.{number}"

    @property
    def services(self) -> str:
        """Where the exchange and the FastAGI server listen."""
        return self.host(1)

    @property
    def core(self) -> str:
        """The core network."""
        return self.host(10)

    @property
    def platform_1(self) -> str:
        """The agents' platform."""
        return self.host(11)

    @property
    def platform_2(self) -> str:
        """The automatic services' platform."""
        return self.host(12)

    def customer(self, number: int = 0) -> str:
        """The telephone of a customer."""
        return self.host(100 + number)

    def agent(self, number: int = 0) -> str:
        """The telephone of an agent."""
        return self.host(200 + number)

    def media_ports(self, host: str) -> range:
        """Where a telephone's media come from: it sends them from 127.0.0.1, so the port has to tell whose they are."""
        first = _FIRST_MEDIA_PORT + _MEDIA_PORTS * int(host.rsplit(".", 1)[1])
        return range(first, first + _MEDIA_PORTS)

    def sender(self, host: str, port: int) -> str:
        """The host that sends media from there."""
        if host.startswith(self.host(0)[:-1]):
            return host
        return self.host((port - _FIRST_MEDIA_PORT) // _MEDIA_PORTS)

    def name_of(self, host: str) -> str:
        """Who is there, in words."""
        number = int(host.rsplit(".", 1)[1])
        if number >= 200:
            return "agent" if number == 200 else f"agent {number - 199}"
        if number >= 100:
            return "customer" if number == 100 else f"customer {number - 99}"
        return {1: "services", 10: "core", 11: "platform 1", 12: "platform 2"}.get(number, host)
