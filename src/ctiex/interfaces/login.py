"""Who may bind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field
from twisted.cred.checkers import ICredentialsChecker
from zope.interface import Attribute, Interface

from ctiex.frozen import frozen
from ctiex.messages import Role


class IIdentity(Interface):
    """An identity that may bind, and what it may do: the avatar of twisted.cred."""

    name: str = Attribute("As in ``[identities.NAME]``.")
    role: Role = Attribute("On which link it binds.")

    def may_act_for(agent: str) -> bool:
        """Whether it may log this agent number in, and ask and cancel for it."""

    def may_serve(service: str) -> bool:
        """Whether calls for this service may be offered to it."""


class IBindCredentials(Interface):
    """The credentials of a Bind, beside ``IUsernamePassword`` of twisted.cred."""

    username: bytes = Attribute("The identity, in UTF-8.")
    password: bytes = Attribute("The secret, in UTF-8.")
    source: str = Attribute("The source that limits count: an address, the /64 of an IPv6 one, or ``local``.")
    role: Role | None = Attribute("The role that the identity must have; None: no identity can be bound.")

    def wanted() -> bool:
        """Whether the answer is still needed; a checker asks before it starts anything slow."""


class ICertificateCredentials(Interface):
    """A Bind without a secret, on a link whose client certificate was verified."""

    names: tuple[str, ...] = Attribute("The names in the certificate.")
    identity: str = Attribute("The identity that the Bind names; empty: whichever has the certificate.")


@frozen
class CheckerContext:
    """What a checker is built with."""

    reactor: Any
    """For time, threads and connections; None where nothing is to be run, as in ``ctiex check-config``."""
    identities: Mapping[str, IIdentity]
    """The identities that may bind, by name. No other is accepted, whatever the checker says."""
    secrets: Mapping[str, Any] = field(repr=False, factory=dict)
    """By name, the secret (text) or its hash (`ctiex.login.secret_hashes.SecretHash`) of those that have one."""


class ICheckerPlugin(Interface):
    """Finds a checker of identities and secrets by name."""

    name: str = Attribute("What the configuration calls it: ``[login] checker = NAME``.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any, context: CheckerContext) -> ICredentialsChecker:
        """A checker for ``IUsernamePassword``; opens nothing before it is asked.

        It returns the name of the identity in UTF-8, at once or by a Deferred. It fails with
        ``twisted.cred.error.UnauthorizedLogin`` for all others, in the same way and with the same work whether the name
        is known or not, and with :class:`ctiex.errors.CheckBusy` when it can't check now. The error's text is for log
        and audit; it is never sent to the peer.

        :param settings: an instance of ``settings``, from the other keys of ``[login]``.
        """
