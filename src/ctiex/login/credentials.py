"""Who is there, by twisted.cred: what a Bind says of itself, who is known, and the portal between the two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import field, frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from zope.interface import Interface, implementer

from ctiex.identities import Identity
from ctiex.interfaces import CheckerContext, IBindCredentials, ICertificateCredentials, IIdentity
from ctiex.login.checkers import CertificateChecker, ConfiguredChecker, always
from ctiex.login.hashing_queue import InThread
from ctiex.login.secret_hashes import SecretHash, as_bytes
from ctiex.messages import Bind, Role


@frozen
class KnownIdentity:
    """An identity, with what proves it: a secret, hashed or in clear, or a certificate, or something elsewhere."""

    identity: Identity
    secret: SecretHash | str | None = field(repr=False, default=None)
    certificate: str = ""
    """A name in the certificate of clients that bind without a secret; empty: none may."""


# ---------------------------------------------------------------- what a Bind says


@implementer(IUsernamePassword, IBindCredentials)
@frozen
class BindCredentials:
    """Identity and secret of a Bind."""

    username: bytes
    password: bytes = field(repr=False)
    source: str = ""
    role: Role | None = None
    wanted: Callable[[], bool] = field(repr=False, default=always)
    """Whether the answer is still of use."""

    def checkPassword(self, password: Any) -> bool:
        """For checkers that have the secret in clear; compare it in constant time rather than by this.

        :raise NotImplementedError: always.
        """
        raise NotImplementedError("compare the password by hmac.compare_digest")


@implementer(ICredentials, ICertificateCredentials)
@frozen
class CertificateCredentials:
    """A Bind without a secret, and the names in the certificate of the other side."""

    names: tuple[str, ...]
    identity: str = ""


def credentials_of(
    bind: Bind, names: tuple[str, ...], source: str, role: Role | None, wanted: Callable[[], bool]
) -> ICredentials:
    """What a Bind is let in by: its secret, or without one the certificate of its link.

    :param names: those in the verified certificate of the peer; () without one.
    :param role: the one that the identity needs; None where none will do.
    """
    if names and not bind.secret:
        return CertificateCredentials(names, bind.identity)
    return BindCredentials(as_bytes(bind.identity), as_bytes(bind.secret), source, role, wanted)


# ---------------------------------------------------------------- who is known


@implementer(IRealm)
@frozen
class IdentityRealm:
    """The realm of twisted.cred; the avatars are the identities of the configuration."""

    identities: Mapping[str, Identity]

    def requestAvatar(
        self, avatarId: object, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], Identity, Callable[[], None]]:
        """The identity of this name.

        :param avatarId: the name in UTF-8, as a checker gives it back.
        :raise UnauthorizedLogin: no identity has this name; a checker may know more names than are configured.
        :raise NotImplementedError: nothing is asked for that an identity is.
        """
        if IIdentity not in interfaces:
            raise NotImplementedError(f"the avatars of this realm are IIdentity, not {interfaces}")
        name = avatarId.decode(errors="surrogateescape") if isinstance(avatarId, bytes) else avatarId
        identity = self.identities.get(name) if isinstance(name, str) else None
        if identity is None:
            raise UnauthorizedLogin("not an identity of this exchange")
        return IIdentity, identity, _nothing


def _nothing() -> None:
    """What is to be done at the end of a login: links are counted by :mod:`ctiex.links.admission`."""


def checker_context(known: Collection[KnownIdentity], reactor: Any = None) -> CheckerContext:
    """What a checker is built with, for these identities."""
    identities = {entry.identity.name: entry.identity for entry in known}
    secrets = {entry.identity.name: entry.secret for entry in known if entry.secret is not None}
    return CheckerContext(reactor, identities, secrets)


def make_portal(known: Collection[KnownIdentity], checker: ICredentialsChecker) -> Portal:
    """Where Binds are let in.

    :param checker: looks at identity and secret; certificates are looked at beside it.
    """
    owners = {entry.certificate: entry.identity.name for entry in known if entry.certificate}
    realm = IdentityRealm({entry.identity.name: entry.identity for entry in known})
    return Portal(realm, [checker, CertificateChecker(owners)])


def configured_portal(known: Collection[KnownIdentity], in_thread: InThread) -> Portal:
    """A portal with the built-in checker.

    :param in_thread: runs a hashing beside the reactor.
    """
    context = checker_context(known)
    return make_portal(known, ConfiguredChecker(context.secrets, context.identities, in_thread))
