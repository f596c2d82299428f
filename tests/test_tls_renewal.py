"""Certificates that change: while links stand, and when the files are looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import ConfigurationError
from ctiex.tls.contexts import ServerContexts
from ctiex.tls.endpoint import TlsFiles

from .certificates import DAY, replace
from .tls_bench import AUTHORITY, CLIENT, CLIENTS, EXCHANGE, FOREIGN, TlsCase, log_of


class RenewalTests(TlsCase):
    """Certificates that change while links stand."""

    async def test_new_links_get_the_new_certificate_and_old_links_go_on(self) -> None:
        clock = Clock()
        contexts = ServerContexts(TlsFiles(self.certificate, self.key, self.clients), clock)
        factory = TLSMemoryBIOFactory(contexts, False, self.factory)
        port = self.opened(reactor.listenTCP(0, factory, interface="127.0.0.1"))
        old = await self.connect(port, CLIENT)
        await old.heard
        renewed = AUTHORITY.sign_server()
        renewed.save(self.folder, "exchange")
        clock.advance(1)
        new = await self.connect(port, CLIENT)
        await new.heard
        self.assertEqual(old.exchange_serial, EXCHANGE.certificate.serial_number)
        self.assertEqual(new.exchange_serial, renewed.certificate.serial_number)
        assert old.transport is not None
        old.transport.write(b"still here")
        self.assertEqual(await old.heard, b"ivr.example.net urn:ctiex:ivr\n")
        for client in (old, new):
            await self.close(client)

    async def test_an_authority_that_is_taken_out_of_the_file_lets_nobody_in_any_more(self) -> None:
        clock = Clock()
        contexts = ServerContexts(TlsFiles(self.certificate, self.key, self.clients), clock)
        factory = TLSMemoryBIOFactory(contexts, False, self.factory)
        port = self.opened(reactor.listenTCP(0, factory, interface="127.0.0.1"))
        FOREIGN.save(self.folder, "clients")
        clock.advance(1)
        client = await self.connect(port, CLIENT)
        self.assertEqual(await client.heard, b"")
        await client.lost


class LookingTests(SynchronousTestCase):
    """When the files are looked at, and what comes of it."""

    def setUp(self) -> None:
        """Write the certificates."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.files = TlsFiles(*EXCHANGE.save(self.folder, "exchange"), CLIENTS.save(self.folder, "clients"))
        self.clock = Clock()
        self.now = datetime.now(UTC)
        self.contexts = ServerContexts(self.files, self.clock, lambda: self.now)
        self.first = self.context

    @property
    def context(self) -> Any:
        """What the next client is met with."""
        return self.contexts.serverConnectionForTLS(None).get_context()

    def test_files_that_stay_as_they_are_are_not_read_again(self) -> None:
        self.clock.advance(3600)
        self.assertIs(self.context, self.first)

    def test_the_files_are_looked_at_once_a_second_at_most(self) -> None:
        self.clock.advance(1)
        self.assertIs(self.context, self.first)
        AUTHORITY.sign_server().save(self.folder, "exchange")
        self.clock.advance(0.9)
        self.assertIs(self.context, self.first)
        self.clock.advance(0.1)
        self.assertIsNot(self.context, self.first)

    def test_a_change_of_any_file_is_taken_up(self) -> None:
        for change in (
            lambda: FOREIGN.save(self.folder, "clients"),
            lambda: AUTHORITY.sign_server().save(self.folder, "exchange"),
        ):
            before = self.context
            change()
            self.clock.advance(1)
            self.assertIsNot(self.context, before)

    def refused(self, words: str) -> None:
        """The next look finds something of no use, which is told once, and nothing changes."""
        with log_of() as lines:
            for _ in range(5):
                self.clock.advance(1)
                self.assertIs(self.context, self.first)
        (line,) = lines
        self.assertTrue(line.startswith("the new certificates are invalid; keeping the previous ones: "), line)
        self.assertIn(words, line)

    def test_what_is_of_no_use_is_told_once_and_the_old_certificates_stay(self) -> None:
        certificate, key = Path(self.files.certificate), Path(self.files.key)
        renewed = AUTHORITY.sign_server()
        replace(certificate, renewed.certificate_pem)
        self.refused("doesn't match the first certificate")
        replace(certificate, b"nothing")
        self.refused("exchange.pem: found no certificate")
        replace(certificate, AUTHORITY.sign_server(ends=-DAY / 24).certificate_pem)
        replace(key, b"-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
        self.refused("exchange.key: found no private key")
        key.unlink()
        self.refused("exchange.key: can't be read")
        late = AUTHORITY.sign_server(ends=-DAY / 24)
        late.save(self.folder, "exchange")
        self.refused("has expired on")
        early = AUTHORITY.sign_server(begins=DAY)
        early.save(self.folder, "exchange")
        self.refused("is valid from")
        renewed.save(self.folder, "exchange")
        self.clock.advance(1)
        self.assertIsNot(self.context, self.first)

    def test_a_certificate_that_expires_while_the_exchange_runs_goes_on_until_it_is_renewed(self) -> None:
        self.now += timedelta(days=400)
        self.clock.advance(1)
        self.assertIs(self.context, self.first)

    def test_a_start_with_files_of_no_use_is_an_error(self) -> None:
        Path(self.files.key).unlink()
        error = self.assertRaises(ConfigurationError, ServerContexts, self.files, self.clock)
        self.assertIn("exchange.key: can't be read: No such file", str(error))

    def test_a_key_under_a_passphrase_is_an_error_and_nobody_is_asked_for_it(self) -> None:
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

        sealed = EXCHANGE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
        replace(Path(self.files.key), sealed)
        error = self.assertRaises(ConfigurationError, ServerContexts, self.files, self.clock)
        self.assertIn("found a key with a passphrase, expected one without", str(error))
