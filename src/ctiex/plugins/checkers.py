"""The built-in checker of identities and secrets, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.threads import deferToThreadPool
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.errors import ConfigurationError
from ctiex.interfaces import CheckerContext, ICheckerPlugin
from ctiex.login.checkers import CONFIGURED, ConfiguredChecker


@implementer(IPlugin, ICheckerPlugin)
class ConfiguredPlugin:
    """``[login] checker = "configured"``: the secrets and hashes of ``[identities]``."""

    name = CONFIGURED

    def build(self, settings: Mapping[str, Any], context: CheckerContext) -> ICredentialsChecker:
        """A checker over the identities of the configuration.

        :raise ConfigurationError: there are settings; it takes none.
        """
        if settings:
            raise ConfigurationError(f"unknown key {min(settings)!r}: the configured checker takes no settings")
        reactor = context.reactor
        return ConfiguredChecker(
            context.secrets,
            context.identities,
            lambda work: deferToThreadPool(reactor, reactor.getThreadPool(), work),
        )


configured = ConfiguredPlugin()
