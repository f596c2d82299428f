"""The exchange's side of TLS handshakes: with the files as they are now, and a line in the log for who is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import inf
from typing import Any, cast

from attrs import define, field
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from OpenSSL.crypto import Error as CryptoError
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, trustRootFromCertificates
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ctiex.errors import ConfigurationError
from ctiex.tls.endpoint import TlsFiles
from ctiex.tls.files import Credentials, Stamp, read_credentials, stamp_of, utc_now
from ctiex.tls.files import out_of_time as not_valid
from ctiex.tls.handshake_errors import TLS_REFUSED, in_words, openssl_reason

_log = Logger()

_LOOK_EVERY = 1.0
"""Between two looks at the files, in seconds."""

_MOST_TOLD = 100
_TOLD_ANEW_AFTER = 60.0
"""How many refusals are logged in how many seconds: anyone may cause them, as many as a port accepts."""

_codes = SSL.X509VerificationCodes
_VERIFICATION = {
    _codes.ERR_CERT_HAS_EXPIRED: "has expired",
    _codes.ERR_CERT_NOT_YET_VALID: "isn't valid yet",
    _codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed, and isn't trusted",
    _codes.ERR_SELF_SIGNED_CERT_IN_CHAIN: "comes from an authority that isn't trusted",
    _codes.ERR_UNABLE_TO_GET_ISSUER_CERT: "comes from an authority that isn't trusted",
    _codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "comes from an authority that isn't trusted",
    _codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "comes from an authority that isn't trusted",
    _codes.ERR_CERT_SIGNATURE_FAILURE: "has a signature that isn't its authority's",
    _codes.ERR_INVALID_PURPOSE: "isn't made for TLS clients",
    _codes.ERR_INVALID_CA: "is signed by a certificate that isn't an authority's",
}
"""What OpenSSL found, in words behind "the client's certificate"."""


class HandshakeRefused(SSL.Error):
    """A handshake that failed; its text says why in words, its arguments are OpenSSL's."""

    def __init__(self, words: str, queue: Any) -> None:
        super().__init__(queue)
        self.words = words

    def __str__(self) -> str:
        return f"{TLS_REFUSED}: {self.words}"


@define
class HandshakeRefusals:
    """Tells the log of the handshakes that were refused on one port, one by one as long as they are no flood."""

    _clock: IReactorTime
    _began: float = field(default=-inf, init=False)
    _count: int = field(default=0, init=False)

    def tell(self, peer: str, reason: str) -> None:
        """One more."""
        now = self._clock.seconds()
        if not self._began <= now < self._began + _TOLD_ANEW_AFTER:
            self._tell_of_flood()
            self._began, self._count = now, 0
        self._count += 1
        if self._count <= _MOST_TOLD:
            _log.warn("TLS with {peer} refused: {reason}", peer=peer, reason=reason)

    def _tell_of_flood(self) -> None:
        if self._count > _MOST_TOLD:
            _log.warn("TLS was refused {count} more times within {seconds:g} s, which aren't logged",
                      count=self._count - _MOST_TOLD, seconds=_TOLD_ANEW_AFTER)  # fmt: skip


class Handshake(SSL.Connection):
    """One connection of a client; a refusal is logged once."""

    refusals: HandshakeRefusals
    verification: str | None = None
    """What is wrong with the client's certificate."""

    def do_handshake(self) -> None:
        """Go on with the handshake.

        :raise HandshakeRefused: it failed, and this is why.
        """
        try:
            super().do_handshake()
        except SSL.WantReadError:
            raise
        except SSL.Error as error:
            reason = openssl_reason(error)
            if reason is None or reason.casefold().startswith("unexpected eof"):
                raise  # the client went away
            words = self.verification or in_words(reason, "the client")
            self.refusals.tell(self._peer(), words)
            raise HandshakeRefused(words, error.args[0]) from None

    def _peer(self) -> str:
        address: Any = self.get_app_data().transport.getPeer()  # Twisted puts its protocol there
        return f"{address.host}:{address.port}" if hasattr(address, "port") else str(address)


def _verified(connection: SSL.Connection, certificate: X509, error: int, depth: int, good: int) -> bool:
    """Leaves OpenSSL's verdict as it is, and keeps its reason for the log."""
    if not good and isinstance(connection, Handshake) and connection.verification is None:
        found = _VERIFICATION.get(error, f"can't be verified (error {error} of OpenSSL)")
        its_own = depth == 0 or error == _codes.ERR_SELF_SIGNED_CERT_IN_CHAIN
        whose = "the client's certificate" if its_own else "the certificate of the client's authority"
        connection.verification = f"{whose} {found}"
    return bool(good)


