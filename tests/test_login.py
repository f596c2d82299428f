"""Logins as the configuration has them, and over TCP with hashing in threads."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.app.exchange import Exchange
from ctiex.codecs.binary import BinaryCodec
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError
from ctiex.messages import Bind, BindReply, Role

from .checking import cheaply_hashed
from .waiting import eventually


class ConfigurationTests(SynchronousTestCase):
    """What the configuration says of it."""

    def errors(self, tables: dict[str, Any]) -> str:
        return str(self.assertRaises(ConfigurationError, parse, tables))

    def test_an_identity_needs_a_secret_or_a_certificate_unless_another_checker_knows_it(self) -> None:
        bare = {"identities": {"a": {"role": "agent"}}}
        self.assertIn("expected one of them, or a certificate", self.errors(bare))
        self.assertIsNone(parse({**bare, "login": {"checker": "ldap"}}).identities["a"].secret)
        known = parse({"identities": {"a": {"role": "agent", "certificate": "a.example.net"}}}).identities["a"]
        self.assertEqual((known.secret, known.certificate), (None, "a.example.net"))

    def test_a_name_of_a_certificate_belongs_to_one_identity(self) -> None:
        both = {
            "a": {"role": "agent", "certificate": "A.example.net"},
            "b": {"role": "service", "certificate": "a.example.NET"},
        }
        self.assertIn("identities.b.certificate: found", self.errors({"identities": both}))

    def test_keys_of_the_checker_go_to_it(self) -> None:
        login = parse({"login": {"checker": "ldap", "url": "ldap://x"}, "identities": {}}).login
        self.assertEqual((login.checker, dict(login.settings)), ("ldap", {"url": "ldap://x"}))

    def test_the_limits_are_what_was_configured(self) -> None:
        limits = {"links_per_source": 5, "unbound_links_per_source": 4, "unbound_links": 3, "login_failures": 2,
                  "lock_out": 7, "login_delay": 0.5}  # fmt: skip
        tables = {"limits": limits, "links": {"agent": {"plain_secrets": "allowed"}}}
        parts = Exchange(parse(tables), reactor).parts
        context, other = parts.agent_links._context, parts.ivr_links._context
        admission, throttle = context.admission, context.authenticator.throttle
        held = admission.limits
        self.assertEqual((held.links_per_identity, held.links_per_source), (4096, 5))
        self.assertEqual((held.unbound_links_per_source, held.unbound_links), (4, 3))
        limits = throttle.limits
        self.assertEqual((limits.login_failures, limits.lock_out, limits.login_delay), (2, 7, 0.5))
        self.assertEqual(context.authenticator.link.plain_secrets, "allowed")
        self.assertNotEqual(other.authenticator.link.plain_secrets, "allowed")
        self.assertIs(other.admission, admission)
        self.assertIs(other.authenticator.throttle, throttle)


class RealTests(TestCase):
    """Over TCP, with scrypt in the reactor's threads."""

    async def test_guesses_wait_and_lock_their_source_out_and_a_client_is_told_so(self) -> None:
        tables = {
            "links": {"agent": {"listen": "tcp:0:interface=127.0.0.1"}, "ivr": {"listen": "tcp:0:interface=127.0.0.1"}},
            "limits": {"login_failures": 4, "login_delay": 0.25, "lock_out": 3, "unbound_links_per_source": 3},
            "identities": {"agents": {"role": "agent", "secret_hash": cheaply_hashed("right").format()}},
        }
        running = Exchange(parse(tables), reactor)
        running.startService()
        self.addCleanup(running.stopService)
        await running.started()
        began = reactor.seconds()
        told = [await self.bind(running, secret) for secret in ("a", "b", "c", "d", "right")]
        self.assertEqual(told, [11, 11, 11, 11, 14])
        self.assertGreaterEqual(reactor.seconds() - began, 0.5)
        await deferLater(reactor, 3.05)
        self.assertEqual(await self.bind(running, "right"), 0)
        counts = running.parts.counters
        self.assertEqual((counts.links_bound, counts.sources_locked_out, counts.logins_locked_out), (1, 1, 1))
        idle = [await self.connect(running) for _ in range(4)]
        await eventually(lambda: idle[3].lost)
        self.assertFalse(any(link.lost for link in idle[:3]))
        for link in idle[:3]:
            link.transport.loseConnection()  # type: ignore[union-attr]
        await eventually(lambda: all(link.lost for link in idle))
        await eventually(lambda: running.parts.agent_links._context.admission.empty)

    async def connect(self, running: Exchange) -> Teller:
        assert running.agent_port is not None
        port: int = running.agent_port.getHost().port  # type: ignore[attr-defined]
        teller: Teller = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Teller())
        return teller

    async def bind(self, running: Exchange, secret: str) -> int:
        teller = await self.connect(running)
        codec = teller.codec
        assert teller.transport is not None
        teller.transport.write(codec.frame(0x01, 1, codec.encode_body(Bind(Role.AGENT, "agents", secret))))
        status = await teller.told
        teller.transport.loseConnection()
        await eventually(lambda: teller.lost)
        return status


class Teller(Protocol):
    """A client that only binds."""

    def __init__(self) -> None:
        self.codec = BinaryCodec()
        self.told: Deferred[int] = Deferred()
        self.lost = False
        self._decoder = self.codec.decoder(65_536)

    def dataReceived(self, data: bytes) -> None:
        self._decoder.receive(data)
        for frame in self._decoder.frames():
            reply = self.codec.decode_body(frame)
            assert isinstance(reply, BindReply)
            self.told.callback(int(reply.status))

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True
