"""TLS over real TCP: who is let in, who is refused, and how the log says so."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import clientFromString, quoteStringArgument, serverFromString, wrapClientTLS
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.threads import deferToThread
from zope.interface import directlyProvides

from ctiex.links.peers import is_verified

from .certificates import replace
from .tls_bench import CLIENT, EXCHANGE, REFUSED, ROOT_AUTHORITY, Client, TlsCase, log_of
from .waiting import PATIENCE, eventually


class LetInTests(TlsCase):
    """Who is let in."""

    async def test_a_client_s_names_come_from_its_verified_certificate(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        with log_of() as lines:
            client = await self.connect(port, CLIENT)
            self.assertEqual(await client.heard, b"ivr.example.net urn:ctiex:ivr\n")
            self.assertTrue(is_verified(client.transport))
            await self.close(client)
        self.assertEqual(lines, [])

    async def test_without_authorities_for_clients_nobody_has_a_name(self) -> None:
        port = await self.listen("")
        for certificate in (None, CLIENT):
            client = await self.connect(port, certificate)
            self.assertEqual(await client.heard, b"\n")
            await self.close(client)

    async def test_a_certificate_may_be_optional_and_is_verified_all_the_same(self) -> None:
        port = await self.listen(f":clients={self.clients}:clients_optional=yes")
        for certificate, names in ((None, b"\n"), (CLIENT, b"ivr.example.net urn:ctiex:ivr\n")):
            client = await self.connect(port, certificate)
            self.assertEqual(await client.heard, names)
            await self.close(client)
        with log_of() as lines:
            client = await self.connect(port, REFUSED["foreign"][0])
            self.assertEqual(await client.heard, b"")
            await client.lost
        (line,) = lines
        self.assertIn(REFUSED["foreign"][1], line)

    async def test_openssl_is_let_in_with_a_certificate_over_both_versions(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        certificate, key = CLIENT.save(self.folder, "client")
        for version in ("-tls1_2", "-tls1_3"):
            said = await self.openssl(port, version, "-cert", certificate, "-key", key)
            self.assertIn("verify return:1", said)  # the chain in the file leads to the root
        self.assertEqual(self.heard, [b"hello\n"] * 2)

    async def test_the_certificate_and_its_key_may_stand_in_one_file(self) -> None:
        replace(self.folder / "both.pem", EXCHANGE.key_pem + EXCHANGE.certificate_pem)
        description = f"ctiex-tls:0:certificate={self.folder}/both.pem:interface=127.0.0.1"
        port = self.opened(await serverFromString(reactor, description).listen(self.factory))
        client = await self.connect(port)
        self.assertEqual(await client.heard, b"\n")
        await self.close(client)

    async def test_a_connection_that_the_links_turn_away_is_closed(self) -> None:
        self.factory.buildProtocol = lambda addr: None
        port = await self.listen("")
        client = await self.connect(port)
        self.assertEqual(await client.heard, b"")
        await client.lost

    async def test_whatever_application_protocol_a_client_offers_it_is_let_in(self) -> None:
        port = await self.listen("")
        for offered in ("h2", "h2,http/1.1", "ctiex/1", "x" * 255):
            for version in ("-tls1_2", "-tls1_3"):
                said = await self.openssl(port, version, "-alpn", offered)
                self.assertNotIn("alert", said)
        self.assertEqual(self.heard, [b"hello\n"] * 8)

    async def test_an_application_protocol_that_is_spoken_is_agreed_on(self) -> None:
        directlyProvides(self.factory, IProtocolNegotiationFactory)
        self.factory.acceptableProtocols = lambda: [b"ctiex/1", b"http/1.1"]  # type: ignore[attr-defined]
        port = await self.listen("")
        for offered, agreed in (("h2,http/1.1", b"http/1.1"), ("http/1.1,ctiex/1", b"ctiex/1"), ("h2", b"")):
            roots = trustRootFromCertificates([Certificate.loadPEM(ROOT_AUTHORITY.pem)])
            names = [name.encode() for name in offered.split(",")]
            options = optionsForClientTLS("localhost", roots, acceptableProtocols=names)
            endpoint = wrapClientTLS(options, clientFromString(reactor, f"tcp:127.0.0.1:{port}"))
            client: Client = await endpoint.connect(Factory.forProtocol(Client))
            await client.heard
            transport: Any = client.transport
            self.assertEqual(transport.negotiatedProtocol or b"", agreed)
            await self.close(client)

    async def test_files_may_stand_anywhere(self) -> None:
        odd = self.folder / "a:b = c"
        odd.mkdir()
        certificate, key = EXCHANGE.save(odd, "exchange")
        quoted = f"certificate={quoteStringArgument(certificate)}:key={quoteStringArgument(key)}"
        endpoint = serverFromString(reactor, f"ctiex-tls:0:{quoted}:interface=127.0.0.1")
        client = await self.connect(self.opened(await endpoint.listen(self.factory)))
        self.assertEqual(await client.heard, b"\n")
        await self.close(client)


class RefusedTests(TlsCase):
    """Who is refused, in one line of the log and with no traceback."""

    async def refused(self, attempt: Any, words: str) -> None:
        """See that an attempt is refused in these words, in one line."""
        with log_of() as lines:
            await attempt
            await eventually(lambda: lines)
        self.assertEqual(self.heard, [])
        (line,) = lines
        self.assertRegex(line, r"^TLS with 127\.0\.0\.1:\d+ refused: ")
        self.assertEqual(line.partition(" refused: ")[2], words)

    async def test_a_client_without_a_good_certificate(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        for certificate, words in REFUSED.values():
            client = await self.connect(port, certificate)
            await self.refused(gatherResults([client.heard, client.lost]), words)

    async def test_openssl_without_a_good_certificate_over_both_versions(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        for certificate, words in REFUSED.values():
            shown: tuple[str, ...] = ()
            if certificate is not None:
                file, key = certificate.save(self.folder, "client")
                shown = "-cert", file, "-key", key
            for version in ("-tls1_2", "-tls1_3"):
                await self.refused(self.openssl(port, version, *shown), words)

    async def test_a_version_below_1_2(self) -> None:
        port = await self.listen("")
        for version in ("-tls1", "-tls1_1"):
            attempt = self.openssl(port, version, "-cipher", "DEFAULT@SECLEVEL=0")
            await self.refused(attempt, "the client doesn't support TLS 1.2 or above")

    async def test_ciphers_without_forward_secrecy(self) -> None:
        port = await self.listen("")
        attempt = self.openssl(port, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA")
        await self.refused(attempt, "the client supports no cipher that is allowed here")

    async def test_a_client_that_distrusts_the_exchange(self) -> None:
        port = await self.listen("")
        attempt = self.openssl(port, "-CAfile", self.clients)
        words = "the client doesn't trust the authority of the certificate that it was sent"
        await self.refused(attempt, words)

    async def test_a_client_that_speaks_no_tls(self) -> None:
        port = await self.listen("")
        spoken = {
            b"GET / HTTP/1.1\r\n\r\n": "the client speaks HTTP in plain text, not TLS",
            b"\0\0\0\x20\x01\x01" + bytes(30): "the client doesn't speak TLS",  # a Bind
            b'{"kind": "Bind"}\n': "the client doesn't speak TLS",
            b"\x16\x03\x01\0\x05wrong": "the client sends invalid TLS (unexpected message)",
        }
        for data, words in spoken.items():
            await self.refused(deferToThread(speak, port, data), words)

    async def test_a_client_that_goes_away_is_no_news(self) -> None:
        port = await self.listen("")
        with log_of() as lines:
            for data in (b"", b"\x16", b"\x16\x03\x01\x02\0\x01"):
                await deferToThread(speak, port, data, wait=False)
            client = await self.connect(port)
            self.assertEqual(await client.heard, b"\n")
            await self.close(client)
        self.assertEqual(lines, [])


def speak(port: int, data: bytes, wait: bool = True) -> None:
    """Send this over plain TCP, wait for the end of it, and go."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as link:
        link.sendall(data)
        while wait and link.recv(1024):
            pass
