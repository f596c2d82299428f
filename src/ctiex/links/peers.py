"""Who stands at the other end of a transport: its certificate's names, and what its address tells.

Nothing here needs pyOpenSSL to be installed: without it no transport is TLS.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport, ITransport

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_VERIFY_PEER = 1
"""OpenSSL's SSL_VERIFY_PEER."""

LOCAL = "local"
"""The source of every peer that has no internet address: a UNIX socket, a transport in memory."""


def certificate_names(transport: ITransport | None) -> tuple[str, ...]:
    """The names of the other side's certificate, verified by the handshake.

    They are the DNS names and URIs of its subjectAltName (RFC 5280, 4.2.1.6), and its common name only
    where it has none of these. Empty where there is no certificate, and before the handshake is done.
    """
    if not ISSLTransport.providedBy(transport) or _asked_only(transport):
        return ()
    certificate: Any = transport.getPeerCertificate()
    return () if certificate is None else _names(certificate.to_cryptography())


def _names(certificate: Certificate) -> tuple[str, ...]:
    # Imported here, since the extra may not be installed. A certificate is there: it is.
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName, UniformResourceIdentifier
    from cryptography.x509.oid import NameOID

    names: list[str] = []
    try:
        alternative = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        names += alternative.get_values_for_type(DNSName)
        names += alternative.get_values_for_type(UniformResourceIdentifier)
    except ExtensionNotFound:
        pass
    except ValueError:
        return ()  # unreadable extensions contain no names
    common = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return tuple(dict.fromkeys(name for name in names or common if name))


def is_private(transport: ITransport | None) -> bool:
    """Whether no one on the way can read what is sent: TLS, this machine's own loopback or sockets, or memory."""
    return ISSLTransport.providedBy(transport) or _is_local(transport)


def is_verified(transport: ITransport | None) -> bool:
    """Whether the other side is who it should be: its certificate is verified, or it is on this machine.

    It tells a TLS client of whom nobody wanted to know whether the certificate is any good, such as Twisted's ``ssl:``:
    TLS without verification is no better on this machine, since what is on it may go anywhere.
    """
    return not _asked_only(transport) if ISSLTransport.providedBy(transport) else _is_local(transport)


def is_loopback(host: str) -> bool:
    """Whether the name or address of a host, or of an interface, is this machine's own loopback."""
    return _is_here(host, internet_address(host))


def source_of(transport: ITransport | None) -> str:
    """What limits count a peer by.

    An IPv4 address as it is, also where it comes mapped into IPv6; the /64 of an IPv6 address, since whoever has
    one has all of it; :data:`LOCAL` where there is no internet address.
    """
    return source_of_address(None if transport is None else transport.getPeer())


def source_of_address(peer: object) -> str:
    """The same of a peer's address, which a listening port knows before there is a transport."""
    return _counted_by(internet_address(getattr(peer, "host", None)))


def seen(transport: ITransport | None) -> tuple[str, bool]:
    """What :func:`source_of` and :func:`is_private` tell, where both are asked for: the address is read once."""
    host = _host(transport)
    address = internet_address(host)
    return _counted_by(address), ISSLTransport.providedBy(transport) or _is_here(host, address)


def _counted_by(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return LOCAL
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), 64), strict=False))


def _asked_only(transport: Any) -> bool:
    """Whether TLS takes any certificate, or none, without verifying it."""
    connection = getattr(transport, "getHandle", lambda: None)()
    return connection is not None and not connection.get_context().get_verify_mode() & _VERIFY_PEER


def _is_local(transport: ITransport | None) -> bool:
    host = _host(transport)
    return _is_here(host, internet_address(host))


def _is_here(host: str | None, address: IPv4Address | IPv6Address | None) -> bool:
    return host in (None, "localhost") if address is None else address.is_loopback


def _host(transport: ITransport | None) -> str | None:
    return None if transport is None else getattr(transport.getPeer(), "host", None)


@lru_cache(maxsize=1_024)  # the many links of a platform come from few addresses
def internet_address(host: str | None) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, an IPv4 one also where it came by IPv6; None for anything else."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
