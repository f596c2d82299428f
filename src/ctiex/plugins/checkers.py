"""The built-in checker of identities and secrets, by name."""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.threads import deferToThreadPool
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.interfaces import CheckerContext, ICheckerPlugin
from ctiex.login.checkers import CONFIGURED, ConfiguredChecker
from ctiex.settings import NoSettings


@implementer(IPlugin, ICheckerPlugin)
class ConfiguredPlugin:
    """``[login] checker = "configured"``: the secrets and hashes of ``[identities]``."""

    name = CONFIGURED
    settings = NoSettings

    def build(self, settings: NoSettings, context: CheckerContext) -> ICredentialsChecker:
        """A checker over the identities of the configuration."""
        reactor = context.reactor
        return ConfiguredChecker(
            context.secrets,
            context.identities,
            lambda work: deferToThreadPool(reactor, reactor.getThreadPool(), work),
        )


configured = ConfiguredPlugin()
