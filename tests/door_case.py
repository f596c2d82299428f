"""An exchange in memory with the door that every Bind comes through."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Limits, SessionLimits
from ctiex.login.checkers import ConfiguredChecker
from ctiex.login.credentials import KnownIdentity, checker_context, make_portal
from ctiex.messages import Bind, BindReply, Role
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange, MemoryTransport, agents, services

from .checking import Threads, cheaply_hashed

HASHED = [
    KnownIdentity(agents(), cheaply_hashed("secret")),
    KnownIdentity(services(), cheaply_hashed("secret", b"pepper")),
    KnownIdentity(agents("clear"), "clear secret"),
    KnownIdentity(agents("platform-1"), certificate="platform-1.example.net"),
]


def patient(**limits: int) -> Limits:
    """The throttle never gets in the way."""
    return Limits(login_failures=10_000, login_delay=0.001, **limits)


IN_CLEAR = SessionLimits(plain_secrets="allowed")


class DoorCase(SynchronousTestCase):
    """An exchange in memory whose hashings run when told."""

    def setUp(self) -> None:
        self.make()

    def make(self, **options: Any) -> None:
        self.threads = Threads()
        context = checker_context(HASHED)
        self.checker = ConfiguredChecker(context.secrets, context.identities, self.threads)
        portal = make_portal(HASHED, self.checker)
        self.exchange = MemoryExchange(portal=portal, **options)
        self.clock, self.counts = self.exchange.clock, self.exchange.counters

    def open(self, host: str = "127.0.0.1", to_services: bool = False) -> tuple[FakePeer, LinkedPair]:
        """A link from this address."""
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, 49152)

        def transport(name: str) -> MemoryTransport:
            made = MemoryTransport(name)
            made._address = address  # type: ignore[assignment]
            return made

        with patch("ctiex.testing.pairs.MemoryTransport", transport):
            if to_services:
                service, pair, _ = self.exchange.link_service(FakeService())
                return service, pair
            agent, pair, _ = self.exchange.link_agent(FakeAgent())
            return agent, pair

    def bind(
        self, identity: str, secret: str, role: Role = Role.AGENT, host: str = "127.0.0.1", to_services: bool = False
    ) -> FakePeer:
        """Send a Bind on a link of its own."""
        peer, pair = self.open(host, to_services)
        peer.send(Bind(role, identity, secret))
        pair.pump()
        return peer

    def settle(self) -> None:
        """Hash what is to be hashed, and carry the answers over."""
        self.threads.finish()
        self.exchange.pump()

    def reply(self, peer: FakePeer) -> BindReply | None:
        """What it was answered."""
        replies = peer.every(BindReply)
        return replies[0] if replies else None

    def status(self, peer: FakePeer) -> int | None:
        reply = self.reply(peer)
        return None if reply is None else int(reply.status)

    def tell(self, peer: FakePeer) -> int | None:
        """Its status, with everything hashed and every delay waited for."""
        self.settle()
        self.exchange.advance(6)
        return self.status(peer)

    def guess(self, count: int, host: str = "127.0.0.1") -> None:
        """So many refused logins."""
        for number in range(count):
            self.assertEqual(self.tell(self.bind("agents", f"wrong {number}", host=host)), 11)