def _alpn_selected(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """The application protocol of ours that a client offers; without one the handshake goes on, as without ALPN.

    Twisted's own choice ends the handshake there, and many clients always offer something (RFC 7301, 3.2 allows both).
    """
    spoken = IProtocolNegotiationFactory(connection.get_app_data().factory.wrappedFactory, None)
    ours = () if spoken is None else spoken.acceptableProtocols()
    return next((protocol for protocol in ours if protocol in offered), SSL.NO_OVERLAPPING_PROTOCOLS)


def make_context(credentials: Credentials, clients_optional: bool) -> SSL.Context:
    """A context with Twisted's choice of ciphers, for TLS 1.2 and above.

    :raise ConfigurationError: OpenSSL doesn't take the certificates or the key.
    """
    own, *chain = [X509.from_cryptography(certificate) for certificate in credentials.chain]
    authorities = [Certificate(X509.from_cryptography(authority)) for authority in credentials.authorities]
    options = CertificateOptions(
        PKey.from_cryptography_key(credentials.key),
        own,
        extraCertChain=chain,
        trustRoot=trustRootFromCertificates(authorities) if authorities else None,
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    try:
        context: SSL.Context = options.getContext()
    except (SSL.Error, CryptoError) as error:
        raise ConfigurationError(
            f"OpenSSL rejects this certificate or key ({openssl_reason(error) or error})"
        ) from None
    context.set_alpn_select_callback(_alpn_selected)
    if authorities:
        required = 0 if clients_optional else SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE | required, _verified)
    return context


class _MayTurnAway:
    """Wraps the protocols of a factory that may turn a connection away."""

    def buildProtocol(self: Any, addr: IAddress | None) -> Any:
        """A protocol; None, which closes the connection, where the other factory gives none."""
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else self.protocol(self, protocol)


class TlsLinkFactory(_MayTurnAway, TLSMemoryBIOFactory):
    """Puts TLS around the protocols of another factory."""


class ProxiedFactory(_MayTurnAway, HAProxyWrappingFactory):
    """Takes the PROXY header off what the protocols of another factory get."""

    noisy = False


def behind_tls(contexts: ServerContexts, factory: IProtocolFactory, clock: IReactorTime) -> IProtocolFactory:
    """The protocols of a factory behind TLS.

    Of ``haproxy:ctiex-tls:...`` the factory takes a PROXY header off what it gets. Proxies that pass TLS on send it in
    clear, before the handshake, so it is taken off there.
    """
    if not isinstance(factory, HAProxyWrappingFactory):
        return TlsLinkFactory(contexts, False, factory, clock)
    return cast(IProtocolFactory, ProxiedFactory(TlsLinkFactory(contexts, False, factory.wrappedFactory, clock)))


@implementer(IOpenSSLServerConnectionCreator)
class ServerContexts:
    """Makes the TLS connections of one listening port.

    The files are looked at when a handshake begins, at most once a second, and taken up when they have changed. If the
    new ones are invalid the previous ones are kept, with one line in the log. Open connections aren't affected.
    """

    def __init__(self, files: TlsFiles, clock: IReactorTime, now: Callable[[], datetime] = utc_now) -> None:
        """Read the files.

        :param clock: says when to look at the files again.
        :param now: the time by which certificates are valid.
        :raise ConfigurationError: the files are invalid.
        """
        self._files = files
        self._clock = clock
        self._now = now
        self._refusals = HandshakeRefusals(clock)
        self._looked_at = clock.seconds()
        self._stamp: Stamp = stamp_of(files)
        self._context = self._read(self._tell_out_of_time)

    def serverConnectionForTLS(self, protocol: object) -> Handshake:
        """A connection for a client that has just come."""
        if self._clock.seconds() - self._looked_at >= _LOOK_EVERY:
            self._look()
        handshake = Handshake(self._context, None)
        handshake.refusals = self._refusals
        return handshake

    def _look(self) -> None:
        self._looked_at = self._clock.seconds()
        stamp = stamp_of(self._files)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._context = self._read(self._refuse_out_of_time)
        except ConfigurationError as error:
            _log.error("the new certificates are invalid; keeping the previous ones: {reason}", reason=str(error))

    def _read(self, out_of_time: Callable[[tuple[str, ...]], None]) -> SSL.Context:
        """:param out_of_time: called with the certificates that aren't valid now."""
        credentials = read_credentials(self._files)
        late = not_valid(self._files, credentials, self._now())
        if late:
            out_of_time(late)
        context = make_context(credentials, self._files.clients_optional)
        own = credentials.chain[0]
        _log.info("certificates read: {subject}, serial number {serial}, until {expires:%Y-%m-%d %H:%M} UTC",
                  subject=own.subject.rfc4514_string(), serial=f"{own.serial_number:x}",
                  expires=credentials.expires)  # fmt: skip
        return context

    def _tell_out_of_time(self, lines: tuple[str, ...]) -> None:
        """At the start there are no better ones; clients say best what they refuse, and other ports go without it."""
        for line in lines:
            _log.error("{line}: clients refuse it until it is renewed", line=line)

    def _refuse_out_of_time(self, lines: tuple[str, ...]) -> None:
        raise ConfigurationError(f"{'; '.join(lines)}, expected a valid one")
