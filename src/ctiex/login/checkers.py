"""The built-in checkers: identity and secret against the configuration, and the names in a certificate.

A secret is hashed beside the reactor; one that was verified once is remembered by a keyed digest,
so that a thousand links of one identity hash once. Every refusal has cost the same work,
whether the identity is unknown, the secret wrong, or the role not its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from attrs import define, field
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from zope.interface import Interface, implementer

from ctiex.interfaces import IBindCredentials, ICertificateCredentials, IIdentity
from ctiex.login.hashing_queue import HashingQueue, InThread, Wanted
from ctiex.login.secret_hashes import SecretHash, as_bytes

CONFIGURED = "configured"
"""What the configuration calls the built-in checker of secrets."""
_DIGEST_SIZE = 32
_NO_DIGEST = bytes(_DIGEST_SIZE)
AvatarId = Deferred[bytes | tuple[()]]
"""The name of an identity, as twisted.cred types it."""


@implementer(ICredentialsChecker)
@define(eq=False)
class ConfiguredChecker:
    """Holds identity and secret against those of the configuration.

    Where any secret is hashed, every refusal costs one hashing; where none is, none does.
    """

    _secrets: Mapping[str, SecretHash | str] = field(repr=False)
    _identities: Mapping[str, IIdentity]
    _in_thread: InThread
    _key: bytes = field(factory=lambda: os.urandom(_DIGEST_SIZE), repr=False)
    credentialInterfaces: tuple[type[Interface], ...] = field(default=(IUsernamePassword,), init=False)
    queue: HashingQueue = field(init=False, repr=False)
    _hashed: dict[bytes, SecretHash] = field(init=False, repr=False)
    _proven: dict[bytes, bytes] = field(init=False, repr=False)
    """By name, the keyed digest of each secret in plain text, and of those hashed that have been verified."""

    def __attrs_post_init__(self) -> None:
        self.queue = HashingQueue(self._in_thread)
        items = [(as_bytes(name), secret) for name, secret in self._secrets.items()]
        self._hashed = {name: secret for name, secret in items if isinstance(secret, SecretHash)}
        self._proven = {name: self._digest(name, as_bytes(secret)) for name, secret in items if isinstance(secret, str)}

    def requestAvatarId(self, credentials: Any) -> AvatarId:
        """The name of the identity, if the secret is its own: at once, or when it was hashed.

        Fails with UnauthorizedLogin, and with CheckBusy where so many secrets wait already. Cancelling it gives
        the wait up.

        :param credentials: IUsernamePassword; an IBindCredentials says more.
        """
        name, secret = as_bytes(credentials.username), as_bytes(credentials.password)
        digest = self._digest(name, secret)
        known = hmac.compare_digest(self._proven.get(name, _NO_DIGEST), digest) and bool(secret)
        if not self._hashed or (known and self._fits(name, credentials)):
            return succeed(name) if known else fail(self._refused(name))
        expected = self._hashed.get(name) or self._stand_in(name)
        source, wanted = _asked_by(credentials)
        verified = maybeDeferred(self.queue.verify, digest, source, lambda: expected.matches(secret), wanted)
        return verified.addCallback(self._verified, name, secret, digest, known)

    def _verified(self, same: bool, name: bytes, secret: bytes, digest: bytes, known: bool) -> bytes | tuple[()]:
        if same and secret and name in self._hashed:
            self._proven[name] = digest
        elif not known:
            raise self._refused(name)
        return name

    def _refused(self, name: bytes) -> UnauthorizedLogin:
        """The reason is for log and audit; no answer tells it."""
        is_known = name.decode(errors="surrogateescape") in self._identities
        return UnauthorizedLogin("wrong secret" if is_known else "unknown identity")

    def _digest(self, name: bytes, secret: bytes) -> bytes:
        """Stands for a name with a secret; of one length, so that comparing it tells nothing."""
        keyed = hashlib.blake2b(len(name).to_bytes(4, "big"), key=self._key, digest_size=_DIGEST_SIZE)
        keyed.update(name + secret)
        return keyed.digest()

    def _fits(self, name: bytes, credentials: Any) -> bool:
        """Whether nothing else will keep this identity out. One in a wrong role costs what a stranger costs."""
        if not IBindCredentials.providedBy(credentials):
            return True
        identity = self._identities.get(name.decode(errors="surrogateescape"))
        return identity is not None and identity.role is credentials.role

    def _stand_in(self, name: bytes) -> SecretHash:
        """What is hashed for a name that has no hash: always the same one, so that costs don't tell it either."""
        hashes = list(self._hashed.values())
        return hashes[int.from_bytes(self._digest(name, b"")[:8], "big") % len(hashes)]


def _asked_by(credentials: Any) -> tuple[str, Wanted]:
    if IBindCredentials.providedBy(credentials):
        return credentials.source, credentials.wanted
    return "", always


def always() -> bool:
    """An answer is of use to one who doesn't say otherwise."""
    return True


@implementer(ICredentialsChecker)
@define(eq=False)
class CertificateChecker:
    """Takes the identity from the names in a certificate that the handshake has verified."""

    _owners: Mapping[str, str]
    """By the name in the certificate, the identity that it belongs to."""
    credentialInterfaces: tuple[type[Interface], ...] = field(default=(ICertificateCredentials,), init=False)

    def __attrs_post_init__(self) -> None:
        self._owners = {canonical_name(name): owner for name, owner in self._owners.items()}

    def requestAvatarId(self, credentials: Any) -> AvatarId:
        """The name of the one identity that these names belong to; fails with UnauthorizedLogin.

        :param credentials: ICertificateCredentials.
        """
        owners = {self._owners[name] for name in map(canonical_name, credentials.names) if name in self._owners}
        if len(owners) == 1 and credentials.identity in ("", *owners):
            return succeed(as_bytes(owners.pop()))
        return fail(UnauthorizedLogin("certificate"))


_SMALL = {ord(letter): letter.lower() for letter in ascii_uppercase}


def canonical_name(name: str) -> str:
    """A name of a certificate for comparing: DNS names don't tell letters by their case, URIs do (RFC 5280, 7).

    Only the letters of ASCII: ``lower`` would make a ``k`` of the KELVIN SIGN, and so one name of two.
    """
    return name if ":" in name else name.translate(_SMALL)
