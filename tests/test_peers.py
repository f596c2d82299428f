"""Who stands at the other end of a transport."""

from __future__ import annotations

from ipaddress import IPv4Address as Number4
from ipaddress import IPv6Address as Number6
from ipaddress import IPv6Network
from typing import Any

from attrs import frozen
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from ctiex.config.endpoints import read_endpoint
from ctiex.links.endpoints import read_destination
from ctiex.links.peers import LOCAL, certificate_names, is_loopback, is_private, is_verified, seen, source_of
from ctiex.testing.pairs import MemoryTransport

from .certificates import Authority

AUTHORITY = Authority("an authority")


def plain(host: str) -> StringTransport:
    """A TCP transport with this peer."""
    kind = IPv6Address if ":" in host else IPv4Address
    return StringTransport(peerAddress=kind("TCP", host, 4444))


def encrypted(certificate: x509.Certificate | None) -> Any:
    """A TLS transport whose peer has shown this certificate."""
    transport: Any = plain("192.0.2.7")
    transport.getPeerCertificate = lambda: None if certificate is None else X509.from_cryptography(certificate)
    directlyProvides(transport, ISSLTransport)
    return transport


@frozen
class Nowhere:
    """An address that has no host."""


class SourceTests(SynchronousTestCase):
    """What limits count a peer by."""

    @given(st.ip_addresses(v=4))
    @settings(deadline=None)
    def test_an_ipv4_address_counts_as_it_is_and_the_same_when_it_comes_mapped(self, address: Number4) -> None:
        self.assertEqual(source_of(plain(str(address))), str(address))
        self.assertEqual(source_of(plain(f"::ffff:{address}")), str(address))

    @given(st.ip_addresses(v=6, network="2000::/3"), st.integers(0, 2**64 - 1))
    @settings(deadline=None)
    def test_every_address_of_one_64_counts_as_one(self, address: Number6, within: int) -> None:
        network = IPv6Network((int(address), 64), strict=False)
        self.assertEqual(source_of(plain(str(address))), str(network))
        self.assertEqual(source_of(plain(str(network[within]))), str(network))

    def test_what_has_no_address_counts_as_local(self) -> None:
        for address in (UNIXAddress("/run/ctiex"), UNIXAddress(None), Nowhere()):
            self.assertEqual(source_of(StringTransport(peerAddress=address)), LOCAL)
        self.assertEqual(source_of(None), LOCAL)

    def test_an_address_with_a_zone_counts_by_its_64(self) -> None:
        self.assertEqual(source_of(plain("fe80::1%eth0")), "fe80::/64")


class LoopbackTests(SynchronousTestCase):
    """Which hosts are this machine's own loopback, wherever that is asked: of a peer, a port, a destination."""

    def test_it_is_the_same_for_whoever_asks(self) -> None:
        for host, local in (
            ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
            ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("::ffff:192.0.2.1", False),
        ):  # fmt: skip
            with self.subTest(host=host):
                escaped = host.replace(":", r"\:")
                self.assertIs(is_loopback(host), local)
                self.assertIs(is_private(plain(host)), local)
                self.assertIs(read_endpoint(f"tcp:7300:interface={escaped}").local, local)
                self.assertIs(read_destination(f"tcp:{escaped}:7300").is_local, local)

    def test_a_name_is_only_where_it_is_localhost(self) -> None:
        for host, local in (("localhost", True), ("localhost.example.net", False), ("", False)):
            self.assertIs(is_loopback(host), local)


class PrivacyTests(SynchronousTestCase):
    """Whether others can read what is sent, and whether the peer is who it should be."""

    @given(st.ip_addresses())
    @settings(deadline=None)
    def test_plain_tcp_is_private_on_loopback_alone(self, address: Any) -> None:
        expected = (getattr(address, "ipv4_mapped", None) or address).is_loopback
        self.assertIs(is_private(plain(str(address))), expected)
        self.assertIs(is_verified(plain(str(address))), expected)

    def test_loopback_mapped_into_ipv6_is_private(self) -> None:
        self.assertTrue(is_private(plain("::ffff:127.0.0.1")))
        self.assertFalse(is_private(plain("::ffff:192.0.2.7")))

    def test_a_name_in_place_of_an_address_is_not_private(self) -> None:
        self.assertFalse(is_private(plain("localhost.example.net")))

    def test_sockets_of_this_machine_and_transports_in_memory_are_private(self) -> None:
        for transport in (StringTransport(peerAddress=UNIXAddress(None)), StringTransport(peerAddress=Nowhere()), None):
            self.assertTrue(is_private(transport))
        self.assertTrue(is_private(MemoryTransport("first")))

    def test_tls_is_private_from_anywhere(self) -> None:
        self.assertTrue(is_private(encrypted(None)))

    @given(st.ip_addresses().map(str) | st.sampled_from(["localhost.example.net", "::ffff:127.0.0.1"]))
    @settings(deadline=None)
    def test_source_and_privacy_together_are_what_each_is_alone(self, host: str) -> None:
        unusual = (StringTransport(peerAddress=UNIXAddress(None)), MemoryTransport("first"), encrypted(None), None)
        for transport in (plain(host), *unusual):
            self.assertEqual(seen(transport), (source_of(transport), is_private(transport)))


class CertificateNameTests(SynchronousTestCase):
    """The names in a certificate."""

    def test_dns_names_and_uris_are_names_and_the_common_name_is_none_beside_them(self) -> None:
        both = AUTHORITY.sign(
            "common", x509.DNSName("ivr.example.net"), x509.UniformResourceIdentifier("urn:ctiex:ivr")
        ).certificate
        self.assertEqual(certificate_names(encrypted(both)), ("ivr.example.net", "urn:ctiex:ivr"))

    def test_the_common_name_is_the_name_where_there_is_no_other(self) -> None:
        self.assertEqual(certificate_names(encrypted(AUTHORITY.sign("common").certificate)), ("common",))
        mail = AUTHORITY.sign("common", x509.RFC822Name("ivr@example.net")).certificate
        self.assertEqual(certificate_names(encrypted(mail)), ("common",))

    def test_a_certificate_may_have_no_name(self) -> None:
        mail = AUTHORITY.sign("", x509.RFC822Name("ivr@example.net")).certificate
        self.assertEqual(certificate_names(encrypted(mail)), ())

    def test_a_name_that_stands_twice_is_one(self) -> None:
        twice = AUTHORITY.sign("", x509.DNSName("a.example"), x509.DNSName("a.example")).certificate
        self.assertEqual(certificate_names(encrypted(twice)), ("a.example",))

    def test_a_certificate_that_nobody_verified_names_nobody(self) -> None:
        transport = encrypted(AUTHORITY.sign("common").certificate)
        for mode, names in ((SSL.VERIFY_NONE, ()), (SSL.VERIFY_PEER, ("common",))):
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_verify(mode)
            connection = SSL.Connection(context)
            transport.getHandle = lambda connection=connection: connection
            self.assertEqual(certificate_names(transport), names)
            self.assertIs(is_verified(transport), bool(names))

    def test_who_shows_no_certificate_has_no_names(self) -> None:
        for transport in (encrypted(None), plain("127.0.0.1"), MemoryTransport("first"), None):
            self.assertEqual(certificate_names(transport), ())
